"""A response that cannot begin yet: it is held at a barrier, its reply is still being made, or it waits for a slot.

Laws: a peer that leaves meanwhile ends the exchange (`client`), a server that closes too (`server`); then nothing is
played and no task is left. The exchange is in the journal from its arrival on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mockserver.record.journal import Exchange, Journal
from mockserver.scripting.decide import Decision

if TYPE_CHECKING:
    from mockserver.serving.play import Player
    from mockserver.serving.wire import Wire


def is_later(exchange: Exchange) -> bool:
    """Whether the exchange cannot be played at once."""
    decision, ticket = exchange.decision, exchange.ticket
    if ticket is not None and not ticket.running:
        return True
    return type(decision) is Decision and (decision.hold is not None or decision.coming is not None)


def ready(brain: Any, exchange: Exchange) -> Awaitable[None]:
    """To be awaited: the exchange may be played, its decision is whole. It stands at its barrier from now on."""
    hold = exchange.decision.hold
    return _ready(brain, exchange, None if hold is None else brain.gates.enter(hold))


async def _ready(brain: Any, exchange: Exchange, held: asyncio.Future[None] | None) -> None:
    if held is not None:
        await held
    decision = exchange.decision
    if decision.coming is not None:
        made, fired = await decision.coming.finish()
        exchange.decision = brain.note(exchange.request, decision, made, fired)
        exchange.ticket = exchange.decision.ticket
    if exchange.ticket is not None:
        await exchange.ticket.slot()


class Later:
    """Waits in a task of its own, then begins to play."""

    __slots__ = ("_begin", "_exchange", "_journal", "_task", "_wire")

    def __init__(
        self, brain: Any, exchange: Exchange, journal: Journal, wire: Wire, begin: Callable[[], Player | None]
    ) -> None:
        self._exchange = exchange
        self._journal = journal
        self._wire = wire
        self._begin = begin
        wire.resume_reading()  # else nobody would notice that the peer has left
        self._task = asyncio.get_running_loop().create_task(self._run(ready(brain, exchange)))

    async def wait(self) -> None:
        """Return when the response has ended."""
        await self._task

    async def _run(self, readiness: Awaitable[None]) -> None:
        waits = asyncio.ensure_future(readiness)
        lost = asyncio.ensure_future(self._wire.until_lost())
        try:
            await asyncio.wait({waits, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waits, lost):
                task.cancel()
            await asyncio.gather(waits, lost, return_exceptions=True)
        self._wire.on_lost = None
        if self._wire.lost:
            seconds = time.monotonic() - self._exchange.started
            self._journal.close(self._exchange, "server" if self._wire.dropped else "client", 0, seconds)
        elif (player := self._begin()) is not None:
            await player.wait()
