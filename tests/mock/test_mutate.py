"""Every mutation breaks the schema it was drawn from, at one place; without one the fields say what they are not."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from asking import CHAT, COMPLETIONS, ask, chat, completion
from jsonschema import Draft202012Validator
from strategies import stream_plan

from mockserver import fixtures
from mockserver.faults import parse_fault
from mockserver.faults.edit import find_event, payload
from mockserver.faults.schemas import breaks, schema_of
from mockserver.faults.sse import data_of
from mockserver.plan import Body, Head, Plan

EMBEDDINGS = {"model": "meta-llama/Llama-2-7b-chat-hf", "input": "x"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
DOCUMENTS: dict[str, tuple[Plan, int, str]] = {
    "chunk": (ask(CHAT, chat(stream=True)), 1, "chat_chunk"),
    "finish": (stream_plan("a"), 2, "chat_chunk"),
    "answer": (ask(CHAT, chat()), 0, "chat_response"),
    "call": (ask(CHAT, chat(tools=TOOLS, tool_choice="required")), 0, "chat_response"),
    "text chunk": (ask(COMPLETIONS, completion(stream=True)), 0, "completion_chunk"),
    "text": (ask(COMPLETIONS, completion(logprobs=1)), 0, "completion_response"),
    "error": (ask(CHAT, chat(model="none")), 0, "error"),
}
LISTS: dict[str, dict[str, Any]] = {
    "models_list": {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]},
    "embeddings_response": {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "model": "m",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    "model": {"id": "m", "object": "model", "created": 1, "owned_by": "o"},
}


def piece(plan: Plan, number: int) -> Any:
    """The JSON of one event, or of the body."""
    found = find_event(plan.steps, number)
    assert found is not None
    return json.loads(data_of(payload(found[1])))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((fixtures.path() / "schema" / f"{name}.json").read_text("utf-8")))


def differences(one: Any, other: Any) -> int:
    """In how many places two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return sum(differences(one[key], other[key]) if key in one and key in other else 1 for key in {**one, **other})
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return sum(differences(left, right) for left, right in zip(one, other, strict=True))
    return int(one != other or type(one) is not type(other))


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("form", ["drop", "null", "type", "enum", "range", "any"])
def test_a_valid_document_becomes_an_invalid_one(name: str, form: str) -> None:
    """Law: valid before, invalid after, one place apart; the same seed, the same place; not always the same place."""
    plan, event, schema = DOCUMENTS[name]
    before = piece(plan, event)
    assert not list(validator(schema).iter_errors(before))
    fault = parse_fault({"kind": "mutate", "event": event, "form": form})
    after = [fault.apply(plan, Random(seed)) for seed in range(30)]
    assert after == [fault.apply(plan, Random(seed)) for seed in range(30)]
    if (name, form) == ("error", "enum"):
        assert after == [plan] * 30  # its schema names no words
        return
    told = [piece(one, event) for one in after]
    for one in told:
        assert differences(before, one) == 1
        assert list(validator(schema).iter_errors(one)), one
    if name != "error":
        assert len({json.dumps(one) for one in told}) > 1


@pytest.mark.parametrize("name", LISTS)
def test_every_break_is_one(name: str) -> None:
    """Of lists and models, too: none of the breaks is allowed by the schema."""
    value = LISTS[name]
    schema = schema_of(value, False)
    assert schema is not None
    assert not list(validator(name).iter_errors(value))
    forms = set()
    for one in breaks(value, schema):
        broken = json.loads(json.dumps(value))
        holder = broken
        for key in one.path[:-1]:
            holder = holder[key]
        if one.form == "drop":
            del holder[one.path[-1]]
        else:
            holder[one.path[-1]] = one.value
        assert list(validator(name).iter_errors(broken)), one
        forms.add(one.form)
    assert forms >= {"drop", "null", "type", "enum"}


def test_strangers_beside_what_is_known() -> None:
    """`extra` adds a field that every schema allows."""
    plan, event, schema = DOCUMENTS["chunk"]
    fault = parse_fault({"kind": "mutate", "event": event, "form": "extra"})
    told = piece(fault.apply(plan, Random(3)), event)
    assert "x_unknown" in json.dumps(told)
    assert not list(validator(schema).iter_errors(told))


def test_a_document_without_a_schema() -> None:
    """All its fields are drawn from; what has no such field, or no bounds, is left alone."""
    assert schema_of({"object": "stranger"}, False) is None
    plan = Plan((Head(200), Body(b'{"role":"x","n":1,"o":{}}')))

    def told(**settings: Any) -> list[Any]:
        fault = parse_fault({"kind": "mutate", **settings})
        found = [piece(fault.apply(plan, Random(seed)), 0) for seed in range(40)]
        return [one for number, one in enumerate(found) if one not in found[:number]]

    assert len(told(form="drop")) == 3
    assert told(form="enum") == [{"role": "never-heard-of", "n": 1, "o": {}}]
    assert told(form="range", field="n") == [{"role": "x", "n": -1, "o": {}}]
    assert told(form="range", field="role") == [{"role": "", "n": 1, "o": {}}]
    assert told(form="range", field="o") == [{"role": "x", "n": 1, "o": {}}]
    assert len(told(form="any", field="n")) == 5


def test_what_takes_anything_cannot_be_broken() -> None:
    """A field without a type has no wrong value; a boolean has."""
    schema = {"type": "object", "properties": {"b": {"type": "boolean"}, "x": {}}}
    assert {(one.form, one.path) for one in breaks({"b": True, "x": 1}, schema)} == {("null", ("b",)), ("type", ("b",))}
