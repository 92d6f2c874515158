"""A grammar of bad requests: what is wrong, where, and by which promise.

Each domain holds requests that are wrong in one way only, on top of a plain one, so that a refusal has one reason.
Recordings hold such requests too; they are recognised by what is wrong in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from contracts.domains import CHAT, NEEDS, TEXT, Domain, ask, endpoints
from contracts.exchange import JSON, Call
from contracts.patience import is_short
from contracts.profile import Profile


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad request: what is wrong in words, the field it is in, and the value there."""

    call: Call
    what: str
    field: str = ""
    value: Any = None

    @property
    def borne(self) -> bool:
        """Whether known right servers give this value a meaning of their own: -1 is no limit, temperatures above 2."""
        over = self.field == "temperature" and isinstance(self.value, (int, float)) and self.value > 2
        return over or (self.field == "max_tokens" and self.value == -1)

    def promised(self, profile: Profile) -> bool:
        """Whether the profile promises that this value is refused."""
        if profile.name == "openai" and self.borne:
            return False
        low, high = profile.temperature
        value = self.value
        if self.field == "temperature":
            return bool(value < low or (high is not None and value > high))
        if self.field == "top_p":
            return bool(value < 0 or value > 1)
        return self.field not in profile.lacks


RANGES: dict[str, tuple[Any, ...]] = {
    "temperature": (-0.1, -1, 2.1, 100),
    "top_p": (-0.1, 1.1, 5),
    "max_tokens": (-1, 0),
    "frequency_penalty": (-2.1, 2.1, 9),
    "presence_penalty": (-2.1, 2.1, -9, 9),
    "n": (0, -1),
}
TYPES: dict[str, tuple[Any, ...]] = {
    "model": (5, [], {}, None, True),
    "messages": (
        "hi",
        {},
        5,
        ["hi"],
        [5],
        [None],
        [{"role": "user"}],
        [{"content": "x"}],
        [{"role": 5, "content": "x"}],
    ),
    "prompt": (5.5, {}, True, {"text": "x"}),
    "max_tokens": ("many", [], {}, 1.5),
    "temperature": ("hot", [], {}),
    "top_p": ("most", [], {}),
    "stop": (5, {}, [5], [None], True),
    "stream": ("maybe", [], {}, 5),
}
BODIES: tuple[tuple[bytes, str], ...] = (
    (b"", "an empty body"),
    (b" ", "a blank body"),
    (b'{"model": "x", "prompt": ', "JSON that was cut"),
    (b"not json", "a body that is no JSON"),
    (b"[]", "a list"),
    (b"null", "null"),
    (b'"x"', "a string"),
    (b"5", "a number"),
    (b"true", "true"),
    (b'{"model": "x",}', "a comma too many"),
    (b"{'model': 'x'}", "single quotes"),
    (b'{"model": "x"} {}', "two documents"),
    (b'{"model": "\xff\xfe"}', "invalid UTF-8"),
    (b'{"model": "a\nb"}', "a raw line break in a string"),
    (b"\x00\x01\x02", "bytes that are no text"),
    (b"\xff", "a byte that begins no text"),
    (b"model=x&prompt=y", "a form"),
)
HUGE = 2**31, 2**31 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, -(2**31), -(2**63), -(2**64)
ODD: tuple[Any, ...] = (
    *HUGE,
    1e308,
    -1e308,
    5e-324,
    0.1 + 0.2,
    "",
    " ",
    "x" * 5000,
    "\ud800",
    "a\ud83e",
    [],
    {},
    [[]],
    [{}],
    [None],
    [[[[[]]]]],
    {"a": {"b": {"c": []}}},
    None,
    True,
    False,
    "NaN",
    "-1",
    "1e5",
)
FIELDS = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "stop",
    "seed",
    "stream",
    "stream_options",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "user",
    "frequency_penalty",
    "presence_penalty",
    "best_of",
    "echo",
    "suffix",
    "tools",
    "tool_choice",
    "response_format",
    "min_p",
    "repetition_penalty",
    "priority",
    "messages",
    "prompt",
    "model",
)
MEANINGLESS: tuple[dict[str, Any], ...] = (
    {"messages": []},
    {"messages": [{"role": "alien", "content": "Say hello"}]},
    {"messages": [{"role": "user", "content": None}]},
    {"response_format": {"type": "yaml"}},
    {"tool_choice": "required"},
    {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": {"type": "function", "function": {"name": "g"}},
    },
    {"top_logprobs": 2},
)
"""Chat requests whose types are right and which mean nothing: nobody to talk to, a format or a tool that is not."""
PARTS: tuple[Any, ...] = (
    [{"type": "nope"}],
    [{"type": "text"}],
    [{"text": "x"}],
    [{}],
    [],
    [{"type": "text", "text": 5}],
    [{"type": "image_url"}],
    [{"type": "image_url", "image_url": {"url": "data:image/png;base64,!!"}}],
    [{"type": "input_audio", "input_audio": {}}],
    [[{"type": "text", "text": "x"}]],
)


