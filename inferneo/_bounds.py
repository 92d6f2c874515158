"""Time limits that a transport cannot stretch.

A transport takes a `float` per read, so a server that drips bytes restarts it for ever. A `Bound` is that float, and
besides knows the moment when its phase ends; our network backend (`_net`) asks it for what is left. A transport of the
user's own sees a plain number.
"""

from __future__ import annotations

import time

FOREVER = 1e7  # seconds; what stands for "no limit" where a number is needed
SLOWEST = 1024  # bytes per second; a body that keeps coming slower than this is dripped, and its phase ends


class Bound(float):
    """Seconds for one phase. The clock starts at the first `left()`, or when `until` is set; `cap` ends all phases."""

    __slots__ = ("cap", "until")
    cap: float | None
    until: float | None

    def __new__(cls, seconds: float | None, cap: float | None) -> Bound:
        self = super().__new__(cls, FOREVER if seconds is None else seconds)
        self.until = None
        self.cap = cap
        return self

    def left(self) -> float:
        """Seconds that are left now; 0 or less when the phase is over."""
        now = time.monotonic()
        if self.until is None:
            self.until = now + self
        end = self.until
        if self.cap is not None and self.cap < end:
            end = self.cap
        return end - now

    def again(self, seconds: float) -> None:
        """Start a phase of this many seconds now."""
        self.until = time.monotonic() + seconds

    def grow(self, begun: float, size: int) -> None:
        """Go on with a body of which `size` bytes came since `begun`: it has the seconds of the phase, and one more for
        each `SLOWEST` bytes; between two pieces not more than those of the phase."""
        self.until = min(time.monotonic(), begun + size / SLOWEST) + self


class Bounds:
    """The limits of one attempt; as a dict they are what httpx and httpcore call `timeout`."""

    __slots__ = ("cap", "connect", "pool", "read", "write")

    def __init__(self, timeout: float | None, cap: float | None) -> None:
        self.cap = cap
        self.connect = Bound(timeout, cap)
        self.write = Bound(timeout, cap)
        self.read = Bound(timeout, cap)
        pool = FOREVER if timeout is None else timeout
        self.pool = pool if cap is None else max(0.0, min(pool, cap - time.monotonic()))

    def as_dict(self) -> dict[str, float]:
        return {"connect": self.connect, "write": self.write, "read": self.read, "pool": self.pool}

    def total_is_over(self) -> bool:
        """Whether it is the limit over all phases that has passed."""
        return self.cap is not None and time.monotonic() >= self.cap - 0.002
