"""The clock of a replay: it stands, and moves only to the moments of the record.

Laws: a callback that is due before a moment runs before it, in the order of the deadlines; none runs before its own. So
a response that was paced over minutes overlaps what it overlapped, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

from mockserver.serving.clock import Appointment, Handle


class RecordedClock:
    """A `Clock` that begins at `start` (seconds)."""

    def __init__(self, start: float) -> None:
        self._now = start
        self._due: list[tuple[float, int, Appointment]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """Where it stands."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Run `callback` when it comes to `when`."""
        appointment = Appointment(callback)
        heapq.heappush(self._due, (when, next(self._numbers), appointment))
        return appointment

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        """Run `callback` in the next turn of the loop."""
        return asyncio.get_running_loop().call_soon(callback)

    @property
    def next(self) -> float | None:
        """The nearest deadline; None: there is none."""
        while self._due and self._due[0][2].callback is None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def advance(self, to: float) -> None:
        """Move to the moment `to`, past all that is due before; never back."""
        while (due := self.next) is not None and due <= to:
            callback = heapq.heappop(self._due)[2].callback
            self._now = max(self._now, due)
            if callback is not None:
                callback()
        self._now = max(self._now, to)
