"""What the rule nearest to a request would have sent, had it matched: part of the answer to "why did it not?". Pure.

Law: its size is bounded, however long the reply is, for it is sent with every refusal of a strict session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mockserver.plan import Body, Plan, Raw
from mockserver.plan_json import plan_to_json
from mockserver.timeline import LINES, lines, timeline

STEPS = 2000
"""Steps of a plan that are looked at."""

BYTES = 16 << 10
"""A plan with more bytes in it is not shown; its timeline always is."""


@dataclass(frozen=True, slots=True)
class Would:
    """`call`: the number that the call would have had. `note`: why there is no plan, where there is none."""

    rule: str
    call: int
    plan: Plan | None = None
    reply: int | None = None
    faults: tuple[str, ...] = ()
    note: str = ""

    def told(self, count: int = LINES + 1) -> list[str]:
        """For people: one line that says what, then at most `count` of the timeline."""
        if self.plan is None:
            return [f"had it matched, rule {self.rule} (call {self.call}): {self.note}"]
        faults = f", faults {', '.join(self.faults)}" if self.faults else ""
        reply = "" if self.reply is None else f", reply {self.reply}"
        found = lines(_bounded(self.plan))
        more = [f"           ... {len(found) - count} more"] if len(found) > count else []
        return [
            f"had it matched, rule {self.rule} (call {self.call}{reply}{faults}) would send:",
            *found[:count],
            *more,
        ]

    def to_json(self) -> dict[str, Any]:
        """For the door: the timeline, and the plan itself where it is small."""
        head = {"rule": self.rule, "call": self.call}
        if self.plan is None:
            return {**head, "note": self.note}
        rows = timeline(_bounded(self.plan))
        shown = rows if len(rows) <= LINES else [*rows[: LINES - 5], *rows[-5:]]
        return {
            **head,
            "reply": self.reply,
            "faults": list(self.faults),
            "timeline": shown,
            "more_rows": len(rows) - len(shown),
            "plan": plan_to_json(self.plan) if _is_small(self.plan) else None,
        }


def _bounded(plan: Plan) -> Plan:
    return plan if len(plan.steps) <= STEPS else Plan(plan.steps[:STEPS], plan.ending)


def _is_small(plan: Plan) -> bool:
    if len(plan.steps) > STEPS // 10:
        return False
    return sum(len(step.data) for step in plan.steps if isinstance(step, Body | Raw)) <= BYTES
