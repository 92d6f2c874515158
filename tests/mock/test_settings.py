"""JSON in and out, derived from annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from mockserver.errors import Place, PlanError, ScriptError
from mockserver.settings import (
    Key,
    Range,
    check_text,
    child,
    codec_of,
    dump_object,
    object_schema,
    parse_bytes,
    parse_object,
)
from mockserver.suggest import did_you_mean, unknown


@dataclass(frozen=True, slots=True)
class Sample:
    """A value with a key that Python forbids."""

    not_: Annotated[str, Key("not")]
    rate: Annotated[float, Range(None, 1)] = 0.5
    on: bool = True


def test_a_dataclass_is_an_object() -> None:
    """Keys, defaults, bounds, and a schema that says the same."""
    made = parse_object(Sample, {"not": "x", "rate": 1}, "$")
    assert made == Sample("x", 1.0)
    assert dump_object(made) == {"not": "x", "rate": 1.0}
    assert parse_object(Sample, made, "$") is made
    assert dump_object(3) == 3
    schema = object_schema(Sample)
    assert schema["required"] == ["not"]
    assert schema["properties"]["rate"] == {"type": "number", "maximum": 1}
    with pytest.raises(ScriptError, match=r"\$\.rate: expected a number"):
        parse_object(Sample, {"not": "x", "rate": 2}, "$")
    with pytest.raises(ScriptError, match=r"\$\.on: expected true or false, got 1"):
        parse_object(Sample, {"not": "x", "on": 1}, "$")


def test_paths_are_json_paths() -> None:
    """Plain names with a dot, others in brackets."""
    assert (child("$", "a_b-c"), child("$", "a b"), child("$", 3)) == ("$.a_b-c", "$['a b']", "$[3]")


def test_a_type_without_a_codec_is_a_mistake_of_ours() -> None:
    """It is found when the class is first used."""
    with pytest.raises(TypeError, match="no setting may have the type"):
        codec_of(set)


def test_bytes() -> None:
    """Text, base64, or bytes as they are."""
    assert parse_bytes(b"\xff", "$") == parse_bytes({"base64": "/w=="}, "$") == b"\xff"
    with pytest.raises(ScriptError, match="lone surrogate"):
        check_text("\udc80", "$")


def test_errors_name_the_place() -> None:
    """Line and column where there are some."""
    error = ScriptError("no", "$.a").at(Place(2, 3))
    assert str(error) == "line 2, column 3: $.a: no"
    assert isinstance(error, ValueError)
    assert not isinstance(PlanError("x"), ValueError)


def test_suggestions() -> None:
    """The nearest word, whatever its case; a long list is cut."""
    assert did_you_mean("Cutt", ["cut", "drop"]) == "; did you mean 'cut'?"
    assert did_you_mean("zzz", ["cut"]) == ""
    assert unknown("word", "x", []) == "unknown word 'x'; known: none"
    assert unknown("word", "x", map(str, range(50))).endswith(", ... (50 in all)")
