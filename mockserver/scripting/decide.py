"""What a request gets: `decide(script, state, request, answer) -> (state, decision)`. Pure, no clock, no socket.

The first rule that matches answers; its call number picks the reply and the faults; the reply becomes a plan, the
faults rewrite it in order: the rule's, then the script's, then the door's, then the request's own. All chance comes
from (seed, rule, call, place of the fault), so what other rules and sessions do changes nothing.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.count import counted
from mockserver.errors import ScriptError
from mockserver.faults import Fault, parse_faults
from mockserver.model.ticket import Ticket
from mockserver.plan import Body, Head, Plan
from mockserver.reply import Function, Reply, Template
from mockserver.request import Request
from mockserver.scripting.blame import placed
from mockserver.scripting.dynamic import finished, make
from mockserver.scripting.explain import TOLD, Explanation, explain
from mockserver.scripting.index import PredicateError
from mockserver.scripting.match import EVERYTHING
from mockserver.scripting.script import Script
from mockserver.scripting.state import State
from mockserver.scripting.view import View
from mockserver.scripting.would import Would

if TYPE_CHECKING:
    from mockserver.model.admission import Pass

Answer: TypeAlias = Callable[[Request, Reply | None], Plan]
"""What a model answers, with the scripted reply or (None) without; profile, seed and time are bound by the caller."""

Faults: TypeAlias = tuple[Fault, ...]

PROBES = frozenset({"/health", "/metrics"})
"""Paths that are answered even by a strict script with no rule for them: something always asks whether one is alive."""

FACTS = frozenset({"/v1/models", "/v1/info"})
"""As `PROBES`, but for GET and HEAD alone: what clients ask for before they begin."""

MADE = (Template, Function)
"""Replies that are made when they are asked for."""

OVERRIDE = b"x-inferneo-fault"
"""The request header that carries faults for this one request; only heeded where the caller says so."""


class Decision(Struct, frozen=True, gc=False):
    """`rule` and `reply` (its index) are None where no rule, or no reply of it, answered. `faults`: those that had an
    effect. `connection`: how the connection is treated from now on. `failure`: a sentence that must fail the test, or
    None. `explanation`: only where no rule matched and the script is strict. `hold`: the barrier at which the response
    waits. `coming`: the plan is not known yet, an asynchronous function is asked for it. `said`: the reply that was
    answered with (None: like a model). `ticket`: the request's turn, where turns are kept; `admitted`: how it was let
    in, as long as the plan is not known. `unsafe`: the rule, or its script, was marked so when it answered.

    The collector does not look at it (`gc=False`): what could close a circle, the ticket, is cleared when it is left.
    """

    plan: Plan
    rule: str | None = None
    reply: int | None = None
    call: int = 0
    faults: tuple[Fault, ...] = ()
    connection: ConnectionPlan = ORDERLY
    failure: str | None = None
    explanation: Explanation | None = None
    hold: str | None = None
    coming: Coming | None = None
    said: Reply | None = None
    ticket: Ticket | None = None
    admitted: Pass | None = None
    unsafe: bool = False


def decide(
    script: Script, state: State, request: Request, answer: Answer, extra: tuple[Fault, ...] = ()
) -> tuple[State, Decision]:
    """The decision and the state after it. `extra`: faults for this one request (see `faults_of_header`)."""
    started = request.received if state.started is None else state.started
    view = View(request, state.named) if script.rules else None
    try:
        number = None if view is None else script.index.first(view)
    except PredicateError as error:
        return _undecided(script, state, started, error)
    hits, requests, named = state.hits, state.requests + 1, state.named
    hold: str | None = None
    label: str | None = None
    call, lists = requests, ""
    reply: Reply | None = None
    reply_index: int | None = None
    own: tuple[Fault, ...] = ()
    unsafe = script.unsafe
    if number is not None:
        rule, label = script.rules[number], script.label(number)
        call = hits.get(label, 0) + 1
        hits = {**hits, label: call}
        hold, unsafe = rule.hold, unsafe or rule.unsafe
        if rule.sets is not None:
            named = {name: value for name, value in {**named, **rule.sets}.items() if value is not None}
        turn = rule.turn(call)
        if turn is None:
            failure = f"rule {label} was called {counted(call, 'time')}, its script ends after {rule.calls}"
            after = State(hits, state.fired, started, requests, state.unmatched, state.healed, state.faults, named)
            return after, Decision(_refusal(500, failure, "script_exhausted"), label, call=call, failure=failure)
        reply_index, fault_index = turn
        reply = None if reply_index is None else rule.replies[reply_index]
        if fault_index is not None and (state.healed is None or label not in state.healed.rules):
            own, lists = rule.faults[fault_index], f"{label}.faults[{fault_index}]"
    elif script.is_strict and not _always_answered(request):
        return _unmatched(
            script,
            State(hits, state.fired, started, requests, state.unmatched + 1, state.healed, state.faults, named),
            request,
            answer,
        )
    after = State(hits, state.fired, started, requests, state.unmatched, state.healed, state.faults, named)
    if view is not None and isinstance(reply, MADE):
        try:
            made = make(reply, view, script.seed, call)
        except Exception as error:  # whatever a user's function raises is told, and fails the test
            return after, _failed(label, call, error)
        if isinstance(made, Awaitable):
            scene = _Scene(script, after, request, own, lists, extra, label, reply_index, call, unsafe)
            coming = Coming(made, scene, answer)
            return after, Decision(Plan(()), label, reply_index, call, hold=hold, coming=coming, unsafe=unsafe)
        reply = made
    plan = answer(request, reply)
    if not (own or state.faults or extra) and (not script.faults or _over(script, state)):
        return after, Decision(plan, label, reply_index, call, hold=hold, said=reply, unsafe=unsafe)
    scene = _Scene(script, after, request, own, lists, extra, label, reply_index, call, unsafe)
    return scene.struck(plan, hold, reply)


@dataclass(frozen=True, slots=True)
class _Scene:
    """All that is known of one request's turn when its plan is still to be rewritten."""

    script: Script
    state: State
    request: Request
    own: Faults
    lists: str
    extra: Faults
    label: str | None
    reply_index: int | None
    call: int
    unsafe: bool

    def struck(self, plan: Plan, hold: str | None = None, said: Reply | None = None) -> tuple[State, Decision]:
        """The decision with all faults in it, and the state after it."""
        state, request = self.state, self.request
        seconds = request.received - (request.received if state.started is None else state.started)
        work = _Work(plan, self.script.seed)
        first = 0 if state.healed is None else state.healed.faults
        work.strike(self.own, self.lists, self.call, seconds)
        work.strike(self.script.faults, "faults", state.requests, seconds, request.connection, first)
        work.strike(state.faults, "door", state.requests, seconds, request.connection)
        work.strike(self.extra, "request", state.requests, seconds)
        fired = state.fired | work.places if work.places - state.fired else state.fired
        after = State(
            state.hits,
            fired,
            state.started,
            state.requests,
            state.unmatched,
            state.healed,
            state.faults,
            state.named,
        )
        faults = tuple(work.faults)
        made = Decision(
            work.plan,
            self.label,
            self.reply_index,
            self.call,
            faults,
            work.connection,
            hold=hold,
            said=said,
            unsafe=self.unsafe,
        )
        return after, made


