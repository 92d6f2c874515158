"""A response that cannot begin yet: it is held at a barrier, or its reply is still being made.

Laws: a peer that leaves meanwhile ends the exchange (`client`), a server that closes too (`server`); then nothing is
played and no task is left. The exchange is in the journal from its arrival on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mockserver.journal import Exchange, Journal

if TYPE_CHECKING:
    from mockserver.play import Player
    from mockserver.wire import Wire


async def ready(brain: Any, exchange: Exchange) -> None:
    """Return when the exchange may be played; its decision is then whole."""
    decision = exchange.decision
    if decision.hold is not None:
        await brain.gates.wait(decision.hold)
    if decision.coming is not None:
        exchange.decision, fired = await decision.coming.finish()
        brain.note(exchange.decision, fired)


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
        self._task = asyncio.get_running_loop().create_task(self._run(brain))

    async def wait(self) -> None:
        """Return when the response has ended."""
        await self._task

    async def _run(self, brain: Any) -> None:
        waits = asyncio.ensure_future(ready(brain, self._exchange))
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
