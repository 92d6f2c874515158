"""Nobody answers at the door: faults of the listener and of accepted connections, before there is a request.

They change no plan; their other face is `connect`. They belong among a script's or the door's `faults`, since no rule
can match a connection.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from mockserver.connection import ConnectionPlan
from mockserver.settings import Positive, Seconds

from .fault import Fault, fault


@fault("refused", "connection", reopen_after=0.5)
@dataclass(frozen=True, slots=True)
class Refused(Fault):
    """The port is bound but not listening: a connection is refused at once (RST). Open again after `reopen_after`."""

    reopen_after: Seconds | None = None

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """A closed door."""
        return dataclasses.replace(plan, listen="refused", reopen_after=self.reopen_after)


@fault("syn-black-hole", "connection", reopen_after=2.0)
@dataclass(frozen=True, slots=True)
class SynBlackHole(Fault):
    """The accept queue is full: a SYN gets no answer, connecting takes until the client's time limit."""

    reopen_after: Seconds | None = None

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """A door that is not there."""
        return dataclasses.replace(plan, listen="blackhole", reopen_after=self.reopen_after)


@fault("accept-black-hole", "connection")
@dataclass(frozen=True, slots=True)
class AcceptBlackHole(Fault):
    """The connection is made, then nothing is read and nothing is sent, for ever."""

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """Silence."""
        return dataclasses.replace(plan, on_accept="blackhole")


@fault("accept-reset", "connection")
@dataclass(frozen=True, slots=True)
class AcceptReset(Fault):
    """The connection is made and reset at once (RST); the client meets it when connecting, sending or reading."""

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """RST."""
        return dataclasses.replace(plan, on_accept="reset")


@fault("accept-close", "connection")
@dataclass(frozen=True, slots=True)
class AcceptClose(Fault):
    """The connection is made and closed at once (FIN), before a request is read."""

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """FIN."""
        return dataclasses.replace(plan, on_accept="close")


@fault("accept-delay", "connection", seconds=0.3)
@dataclass(frozen=True, slots=True)
class AcceptDelay(Fault):
    """The connection is made, but nothing is read from it for `seconds`; then all is as usual."""

    seconds: Seconds

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """A pause."""
        return dataclasses.replace(plan, accept_delay=plan.accept_delay + self.seconds)


@fault("connection-limit", "connection", limit=2, over="status")
@dataclass(frozen=True, slots=True)
class ConnectionLimit(Fault):
    """At most `limit` connections are open at once; one more is reset, closed, or answered 503 and closed."""

    limit: Positive
    over: Literal["reset", "close", "status"] = "status"

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """A full house; of two limits the lower."""
        limit = self.limit if plan.limit is None else min(plan.limit, self.limit)
        return dataclasses.replace(plan, limit=limit, over_limit=self.over)