@dataclass(frozen=True, slots=True)
class Coming:
    """A decision that waits for what an asynchronous function gives."""

    awaitable: Awaitable[Any]
    scene: _Scene
    answer: Answer

    async def finish(self) -> tuple[Decision, frozenset[str]]:
        """The decision, and the places of the faults that had an effect. Never raises: what goes wrong is a failure."""
        try:
            reply = finished(await self.awaitable)
            plan = self.answer(self.scene.request, reply)
        except Exception as error:  # as in `decide`
            return _failed(self.scene.label, self.scene.call, error), frozenset()
        after, decision = self.scene.struck(plan, said=reply)
        return decision, after.fired


def _failed(label: str | None, call: int, error: Exception) -> Decision:
    told = f"rule {label}: the reply could not be made: {type(error).__name__}: {error}"
    return Decision(_refusal(500, told, "handler_error"), label, call=call, failure=placed(told, error))


def _undecided(script: Script, state: State, started: float, error: PredicateError) -> tuple[State, Decision]:
    """A predicate raised: the request counts, no rule is called."""
    told = error.told(script.label(error.number))
    return replace(state, started=started, requests=state.requests + 1), Decision(
        _refusal(500, told, "handler_error"), failure=placed(told, error.error)
    )


class _Work:
    """A plan on its way through the faults."""

    __slots__ = ("connection", "faults", "places", "plan", "seed")

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan if type(plan.steps) is tuple else Plan(tuple(plan.steps), plan.ending)
        self.seed = seed
        self.connection = ORDERLY
        self.faults: list[Fault] = []
        self.places: set[str] = set()

    def strike(
        self, faults: Faults, where: str, call: int, seconds: float, connection: int | None = None, first: int = 0
    ) -> None:
        """Apply those of `faults` that are in force, from number `first` on; given `connection`, those of connections
        count these.
        """
        for number, fault in enumerate(faults):
            if number < first:
                continue
            counted = call if connection is None or fault.group != "connection" else connection
            rng = dice(fault, counted, seconds, self.seed, place := f"{where}[{number}]")
            if rng is None:
                continue
            plan, treatment = fault.rewrite(self.plan, rng), fault.connect(self.connection)
            if (plan is not self.plan and plan != self.plan) or treatment != self.connection:
                self.plan, self.connection = plan, treatment
                self.faults.append(fault)
                self.places.add(f"{place} ({fault.kind})")


