"""Which piece of a response a fault changes: the event with a number, or the piece with a mark."""

from __future__ import annotations

from dataclasses import dataclass

from mockserver.errors import ScriptError
from mockserver.plan import Body, Plan, Raw
from mockserver.settings import Count

from .edit import Steps, find_event, find_mark
from .fault import Fault
from .mark import Piece


@dataclass(frozen=True, slots=True)
class PieceFault(Fault):
    """`event` counts from 0 (a body that is no stream is event 0); `at` is a mark. Neither: event 0."""

    event: Count | None = None
    at: Piece | None = None

    def check(self) -> None:
        """At most one piece."""
        if self.event is not None and self.at is not None:
            raise ScriptError("give 'event' or 'at', not both", "at")

    def find(self, plan: Plan) -> tuple[Steps, Body | Raw, Steps] | None:
        """The piece with what is before and after it; None where the plan has no such piece."""
        return find_event(plan.steps, self.event or 0) if self.at is None else find_mark(plan.steps, self.at)
