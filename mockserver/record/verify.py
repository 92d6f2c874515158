"""What of a script and the traffic does not agree, in sentences for the one whose test fails. Reads, changes nothing.

Law: a rule or fault that was never used, a request that no rule matched, a handler that failed and a fault of the
session that is still in force each make one text, and the text says what was near.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mockserver.count import counted
from mockserver.plan import Head
from mockserver.record.hints import held_back, idle_faults
from mockserver.record.journal import Exchange
from mockserver.record.objection import objections
from mockserver.record.redact import HEADERS, header_key, redacted, redacted_text
from mockserver.scripting.explain import explain
from mockserver.scripting.match import Matcher, explain_matcher, matcher_to_json
from mockserver.scripting.view import View
from mockserver.timeline import lines as timeline

if TYPE_CHECKING:
    from mockserver.serving.brain import ScriptBrain
    from mockserver.serving.sessions import SessionCore

NEAR = 3
"""Rules, or requests, shown that are near to what was asked for."""

SHOWN = 20
"""Exchanges shown in the message of a failing test."""

TELLING = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry", b"location"})
"""Header fields of an answer that say what a client is to do next."""

STEPS = 8
"""Lines shown of what was sent in one exchange."""


def state_of(core: SessionCore) -> dict[str, Any]:
    """The document behind `GET state`."""
    journal = core.journal
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # the server makes no other
    return {
        "session": core.name,
        **brain.report(),
        "requests": core.requests,
        "open": journal.open,
        "dropped": journal.dropped,
        "changes_dropped": brain.history.dropped,
    }


def problems_of(core: SessionCore) -> list[str]:
    """One text per thing that does not agree."""
    report = core.brain.report()  # type: ignore[attr-defined]  # as above
    found = []
    for exchange in core.journal:
        explanation = exchange.decision.explanation
        if explanation is not None:
            request = exchange.request
            line = f"no rule matched request {exchange.number}: {request.method} {request.path}"
            found.append("\n".join([line, *_explained(exchange)]))
        if exchange.error:
            found.append(f"request {exchange.number}: {exchange.error}")
    found += objections(core)
    found += [one for one in dict.fromkeys(report["failures"]) if not any(one in known for known in found)]
    healing = "heal() when the outage is over"
    found += [f"fault {kind!r} of the session is still in force; {healing}" for kind in report["faults_in_force"]]
    why = _unreachable(core)
    found += [f"rule {label!r} was never called{why.get(label, '')}" for label in report["unused_rules"]]
    found += _idle(core)
    secrets = _secrets(core)
    return [redacted_text(one, secrets) for one in found]


def _secrets(core: SessionCore) -> set[str]:
    """The keys of the session and of those who asked it: none is shown."""
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # as above
    sent = (
        header_key(value.decode("latin-1"))
        for exchange in core.journal
        for name, value in exchange.request.headers
        if name.decode("latin-1") in HEADERS
    )
    return {*sent, *(key.value for key in brain.spelled_out(brain.script).api_keys or ())}


def _unreachable(core: SessionCore) -> dict[str, str]:
    """Why a rule that was never called never will be, by its label, where that is sure; of the first few."""
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # as above
    numbers = range(len(brain.script.rules))
    unused = [number for number in numbers if not brain.state.hits.get(brain.script.label(number))][:SHOWN]
    if not unused:
        return {}
    from mockserver.scripting.lint import unreachable  # only where something is wrong; a server starts without it

    return {brain.script.label(number): f"; {why}" for number, why in unreachable(brain.script, unused).items()}


def _idle(core: SessionCore) -> list[str]:
    """The faults that never had an effect, and why; those of rules that were never called are told with these."""
    report = core.brain.report()  # type: ignore[attr-defined]  # as above
    places = [
        place
        for place in report["unused_faults"]
        if not any(place.startswith(f"{label}.faults[") for label in report["unused_rules"])
    ]
    why = idle_faults(core.brain, tuple(core.journal)) if places else {}  # type: ignore[arg-type]  # as above
    return [f"fault {place} never had an effect{why.get(place, '')}" for place in places]


def _explained(exchange: Exchange) -> list[str]:
    """Why no rule matched the request, and what the nearest would have sent."""
    explanation = exchange.decision.explanation
    would = [] if explanation.would is None else explanation.would.told(STEPS)
    return [*str(explanation).splitlines(), *(f"  {line}" for line in would)]


def describe(core: SessionCore, explained: bool = True) -> str:
    """A few lines for the message of a failing test; not `explained`: the refused requests are told elsewhere."""
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # as above
    clock = ""
    if brain.clock is not None:
        clock = f", its clock at {brain.clock.to_json()['at']}{', frozen' * brain.clock.frozen}"
    lines = [f"session {core.name!r}, profile {brain.profile.name}, seed {brain.script.seed}{clock}"]
    lines.append(f"script: {json.dumps(redacted(brain.script.to_json()))}")
    journal = list(core.journal)
    if len(journal) > SHOWN:
        lines.append(f"  ... {counted(len(journal) - SHOWN, 'exchange')} before")
    before: list[str] = []
    for exchange in journal[-SHOWN:]:
        request = exchange.request
        lines.append(
            f"  {exchange.number}. {request.method} {request.path} on connection {request.connection} "
            f"at {exchange.started - journal[0].started:.3f} s: {_outcome(exchange)}{_asked_of_the_client(exchange)}, "
            f"{counted(exchange.sent_bytes, 'byte')}, "
            f"ended {exchange.ended} after {exchange.seconds:.3f} s"
        )
        if exchange.decision.explanation is not None:
            lines += [f"     {line}" for line in (_explained(exchange)[1:] if explained else [])]
            continue
        beneath = _beneath(brain, exchange)
        lines += beneath if beneath != before else ["     as the one before"]
        before = beneath
    if explained:
        lines += [f"  {one}" for one in [*objections(core), *_idle(core)]]
        why = _unreachable(core)
        unused = brain.report()["unused_rules"][:SHOWN]
        lines += [f"  rule {label!r} was never called{why.get(label, '')}" for label in unused]
    return redacted_text("\n".join(lines), _secrets(core))


def _outcome(exchange: Exchange) -> str:
    """Which status, by which rule and faults."""
    by = f"rule {exchange.rule!r}" if exchange.rule is not None else "no rule"
    kinds = ", ".join(fault.kind for fault in exchange.faults)
    return f"{exchange.status} by {by}{f', faults {kinds}' if kinds else ''}"


def _asked_of_the_client(exchange: Exchange) -> str:
    """The header fields of the answer that say what a client is to do next."""
    head = next((step for step in exchange.plan.steps if isinstance(step, Head) and step.status >= 200), None)
    fields = [] if head is None else [(name.lower(), value) for name, value in head.headers]
    return "".join(f", {name.decode()}: {value.decode('latin-1')}" for name, value in fields if name in TELLING)


def _beneath(brain: ScriptBrain, exchange: Exchange) -> list[str]:
    """What went wrong in the server, or where the response stood, else the rules passed over and what was planned."""
    failure = getattr(exchange.decision, "failure", None)
    stood = held_back(brain, exchange)
    if failure or stood:
        return [f"     {line}" for line in (failure or stood).splitlines()]
    shown = timeline(exchange.plan)
    more = [f"... {len(shown) - STEPS} more"] if len(shown) > STEPS else []
    return [*_passed_over(brain, exchange), *(f"     {line}" for line in [*shown[:STEPS], *more])]


def _passed_over(brain: ScriptBrain, exchange: Exchange) -> list[str]:
    """The rules that did not match the request, nearest first."""
    found = explain(brain.script, brain.state, exchange.request).rules
    return [
        f"     not {rule.rule}: {'; '.join(str(one) for one in rule.findings if not one.holds)}"
        for rule in found[: NEAR + 1]
        if rule.misses
    ]


def near_misses(matcher: Matcher, journal: Sequence[Exchange], found: Sequence[Exchange], times: int | None) -> str:
    """Why an assertion on requests does not hold: what was asked for, and what came instead, nearest first."""
    wanted = {None: "at least once", 0: "no request", 1: "once"}.get(times, f"{times} times")
    asked = json.dumps(matcher_to_json(matcher))
    which = "that matches" if times == 0 else "a request that matches"
    told = [f"expected {wanted} {which} {asked}; {len(found)} of {len(journal)} did"]
    if not journal:
        return f"{told[0]}; no request came at all"
    if times is not None and len(found) > times:
        told += [f"  {one.number}. {one.request.method} {one.request.path} matches: {_outcome(one)}" for one in found]
        return "\n".join([*told[: SHOWN + 1], *([f"  ... {len(found) - SHOWN} more"] if len(found) > SHOWN else [])])
    missed = [(explain_matcher(matcher, View(one.request)), one) for one in journal if one not in found]
    missed.sort(key=lambda pair: sum(not finding.holds for finding in pair[0]))
    for findings, one in missed[:NEAR]:
        wrong = "; ".join(str(finding) for finding in findings if not finding.holds)
        told.append(f"  {one.number}. {one.request.method} {one.request.path}: {wrong}")
    return "\n".join(told)
