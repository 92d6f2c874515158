"""A connection that was good goes bad between, or while, requests are sent on it. No plan changes; see `listener`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from mockserver.connection import ConnectionPlan
from mockserver.settings import Positive, Seconds

from .fault import Fault, fault


@fault("idle-close", "connection", seconds=0.1, how="rst")
@dataclass(frozen=True, slots=True)
class IdleClose(Fault):
    """A connection that waits `seconds` for its next request is closed (FIN) or reset (RST) without a word."""

    seconds: Seconds = 0.0
    how: Literal["fin", "rst"] = "fin"

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """A time limit."""
        return dataclasses.replace(plan, idle_after=self.seconds, idle_how=self.how)


@fault("reset-nth-request", "connection", n=2)
@dataclass(frozen=True, slots=True)
class ResetNthRequest(Fault):
    """The `n`-th request on a connection gets RST instead of an answer: the race of a pooled connection."""

    n: Positive = 2

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """Counted per connection."""
        return dataclasses.replace(plan, reset_on_request=self.n)


@fault("no-read", "connection")
@dataclass(frozen=True, slots=True)
class NoRead(Fault):
    """The body of a request is never read: a client that sends more than the buffers hold is stuck in sending."""

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """No reading."""
        return dataclasses.replace(plan, read="none")


@fault("early-response", "connection")
@dataclass(frozen=True, slots=True)
class EarlyResponse(Fault):
    """The answer is sent when the request's head was read; its body is not awaited."""

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """An answer too soon."""
        return dataclasses.replace(plan, read="early")
