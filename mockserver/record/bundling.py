"""A session as a bundle: a look at it that takes no time, and the work on what was seen, in small pieces.

Laws: what a `Snapshot` holds does not change any more, so the session may go on while its bundle is made; the work is
an iterator whose every step is short, however large the session is, so an event loop can do it between other things.
The pieces make the same document however they are put together. No key is in it.
"""

from __future__ import annotations

import copy
import inspect
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import msgspec

from mockserver.record.bundle import VERSION
from mockserver.record.heard import KEPT, Heard, heard, sent_data
from mockserver.record.history import Change
from mockserver.record.journal import Exchange
from mockserver.record.redact import Redactor, keys_of, secrets_of
from mockserver.reply import Function, reply_to_json
from mockserver.scripting.match import AllOf, AnyOf, Matcher, Not, Where
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script

if TYPE_CHECKING:
    from mockserver.serving.brain import ScriptBrain
    from mockserver.serving.sessions import SessionCore

LISTS = ("exchanges", "events")
"""What comes item by item."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A session at one moment. `first`: the script that it had at its first request, `changes` those after it."""

    name: str
    exchanges: tuple[Exchange, ...]
    first: Script
    changes: tuple[Change, ...]
    wall: Callable[[float], float]
    spelled_out: Callable[[Script], Script]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, core: SessionCore) -> Self:
        """The session now; in the event loop's thread. Only what is still open can change, and is copied."""
        brain: ScriptBrain = core.brain  # type: ignore[assignment]  # the server makes no other
        home = core.home
        exchanges = tuple(copy.copy(one) if one.ended == "open" else one for one in core.journal)
        first, changes = _folded(exchanges, brain)
        facts = {
            "profile": first.profile,
            "seed": brain.script.seed,
            "begun": brain.begun - sum(min(0.0, after - before) for before, after, _ in _clocks(brain)),
            "missing": core.requests - len(exchanges) + brain.history.dropped,
            "tls": home.tls,
            "by_key": core.name in home.keys.values(),
            "max_body": home.max_body,
            "models": list(brain.models),
            "origins": list(brain.origins),
        }
        return cls(core.name, exchanges, first, changes, _time_of_day(brain), brain.spelled_out, facts)


def document(snapshot: Snapshot) -> dict[str, Any]:
    """The bundle of what was seen; in any thread."""
    made: dict[str, Any] = {}
    for name, value in parts(snapshot):
        if name in LISTS and value is not None:
            made[name].append(value)
        elif name:
            made[name] = [] if name in LISTS else value
    return made


def written(snapshot: Snapshot) -> Iterator[bytes]:
    """The bundle as JSON, piece by piece; empty pieces are work that has brought nothing yet."""
    begin, inside = b"{", False
    for name, value in parts(snapshot):
        if not name:
            yield b""
        elif name in LISTS and value is not None:
            yield begin + msgspec.json.encode(value)
            begin = b","
        else:
            key = (b"]," if inside else begin) + msgspec.json.encode(name)
            inside = name in LISTS
            yield key + (b":[" if inside else b":" + msgspec.json.encode(value))
            begin = b"" if inside else b","
    yield b"]}"


def parts(snapshot: Snapshot) -> Iterator[tuple[str, Any]]:
    """Names and values of the document; of a list first its name with None, then each item. No name: a step of work.

    An item is made when it is given and not kept, so a full journal never stands in memory twice.
    """
    python = dict(_python(snapshot.first))
    secrets: set[str] = set()
    for found, names in _looked_through(snapshot):
        secrets.update(found)
        python |= names
        yield "", None
    redactor = Redactor(secrets)
    whole = {
        "inferneo_bundle": VERSION,
        "session": snapshot.name,
        "script": snapshot.spelled_out(snapshot.first).to_json(),
        "python": python,
        **snapshot.facts,
    }
    for name, value in whole.items():
        yield name, redactor.document(value, name)
    steps = _steps(snapshot)
    yield "exchanges", None
    for item in _exchanges(snapshot, steps):
        yield "exchanges", _hidden(item, redactor)
    yield "events", None
    for _, what, kind in steps:
        if isinstance(what, Change):
            yield "events", redactor.document({kind: _change(snapshot, what)})
        else:
            yield "events", {kind: what.number}


def _looked_through(snapshot: Snapshot) -> Iterator[tuple[Iterable[str], dict[str, str]]]:
    """The keys and the functions that are somewhere in the session, part by part."""
    yield secrets_of(snapshot.spelled_out(snapshot.first).to_json()), {}
    for change in snapshot.changes:
        python = dict(_python(change.value)) if change.kind in ("load", "script") else {}
        yield secrets_of(_change(snapshot, change)), python
    seen: set[int] = set()
    for exchange in snapshot.exchanges:
        yield keys_of(exchange.request.headers), {}
        for one in (getattr(exchange.decision, "said", None), *exchange.faults):
            if getattr(one, "headers", None) and id(one) not in seen:
                seen.add(id(one))
                yield keys_of(one.headers), {}


_Step: TypeAlias = tuple[float, Change | Exchange, str]


def _steps(snapshot: Snapshot) -> list[_Step]:
    """What happened, in its order."""
    steps: list[_Step] = [(change.at, change, change.kind) for change in snapshot.changes]
    for exchange in snapshot.exchanges:
        steps.append((exchange.started, exchange, "arrived"))
        if exchange.ended != "open":
            steps.append((exchange.started + exchange.seconds, exchange, "ended"))
    steps.sort(key=lambda step: step[0])
    return steps


