"""One run of a session as one JSON document, and whether another run was the same. Pure.

Laws: a bundle holds all that decides what is sent: profile, seed, the script the session began with, the requests with
the connection each came on, and (`events`) in which order they arrived and ended, and what was done to the session
between: other scripts, faults, healing, released barriers, its clock. Of what only the test's process had (functions,
predicates) it holds what they said. Two runs are the same where every request met the same rule, reply, faults, status
and number of bytes, and ended alike.
"""

from __future__ import annotations

import inspect
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.errors import MockError
from mockserver.model.frames import SOCKET
from mockserver.record.history import Change
from mockserver.record.journal import Exchange
from mockserver.record.redact import redacted
from mockserver.reply import Function, reply_to_json
from mockserver.scripting.match import AllOf, AnyOf, Matcher, Not, Where
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script

if TYPE_CHECKING:
    from mockserver.serving.brain import ScriptBrain
    from mockserver.serving.sessions import SessionCore

VERSION = 2

COMPARED = ("rule", "reply", "status", "faults", "ended", "sent_bytes")


class BundleError(MockError, ValueError):
    """A file is no bundle, or not a whole one."""


class Released(msgspec.Struct, frozen=True):
    """A barrier was opened, or (`times`) lets so many through."""

    barrier: str = "hold"
    times: int | None = None


class Moved(msgspec.Struct, frozen=True):
    """The session's clock was changed: its time of day before and after."""

    before: float
    after: float


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was sent; `target` is what stood behind the method."""

    method: str
    path: str
    target: str
    http_version: str
    headers: list[tuple[str, str]]
    body: str | None = None
    body_base64: str | None = None


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange. `started` and `seconds`: of the server's monotonic clock, whose beginning means nothing. `received`
    and `now`: the session's monotonic time and its time of day at the arrival. `made`: what a function gave, `awaited`:
    later; `failure`: what went wrong in one, or in a predicate.
    """

    number: int
    connection: int
    on_connection: int
    request: Asked
    rule: str | None
    reply: int | None
    faults: list[Any]
    status: int | None
    sent_bytes: int
    ended: str
    closed_by: str | None
    started: float
    seconds: float
    received: float
    now: float
    made: Any = None
    awaited: bool = False
    failure: str | None = None


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """`tls`, `max_body`, `models`, `origins`: as the server had them. `by_key`: requests without a prefix were the
    session's by their API key. `python`: the functions that its rules had, by place. `missing`: requests and changes
    that were too old to be kept.
    """

    inferneo_bundle: int
    session: str
    profile: str
    seed: int
    script: dict[str, Any]
    begun: float
    exchanges: list[Recorded]
    events: list[dict[str, Any]]
    python: dict[str, str] = {}
    missing: int = 0
    tls: bool = False
    by_key: bool = False
    max_body: int | None = None
    models: list[str] = []
    origins: list[str] = []


def bundle(core: SessionCore) -> dict[str, Any]:
    """The bundle of a session."""
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # the server makes no other
    first, changes = _folded(core, brain)
    steps: list[tuple[float, Change | Exchange, str]] = [(change.at, change, change.kind) for change in changes]
    for exchange in core.journal:
        steps.append((exchange.started, exchange, "arrived"))
        if exchange.ended != "open":
            steps.append((exchange.started + exchange.seconds, exchange, "ended"))
    steps.sort(key=lambda step: step[0])
    answering, wall = _answering(first), _time_of_day(brain)
    events: list[dict[str, Any]] = []
    exchanges: dict[int, dict[str, Any]] = {}
    python = dict(_python(first))
    for _, what, kind in steps:
        if isinstance(what, Change):
            if what.kind in ("load", "script"):
                answering = _answering(what.value)
                python |= _python(what.value)
            events.append({kind: _change(brain, what)})
        else:
            if kind == "arrived":
                exchanges[what.number] = _exchange(what, answering, wall(what.started))
            events.append({kind: what.number})
    home = core.home
    made = {
        "inferneo_bundle": VERSION,
        "session": core.name,
        "profile": first.profile,
        "seed": brain.script.seed,
        "script": brain.spelled_out(first).to_json(),
        "begun": brain.begun - sum(min(0.0, after - before) for before, after, _ in _clocks(brain)),
        "exchanges": list(exchanges.values()),
        "events": events,
        "python": python,
        "missing": core.requests - len(exchanges) + brain.history.dropped,
        "tls": home.tls,
        "by_key": core.name in home.keys.values(),
        "max_body": home.max_body,
        "models": list(brain.models),
        "origins": list(brain.origins),
    }
    shown: dict[str, Any] = redacted(made)
    return shown


