"""Bodies are read with care: every body is a value or one clear refusal."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.jsontext import BadJSON, Reading, read_json

STRICT, LAX = Reading(), Reading(detect=True, nan=True, max_depth=900)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.booleans())
def test_documents_are_read(value: Any, escaped: bool) -> None:
    """Whatever the standard library wrote."""
    assert read_json(json.dumps(value, ensure_ascii=escaped).encode(), STRICT) == value


@given(st.binary(max_size=40), st.sampled_from([STRICT, LAX]))
def test_bytes_are_a_value_or_a_refusal(data: bytes, reading: Reading) -> None:
    """No other exception."""
    found: Any = None
    try:
        found = read_json(data, reading)
    except BadJSON as error:
        found = error
    assert not isinstance(found, BadJSON) or (found.kind in ("syntax", "unreadable") and found.message)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"{", "syntax", "Expecting property name"),
        (b"NaN", "syntax", "NaN is no JSON number"),
        (b'{"a": -Infinity}', "syntax", "-Infinity is no JSON number"),
        (b"\xef\xbb\xbf{}", "syntax", "byte order mark"),
        (b'"\xe9"', "unreadable", "not UTF-8"),
        (b'"\\ud800"', "unreadable", "lone surrogate"),
        (b'{"\\uDC00": 1}', "unreadable", "lone surrogate"),
        (b"[" * 101 + b"]" * 101, "unreadable", "deeper than 100"),
        (b'{"a":' * 101, "unreadable", "deeper than 100"),
        (b"1" * 5000, "unreadable", "exceeds the limit"),
    ],
)
def test_refusals(data: bytes, kind: str, message: str) -> None:
    """Each says what is wrong."""
    with pytest.raises(BadJSON, match=message) as caught:
        read_json(data, STRICT)
    assert caught.value.kind == kind


def test_what_is_no_depth() -> None:
    """Brackets in texts, siblings, closed ones."""
    assert len(read_json(b"[" + b"[]," * 300 + b"[]]", STRICT)) == 301
    assert read_json(json.dumps("[" * 500 + '\\"[').encode(), STRICT).startswith("[[")
    assert read_json(b"[" * 100 + b"]" * 100, STRICT)


def test_a_lax_profile() -> None:
    """Marks, UTF-16 and NaN pass, lone surrogates and bad bytes do not; duplicates: the last counts."""
    assert read_json(b"\xef\xbb\xbf{}", LAX) == {}
    assert read_json('{"a": "é"}'.encode("utf-16"), LAX) == {"a": "é"}
    assert math.isnan(read_json(b"NaN", LAX))
    assert read_json(b'{"a": 1, "a": 2}', STRICT) == {"a": 2}
    assert read_json(b'"\\ud83d\\ude00"', STRICT) == "😀"
    for data in (b'"\xe9"', b'"\\ud800"', '"\\ud800"'.encode("utf-16"), b"[" * 5000):
        with pytest.raises(BadJSON):
            read_json(data, LAX)


def test_a_document_that_is_deep_for_the_machine() -> None:
    """A profile that lets more in than the parser can take still refuses."""
    with pytest.raises(BadJSON) as caught:
        read_json(b"[" * 200_000, Reading(max_depth=10**6))
    assert caught.value.kind in ("unreadable", "syntax")
