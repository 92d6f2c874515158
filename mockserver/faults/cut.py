"""The connection ends in the middle of a response."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from ..plan import Close, Plan, Stall
from ..settings import Seconds
from .edit import lowered
from .fault import Fault, fault
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
class SlowClose(Fault):
    """The whole response arrives; the connection then serves nothing more and is closed (FIN) `seconds` later."""

    seconds: Seconds

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The response, framing and all, then silence and FIN."""
        return Plan(lowered(plan).steps, Stall(self.seconds))
