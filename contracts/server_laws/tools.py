"""Tools and JSON: what a caller forces the model to say can be read by a program."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.answers import DONE, answer, choices, documents, piece, read
from contracts.capabilities import CHOOSE, TOOL
from contracts.domains import Domain, ask
from contracts.exchange import Call, Exchange
from contracts.law import Unsupported, Vacuous, expect, law
from contracts.server_laws.same import settled, steady
from contracts.target import Target

SOURCE = "api.md, Request fields; OpenAI's reference: tool_choice, response_format"
ROOM = 200
CITIES = ("Paris", "São Paulo", "東京", 'the city called "x"')
BORNE = {"openai"}


def _calling(target: Target) -> st.SearchStrategy[Call]:
    def call(city: str) -> Call:
        text = f"What is the weather in {city}?"
        return ask(target, text, chat=True, tools=[TOOL], tool_choice=CHOOSE, max_tokens=ROOM)

    return st.builds(call, st.sampled_from(CITIES))


CALLING: Domain[Call] = Domain("a chat whose answer must be a call of a tool", _calling, None, frozenset({"chat"}))


def called(target: Target, call: Call) -> dict[str, Any]:
    """The one tool call of a whole answer; `Vacuous` where there is none, which S-TOOL-01 judges."""
    found = choices(answer(target.send(call)))
    message = found[0].get("message") if found else None
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if found and found[0].get("finish_reason") == "length":
        raise Vacuous("max_tokens cut the call")
    if not isinstance(calls, list) or not calls or not isinstance(calls[0], dict):
        raise Vacuous("no tool is called (S-TOOL-01 judges that)")
    return calls[0]


def arguments_of(call: dict[str, Any]) -> Any:
    """The arguments as JSON values; `Vacuous` where they are none, which S-TOOL-02 judges."""
    function = call.get("function")
    try:
        return json.loads(function["arguments"] if isinstance(function, dict) else "")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Vacuous("the arguments are no JSON (S-TOOL-02 judges that)") from None


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def parts_of_calls(exchange: Exchange) -> list[dict[str, Any]]:
    """The pieces of tool calls in a stream. `Vacuous` where its chunks cannot be read (S-FRAME-02, S-SHAPE-13)."""
    if not exchange.is_stream:
        raise Vacuous("with tools there is no stream (S-TOOL-04 judges that)")
    found: list[dict[str, Any]] = []
    chunks = documents(exchange)
    if len(chunks) != sum(event.data.strip() != DONE for event in exchange.events):
        raise Vacuous("some events are no JSON object (S-FRAME-02 judges that)")
    for document in chunks:
        for choice in choices(document):
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                raise Vacuous("a choice has no delta (S-SHAPE-13 judges that)")
            found += [part for part in delta.get("tool_calls") or [] if isinstance(part, dict)]
    return found


@law("S-TOOL-01", over=CALLING, needs={"tools"}, examples=4, live=True, borne=BORNE, source=SOURCE)
def a_forced_call_is_made(target: Target, call: Call) -> None:
    """A tool_choice that names a tool gives a call of that tool, with an id and type function.

    Accepted and answered by plain text is a silent lie; compatible servers are known to ignore tool_choice.
    """
    choice = choices(answer(target.send(call)))[0]
    message = choice.get("message")
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    begun = piece(choice).lstrip()
    if choice.get("finish_reason") == "length" and (calls or not begun or begun.startswith(("{", "[", "<", "`"))):
        raise Vacuous("max_tokens cut the call")
    expect(isinstance(calls, list) and len(calls) >= 1, "a list tool_calls", message)
    for one in calls if isinstance(calls, list) else []:
        expect(isinstance(one.get("id"), str) and bool(one["id"]), "an id", one)
        expect(one.get("type") == "function", "type 'function'", one)
        name = (one.get("function") or {}).get("name")
        expect(name == TOOL["function"]["name"], f"a call of {TOOL['function']['name']}", name)


@law("S-TOOL-02", over=CALLING, needs={"tools"}, examples=4, live=True, source=SOURCE)
def arguments_are_a_json_text(target: Target, call: Call) -> None:
    """The arguments of a call are a string, and the string is a JSON object."""
    function = called(target, call).get("function")
    said = function.get("arguments") if isinstance(function, dict) else None
    expect(isinstance(said, str), "arguments as a string", said)
    expect(_is_object(str(said)), "arguments that are a JSON object", said)


@law("S-TOOL-03", over=CALLING, needs={"tools"}, examples=4, live=True, borne=BORNE, source=SOURCE)
def arguments_fit_the_schema(target: Target, call: Call) -> None:
    """The arguments of a forced call fit the tool's schema."""
    found = arguments_of(called(target, call))
    errors = [error.message for error in Draft202012Validator(TOOL["function"]["parameters"]).iter_errors(found)]
    expect(not errors, "arguments that fit the schema", f"{found}: {errors}")


