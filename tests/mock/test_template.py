"""Templates: documents with holes, compiled; the law is plain JSON with the values put in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.template import Style, Template, holes_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
STYLES = st.builds(Style, st.booleans(), st.booleans())


@given(JSON, JSON, st.text(max_size=6), STYLES)
def test_filling_is_putting_values_in(one: Any, other: Any, text: str, style: Style) -> None:
    """For any values and any style of writing."""
    document = {"a": "$one", "b": ["$other", {"c%": "100% ${text}!"}], "d?": "$gone", "e?": "$one"}
    values = {"one": style.encode(one), "other": style.encode(other), "text": style.encode(text)}
    filled = Template(document, style).fill(values)
    assert json.loads(filled) == {"a": one, "b": [other, {"c%": f"100% {text}!"}], "e": one}
    assert filled.isascii() or not style.escaped
    before, behind = Template({"x": "$one", "y": "$text"}, style).given(frozenset(values)).around("text", values)
    assert json.loads(before + b"5" + behind) == {"x": one, "y": 5}


def test_holes() -> None:
    """Whole values, parts of texts, none."""
    assert holes_of({"a": ["$x", "${y} ${z}", "$", "$5", 5]}) == {"x", "y", "z"}
    with pytest.raises(KeyError):
        Template({"a": "$x"}).fill({})


def test_numbers_inside_a_text() -> None:
    """They stand as they are."""
    assert Template("at ${limit}").fill({"limit": b"5"}) == b'"at 5"'