def _base(target: Any) -> st.SearchStrategy[Call]:
    return st.sampled_from([ask(target, "Say hello", chat=chat) for chat in endpoints(target)])


def _of_fields(table: dict[str, tuple[Any, ...]]) -> Any:
    def draw(target: Any) -> st.SearchStrategy[Bad]:
        cases = [
            Bad(call.with_(**{name: value}), f"{name}={value!r}", name, value)
            for call in (ask(target, "Say hello", chat=chat) for chat in endpoints(target))
            for name, values in table.items()
            if not (name == "messages" and not call.is_chat) and not (name == "prompt" and call.is_chat)
            for value in values
        ]
        return st.sampled_from(cases)

    return draw


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _held_fields(table: dict[str, tuple[Any, ...]]) -> Any:
    """Recorded requests that hold one of the table's values and are plain otherwise."""

    def held(target: Any) -> Iterable[Bad]:
        for exchange in target.log:
            document = exchange.call.document
            if exchange.call.path not in (CHAT, TEXT) or not isinstance(document, dict):
                continue
            for name, value in document.items():
                if any(_same(value, bad) for bad in table.get(name, ())) or (
                    table is RANGES and name in RANGES and _outside(name, value)
                ):
                    yield Bad(exchange.call, f"{name}={value!r}", name, value)

    return held


