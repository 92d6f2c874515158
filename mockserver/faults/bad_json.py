"""A piece of the response is no JSON."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from mockserver.plan import Plan

from .edit import payload, resized, with_payload
from .fault import fault
from .select import PieceFault
from .sse import data_of, with_data


@fault("bad-json", "sse", event=1)
@dataclass(frozen=True, slots=True)
class BadJson(PieceFault):
    """The data of one event (or the body) is no JSON: cut in half, with a brace too many, or not JSON at all.

    The framing around it is right: `data: `, the empty line, the length. `form` `half`: the first half of the data;
    `trailing`: the data and `}`; `words`: `not json`.
    """

    form: Literal["half", "trailing", "words"] = "half"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other data in the same frame."""
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        data = data_of(payload(piece))
        broken = {"half": data[: max(1, len(data) // 2)], "trailing": data + b"}", "words": b"not json"}[self.form]
        changed = with_payload(piece, with_data(payload(piece), broken))
        return resized(plan, (*before, changed, *after))
