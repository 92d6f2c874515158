"""Cases as JSON: what every law draws comes back from a file as it was, and a file runs no foreign code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stranger import Stranger, serving

from contracts.adapters import subject
from contracts.bench import Bench
from contracts.case import Unsaved, from_json, to_json
from contracts.connect import connect
from contracts.exchange import Call
from contracts.law import Law, laws
from contracts.mock import Door
from contracts.options import Options
from contracts.target import Target

BENCH = Bench(subject("httpx"), Door("http://127.0.0.1:9"))
DRAWN = [law for law in laws() if law.over is not None]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A right server: some cases are drawn from what it says."""
    with serving(Stranger) as url:
        yield connect(url, Options())


@pytest.mark.parametrize("law", DRAWN, ids=lambda law: law.id)
def test_every_drawn_case_comes_back(law: Law, target: Target) -> None:
    """Through JSON text, equal, and of the same types; but for what was seen, which must be seen again."""
    assert law.over is not None
    strategy: st.SearchStrategy[Any] = law.over.draw(BENCH if law.side == "client" else target)

    @settings(max_examples=4, database=None, suppress_health_check=list(HealthCheck), deadline=None)
    @given(strategy)
    def comes_back(case: Any) -> None:
        try:
            again = from_json(json.loads(json.dumps(to_json(case))))
        except Unsaved:
            assert "Exchange(" in repr(case)
        else:
            assert repr(again) == repr(case)

    comes_back()


@pytest.mark.parametrize(
    "value",
    [None, (1, "a"), {1: b"\xff"}, {"$type": "x"}, {b"a"}, frozenset({1}), [..., "\ud800"], Call("GET", "/", b"\x80")],
)
def test_values_come_back(value: object) -> None:
    """All that a case is made of."""
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


def test_what_has_no_form_is_told() -> None:
    """The type is named."""
    with pytest.raises(Unsaved, match="a complex has no form"):
        to_json([1j])


@pytest.mark.parametrize(
    "name", ["os:system", "contracts.nothing:Call", "contracts.law:find", "contracts.judge:Nothing", "tuple"]
)
def test_only_our_values_are_made(name: str) -> None:
    """No file can name anything but a dataclass of this package."""
    with pytest.raises(ValueError, match="is no type of a case"):
        from_json({"$type": name, "fields": {}})
