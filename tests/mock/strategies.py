"""Drawn plans, faults, matchers, replies and scripts. What is drawn is a legal value.

Faults are drawn from their own annotations, so a new kind is tested the moment it is registered.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Annotated, Any, Literal

from hypothesis import strategies as st

from mockserver.errors import ScriptError
from mockserver.faults import Fault, When, kinds
from mockserver.plan import Body, Close, End, Ending, Head, Headers, Plan, Raw, Repeat, Stall, Step, Wait
from mockserver.reply import (
    Choices,
    Embedding,
    Error,
    ErrorBody,
    Fixture,
    Json,
    Pacing,
    RawBytes,
    Reply,
    Template,
    Text,
    ToolCall,
    ToolCalls,
)
from mockserver.scripting.match import AllOf, AnyOf, Match, Matcher, Not, Tokens
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script
from mockserver.settings import Codec, Range

MARKS = ("", "role", "content[0]", "content[1]", "tool[0]", "finish", "usage", "done", "1:content[0]")
seconds = st.one_of(st.just(0.0), st.floats(0, 100))
words = st.text(st.characters(codec="utf-8"), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=10).map(str.encode)
header_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12).map(str.encode)
headers: st.SearchStrategy[Headers] = st.lists(st.tuples(tokens, header_values), max_size=3).map(tuple)


def chunk(content: str, mark: str, finish: str | None = None) -> Body:
    """An event of a chat stream."""
    import json

    delta = {"role": "assistant"} if mark == "role" else {"content": content} if finish is None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return Body(b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n", mark)


def stream_plan(*texts: str) -> Plan:
    """A chat stream as a model side makes it."""
    head = Head(200, ((b"content-type", b"text/event-stream; charset=utf-8"),))
    contents = [chunk(text, f"content[{number}]") for number, text in enumerate(texts)]
    usage = Body(
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n',
        "usage",
    )
    done = Body(b"data: [DONE]\n\n", "done")
    return Plan((head, chunk("", "role"), *contents, chunk("", "finish", "stop"), usage, done))


def json_plan(content: str = "Hello") -> Plan:
    """A completion that is no stream."""
    data = (
        b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
        b'{"role":"assistant","content":"' + content.encode() + b'"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
    )
    fields = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)))
    return Plan((Head(200, fields), Body(data)))


leaves: st.SearchStrategy[Step] = st.one_of(
    st.builds(Wait, seconds),
    st.builds(Body, st.binary(max_size=40), st.sampled_from(MARKS)),
    st.builds(Raw, st.binary(max_size=40), st.sampled_from(MARKS)),
    st.builds(Head, st.integers(100, 599), headers, st.sampled_from([b"", b"Fine"])),
)
steps: st.SearchStrategy[Step] = st.recursive(
    leaves,
    lambda inner: st.builds(
        Repeat, st.lists(inner, max_size=3).map(tuple), st.none() | st.integers(0, 3) | st.just(10**9)
    ),
    max_leaves=4,
)
endings: st.SearchStrategy[Ending] = st.one_of(
    st.just(End()),
    st.builds(Close, st.sampled_from(["fin", "rst", "half"])),
    st.builds(Stall, st.none() | seconds),
)
wild_plans = st.builds(Plan, st.lists(steps, max_size=6).map(tuple), endings)
plans: st.SearchStrategy[Plan] = st.one_of(
    st.lists(st.sampled_from(["Hel", "é", "日本", "", "x" * 20]), max_size=3).map(lambda texts: stream_plan(*texts)),
    st.just(json_plan()),
    wild_plans,
)

whens = st.builds(
    When,
    first=st.none() | st.integers(1, 5),
    every=st.none() | st.integers(1, 5),
    after=st.none() | st.integers(0, 5),
    until=st.none() | seconds,
    probability=st.sampled_from([0.0, 0.25, 1.0]) | st.floats(0, 1),
    seed=st.none() | st.integers(0, 100),
)
_SMALL = 3000
"""Sizes are drawn below this: the laws do not depend on size, the time of a test does."""


def of_hint(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a setting's annotation."""
    if hint == Headers:
        return headers
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        bounds = next((item for item in arguments[1:] if isinstance(item, Range)), None)
        if bounds is not None:
            low = 0 if bounds.low is None else bounds.low
            high = _SMALL if bounds.high is None else min(bounds.high, _SMALL)
            return st.integers(int(low), int(high)) if arguments[0] is int else st.floats(low, high)
        if any(isinstance(item, Codec) for item in arguments[1:]) and arguments[0] is Any:
            return st.none() | st.integers(-5, 5) | st.sampled_from([0.5, "soon", "1_0"]) | st.just(("1", 2))
        return of_hint(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return st.none() | of_hint(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(of_hint(arguments[0]), max_size=3).map(tuple)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-100, 1000),
        str: st.sampled_from(MARKS[1:]) | st.sampled_from(["start", "end", "id", "x"]) | words,
        Any: json_values,
        When: whens,
        Plan: wild_plans,
    }
    return plain[hint]


