"""What a request would get, and why, without its happening: every rule, every field, the plan and its timeline. Pure.

Law: the preview of a request is what the same request gets next; nothing in the session changes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mockserver.plan_json import plan_to_json
from mockserver.request import Request
from mockserver.scripting.decide import Answer, Decision, decide
from mockserver.scripting.explain import Explanation, explain
from mockserver.scripting.script import Script
from mockserver.scripting.state import State
from mockserver.timeline import lines, timeline


@dataclass(frozen=True, slots=True)
class Preview:
    """`explanation`: every rule against the request. `decision`: what it would get; its plan is empty where an
    asynchronous function would have to be asked.
    """

    explanation: Explanation
    decision: Decision

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
        if made.coming is not None:
            told.append("the reply is made by an asynchronous function when the request comes")
        else:
            told.extend(lines(made.plan))
        return "\n".join(told)


def preview(script: Script, state: State, request: Request, answer: Answer) -> Preview:
    """What `request` would get now."""
    _, decision = decide(script, state, request, answer)
    explained = decision.explanation or explain(script, state, request)
    if decision.coming is not None and hasattr(decision.coming.awaitable, "close"):
        decision.coming.awaitable.close()  # a coroutine that nobody will await
    return Preview(explained, decision)
