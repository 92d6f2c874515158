"""The response comes late."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mockserver.plan import Plan, Wait
from mockserver.settings import Seconds

from .fault import Fault, fault


@fault("delay", "time", seconds=0.2)
@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Nothing arrives for `seconds` (plus up to `jitter` more, drawn), then the response as it is."""

    seconds: Seconds
    jitter: Seconds = 0.0

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A wait before everything."""
        return Plan((Wait(self.seconds + self.jitter * rng.random()), *plan.steps), plan.ending)