@st.composite
def fault_of(draw: st.DrawFn, cls: type[Fault], when: st.SearchStrategy[When] = whens) -> Fault:
    """A fault of one class; settings that contradict each other are drawn again."""
    hints = typing.get_type_hints(cls, include_extras=True)
    given = {}
    for field in dataclasses.fields(cls):
        if field.name == "when":
            if draw(st.booleans()):
                given["when"] = draw(when)
        elif field.default is dataclasses.MISSING or draw(st.booleans()):
            given[field.name] = draw(of_hint(hints[field.name]))
    try:
        return cls(**given)
    except ScriptError:
        return cls(**example_of(cls))


def example_of(cls: type[Fault]) -> dict[str, Any]:
    """The settings of the class's own example."""
    from mockserver.faults import parse_fault

    made = parse_fault({"kind": cls.kind, **cls.example})
    return {field.name: getattr(made, field.name) for field in dataclasses.fields(cls)}


always = st.just(When())
faults: st.SearchStrategy[Fault] = st.sampled_from(list(kinds().values())).flatmap(fault_of)
fault_lists = st.lists(faults, max_size=4).map(tuple)
certain_faults = st.sampled_from(list(kinds().values())).flatmap(lambda cls: fault_of(cls, always))

matches: st.SearchStrategy[Match] = st.builds(
    Match,
    method=st.none() | st.sampled_from(["GET", "POST", "post"]),
    path=st.none() | st.sampled_from(["/v1/chat/completions", "/v1/*", "/health"]),
    model=st.none() | st.sampled_from(["m", "org/m"]),
    stream=st.none() | st.booleans(),
    contains=st.none() | st.sampled_from(["report", "é", ""]),
    regex=st.none() | st.sampled_from([r"\d+", "^rep"]),
    role=st.none() | st.sampled_from(["user", "system"]),
    turn=st.none() | st.integers(1, 3),
    tools=st.none() | st.lists(st.sampled_from(["f", "g"]), max_size=2).map(tuple),
    header=st.none() | st.dictionaries(st.sampled_from(["x-a", "authorization"]), st.booleans() | words, max_size=2),
    json=st.none() | json_values,
    jsonpath=st.none() | st.sampled_from(["$.model", "$..role"]) | st.just({"$.messages[0].role": "user"}),
    nth=st.none() | st.integers(1, 3),
    connection=st.none() | st.integers(1, 3),
    state=st.none() | st.dictionaries(st.sampled_from(["user", "step"]), st.none() | words, max_size=2),
    tokens=st.none() | st.builds(Tokens, st.none() | st.integers(0, 3), st.none() | st.integers(4, 9)),
)
matchers: st.SearchStrategy[Matcher] = st.recursive(
    matches,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda many: AllOf(tuple(many))),
        st.lists(inner, max_size=3).map(lambda many: AnyOf(tuple(many))),
        inner.map(Not),
    ),
    max_leaves=4,
)

pacings = st.builds(Pacing, seconds, seconds, seconds, st.none() | st.integers(0, 9), st.booleans())
frame: dict[str, st.SearchStrategy[Any]] = {"pacing": pacings, "headers": headers}
texts = st.builds(Text, words, st.none() | st.sampled_from(["stop", "length"]), **frame)
calls = st.builds(
    ToolCalls,
    st.lists(st.builds(ToolCall, words, json_values, words), max_size=2).map(tuple),
    st.none() | words,
    **frame,
)
replies: st.SearchStrategy[Reply] = st.one_of(
    texts,
    calls,
    st.builds(Choices, st.lists(texts | calls, max_size=3).map(tuple), **frame),
    st.builds(Json, json_values, st.integers(200, 599), unsafe=st.booleans(), **frame),
    st.builds(
        Error,
        st.builds(ErrorBody, st.integers(400, 599), words, st.none() | words, st.none() | words, st.none() | words),
        **frame,
    ),
    st.builds(Embedding, st.lists(st.floats(-1, 1), max_size=4).map(tuple), **frame),
    st.builds(RawBytes, st.binary(max_size=20), st.integers(200, 599), **frame),
    st.builds(Fixture, words, **frame),
    st.builds(Template, st.sampled_from(["{{ text }}", "x"]), st.sampled_from(["text", "json"]), **frame),
)
rules: st.SearchStrategy[Rule] = st.builds(
    Rule,
    name=st.none(),
    matcher=matchers,
    faults=st.lists(fault_lists, max_size=3).map(tuple),
    replies=st.lists(replies, max_size=3).map(tuple),
    after=st.sampled_from(["repeat-last", "cycle", "fail"]),
    priority=st.integers(-2, 2),
    hold=st.none() | words,
    sets=st.none() | st.dictionaries(st.sampled_from(["user", "step"]), st.none() | words, max_size=2),
)


def named(items: list[Rule]) -> tuple[Rule, ...]:
    """The rules, every second one with a name of its own."""
    return tuple(
        dataclasses.replace(rule, name=f"rule {number}") if number % 2 else rule for number, rule in enumerate(items)
    )


scripts: st.SearchStrategy[Script] = st.builds(
    Script,
    profile=st.none() | st.just("docs"),
    seed=st.integers(0, 100),
    strict=st.none() | st.booleans(),
    faults=fault_lists,
    rules=st.lists(rules, max_size=3).map(named),
)