@law("S-TOOL-04", over=CALLING, needs={"tools", "stream"}, examples=4, live=True, source=SOURCE)
def a_streamed_call_can_be_put_together(target: Target, call: Call) -> None:
    """The pieces of a streamed call can be put together: each has an index, the first one id and name.

    The pieces of the arguments join to a JSON object.
    """
    called(target, call)
    calls: dict[int, dict[str, Any]] = {}
    streamed = target.send(call.with_(stream=True))
    expect(streamed.is_stream, "an event stream, also with tools", streamed.response.field("content-type"))
    for part in parts_of_calls(streamed):
        at: Any = part.get("index")
        expect(isinstance(at, int) and not isinstance(at, bool), "an index in each piece of a call", part)
        function = part.get("function") or {}
        if at not in calls:
            named = isinstance(part.get("id"), str) and bool(function.get("name"))
            expect(named, "id and function.name in a call's first piece", part)
            calls[at] = {"name": function["name"], "arguments": ""}
        calls[at]["arguments"] += function.get("arguments") or ""
    expect(bool(calls), "the call that is made without a stream", "none")
    for one in calls.values():
        expect(_is_object(one["arguments"]), "pieces of arguments that join to a JSON object", one["arguments"])


@law("S-TOOL-05", over=CALLING, needs={"tools", "stream", "det"}, examples=4, live=True, source="metamorphic")
def a_streamed_call_is_the_whole_one(target: Target, call: Call) -> None:
    """The pieces of a streamed call join to the call of the whole answer: the same name, the same arguments."""
    whole = called(target, call)
    arguments_of(whole)
    name, arguments = "", ""
    for part in parts_of_calls(target.send(call.with_(stream=True))):
        function = part.get("function") or {}
        name, arguments = name or function.get("name") or "", arguments + (function.get("arguments") or "")
    if called(target, call).get("function") != whole.get("function"):
        raise Unsupported("temperature 0 is not deterministic: the same request gave two calls")
    got = {"name": name, "arguments": arguments}
    wanted = {key: (whole.get("function") or {}).get(key) for key in got}
    expect(got == wanted, f"{wanted}", got)


@law("S-TOOL-06", over=CALLING, needs={"tools"}, examples=2, live=True, source=SOURCE)
def no_call_is_made_where_none_is_allowed(target: Target, call: Call) -> None:
    """tool_choice none gives no call."""
    exchange = target.send(call.with_(tool_choice="none"))
    if exchange.status != 200:
        raise Unsupported(f"tool_choice none was answered {exchange.status}")
    for choice in choices(answer(exchange)):
        message = choice.get("message") or {}
        expect(not message.get("tool_calls"), "no tool_calls", message)


SECOND: dict[str, Any] = {"type": "function", "function": {**TOOL["function"], "name": "get_time"}}


