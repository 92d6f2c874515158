"""Replies as JSON and as values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from strategies import replies

from mockserver.errors import ScriptError
from mockserver.reply import Pacing, RawBytes, Reply, Text, parse_reply, reply_schema, reply_to_json

SCHEMA = Draft202012Validator(reply_schema())


@given(replies)
def test_every_reply_goes_through_json(reply: Reply) -> None:
    """It comes back equal, and the schema accepts it."""
    told = json.loads(json.dumps(reply_to_json(reply)))
    assert parse_reply(told) == reply
    SCHEMA.validate(told)


def test_short_forms() -> None:
    """A text is short for `{text}`, headers may be an object or pairs, bytes are text or base64."""
    assert parse_reply("Hi") == parse_reply({"text": "Hi"}) == Text("Hi")
    assert parse_reply(Text("Hi")) == Text("Hi")
    made = parse_reply({"raw": {"base64": "/w=="}, "headers": {"A": ["1", 2]}, "pacing": {"ttft": 1}})
    assert made == RawBytes(b"\xff", headers=((b"A", b"1"), (b"A", b"2")), pacing=Pacing(ttft=1.0))
    assert reply_to_json(made)["headers"] == [["A", "1"], ["A", "2"]]


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (3, "$", "expected a reply"),
        ({}, "$", "a reply has one of the keys"),
        ({"headers": {}}, "$", "a reply has one of the keys"),
        ({"txet": "a"}, "$.txet", "did you mean 'text'"),
        ({"text": 1}, "$.text", "expected a text"),
        ({"text": "\ud800"}, "$.text", "lone surrogate"),
        ({"text": "a", "pacing": {"tft": 1}}, "$.pacing.tft", "did you mean 'ttft'"),
        ({"text": "a", "headers": 3}, "$.headers", "an object of texts"),
        ({"text": "a", "headers": {"a": None}}, "$.headers.a", "expected a text"),
        ({"text": "a", "headers": {"a": "\u20ac"}}, "$.headers.a", "Latin-1"),
        ({"choices": [{"json": 1}]}, "$.choices[0]", "expected a choice"),
        ({"choices": "a"}, "$.choices", "expected a list"),
        ({"raw": 1}, "$.raw", "base64"),
        ({"error": {"status": 42}}, "$.error.status", "from 100 to 599"),
        ({"json": {1: 2}}, "$.json", "a text as key"),
        ({"json": [{"a": float("inf")}]}, "$.json[0].a", "JSON number"),
        ({"json": {"a b": object()}}, "$.json['a b']", "a JSON value"),
        ({"tool_calls": [{}]}, "$.tool_calls[0]", "'name' is missing"),
        ({"tool_calls": [3]}, "$.tool_calls[0]", "expected an object"),
    ],
)
def test_what_means_nothing_is_refused(value: Any, path: str, words: str) -> None:
    """With path, value and what would be right."""
    with pytest.raises(ScriptError) as caught:
        parse_reply(value)
    assert caught.value.path == path
    assert words in caught.value.message