def dice(fault: Fault, call: int, seconds: float, seed: int, place: str) -> Random | None:
    """The fault's own source of chance for this call; None where it is not in force."""
    when = fault.when
    if not when.holds(call, seconds):
        return None
    rng = Random(f"{seed if when.seed is None else when.seed} {place} {call}")
    return rng if when.drawn(rng) else None


def connection_plan(script: Script, state: State, connection: int = 1, seconds: float = 0.0) -> ConnectionPlan:
    """How connection number `connection` is treated, by the faults of the script and the door.

    The `when` of a fault counts connections here, from 1; `seconds` are those since the session's first request (0
    before it). What `decide` says for the requests of the same connection agrees.
    """
    found = ORDERLY
    over = 0 if state.healed is None else state.healed.faults
    for where, faults, first in (("faults", script.faults, over), ("door", state.faults, 0)):
        for number, fault in enumerate(faults):
            of_connections = fault.group == "connection" and number >= first
            if of_connections and dice(fault, connection, seconds, script.seed, f"{where}[{number}]") is not None:
                found = fault.connect(found)
    return found


def faults_of_header(request: Request) -> tuple[Fault, ...]:
    """The faults in `X-Inferneo-Fault` (JSON: a fault or a list). Raises `ScriptError`."""
    value = request.header(OVERRIDE)
    if value is None:
        return ()
    try:
        return parse_faults(json.loads(value))
    except ScriptError:
        raise
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"the header X-Inferneo-Fault is no JSON: {error}") from error


def _over(script: Script, state: State) -> bool:
    """Whether all faults of the script's own are healed."""
    return state.healed is not None and len(script.faults) <= state.healed.faults


def _always_answered(request: Request) -> bool:
    return request.path in PROBES or (request.path in FACTS and request.method in ("GET", "HEAD"))


def _unmatched(script: Script, state: State, request: Request, answer: Answer) -> tuple[State, Decision]:
    explanation = explain(script, state, request)
    if explanation.rules:
        found = _would(script, state, request, explanation.rules[0].rule, answer)
        explanation = dataclasses.replace(explanation, would=found)
    body = {"explanation": {**explanation.to_json(), "text": "\n".join(explanation.told(TOLD))}}
    return state, Decision(_refusal(404, str(explanation), "no_rule_matched", body), explanation=explanation)


def _would(script: Script, state: State, request: Request, label: str, answer: Answer) -> Would:
    """What the rule of that label would have sent to the request."""
    number = next(number for number in range(len(script.rules)) if script.label(number) == label)
    rule = script.rules[number]
    call = state.hits.get(label, 0) + 1
    if any(isinstance(reply, Function) for reply in rule.replies):
        return Would(label, call, note="a function would be asked, which is not called for this")
    alone = dataclasses.replace(script, rules=(dataclasses.replace(rule, name=label, matcher=EVERYTHING),))
    try:
        _, decision = decide(alone, state, request, answer)
    except Exception as error:  # an explanation never breaks what it explains
        return Would(label, call, note=f"its reply does not fit this request: {error}")
    if decision.failure is not None:
        return Would(label, call, note=decision.failure)
    return Would(label, call, decision.plan, decision.reply, tuple(fault.kind for fault in decision.faults))


def _refusal(status: int, message: str, code: str, more: Mapping[str, object] | None = None) -> Plan:
    error = {"message": message, "type": "mock_error", "param": None, "code": code}
    data = json.dumps({"error": error, **(more or {})}).encode()
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)))
    return Plan((Head(status, headers), Body(data)))
