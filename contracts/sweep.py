"""Every field once wrong in every way that experts try first: so that a crash is told for each field, not for one."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from hypothesis import strategies as st

from contracts.bad import RANGES, TYPES, Bad
from contracts.domains import Domain, ask, endpoints
from contracts.exchange import Call, Exchange
from contracts.law import Breach, Unsupported
from contracts.wire import NoAnswer

SECONDS = 8.0
"""A sweep over a slow server ends after so long, with whatever was seen."""
TOLD = 24
RESENT = 2
"""A crash that was seen once is asked for so often again: a server that stumbles once under load is not wrong."""
SWEPT = "swept"
DROPPED = "dropped"
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
            except NoAnswer as error:
                if error.how in ("refused", "timeout"):
                    break
                target.notes.setdefault(DROPPED, []).append(bad.call)
            except Unsupported:
                break
    return list(target.log)


def crashes(target: Any, call: Call) -> bool:
    """Whether the server still crashes, or drops the connection, when the request is sent again."""
    try:
        return is_crash(target.send(call))
    except (NoAnswer, Unsupported):
        return True


def is_crash(exchange: Exchange) -> bool:
    """A 5xx; 501 says what it means, and so does a 503 that says when to come again."""
    busy = exchange.status == 503 and exchange.response.field("retry-after") is not None
    return exchange.status >= 500 and exchange.status != 501 and not busy


def dropped(target: Any) -> None:
    """Raises `Breach` when the server closes the connection on a request of the sweep, without a word and each time."""
    calls = sorted(target.notes.get(DROPPED, ()), key=lambda call: len(call.body)) if target.live else []
    for call in calls[:TOLD]:
        target.begin()
        last = None
        for _ in range(RESENT):
            try:
                target.send(call)
            except NoAnswer as error:
                last = error
            except Unsupported:
                return
            else:
                last = None
                break
        if last is not None:
            wanted = f"an answer to {call.method} {call.path} {call.body[:120]!r}"
            raise Breach(wanted, f"{last}{likewise(target, call, [])}", None, (RESENT, RESENT)) from last


def lasting(target: Any, crashed: list[Exchange]) -> tuple[Exchange, tuple[int, int] | None]:
    """The shortest request of which the server crashes whenever it gets it; where there is none, the shortest of which
    it crashed twice, and else the shortest of all.

    Beside it how often it was sent again and crashed again; None where that need not, or cannot be tried: it crashed
    twice, belongs to a socket, or comes from a recording.
    """
    seen = Counter(exchange.call.key() for exchange in crashed)
    ordered = sorted(crashed, key=lambda exchange: len(exchange.call.body))
    if not target.live:
        return ordered[0], None
    alone = [exchange for exchange in ordered if not exchange.call.is_socket]
    for exchange in alone[:TOLD]:
        again = [crashes(target, exchange.call) for _ in range(RESENT)]
        if any(again):
            return exchange, (RESENT, sum(again))
    for exchange in ordered:
        if seen[exchange.call.key()] > 1 or exchange.call.is_socket:
            return exchange, None
    return ordered[0], (RESENT, 0)


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


def likewise(target: Any, first: Call, crashed: list[Exchange]) -> str:
    """The other requests that crashed, the shortest first and each kind once; then those that were dropped."""
    others = sorted((x.call for x in crashed), key=lambda call: len(call.body))
    dropped = target.notes.get(DROPPED, []) if target.live else []
    return _kinds(first, others, "so are") + _kinds(first, dropped, "closed on without an answer")


def _kinds(first: Call, calls: list[Call], what: str) -> str:
    told = difference(first)
    kinds = [kind for kind in dict.fromkeys(map(difference, calls)) if kind != told]
    more = f", and {len(kinds) - TOLD} more" if len(kinds) > TOLD else ""
    return f"; {what}: {'; '.join(kinds[:TOLD])}{more}" if kinds else ""


EVERYTHING = Domain(
    "all exchanges seen so far, and every field once wrong",
    lambda target: st.builds(lambda: sweep(target)),
    lambda target: [list(target.log)],
    frozenset(),
)
