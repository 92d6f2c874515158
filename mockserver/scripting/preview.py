"""What a request would get, and why, without its happening: every rule, every field, the plan and its timeline. Pure.

Laws: the preview of a request is what the same request gets next, its key, its limits and its slot included; nothing in
the session changes by it, no token is taken and nobody moves in the queue. What cannot be known ahead is said so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from mockserver.count import counted
from mockserver.faults import Fault
from mockserver.filled import Account
from mockserver.model.admission import Books, Pass, Served, Terms, admit, serve
from mockserver.model.keys import check
from mockserver.plan import Head, Plan
from mockserver.plan_json import plan_to_json
from mockserver.reply import Function, Reply
from mockserver.request import Request
from mockserver.scripting.decide import Answer, Decision, decide
from mockserver.scripting.explain import Explanation, explain
from mockserver.scripting.match import AllOf, AnyOf, Match, Matcher, Not
from mockserver.scripting.script import Script
from mockserver.scripting.state import State
from mockserver.timeline import lines, timeline


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands before the rules at the time of day `now` (Unix seconds). `cost`: of the answer with a reply."""

    terms: Terms
    books: Books
    now: float
    cost: Callable[[Request, Reply | None], Account | None]


@dataclass(frozen=True, slots=True)
class Preview:
    """`explanation`: every rule against the request. `decision`: what it would get; its plan is empty where an
    asynchronous function would have to be asked. `refused`: by whom, where a key, a limit or the queue says no.
    `queued`: how it would have to wait for a slot. `notes`: what cannot be known ahead.
    """

    explanation: Explanation
    decision: Decision
    refused: str = ""
    queued: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the door."""
        made = self.decision
        return {
            **self.explanation.to_json(),
            "call": made.call,
            "reply": made.reply,
            "faults": [fault.to_json() for fault in made.faults],
            "hold": made.hold,
            "made_later": made.coming is not None,
            "failure": made.failure,
            "refused": self.refused or None,
            "queued": self.queued or None,
            "notes": list(self.notes),
            "plan": plan_to_json(made.plan),
            "timeline": timeline(made.plan),
        }

    def __str__(self) -> str:
        """For people: every rule with each field, then what would be sent."""
        made = self.decision
        told = self.explanation.told()
        by = f"rule {made.rule}, call {made.call}" if made.rule is not None else "no rule"
        reply = "" if made.reply is None else f", reply {made.reply}"
        faults = ", ".join(fault.kind for fault in made.faults)
        told.append(f"answered by {by}{reply}{f', faults {faults}' if faults else ''}")
        if made.failure:
            told.append(f"this fails the test: {made.failure}")
        if made.hold is not None:
            told.append(f"held at {made.hold!r} until released")
        told += [one for one in (self.refused, self.queued) if one]
        if made.coming is not None:
            told.append("the reply is made by an asynchronous function when the request comes")
        else:
            told.extend(lines(made.plan))
        return "\n".join([*told, *(f"not known ahead: {note}" for note in self.notes)])


def preview(
    script: Script,
    state: State,
    request: Request,
    answer: Answer,
    extra: tuple[Fault, ...] = (),
    gate: Gate | None = None,
) -> Preview:
    """What `request` would get now. `extra`: faults that it brings itself; `gate`: None where nothing is in the way."""
    passed: Pass | None = None
    if gate is not None:
        _, who = admit(gate.terms, gate.books, request, gate.now)
        if isinstance(who, Pass):
            passed = who
        else:
            key = isinstance(check(gate.terms.profile, gate.terms.keys, request, gate.now), Plan)
            why = "its API key is missing, wrong or expired" if key else "its rate limit is used up"
            return refused(script, state, request, who, f"before any rule is asked: {why}")
    _, decision = decide(script, state, request, answer, extra)
    explained = decision.explanation or explain(script, state, request)
    notes = tuple(_unknown(script, state, request, decision))
    if decision.coming is not None:
        if hasattr(decision.coming.awaitable, "close"):
            decision.coming.awaitable.close()  # a coroutine that nobody will await
        if gate is not None:
            notes = (*notes, "whether it finds a slot: that is decided when its reply has been made")
        return Preview(explained, decision, notes=notes)
    if gate is None or passed is None:
        return Preview(explained, decision, notes=notes)
    cost = gate.cost(request, decision.said)
    _, served = serve(gate.terms, gate.books, passed, request, decision.plan, cost, gate.now)
    no, queued = _turn(gate, decision.plan, served)
    return Preview(explained, replace(decision, plan=served.plan), no, queued, notes)


def refused(script: Script, state: State, request: Request, plan: Plan, why: str) -> Preview:
    """The preview of a request that no rule is asked about; the rules are shown all the same."""
    explained = dataclasses.replace(explain(script, state, request), rule=None)
    return Preview(explained, Decision(plan), refused=f"refused with {_status(plan)} {why}")


def _turn(gate: Gate, before: Plan, served: Served) -> tuple[str, str]:
    """How the slots refuse it, and how they let it wait; both empty: it runs at once."""
    load, slots = gate.books.load, gate.terms.latency.slots
    running, waiting = counted(load.running, "request runs", "requests run"), load.waiting
    if _status(served.plan) != _status(before):
        room = f"{running} on {counted(slots or 0, 'slot')}, {counted(waiting, 'waits', 'wait')}, which is all that may"
        return f"refused with {_status(served.plan)}: {room}", ""
    if served.turn is None or served.turn.start is not None:
        return "", ""
    room = f"{running} on {counted(slots or 0, 'slot')}, {counted(waiting, 'waits', 'wait')} before it"
    return "", f"waits for a slot: {room}; the times are those from when it has its slot"


def _status(plan: Plan) -> int | None:
    return next((step.status for step in plan.steps if isinstance(step, Head)), None)


def _unknown(script: Script, state: State, request: Request, decision: Decision) -> Iterator[str]:
    """What decides about the request, and only its coming can tell."""
    if not request.connection:
        first = 0 if state.healed is None else state.healed.faults
        faults = [fault.kind for fault in (*script.faults[first:], *state.faults) if fault.group == "connection"]
        rules = [script.label(number) for number, rule in enumerate(script.rules) if _counts(rule.matcher)]
        if faults or rules:
            about = ", ".join([*(f"fault {kind}" for kind in faults), *(f"rule {label}" for label in rules)])
            yield f"on which connection it comes, which decides about {about}"
    if decision.rule is not None and decision.reply is not None and decision.coming is None:
        rule = next(rule for number, rule in enumerate(script.rules) if script.label(number) == decision.rule)
        if isinstance(rule.replies[decision.reply], Function):
            yield "whether its function, which was asked for this preview, will say the same again"


def _counts(matcher: Matcher) -> bool:
    """Whether the matcher asks for the number of the connection."""
    match matcher:
        case AllOf(parts) | AnyOf(parts):
            return any(map(_counts, parts))
        case Not(inner):
            return _counts(inner)
        case Match():
            return matcher.connection is not None
        case _:
            return False