@law("S-TOOL-07", over=CALLING, needs={"tools"}, examples=2, live=True, borne=BORNE, source=SOURCE)
def the_tool_that_is_named_is_called(target: Target, call: Call) -> None:
    """Of two tools the one that tool_choice names is called, be it the first or the second."""
    tools = [TOOL, SECOND]
    for tool in tools:
        name = tool["function"]["name"]
        asked = call.with_(tools=tools, tool_choice={"type": "function", "function": {"name": name}})
        if 400 <= target.send(asked).status < 500:
            raise Unsupported("a choice of two tools is refused")
        function = called(target, asked).get("function")
        got = function.get("name") if isinstance(function, dict) else None
        expect(got == name, f"a call of {name}", got)


def _json(target: Target) -> st.SearchStrategy[Call]:
    def call(topic: str) -> Call:
        text = f"Answer in JSON with the key answer: {topic}"
        return ask(target, text, chat=True, response_format={"type": "json_object"}, max_tokens=ROOM)

    return st.builds(call, st.sampled_from(CITIES))


JSON_CALLS: Domain[Call] = Domain("a chat whose answer must be JSON", _json, None, frozenset({"chat"}))


@law("S-JSON-01", over=JSON_CALLS, needs={"json_mode"}, examples=4, live=True, borne=BORNE, source=SOURCE)
def a_json_answer_is_json(target: Target, call: Call) -> None:
    """With response_format json_object the text of an answer is a JSON object; one that max_tokens cut begins like one.

    Accepted and answered by plain text is a silent lie.
    """
    for choice in choices(answer(target.send(call))):
        if choice.get("finish_reason") == "length":
            begun = piece(choice).lstrip("` \n\t\rjson")
            expect(not begun or begun.startswith("{"), "a text that begins like a JSON object", piece(choice))
            raise Vacuous("max_tokens cut the answer")
        if not isinstance((choice.get("message") or {}).get("content"), str):
            raise Vacuous("the message has no text (S-SHAPE-01 judges that)")
        expect(_is_object(piece(choice)), "a text that is a JSON object", piece(choice))


@law("S-JSON-02", over=JSON_CALLS, needs={"json_mode", "stream", "det"}, examples=4, live=True, source="metamorphic")
def a_json_stream_joins_to_the_answer(target: Target, call: Call) -> None:
    """With response_format json_object a stream joins to the answer that is not streamed."""
    whole, streamed = read(target.send(call)), read(target.send(call.with_(stream=True)))
    if whole.texts != streamed.texts:
        steady(target, call, whole)
        steady(target, call.with_(stream=True), streamed)
        plain = call.with_(response_format=...)
        if read(target.send(plain)).texts != read(target.send(plain.with_(stream=True))).texts:
            raise Vacuous("no stream joins to its answer (S-SAME-01 judges that)")
    expect(settled(whole.texts) == settled(streamed.texts), f"the same text: {whole.texts}", streamed.texts)


SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
SCHEMA |= {"required": ["city", "days"], "additionalProperties": False}


@law("S-JSON-03", over=JSON_CALLS, needs={"json_schema"}, examples=4, live=True, borne=BORNE, source=SOURCE)
def a_json_answer_fits_its_schema(target: Target, call: Call) -> None:
    """With response_format json_schema the text of an answer that is not cut is JSON that fits the schema."""
    asked = {"type": "json_schema", "json_schema": {"name": "trip", "strict": True, "schema": SCHEMA}}
    for choice in choices(answer(target.send(call.with_(response_format=asked)))):
        if choice.get("finish_reason") == "length":
            raise Vacuous("max_tokens cut the answer")
        text = piece(choice)
        if not _is_object(text):
            as_object = choices(answer(target.send(call)))
            if as_object and not _is_object(piece(as_object[0])):
                raise Vacuous("response_format is ignored (S-JSON-01 judges that)")
        expect(_is_object(text), "a text that is a JSON object", text)
        errors = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(json.loads(text))]
        expect(not errors, "JSON that fits the schema", f"{text}: {errors}")
