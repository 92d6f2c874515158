"""The public API is a decision: what the packages export, and that it is there."""

from __future__ import annotations

import importlib

import pytest


def test_a_fault_without_a_word_of_its_own_says_how_it_is_written() -> None:
    """Where it is imported; what is nothing at all is an ordinary mistake."""
    with pytest.raises(ImportError, match=r"mockserver has no word 'error_event'; write fault\('error-event', ...\)"):
        exec("from mockserver import error_event")
    with pytest.raises(ImportError, match="cannot import name 'chatt'"):
        exec("from mockserver import chatt")


@pytest.mark.parametrize("package", ["inferneo", "mockserver"])
def test_what_is_exported_is_there(package: str) -> None:
    """Every name of `__all__` can be had, and is listed once, in order."""
    module = importlib.import_module(package)
    names = list(module.__all__)
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(module, name)] == []
    assert set(names) <= set(dir(module))
