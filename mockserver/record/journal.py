"""What happened in a session: one `Exchange` per request, in the order of arrival, bounded, formatted only when read.

Laws: an exchange is here from the moment its request was decided on, so a hanging one is seen too (`ended` is `open`).
Waiting for exchanges is woken by them, never polled. What is too old for the bounds goes first and is counted.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from mockserver.model.ticket import Ticket
from mockserver.plan import Head, Plan, Raw, Stall
from mockserver.plan_json import plan_to_json
from mockserver.record.sent import sent
from mockserver.request import Request

SIZE = 10_000
"""Exchanges kept per session."""

STEPS = 2000
"""Steps shown of one plan; what is beyond is counted under `more_steps`."""

BYTES = 64 << 20
"""Bytes of request bodies kept per session."""


class Exchange:
    """One request and what became of it. `instead`: the plan that the connection's treatment put in its place.

    `ended`: `open` while it is played; `end`, `fin`, `rst`, `half`, `stall` as planned; `client`: the peer left before;
    `server`: the server closed before; `error`: the plan could not be played. `started` and `seconds` are the server's
    monotonic clock; `late` is the greatest lateness of an event against its deadline, in seconds. A peer that closes
    after `[DONE]` has ended it in order: `end`, `closed_by` the `client`. `ticket`: its turn, where turns are kept.
    `counted`: the counters of the session know it.
    """

    __slots__ = (
        "closed_by",
        "counted",
        "decision",
        "ended",
        "error",
        "instead",
        "late",
        "request",
        "seconds",
        "sent_bytes",
        "started",
        "ticket",
    )

    def __init__(self, request: Request, decision: Any, started: float) -> None:
        self.request = request
        self.decision = decision
        self.instead: Plan | None = None
        self.started = started
        self.ended = "open"
        self.closed_by: str | None = None
        self.sent_bytes = 0
        self.seconds = 0.0
        self.late = 0.0
        self.error = ""
        self.ticket: Ticket | None = decision.ticket
        self.counted = False

    @property
    def number(self) -> int:
        """Requests of the session, counted from 1."""
        return self.request.number

    @property
    def plan(self) -> Plan:
        """What was to be sent, faults included."""
        plan: Plan = self.decision.plan if self.instead is None else self.instead
        return plan

    @property
    def rule(self) -> str | None:
        """The name of the rule that matched; None: no rule did."""
        rule = self.decision.rule
        return None if rule is None else str(rule)

    @property
    def reply(self) -> int | None:
        """Which of the rule's replies was taken, from 0; None: an answer like a model's."""
        index: int | None = self.decision.reply
        return index

    @property
    def faults(self) -> tuple[Any, ...]:
        """The faults that were applied, in order."""
        return tuple(self.decision.faults)

    @property
    def status(self) -> int | None:
        """The planned status; None where no status line was planned."""
        return plan_status(self.plan)

    def __repr__(self) -> str:
        request = self.request
        told = f"{request.method} {request.path} -> {self.status} {self.ended}"
        return f"<Exchange {self.number}: {told}, rule {self.rule!r}>"

    def to_json(self, *, plan: bool = True) -> dict[str, Any]:
        """The exchange as the door shows it; the plan is the largest part of it, and can be left out."""
        request = self.request
        return {
            "number": request.number,
            "connection": request.connection,
            "on_connection": request.on_connection,
            "request": {
                "method": request.method,
                "path": request.path,
                **({"query": request.query.decode("latin-1")} if request.query else {}),
                "http_version": request.http_version,
                "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
                **_body(request.body),
            },
            "rule": self.rule,
            "reply": self.reply,
            "faults": [fault.to_json() if hasattr(fault, "to_json") else fault for fault in self.faults],
            "status": self.status,
            **({"plan": _plan(self.plan)} if plan else {}),
            "sent_bytes": self.sent_bytes,
            "ended": self.ended,
            "closed_by": self.closed_by,
            "started": self.started,
            "seconds": round(self.seconds, 6),
            "late": round(self.late, 6),
            **({"error": self.error} if self.error else {}),
        }


def plan_status(plan: Plan) -> int | None:
    """The status of the first final head of `plan`, or of the first status line among its bytes."""
    for step in plan.steps:
        if isinstance(step, Head) and step.status >= 200:
            return step.status
        if isinstance(step, Raw) and step.data.startswith(b"HTTP/1."):
            word = step.data[9:12]
            if word.isdigit() and word >= b"200":
                return int(word)
    return None


def _plan(plan: Plan) -> dict[str, Any]:
    more = len(plan.steps) - STEPS
    if more <= 0:
        return plan_to_json(plan)
    return {**plan_to_json(Plan(plan.steps[:STEPS], plan.ending)), "more_steps": more}


def _body(body: bytes) -> dict[str, str | None]:
    if not body:
        return {"body": None}
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}


def _closed_by(plan: Plan, ended: str, seconds: float) -> str | None:
    """A silence without end is ended by the client, one with an end by the server, if the client stayed so long."""
    if ended == "end":
        return None
    ending = plan.ending
    left = ended == "stall" and isinstance(ending, Stall) and (ending.seconds is None or seconds < ending.seconds)
    return "client" if ended == "client" or left else "server"


class Journal:
    """The exchanges of one session. `forget` is told each that is too old to be kept."""

    __slots__ = ("_bytes", "_exchanges", "_forget", "_max_bytes", "_size", "_waiters", "arrived", "dropped", "ended")

    def __init__(
        self, size: int = SIZE, max_bytes: int = BYTES, forget: Callable[[Exchange], object] | None = None
    ) -> None:
        self._forget = forget
        self._exchanges: deque[Exchange] = deque()
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiters: list[tuple[int, bool, asyncio.Future[None]]] = []
        self.arrived = 0
        self.ended = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._exchanges)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(tuple(self._exchanges))

    def __getitem__(self, index: int) -> Exchange:
        return self._exchanges[index]

    @property
    def open(self) -> int:
        """How many exchanges have not ended."""
        return self.arrived - self.ended

    def add(self, exchange: Exchange) -> None:
        """A request was decided on."""
        exchanges = self._exchanges
        exchanges.append(exchange)
        self._bytes += len(exchange.request.body)
        self.arrived += 1
        while len(exchanges) > self._size or (self._bytes > self._max_bytes and len(exchanges) > 1):
            oldest = exchanges.popleft()
            self._bytes -= len(oldest.request.body)
            self.dropped += 1
            if self._forget is not None:
                self._forget(oldest)
        if self._waiters:
            self._wake()

    def close(self, exchange: Exchange, ended: str, sent_bytes: int, seconds: float, late: float = 0.0) -> None:
        """The response of `exchange` has ended."""
        exchange.closed_by = _closed_by(exchange.plan, ended, seconds)
        if ended == "client" and sent(exchange.plan, exchange.request, sent_bytes).done:
            ended = "end"  # it has read `[DONE]`: there is nothing more to wait for
        exchange.ended = ended
        exchange.sent_bytes = sent_bytes
        exchange.seconds = seconds
        exchange.late = late
        exchange.request.forget()
        if exchange.ticket is not None:
            exchange.ticket.leave()
        self.ended += 1
        if self._waiters:
            self._wake()

    def page(self, after: int = 0, limit: int | None = None) -> list[Exchange]:
        """The exchanges with a number above `after`, the oldest first, at most `limit`."""
        found = [exchange for exchange in self._exchanges if exchange.number > after]
        return found if limit is None else found[:limit]

    async def wait_for(self, count: int, *, arrived: bool = False) -> None:
        """Return once `count` exchanges have ended (or only arrived) since the journal began."""
        if not self._enough(count, arrived):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (count, arrived, future)
            self._waiters.append(entry)
            try:
                await future
            finally:
                if entry in self._waiters:
                    self._waiters.remove(entry)

    def _enough(self, count: int, arrived: bool) -> bool:
        return (self.arrived if arrived else self.ended) >= count

    def _wake(self) -> None:
        for count, arrived, future in self._waiters:
            if not future.done() and self._enough(count, arrived):
                future.set_result(None)
