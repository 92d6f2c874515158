"""The laws of servers, one family per file; they need a URL and know nothing of any server."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Imports every family, so that all laws are registered."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
