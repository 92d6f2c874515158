"""Barriers of a session: a response waits at one until the test says go.

Laws: those that wait leave in the order they came; a barrier that was opened stays open; `times` lets so many through,
those that wait now first, those that come later after them. Used only in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Gates:
    """The barriers, by name; each exists from its first mention. `released` is told of every release."""

    __slots__ = ("_open", "_released", "_tickets", "_waiting")

    def __init__(self, released: Callable[[str, int | None], object] = lambda name, times: None) -> None:
        self._released = released
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._open: set[str] = set()
        self._tickets: dict[str, int] = {}

    def enter(self, name: str) -> asyncio.Future[None] | None:
        """Stand at the barrier: what is done when it lets this one through; None: it does so now.

        Who leaves before cancels it.
        """
        if name in self._open:
            return None
        if self._tickets.get(name, 0) > 0:
            self._tickets[name] -= 1
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(name, deque())
        queue.append(future)
        future.add_done_callback(lambda done: queue.remove(done) if done in queue else None)
        return future

    def release(self, name: str, times: int | None = None) -> int:
        """Open the barrier, or (given `times`) let so many through; gives how many went at once."""
        self._released(name, times)
        queue = self._waiting.get(name, deque())
        going = [future for future in queue if not future.done()][:times]
        for future in going:
            queue.remove(future)
            future.set_result(None)
        if times is None:
            self._open.add(name)
        else:
            self._tickets[name] = self._tickets.get(name, 0) + times - len(going)
        return len(going)

    def waiting(self) -> dict[str, int]:
        """How many wait, by barrier; those where nobody does are left out."""
        return {name: len(queue) for name, queue in self._waiting.items() if queue}
