"""Every field once wrong in every way that experts try first: so that a crash is told for each field, not for one.

What the sweep crashes the server with each time, and S-REFUSE-07 has told, is no finding of the laws about single
fields; where S-REFUSE-07 is known, as a baseline says, its verdict is not red, and each law tells what it sees.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from hypothesis import strategies as st

from contracts.bad import BODIES, RANGES, TYPES, Bad
from contracts.domains import Domain, ask, endpoints
from contracts.exchange import JSON, Call, Exchange
from contracts.law import Breach, Unjudged, Unsupported
from contracts.wire import NoAnswer

SECONDS = 8.0
"""A sweep over a slow server ends after so long, with whatever was seen."""
TOLD = 24
RESENT = 2
"""A crash that was seen once is asked for so often again: a server that stumbles once under load is not wrong."""
SWEPT = "swept"
DROPPED = "dropped"
CRASHED = "crashed"
TOLD_OF = "told of"
SURE = "crashes again"
LOUD = "loud"
NO_JSON = "no JSON object"
MESSAGE = {"role", "content"}
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
    """A plain request for each endpoint with one field that is wrong, unusual or left out, or no JSON object at all."""
    found = []
    for chat in endpoints(target):
        call = ask(target, "Say hello", chat=chat)
        absent, needed = ("prompt", "messages") if chat else ("messages", "prompt")
        found += [Bad(call.with_(**{name: ...}), f"no {name}", name) for name in ("model", needed)]
        found += [Bad(Call("POST", call.path, body, (JSON,)), what) for body, what in BODIES]
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
                if is_crash(target.send(bad.call)):
                    target.notes.setdefault(CRASHED, {}).setdefault(kind(bad), []).append(bad.call)
            except NoAnswer as error:
                if error.how in ("refused", "timeout"):
                    break
                target.notes.setdefault(DROPPED, []).append(bad.call)
            except Unsupported:
                break
    return list(target.log)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def kind(bad: Bad) -> tuple[str, str]:
    """What a bad request is about: its path, and the field, the one that is lacking, or that it is no JSON object."""
    try:
        document = json.loads(bad.call.body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return bad.call.path, NO_JSON
    if bad.field:
        return bad.call.path, bad.field
    said = "messages" if bad.call.is_chat else "prompt"
    lacking = [name for name in ("model", said) if name not in document]
    plain = isinstance(document.get(said), str) or [set(m) for m in _objects(document.get(said))] == [MESSAGE]
    return bad.call.path, lacking[0] if lacking else "" if plain else said


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def told(target: Any) -> None:
    """S-REFUSE-07 tells what the sweep crashed: the other laws need not, unless its finding is known."""
    if target.live and not target.notes.get(LOUD):
        target.notes[TOLD_OF] = dict(target.notes.get(CRASHED, {}))


def quiet(target: Any, bad: Bad, exchange: Exchange) -> None:
    """Raises `Unjudged` for a crash by what S-REFUSE-07 has told of: one finding, not one for each law that sees it."""
    if is_crash(exchange) and target.live and _is_sure(target, kind(bad)):
        raise Unjudged(f"{bad.what} is answered {exchange.status} (S-REFUSE-07 judges that)")


def _is_sure(target: Any, what: tuple[str, str]) -> bool:
    """Whether a kind of request that S-REFUSE-07 has told crashes the server again; what was sent does not change."""
    sure = target.notes.setdefault(SURE, {})
    calls = target.notes.get(TOLD_OF, {}).get(what, ())
    if calls and what not in sure:
        sent = list(target.sent)
        sure[what] = any(crashes(target, call) for call in calls[:RESENT] for _ in range(RESENT))
        target.sent[:] = sent
    return bool(calls) and sure[what]


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
        return f"{call.method} {call.path}{' with no JSON object' if call.method == 'POST' else ''}"
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
