"""Responses that are none yet: 1xx."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from mockserver.plan import Close, Plan, Raw, Stall
from mockserver.settings import Range

from .edit import lowered
from .fault import Fault, fault
from .status import leading_waits


@fault("informational", "head", status=103, count=100)
@dataclass(frozen=True, slots=True)
class Informational(Fault):
    """`count` responses `status` (1xx) come first; `then` the response itself, or FIN, or nothing for ever."""

    status: Annotated[int, Range(100, 199)] = 103
    count: Annotated[int, Range(1, 100_000)] = 1
    then: Literal["response", "fin", "stall"] = "response"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The 1xx in one write."""
        phrase = {100: b"Continue", 102: b"Processing", 103: b"Early Hints"}.get(self.status, b"Informational")
        line = b"HTTP/1.1 %d %s\r\n" % (self.status, phrase)
        hint = b"link: </style.css>; rel=preload\r\n" if self.status == 103 else b""
        first = Raw((line + hint + b"\r\n") * self.count, "head")
        waits = leading_waits(plan.steps)
        if self.then == "response":
            low = lowered(plan)
            return Plan((*waits, first, *low.steps[len(waits) :]), low.ending)
        return Plan((*waits, first), Close("fin") if self.then == "fin" else Stall())


@fault("upgrade", "head")
@dataclass(frozen=True, slots=True)
class Upgrade(Fault):
    """`101 Switching Protocols` that nobody asked for, then silence (`then` `fin`: FIN)."""

    then: Literal["stall", "fin"] = "stall"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The head of a protocol that never begins."""
        head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        ending = Close("fin") if self.then == "fin" else Stall()
        return Plan((*leading_waits(plan.steps), Raw(head, "head")), ending)
