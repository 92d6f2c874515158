"""JSON on demand: what is drawn is valid, the same for the same request, and a schema without a value is refused."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from asking import CHAT, ask, chat, events, reply, status
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.structured import Unsatisfiable, draw

SCHEMAS: list[Any] = [
    True,
    {},
    {"type": "string"},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "maxLength": 2},
    {"type": "string", "pattern": "^[A-Z]{3}-\\d{2,4}$"},
    {"type": "string", "pattern": "^(foo|bar)[^a-z0-9\\s]\\w+\\S?x*?.$"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "unknown"},
    {"type": "integer", "minimum": 5, "maximum": 7},
    {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
    {"type": "number", "minimum": 0, "maximum": 0.0001},
    {"type": "number", "multipleOf": 0.5, "minimum": 0.3},
    {"type": "number", "maximum": -3},
    {"type": "integer", "multipleOf": 7},
    {"minimum": 3},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["null", "string"]},
    {"type": ["null"]},
    {"const": {"a": 1}},
    {"enum": ["a", 5, None]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": False},
    {"items": {"type": "boolean"}, "maxItems": 0},
    {"type": "array"},
    {"type": "object"},
    {"properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3},
    {"type": "object", "properties": {"a": False, "b": {"const": 1}}},
    {"$ref": "#/$defs/a%20b", "$defs": {"a b": True}},
    {"allOf": [True, {"$ref": "#/prefixItems/0"}], "prefixItems": [{"type": "array", "maxItems": 0}], "maxItems": 0},
    {"type": "string", "pattern": "^[\\d][^x]$"},
    {"type": "string", "pattern": "^[^\\dA-Yxyz]{2}$"},
    {"type": "string", "pattern": "^[^\\w]$"},
    {"type": "object", "required": ["a"],
     "properties": {"a": {"type": "array", "items": {"$ref": "#"}}, "b": {"$ref": "#"}}},
    {"anyOf": [False, {"type": "integer"}]},
    {"oneOf": [{"type": "integer"}, {"type": "string"}], "description": "x"},
    {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"required": ["b"]},
               {"$ref": "#/$defs/c"}],
     "$defs": {"c": {"properties": {"c": {"type": "boolean"}}, "required": ["c"]}}},
    {"allOf": [{"minimum": 3}, {"maximum": 4}, {"minimum": 1}], "type": "integer"},
    {"anyOf": [{"$ref": "#/$defs/a"}, True], "$defs": {"a": {"type": "integer"}}},
    {"not": {"const": 0}, "type": "integer", "minimum": 0, "maximum": 1},
    {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                },
                "required": ["name", "children", "next"],
                "additionalProperties": False,
            }
        },
    },
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:40])
def test_what_is_drawn_is_valid(schema: Any) -> None:
    """By another validator than the one that draws with; the same key gives the same value."""
    for key in (b"a", b"b", b"c"):
        value = draw(schema, key)
        jsonschema.Draft202012Validator(schema).validate(value)
        assert draw(schema, key) == value


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"anyOf": []},
        {"anyOf": [False]},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9},
        {"type": "wrong"},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "(?=x)y"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#"},
        {"type": "array", "items": {"const": 1}, "minItems": 3, "uniqueItems": True},
        {"properties": {"a": False}, "required": ["a"]},
        {"type": "string", "not": {}},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "object", "minProperties": 10**9},
        {"type": "object", "minProperties": 2, "properties": {"key1": {"type": "null"}}, "maxProperties": 1},
        {"type": "number", "multipleOf": 1e-300, "minimum": 1e300},
        {"allOf": [False]},
        {"type": "object", "required": ["a", "b"], "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}},
        {"anyOf": [{"items": {"$ref": "#"}, "minItems": 2, "type": "array"}] * 2},
    ],
    ids=json.dumps,
)
def test_a_schema_without_a_value_is_refused(schema: Any) -> None:
    """Never answered wrongly, and before the first byte of a stream."""
    with pytest.raises(Unsatisfiable):
        draw(schema, b"")
    fields = chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}, stream=True)
    assert status(ask(CHAT, fields)) == 400
    assert reply(ask(CHAT, fields))["error"]["param"] in ("response_format", "response_format.json_schema.schema")


KEYS = st.sampled_from(
    ["type", "anyOf", "allOf", "items", "properties", "required", "minimum", "maximum", "minItems", "enum", "const",
     "pattern", "minLength", "maxLength", "multipleOf", "$ref", "prefixItems",
     "uniqueItems", "not", "additionalProperties"]
)  # fmt: skip
ANYTHING = st.recursive(
    st.sampled_from(
        [
            "object",
            "array",
            "string",
            "integer",
            "number",
            "null",
            "#",
            "#/items",
            "[a",
            True,
            False,
            None,
            0,
            3,
            -2,
            0.1,
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_schema_is_drawn_or_refused(schema: Any) -> None:
    """No other exception, and nothing invalid."""
    try:
        value = draw(schema, b"")
    except Unsatisfiable:
        return
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(value)) == []


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_response_formats() -> None:
    """`json_object` is an object, `json_schema` an instance; streamed it is the same text."""
    free = reply(ask(CHAT, chat(response_format={"type": "json_object"})))["choices"][0]
    assert isinstance(json.loads(free["message"]["content"]), dict)
    fields = chat(response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}})
    whole = reply(ask(CHAT, fields))["choices"][0]["message"]["content"]
    jsonschema.validate(json.loads(whole), PERSON)
    *chunks, _ = events(ask(CHAT, {**fields, "stream": True}))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == whole
    cut = reply(ask(CHAT, {**fields, "max_tokens": 2}))["choices"][0]
    assert cut["finish_reason"] == "length"


TOOLS = [
    {"type": "function", "function": {"name": "find", "description": "x", "parameters": PERSON}},
    {"type": "function", "function": {"name": "ping"}},
]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "find"}}])
def test_tools_are_called_when_asked_for(choice: Any) -> None:
    """One call, arguments valid and a JSON text; streamed with `index`, id and name only in the first delta."""
    fields = chat(tools=TOOLS, tool_choice=choice)
    whole = reply(ask(CHAT, fields))
    (call,) = whole["choices"][0]["message"]["tool_calls"]
    assert whole["choices"][0]["message"]["content"] is None
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert (call["type"], call["function"]["name"]) == ("function", "find")
    assert call["id"].startswith("call_")
    jsonschema.validate(json.loads(call["function"]["arguments"]), PERSON)
    *chunks, done = events(ask(CHAT, {**fields, "stream": True}))
    assert done == "[DONE]"
    first, *rest = [d for chunk in chunks if (d := chunk["choices"][0]["delta"].get("tool_calls"))]
    assert first[0]["id"].startswith("call_")
    assert first[0]["function"] == {"name": "find", "arguments": ""}
    assert all(set(delta[0]) == {"index", "function"} and set(delta[0]["function"]) == {"arguments"} for delta in rest)
    assert "".join(delta[0]["function"]["arguments"] for delta in rest) == call["function"]["arguments"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_ids_of_calls_are_unique() -> None:
    """Over requests and over choices."""
    fields = chat(tools=TOOLS, tool_choice="required", n=3, temperature=1)
    ids = [
        choice["message"]["tool_calls"][0]["id"]
        for number in (1, 2)
        for choice in reply(ask(CHAT, fields, number=number))["choices"]
    ]
    assert len(set(ids)) == 6


def test_tools_without_parameters_and_cut_calls() -> None:
    """No schema: an object. A limit cuts the arguments and says so."""
    named = {"type": "function", "function": {"name": "ping"}}
    call = reply(ask(CHAT, chat(tools=TOOLS, tool_choice=named)))["choices"][0]["message"]["tool_calls"][0]
    assert isinstance(json.loads(call["function"]["arguments"]), dict)
    cut = reply(ask(CHAT, chat(tools=TOOLS, tool_choice="required", max_tokens=3)))
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 3


def test_choices_that_do_not_fit_the_tools() -> None:
    """An unknown function, or a schema without a value."""
    unknown = {"type": "function", "function": {"name": "nobody"}}
    plan = ask(CHAT, chat(tools=TOOLS, tool_choice=unknown))
    assert (status(plan), reply(plan)["error"]["param"]) == (400, "tool_choice")
    assert "nobody" in reply(plan)["error"]["message"]
    bad = [{"type": "function", "function": {"name": "f", "parameters": {"type": "wrong"}}}]
    plan = ask(CHAT, chat(tools=bad, tool_choice="required"))
    assert (status(plan), reply(plan)["error"]["param"]) == (400, "tools")
