"""The public API is a decision: what the packages export, and that it is there."""

from __future__ import annotations

import importlib

import pytest


@pytest.mark.parametrize("package", ["inferneo", "mockserver"])
def test_what_is_exported_is_there(package: str) -> None:
    """Every name of `__all__` can be had, and is listed once, in order."""
    module = importlib.import_module(package)
    names = list(module.__all__)
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(module, name)] == []
    assert set(names) <= set(dir(module))
