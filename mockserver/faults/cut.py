"""The connection ends in the middle of a response."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from mockserver.plan import Close, Plan, Stall
from mockserver.settings import Seconds

from .edit import lowered
from .fault import fault
from .place import PlacedFault


@fault("cut", "endings", after_events=2, how="rst")
@dataclass(frozen=True, slots=True)
class Cut(PlacedFault):
    """All bytes before the place arrive, then the connection ends: reset (`rst`), closed (`fin`), or half-closed.

    `how` `rst`: RST, a read fails with "connection reset". `fin`: FIN, the peer reads an end of file where HTTP
    promised more. `half`: only the server's sending side is closed (FIN); it goes on reading; not under TLS. Without
    a place: behind the head.
    """

    how: Literal["fin", "rst", "half"] = "rst"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """What is before the place, then the end."""
        parts = self.split(plan)
        return plan if parts is None else Plan(parts[0], Close(self.how))


@fault("slow-close", "endings", seconds=0.5)
@dataclass(frozen=True, slots=True)
class SlowClose(PlacedFault):
    """All bytes before the place arrive, then nothing; `seconds` later the connection is closed (FIN).

    Without a place: the whole response arrives, and the connection serves nothing more.
    """

    seconds: Seconds = 0.5

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """What is before the place, then silence and FIN."""
        if self.after_events is None and self.after_bytes is None and self.at is None and self.inside is None:
            return Plan(lowered(plan).steps, Stall(self.seconds))
        parts = self.split(plan)
        return plan if parts is None else Plan(parts[0], Stall(self.seconds))
