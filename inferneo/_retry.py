"""When a call is made again, and after how long: a value, without I/O.

Retried: the statuses of `Retry.statuses` and connection faults, before the first data event was handed out, never after
it. The server's `x-should-retry` wins over the statuses. `retry-after-ms`, then `Retry-After` (seconds, or a date
against the reply's own `Date`) say how long; what they cannot say by the grammar is ignored, and the delay is drawn
from [d/2, d] with d = base * 2^n, at most `cap`.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from inferneo._errors import InferneoError

STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
PERMANENT = frozenset({"insufficient_quota"})
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


async def _sleep_async(seconds: float) -> None:
    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Retry:
    """The policy. Times in seconds; `clock` is wall time (for dates), `random` draws from [0, 1)."""

    max_retries: int = 3
    statuses: frozenset[int] = STATUSES
    base: float = 0.5
    cap: float = 8.0
    max_retry_delay: float = 60.0
    connection_faults: bool = True
    clock: Callable[[], float] = field(default=time.time, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    async_sleep: Callable[[float], Awaitable[None]] = field(default=_sleep_async, repr=False)
    random: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.max_retries, int) or isinstance(self.max_retries, bool) or self.max_retries < 0:
            raise InferneoError(f"max_retries must be an int of 0 or more, got {self.max_retries!r}")
        for name in ("base", "cap", "max_retry_delay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise InferneoError(f"{name} must be a number of seconds, 0 or more, got {value!r}")

    def wants(self, status: int, headers: Mapping[str, str], code: str | None, kind: str | None) -> bool:
        """Whether a reply with this status and these words of the server may be asked for again."""
        said = headers.get("x-should-retry", "").strip().lower()
        if said in ("true", "false"):
            return said == "true"
        return status in self.statuses and code not in PERMANENT and kind not in PERMANENT

    def backoff(self, retries: int) -> float:
        """The drawn delay before retry number `retries` (0 is the first), in seconds."""
        delay = min(self.cap, self.base * 2.0 ** min(retries, 60))
        return delay / 2 + delay / 2 * self.random()


def parse_seconds(text: str) -> float | None:
    """Strict decimal seconds: `1`, `0.5`; not `1_0`, `-1`, `nan`, `1e3`. `None` when it is not that."""
    text = text.strip(" \t")
    return float(text) if _SECONDS.fullmatch(text) else None


def _parse_date(text: str) -> float | None:
    from email.utils import parsedate_tz

    try:
        parts = parsedate_tz(text)
        if parts is None or not text[:1].isalpha():
            return None
        import calendar

        return calendar.timegm((*parts[:6], 0, 0, 0)) - (parts[9] or 0)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def retry_after(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    """The delay the server asks for in seconds, `None` when it asks for none that can be understood."""
    millis = headers.get("retry-after-ms")
    if millis is not None and (value := parse_seconds(millis)) is not None:
        return value / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    if (value := parse_seconds(text)) is not None:
        return value
    due = _parse_date(text.strip())
    if due is None:
        return None
    sent = _parse_date(headers.get("date", "").strip())
    delay = due - (now() if sent is None else sent)
    return delay if delay >= 0 else None


_instant: list[list[float]] = []


@contextmanager
def instant_retries() -> Iterator[list[float]]:
    """Within the block no retry waits; the list that it gives fills with the delays (seconds) that would have been."""
    delays: list[float] = []
    _instant.append(delays)
    try:
        yield delays
    finally:
        _instant.remove(delays)


def skip_sleep(seconds: float) -> bool:
    """Whether `instant_retries` is on; it is told the delay."""
    if not _instant:
        return False
    _instant[-1].append(seconds)
    return True


def with_max_retries(policy: Retry, max_retries: int | None) -> Retry:
    """The same policy with another number of retries; `None` keeps it."""
    return (
        policy if max_retries is None or max_retries == policy.max_retries else replace(policy, max_retries=max_retries)
    )
