"""Time as an argument: what a schedule is measured by, and how a callback is planned on it.

Law: a callback planned for `when` runs at `when` or later, never before (uvloop rounds timers to milliseconds and may
fire 1.1 ms early, so `LoopClock` plans half a millisecond late there, and the player looks at the clock again).
Times are seconds of `time.monotonic`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol


class Handle(Protocol):
    """A planned callback that can still be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What the player needs of time."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Run `callback` once, at `when` or later."""
        ...

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        """Run `callback` in the next turn of the loop."""
        ...


class LoopClock:
    """The clock of an event loop."""

    __slots__ = ("_late", "_loop", "call_soon", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._late = 0.0005 if type(loop).__module__.startswith("uvloop") else 0.0
        self.now: Callable[[], float] = time.monotonic
        self.call_soon: Callable[[Callable[[], None]], Handle] = loop.call_soon

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        return self._loop.call_at(when + self._late, callback)


class HttpDate:
    """The value of the `date` field (RFC 9110, 5.6.7), made once per second."""

    __slots__ = ("_second", "_value", "_wall")

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._second = -1
        self._value = b""

    def __call__(self) -> bytes:
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._value = formatdate(second, usegmt=True).encode()
        return self._value
