"""Every field once wrong in every way that experts try first: so that a crash is told for each field, not for one."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import strategies as st

from contracts.bad import RANGES, TYPES, Bad
from contracts.domains import Domain, ask, endpoints
from contracts.exchange import Call, Exchange
from contracts.law import Unsupported
from contracts.wire import NoAnswer

SECONDS = 8.0
"""A sweep over a slow server ends after so long, with whatever was seen."""
TOLD = 24
SWEPT = "swept"
MORE: dict[str, tuple[Any, ...]] = {
    "messages": (
        [],
        [{"role": "alien", "content": "x"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": [{"type": "nope"}]}],
        [{"role": "user", "content": "\ud800"}],
    ),
    "prompt": ("", None, [], "\ud800"),
    "stop": ([], "", None),
    "seed": ("a", -1, 1.5, 2**64),
    "logit_bias": ({}, {"5": 1}, {"x": 1}, []),
    "frequency_penalty": (-2, 2, "x"),
    "presence_penalty": (-2, 2, "x"),
    "n": ("x", 1.5),
    "logprobs": ("x", -1),
    "user": (5,),
    "stream_options": ({}, "x"),
}
FOR_CHAT: dict[str, tuple[Any, ...]] = {
    "response_format": ({"type": "nope"}, "json", {}),
    "tools": ([], "x", [5], [{"type": "function"}]),
    "tool_choice": ("nope", 5),
    "top_logprobs": ("x", -1),
}
FOR_TEXT: dict[str, tuple[Any, ...]] = {"echo": ("x",), "suffix": (5,), "best_of": (0, "x")}


def mistakes(target: Any) -> list[Bad]:
    """A plain request for each endpoint with one field that is wrong, or unusual."""
    found = []
    for chat in endpoints(target):
        call = ask(target, "Say hello", chat=chat)
        absent = "prompt" if chat else "messages"
        for table in (TYPES, RANGES, MORE, FOR_CHAT if chat else FOR_TEXT):
            found += [
                Bad(call.with_(**{name: value}), f"{name}={value!r}", name, value)
                for name, values in table.items()
                if name != absent
                for value in values
            ]
    return found


def sweep(target: Any) -> list[Exchange]:
    """Sends the mistakes, once in a run, and returns all that the target's log holds."""
    if target.live and SWEPT not in target.notes:
        target.notes[SWEPT] = True
        until = time.monotonic() + SECONDS
        for bad in mistakes(target):
            if time.monotonic() > until:
                break
            try:
                target.send(bad.call)
            except (NoAnswer, Unsupported):
                break
    return list(target.log)


def difference(call: Call) -> str:
    """What a generating request says beside the plain one, like `chat stop=[]`; else its method and path."""
    document = call.document
    if call.method != "POST" or not isinstance(document, dict):
        return f"{call.method} {call.path}"
    plain: dict[str, tuple[Any, ...]] = {
        "max_tokens": (8,),
        "temperature": (0,),
        "messages": ([{"role": "user", "content": "Say hello"}],),
        "prompt": ("Say hello",),
    }
    told = [
        f"{name}={repr(value)[:60]}"
        for name, value in document.items()
        if name != "model" or not isinstance(value, str)
        if not any(type(value) is type(usual) and value == usual for usual in plain.get(name, ()))
    ]
    said = "chat" if call.is_chat else "text" if call.path.endswith("/completions") else call.path
    return f"{said} {', '.join(told)}".strip()


def likewise(crashed: list[Exchange]) -> str:
    """The other requests that crashed, the shortest first and each kind once."""
    kinds = list(dict.fromkeys(difference(x.call) for x in sorted(crashed, key=lambda x: len(x.call.body))))
    if len(kinds) < 2:
        return ""
    more = f", and {len(kinds) - 1 - TOLD} more" if len(kinds) - 1 > TOLD else ""
    return f"; so are: {'; '.join(kinds[1 : TOLD + 1])}{more}"


EVERYTHING = Domain(
    "all exchanges seen so far, and every field once wrong",
    lambda target: st.builds(lambda: sweep(target)),
    lambda target: [list(target.log)],
    frozenset(),
)
