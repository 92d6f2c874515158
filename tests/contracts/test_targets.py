"""The baseline of the live strangers: one red law more, or one fewer, is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from contracts.law import find
from contracts.notes import Stranger, strangers

FILE = Path(__file__).parents[2] / "tools" / "targets" / "judge.py"
KNOWN = Stranger("x", "1", "", {"S-A-01": ("GET /", "is wrong"), "S-A-02": ("GET /", "is late")}, frozenset({"S-A-02"}))


def tool() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("targets_judge", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_explained_is_no_surprise() -> None:
    """Also where a breach that time decides did not come."""
    assert tool().surprises(KNOWN, {"S-A-01": "r"}, {"S-A-01", "S-A-02"}) == []
    assert tool().surprises(KNOWN, {"S-A-01": "r", "S-A-02": "r"}, set()) == []


def test_one_more_and_one_fewer_are_surprises() -> None:
    """Each is a line that names the law."""
    assert tool().surprises(KNOWN, {"S-B-01": "r"}, {"S-A-01"}) == [
        "S-B-01 is red and not explained: r",
        "S-A-01 is explained, but no longer red",
    ]
    assert "not judged" in tool().surprises(KNOWN, {}, set())[0]


def test_each_note_names_a_law_and_a_request() -> None:
    """And what comes only sometimes is listed as well."""
    for stranger in strangers().values():
        assert stranger.sometimes <= set(stranger.breaks)
        for law, (request, does) in stranger.breaks.items():
            assert find(law).side == "server"
            assert "/v1/" in request
            assert does.endswith(".")
