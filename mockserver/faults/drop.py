"""A piece of the response is missing."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mockserver.plan import Plan

from .edit import resized
from .fault import fault
from .select import PieceFault


@fault("drop", "meaning", at="content[1]")
@dataclass(frozen=True, slots=True)
class Drop(PieceFault):
    """One event, chosen by number or mark, is never sent; those around it are whole."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The steps without the piece."""
        found = self.find(plan)
        return plan if found is None else resized(plan, (*found[0], *found[2]))
