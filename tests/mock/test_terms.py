"""Keys, limits and latency in scripts: read strictly, written back without loss, described by the schema."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from mockserver.errors import ScriptError
from mockserver.model.keys import Key
from mockserver.model.latency import PRESETS
from mockserver.model.limits import Limits
from mockserver.scripting.script import Script, parse_script, script_schema

SCHEMA = jsonschema_rs.validator_for(script_schema())


@pytest.mark.parametrize(
    "value",
    [
        {"limits": {"requests_per_minute": 3}},
        {"limits": {}},
        {"latency": "a100"},
        {"latency": {"preset": "laptop", "slots": None, "speed": 2}},
        {"latency": {"timings": [0.5, 0.1], "overflow": "rate_limit"}},
        {"api_keys": ["k", "a@b@2030-01-01T00:00:00+00:00"]},
        {"api_keys": []},
        {"health": "loading", "limits": None, "latency": None, "api_keys": None},
    ],
)
def test_round_trip(value: dict[str, Any]) -> None:
    """What is read is written and read again; the schema takes both forms."""
    script = parse_script(value)
    assert parse_script(script.to_json()) == script
    SCHEMA.validate(value)
    SCHEMA.validate(script.to_json())


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"limits": {"request": 1}}, "$.limits", "unknown limit 'request'"),
        ({"latency": "fast"}, "$.latency", "unknown latency 'fast'"),
        ({"latency": {"itl": -1}}, "$.latency", "itl is -1"),
        ({"api_keys": ["a b"]}, "$.api_keys[0]", "ASCII characters without spaces"),
        ({"api_keys": [5]}, "$.api_keys[0]", "an API key is a text, not 5"),
        ({"health": "ill"}, "$.health", "unknown value 'ill'"),
    ],
)
def test_mistakes(value: dict[str, Any], path: str, words: str) -> None:
    """The path, what is wrong, what would be right; the schema says no too."""
    with pytest.raises(ScriptError, match=words) as caught:
        parse_script(value)
    assert caught.value.path == path


def test_a_script_behind_another() -> None:
    """What it says goes before; what it does not say stays, and nothing said is something said."""
    first = parse_script({"limits": {"requests_per_day": 1}, "latency": "a100", "api_keys": ["k"], "health": "loading"})
    assert first.adding(Script()) == first
    both = first.adding(parse_script({"limits": {}, "api_keys": [], "latency": "instant"}))
    assert (both.limits, both.api_keys, both.health) == (Limits(), (), "loading")
    assert both.latency == PRESETS["instant"]
    assert first.api_keys == (Key("k"),)
