"""Who decides in a replay: as before, by the recorded time, and without any wait of the real world.

Laws: connections are asked about at the recorded time; a slot is free when the record says so. What a connection waits
for by the clock on the wall (`accept-delay`, `idle-close`, a port that opens again) is left out: a request that is in
the record came through, so its connection is accepted at once, stays open, and its port listens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.model.ticket import Ticket
from mockserver.request import Request
from mockserver.scripting.decide import Decision
from mockserver.serving.brain import ScriptBrain

WAITING = ("accept-delay", "idle-close", "refused", "syn-black-hole")
"""Faults that have a time of their own, and none in a replay."""


class RecordedBrain(ScriptBrain):
    """A brain that is asked about connections at the recorded time, and frees a slot when the record says so.

    A response that was late, on a busy machine, kept its slot so long; here nothing is late.
    """

    __slots__ = ("left", "moment", "over")
    left: dict[int, Ticket]
    moment: float
    over: set[int]

    def _leave(self, ticket: Ticket) -> None:
        if ticket.number in self.over:
            super()._leave(ticket)
        else:
            self.left[ticket.number] = ticket

    def ended(self, ticket: Ticket | None) -> None:
        """The record says that the response has ended: its slot is free."""
        if ticket is not None:
            self.over.add(ticket.number)
            if (left := self.left.pop(ticket.number, None)) is not None:
                super()._leave(left)

    def decide(self, request: Request) -> Decision:
        """What the request gets; its connection is not ended for being idle."""
        decision = super().decide(request)
        if decision.connection.idle_after is None:
            return decision
        return replace(decision, connection=at_once(decision.connection))

    def connection(self, connection: int, now: float) -> ConnectionPlan:
        """At the session's time of the request that is coming, and at once."""
        return at_once(super().connection(connection, self.moment))

    def listening(self, now: float) -> ConnectionPlan:
        """The port is open."""
        return ORDERLY


def at_once(plan: ConnectionPlan) -> ConnectionPlan:
    """The same treatment with no wait in it."""
    return dataclasses.replace(plan, accept_delay=0.0, idle_after=None)


def waiting_kinds(document: Any) -> Iterator[str]:
    """The faults of a script, or of a list of them, whose times are left out."""
    if isinstance(document, dict):
        if document.get("kind") in WAITING:
            yield document["kind"]
        document = list(document.values())
    if isinstance(document, list):
        for one in document:
            yield from waiting_kinds(one)
