"""The laws of clients, one family per file; they arm the fake, drive a client through an adapter and compare."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Imports every family, so that all laws are registered."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
