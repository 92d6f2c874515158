"""The response stops coming, on an open connection."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mockserver.plan import Plan, Stall, Wait
from mockserver.settings import Seconds

from .fault import fault
from .place import PlacedFault


@fault("stall", "endings", after_events=2)
@dataclass(frozen=True, slots=True)
class Stalled(PlacedFault):
    """All bytes before the place arrive, then nothing: for `seconds`, after which the response goes on; None: for ever.

    The connection stays open, so only a read time limit ends the wait. Without a place: behind the head.
    """

    seconds: Seconds | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A pause at the place, or nothing behind it."""
        parts = self.split(plan)
        if parts is None:
            return plan
        if self.seconds is None:
            return Plan(parts[0], Stall())
        ending = plan.ending
        return Plan((*parts[0], Wait(self.seconds), *parts[1]), ending)
