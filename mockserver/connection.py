"""How a listener and its connections behave before any request is read: the half of a fault that no plan can say.

`play` asks for it when a connection is accepted and when a response is over. Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

OnAccept: TypeAlias = Literal["none", "reset", "close", "blackhole"]
Listen: TypeAlias = Literal["open", "refused", "blackhole"]


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """The defaults are a server that behaves.

    `listen`: `open`; `refused`: the port is bound but not listening, a SYN gets RST; `blackhole`: the accept queue is
    kept full, a SYN gets nothing. After `reopen_after` seconds it is open again (None: never).
    `on_accept`: what an accepted connection gets at once: nothing unusual, RST, FIN, or silence for ever while nothing
    is read. `accept_delay`: nothing is read for so long. `limit`: at most so many open connections; what comes above
    gets `over_limit` (RST, FIN or an answer 503).
    `idle_after`: a connection that waits so long for its next request is ended by `idle_how`. `reset_on_request`:
    the n-th request of a connection gets RST instead of an answer. `read`: `none`: the body of a request is never
    read; `early`: the answer is sent when the head was read, the body is not awaited.
    """

    listen: Listen = "open"
    reopen_after: float | None = None
    on_accept: OnAccept = "none"
    accept_delay: float = 0.0
    limit: int | None = None
    over_limit: Literal["reset", "close", "status"] = "status"
    idle_after: float | None = None
    idle_how: Literal["fin", "rst"] = "fin"
    reset_on_request: int | None = None
    read: Literal["all", "none", "early"] = "all"


ORDERLY = ConnectionPlan()
