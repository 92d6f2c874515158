"""The turn of one request, from its arrival until its response has ended: it may have to wait for its slot.

Law: whoever has a ticket gives it back exactly once (`leave`), and more times do nothing. Used only in the thread of
the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Ticket:
    """`waits`: seconds before each token of the plan; `waited`: seconds for the slot; `running`: it has its slot."""

    __slots__ = ("_began", "_future", "_over", "number", "running", "waited", "waits")

    def __init__(self, number: int, waits: tuple[float, ...], running: bool, over: Callable[[Ticket], None]) -> None:
        self.number = number
        self.waits = waits
        self.running = running
        self.waited = 0.0
        self._began = time.monotonic()
        self._over: Callable[[Ticket], None] | None = over
        self._future: asyncio.Future[None] | None = None

    async def slot(self) -> None:
        """Return when the request has its slot."""
        if not self.running:
            self._future = asyncio.get_running_loop().create_future()
            await self._future

    def start(self) -> None:
        """There is a slot now."""
        self.running = True
        self.waited = time.monotonic() - self._began
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def leave(self) -> None:
        """The response has ended, or nobody waits for it any more."""
        over, self._over = self._over, None
        if over is not None:
            over(self)