def _exchanges(snapshot: Snapshot, steps: list[_Step]) -> Iterator[dict[str, Any]]:
    """Each exchange with what a replay needs of it."""
    answering, room = _answering(snapshot.first), KEPT
    for _, what, kind in steps:
        if isinstance(what, Change):
            if what.kind in ("load", "script"):
                answering = _answering(what.value)
        elif kind == "arrived":
            answer = heard(sent_data(what.plan, what.request, what.sent_bytes), room)
            room -= answer.size if answer.text is not None else 0
            yield _exchange(what, answering, snapshot.wall(what.started), answer)


def _hidden(item: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """An exchange or event without its keys. Where one stood, a replay's answer may well be another."""
    shown: dict[str, Any] = redactor.document(item)
    if "answer" in item:
        before, after = item["request"].get("body"), shown["request"].get("body")
        if before != after or item["answer"].get("text") != shown["answer"].get("text"):
            shown["answer"] = msgspec.to_builtins(Heard(unlike="a key is hidden in it, or in its request"))
    return shown


def _folded(exchanges: tuple[Exchange, ...], brain: ScriptBrain) -> tuple[Script, tuple[Change, ...]]:
    """The script that the session had at its first request, and the changes beside."""
    history = brain.history
    first: Script = history.first
    begins = min((exchange.started for exchange in exchanges), default=float("inf"))
    kept: list[Change] = []
    for change in history:
        if change.kind in ("load", "script") and change.at < begins and not kept:
            first = change.value
        else:
            kept.append(change)
    return first, tuple(kept)


def _clocks(brain: ScriptBrain) -> Iterator[tuple[float, float, bool]]:
    """Time of day before and after each change of the session's clock, and whether it stood then."""
    return (change.value for change in brain.history if change.kind == "clock")


def _time_of_day(brain: ScriptBrain) -> Callable[[float], float]:
    """The session's time of day at a moment of the monotonic clock."""
    clocks = [change for change in brain.history if change.kind == "clock"]
    moments = [change.at for change in clocks]
    now, monotonic = brain.now, time.monotonic()

    def at(moment: float) -> float:
        if before := bisect_right(moments, moment):
            last = clocks[before - 1]
            _, set_to, stands = last.value
            return float(set_to if stands else set_to + moment - last.at)
        if clocks:
            return float(clocks[0].value[0] - clocks[0].at + moment)
        return now - monotonic + moment

    return at


def _change(snapshot: Snapshot, change: Change) -> Any:
    match change.kind:
        case "load" | "script":
            return snapshot.spelled_out(change.value).to_json()
        case "faults":
            return [fault.to_json() for fault in change.value]
        case "release":
            return {"barrier": change.value[0], "times": change.value[1]}
        case "clock":
            return {"before": change.value[0], "after": change.value[1]}
        case _:
            return change.value


def _exchange(exchange: Exchange, answering: Mapping[str, Rule], now: float, answer: Heard) -> dict[str, Any]:
    """The exchange as the journal shows it, without its plan (a replay makes it again), with what a replay needs."""
    shown = exchange.to_json(plan=False)
    request, decision = exchange.request, exchange.decision
    target = (request.raw_path or request.path.encode()).decode("latin-1")
    query = request.query.decode("latin-1")
    found = {
        **shown,
        "request": {**shown["request"], "target": f"{target}?{query}" if query else target},
        "received": request.received,
        "now": now,
        "answer": msgspec.to_builtins(answer),
    }
    failure = getattr(decision, "failure", None)
    if failure is not None:
        found["failure"] = failure
    function = _function(answering.get(exchange.rule or ""), getattr(decision, "call", 0))
    if function is not None:
        found["awaited"] = inspect.iscoroutinefunction(function.function)
        if decision.said is not None:
            found["made"] = reply_to_json(decision.said)
    return found


def _answering(script: Script) -> dict[str, Rule]:
    """The rules that have a function among their replies, by label."""
    return {
        script.label(number): rule
        for number, rule in enumerate(script.rules)
        if any(isinstance(reply, Function) for reply in rule.replies)
    }


def _function(rule: Rule | None, call: int) -> Function | None:
    """The function that answered call number `call` of the rule; None: none did."""
    position = None if rule is None else rule.position(call)
    index = None if rule is None or position is None else rule.reply_index(position)
    reply = None if rule is None or index is None else rule.replies[index]
    return reply if isinstance(reply, Function) else None


def _python(script: Script) -> Iterator[tuple[str, str]]:
    """Place and name (`module:function`) of all that is Python in the script."""
    for number, rule in enumerate(script.rules):
        for function in _functions(rule):
            name = getattr(function, "__qualname__", type(function).__qualname__)
            yield script.label(number), f"{getattr(function, '__module__', '?')}:{name}"


def _functions(rule: Rule) -> Iterator[Any]:
    yield from _predicates(rule.matcher)
    for reply in rule.replies:
        if isinstance(reply, Function):
            yield reply.function


def _predicates(matcher: Matcher) -> Iterator[Any]:
    match matcher:
        case AllOf(matchers) | AnyOf(matchers):
            for one in matchers:
                yield from _predicates(one)
        case Not(inner):
            yield from _predicates(inner)
        case Where(predicate):
            yield predicate