def _folded(core: SessionCore, brain: ScriptBrain) -> tuple[Script, list[Change]]:
    """The script that the session had at its first request, and the changes beside."""
    history = brain.history
    first: Script = history.first
    begins = min((exchange.started for exchange in core.journal), default=float("inf"))
    kept: list[Change] = []
    for change in history:
        if change.kind in ("load", "script") and change.at < begins and not kept:
            first = change.value
        else:
            kept.append(change)
    return first, kept


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


def _change(brain: ScriptBrain, change: Change) -> Any:
    match change.kind:
        case "load" | "script":
            return brain.spelled_out(change.value).to_json()
        case "faults":
            return [fault.to_json() for fault in change.value]
        case "release":
            return {"barrier": change.value[0], "times": change.value[1]}
        case "clock":
            return {"before": change.value[0], "after": change.value[1]}
        case _:
            return change.value


def _exchange(exchange: Exchange, answering: Mapping[str, Rule], now: float) -> dict[str, Any]:
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


def read_bundle(data: bytes, name: str) -> Bundle:
    """The bundle in a file called `name`. Raises `BundleError` with one sentence that says what is wrong."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if "truncated" in str(error) and data.lstrip()[:1] in (b"", b"{"):
            raise BundleError(f"{name} ends too early: it was cut, or is still being written") from None
        raise BundleError(f"{name} is no bundle: it is no JSON: {error}") from None
    except RecursionError:
        raise BundleError(f"{name} is no bundle: its JSON is nested too deeply") from None
    return check(document, name)


def check(document: Any, name: str = "this") -> Bundle:
    """The bundle, if it is one. Raises `BundleError` that says what is missing."""
    if not isinstance(document, dict) or "inferneo_bundle" not in document:
        seen = f"keys {sorted(document)[:5]}" if isinstance(document, dict) else type(document).__name__
        raise BundleError(f"{name} is no bundle: a bundle is an object with 'inferneo_bundle': {VERSION}; got {seen}")
    if document["inferneo_bundle"] != VERSION:
        seen = document["inferneo_bundle"]
        hint = "run the test again, or replay it with the inferneo that wrote it"
        raise BundleError(f"{name} is a bundle of version {seen!r}, this inferneo-mock reads version {VERSION}; {hint}")
    try:
        found = msgspec.convert(document, Bundle)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise BundleError(f"{name} is no whole bundle: {path.strip('`') or '$'}: {message}") from None
    except RecursionError:
        raise BundleError(f"{name} is no bundle: its JSON is nested too deeply") from None
    _check_events(found, name)
    return found


def _check_events(found: Bundle, name: str) -> None:
    """Every event is one of those known; each request arrives once, before it ends, and alone on its connection."""
    numbers = {one.number for one in found.exchanges}
    connections = {one.number: one.connection for one in found.exchanges if one.request.http_version != SOCKET}
    busy: dict[int, int] = {}
    seen: dict[str, set[int]] = {"arrived": set(), "ended": set()}
    for index, event in enumerate(found.events):
        kind, value = next(iter(event.items()), ("", None))
        place = f"{name} is no whole bundle: $.events[{index}]"
        if len(event) != 1 or kind not in EVENTS:
            raise BundleError(f"{place}: an event has one of the keys {', '.join(EVENTS)}; got {sorted(event)}")
        if kind in seen:
            if value not in numbers or value in seen[kind] or (kind == "ended" and value not in seen["arrived"]):
                raise BundleError(f"{place}: request {value!r} cannot have {kind} here")
            seen[kind].add(value)
            connection = connections.get(value)
            if connection is None:
                continue
            if kind == "arrived" and busy.setdefault(connection, value) != value:
                raise BundleError(f"{place}: request {busy[connection]} is still open on connection {connection}")
            if kind == "ended" and busy.get(connection) == value:
                del busy[connection]
        else:
            try:
                msgspec.convert(value, EVENTS[kind])
            except msgspec.ValidationError as error:
                raise BundleError(f"{place}.{kind}: {error}") from None
    if left := sorted(numbers - seen["arrived"]):
        raise BundleError(f"{name} is no whole bundle: request {left[0]} never arrives")


EVENTS: Mapping[str, Any] = {
    "arrived": int,
    "ended": int,
    "load": dict,
    "script": dict,
    "heal": bool,
    "faults": list,
    "health": str | None,
    "release": Released,
    "clock": Moved,
}
"""What may be in `events`, and of which type."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is not the same in two exchanges, one line each."""
    found = []
    for key in COMPARED:
        if key == "ended" and "client" in (before[key], after[key]):
            continue  # when a client leaves is its own affair
        if key == "sent_bytes" and ("client" in (before["ended"], after["ended"]) or before["ended"] == "open"):
            continue
        if before[key] != after[key]:
            found.append(f"{key}: was {before[key]!r}, is {after[key]!r}")
    return found
