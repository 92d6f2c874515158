"""Why something did not happen, where the server can know: for the one whose test fails. Reads, changes nothing.

Laws: what is said is sure: a call that never came, a place that the answer did not have, a barrier that nobody opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mockserver.faults.when import ALWAYS
from mockserver.plan import Body, Raw
from mockserver.record.journal import Exchange

if TYPE_CHECKING:
    from mockserver.serving.brain import ScriptBrain

MARKS = 12
"""Places of an answer that are named."""


def idle_faults(brain: ScriptBrain, journal: Sequence[Exchange]) -> dict[str, str]:
    """Why each fault that never had an effect had none, by its place (`State.fired`), as the end of a sentence."""
    found: dict[str, str] = {}
    for number, fault in enumerate(brain.script.faults):
        found[f"faults[{number}] ({fault.kind})"] = _why(fault, journal[:1], "no request came")
    for number, rule in enumerate(brain.script.rules):
        label = brain.script.label(number)
        calls = brain.state.hits.get(label, 0)
        for index, faults in enumerate(rule.faults):
            missing = f"it is for call {index + 1} of the rule, and {_times(calls)} came"
            turns = [one for one in journal if one.rule == label and one.decision.call == index + 1]
            for item, fault in enumerate(faults):
                place = f"{label}.faults[{index}][{item}] ({fault.kind})"
                found[place] = _why(fault, turns, missing if calls <= index else "")
    return found


def _why(fault: Any, turns: Sequence[Exchange], missing: str) -> str:
    if not turns:
        return f": {missing}" if missing else ""
    if fault.when != ALWAYS:
        return ": its 'when' never held, or it changes nothing in the answers that came"
    exchange, at = turns[0], getattr(fault, "at", None)
    marks = list(dict.fromkeys(_marks(exchange)))
    turn = f": request {exchange.number} was its turn"
    if isinstance(at, str) and not marks:
        return f"{turn}, whose answer is no stream, so it has no place {at!r}"
    if isinstance(at, str) and at not in marks:
        more = f" and {len(marks) - MARKS} more" if len(marks) > MARKS else ""
        return f"{turn}, whose answer has no place {at!r}, but {', '.join(marks[:MARKS])}{more}"
    return f"{turn}, and it changes nothing in that answer"


def _marks(exchange: Exchange) -> Iterator[str]:
    for step in exchange.plan.steps:
        if isinstance(step, Body | Raw) and step.mark:
            yield step.mark


def _times(count: int) -> str:
    return {0: "none", 1: "only 1"}.get(count, f"only {count}")


def held_back(brain: ScriptBrain, exchange: Exchange) -> str:
    """The barrier at which the response stood to the end, in a sentence; empty: it did not, or that is not sure."""
    hold = exchange.decision.hold if hasattr(exchange.decision, "hold") else None
    if hold is None or exchange.sent_bytes or exchange.ended not in ("open", "client", "server"):
        return ""
    if any(change.kind == "release" and change.value[0] == hold for change in brain.history):
        return ""
    return f"it stood at the barrier {hold!r}, which nobody opened: inferneo_mock.release({hold!r})"