def _outside(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    low, high = {"temperature": (0, 2), "top_p": (0, 1), "max_tokens": (1, 10**9), "n": (1, 10**9)}.get(name, (-2, 2))
    return value < low or value > high


def _bodies(target: Any) -> st.SearchStrategy[Bad]:
    paths = st.sampled_from([CHAT if chat else TEXT for chat in endpoints(target)])
    return st.builds(
        lambda path, body: Bad(Call("POST", path, body[0], (JSON,)), body[1]), paths, st.sampled_from(BODIES)
    )


def _held_bodies(target: Any) -> Iterable[Bad]:
    for exchange in target.log:
        call = exchange.call
        kinds = [value for name, value in call.fields if name.lower() == "content-type"]
        if call.method != "POST" or call.path not in (CHAT, TEXT) or kinds not in ([], ["application/json"]):
            continue
        try:
            document = json.loads(call.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            yield Bad(call, f"the body {call.body[:40]!r}")


def _missing(target: Any) -> st.SearchStrategy[Bad]:
    def bad(call: Call, field: str) -> Bad:
        return Bad(call.with_(**{field: ...}), f"no {field}", field)

    return st.sampled_from(
        [
            bad(call, field)
            for call in (ask(target, "Say hello", chat=chat) for chat in endpoints(target))
            for field in ("model", "messages" if call.is_chat else "prompt")
        ]
    )


def _held_missing(target: Any) -> Iterable[Bad]:
    for exchange in target.log:
        call, document = exchange.call, exchange.call.document
        if call.method == "POST" and call.path in (CHAT, TEXT) and isinstance(document, dict) and len(document) > 1:
            for field in ("model", "messages" if call.is_chat else "prompt"):
                if field not in document:
                    yield Bad(call, f"no {field}", field)


def _meaningless(target: Any) -> st.SearchStrategy[Bad]:
    call = ask(target, "Say hello", chat=True)
    return st.sampled_from(
        [Bad(call.with_(**fields), json.dumps(fields), next(iter(fields))) for fields in MEANINGLESS]
    )


def _unknown(target: Any) -> st.SearchStrategy[Bad]:
    names = st.sampled_from(["foo", "x-unknown", "__proto__", "$ref", "streams", "0"])
    values: st.SearchStrategy[Any] = st.sampled_from([1, "x", [], {}, None, {"a": [1, {"b": None}]}])
    return st.builds(
        lambda c, n, v: Bad(c.with_(**{n: v}), f"unknown field {n}={v!r}", n, v), _base(target), names, values
    )


@st.composite
def _spoilt(draw: st.DrawFn, target: Any) -> Bad:
    call = draw(_base(target))
    match draw(st.integers(0, 5)):
        case 0:
            parts = draw(st.sampled_from(PARTS))
            if call.is_chat:
                return Bad(call.with_(messages=[{"role": "user", "content": parts}]), f"content={parts!r}", "messages")
            return Bad(call.with_(prompt=parts), f"prompt={parts!r}", "prompt")
        case 1:
            depth = draw(st.sampled_from([50, 500, 5000]))
            nest = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
            deep = nest[0] * depth + "1" + nest[1] * depth
            return Bad(replace(call, body=call.body[:-1] + f',"foo":{deep}}}'.encode()), f"{depth} levels deep", "foo")
        case 2:
            name = draw(st.sampled_from(FIELDS[:6]))
            word = draw(st.sampled_from(["NaN", "Infinity", "-Infinity", "1e999", "-0", "0x10", "01", "+1", "1_000"]))
            kept = call.with_(**{name: ...}).body
            return Bad(replace(call, body=kept[:-1] + f',"{name}":{word}}}'.encode()), f"{name}: {word}", name)
        case 3:
            name = draw(st.sampled_from(FIELDS))
            return Bad(
                replace(call, body=call.body[:-1] + f',"{name}":1,"{name}":[]}}'.encode()), f"{name} twice", name
            )
        case 4:
            at = draw(st.integers(0, len(call.body) - 1))
            byte = draw(st.integers(0, 255))
            return Bad(replace(call, body=call.body[:at] + bytes([byte]) + call.body[at + 1 :]), f"byte {at} is {byte}")
        case _:
            name, value = draw(st.sampled_from(FIELDS)), draw(st.sampled_from(ODD))
            return Bad(call.with_(**{name: value}), f"{name}={str(value)[:40].encode('unicode_escape')!r}", name)


BAD_BODIES = Domain("a body that is no JSON object", _bodies, _held_bodies, NEEDS)
BAD_TYPES = Domain("a value of the wrong type", _of_fields(TYPES), _held_fields(TYPES), NEEDS)
BAD_VALUES = Domain("a value out of its range", _of_fields(RANGES), _held_fields(RANGES), NEEDS)
MISSING = Domain("a request without a required field", _missing, _held_missing, NEEDS)
MEANS_NOTHING = Domain("a chat request that means nothing", _meaningless, None, frozenset({"chat"}))
UNKNOWN_FIELDS = Domain("a request with an unknown field", _unknown, None, NEEDS)
SPOILT = Domain("a spoilt request", _spoilt, None, NEEDS)
SPOILT_SHORT = Domain(
    "a spoilt request that asks for no endless text",
    lambda target: _spoilt(target).filter(lambda bad: is_short(bad.call)),
    None,
    NEEDS,
)
