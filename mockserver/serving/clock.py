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


class Appointment:
    """A callback that shares a timer with others of its millisecond."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Call it off."""
        self.callback = None


class LoopClock:
    """The clock of an event loop. One timer of the loop serves all that is planned for a millisecond.

    What is planned for more than a second ahead has a timer of its own, so that nothing is left of it once it is called
    off. A callback that raises is told to the loop, and the others are called all the same.
    """

    __slots__ = ("_late", "_loop", "_slots", "call_soon", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._late = 0.0005 if type(loop).__module__.startswith("uvloop") else 0.0
        self._slots: dict[int, list[Appointment]] = {}
        self.now: Callable[[], float] = time.monotonic
        self.call_soon: Callable[[Callable[[], None]], Handle] = loop.call_soon

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        slot = int(when * 1000) + 1
        appointment = Appointment(callback)
        planned = self._slots.get(slot)
        if planned is not None:
            planned.append(appointment)
        elif when - self.now() > 1:
            return self._loop.call_at(when + self._late, callback)
        else:
            self._slots[slot] = [appointment]
            self._loop.call_at(slot / 1000 + self._late, self._fire, slot)
        return appointment

    def _fire(self, slot: int) -> None:
        if self.now() < slot / 1000:
            self._loop.call_at(slot / 1000 + self._late, self._fire, slot)
            return
        for appointment in self._slots.pop(slot):
            callback = appointment.callback
            if callback is not None:
                try:
                    callback()
                except Exception as error:
                    self._loop.call_exception_handler({"message": f"{callback!r} failed", "exception": error})


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
