"""The time of one session, which a test may stop, set and advance, and which no other session sees.

What is measured by it: rate limits and their headers, keys that expire, `created`, `until` of faults, uptime, and the
waits between attempts that a verdict weighs. What is not: waits on the wire (delays, pacing, barriers, the listener's
`reopen_after`) and the field `date`, which are of the real world.

Laws: a session whose clock nobody touched has none, and nothing is done for one; forward, the seconds between pass;
back, none do: what was used stays used, and who is to wait waits as long. Times are Unix seconds.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from mockserver.errors import ScriptError
from mockserver.suggest import unknown

if TYPE_CHECKING:
    from mockserver.request import Request
    from mockserver.serving.server import MockServer
    from mockserver.serving.sessions import SessionCore

Moment: TypeAlias = "float | str | datetime"
"""Unix seconds, `2026-12-31T23:59:59Z`, or a datetime; without a zone it is UTC."""

LAST = 253_402_300_799
"""The last second of the year 9999."""

JUMPS = 10_000
"""Jumps that are remembered, for the verdict on calls that were made meanwhile."""


class SessionClock:
    """One session's time. `wall` and `monotonic` are the real ones; touched only by the loop's thread."""

    __slots__ = ("_ahead", "_frozen", "_jumps", "_monotonic", "_shift", "wall")

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.wall = wall
        self._monotonic = monotonic
        self._shift = 0.0
        self._ahead = 0.0
        self._frozen: tuple[float, float] | None = None
        self._jumps: list[tuple[float, float]] = []

    @property
    def frozen(self) -> bool:
        """Whether it stands."""
        return self._frozen is not None

    def time(self) -> float:
        """The time of day."""
        return self.wall() + self._shift if self._frozen is None else self._frozen[0]

    def elapsed(self, real: float) -> float:
        """The session's monotonic seconds at the real ones."""
        return real + self._ahead if self._frozen is None else self._frozen[1]

    def passed(self, begin: float, end: float) -> float:
        """Seconds between two real monotonic times, with those that the test let pass in between."""
        first, last = bisect_left(self._jumps, (begin,)), bisect_right(self._jumps, (end, math.inf))
        return end - begin + sum(seconds for _, seconds in self._jumps[first:last])

    def advance(self, seconds: float) -> None:
        """So many seconds pass at once. Raises `ScriptError` for a number below 0, or none."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ScriptError(f"the clock advances by seconds from 0, not {seconds!r}; `set` can go back")
        self._jump(self.time() + seconds)

    def set(self, at: Moment) -> None:
        """It is `at` now, and goes on, or stands, from there. Raises `ScriptError`."""
        self._jump(moment(at))

    def freeze(self, at: Moment | None = None) -> None:
        """It stands, at `at` or now. Raises `ScriptError`."""
        to = None if at is None else _inside(moment(at))
        if self._frozen is None:
            self._frozen = self.time(), self.elapsed(self._monotonic())
        if to is not None:
            self._jump(to)

    def run(self) -> None:
        """It goes on from where it stands."""
        if self._frozen is not None:
            now, elapsed = self._frozen
            self._shift, self._ahead = now - self.wall(), elapsed - self._monotonic()
            self._frozen = None

    def _jump(self, to: float) -> None:
        by = _inside(to) - self.time()
        forward = max(0.0, by)
        if self._frozen is None:
            self._shift += by
            self._ahead += forward
        else:
            self._frozen = to, self._frozen[1] + forward
        if forward:
            self._jumps.append((self._monotonic(), forward))
            del self._jumps[:-JUMPS]

    def to_json(self) -> dict[str, Any]:
        """As the door shows it."""
        now = self.time()
        return {"now": now, "at": datetime.fromtimestamp(now, UTC).isoformat(), "frozen": self.frozen}


def _inside(to: float) -> float:
    """The moment itself, where a clock can stand there. Raises `ScriptError`."""
    if not 0 <= to <= LAST:
        raise ScriptError(f"a session's time is from 1970 to 9999, not {to!r} Unix seconds")
    return to


def moment(at: Any) -> float:
    """Unix seconds of a moment. Raises `ScriptError`."""
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at.replace("Z", "+00:00"))
        except ValueError:
            raise ScriptError(f"no moment: {at!r}; write it as 2026-12-31T23:59:59Z, or as Unix seconds") from None
    if isinstance(at, datetime):
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        raise ScriptError(f"a moment is Unix seconds or a text as 2026-12-31T23:59:59Z, not {at!r}")
    return float(at)


def change_clock(core: SessionCore, change: Callable[[SessionClock], None]) -> SessionClock:
    """Change the session's clock; it lives by one of its own from now on. What `change` refuses has changed nothing."""
    brain: Any = core.brain  # a ScriptBrain; the server makes no other
    clock: SessionClock = brain.change_clock(change)

    def decide(request: Request) -> Any:
        request.received = clock.elapsed(request.received)
        return brain.decide(request)

    core.decide = decide
    return clock


def _refuse(value: Any) -> None:
    raise ScriptError(f"expected true, got {value!r}", "$.run")


ACTIONS: dict[str, Callable[[SessionClock, Any], None]] = {
    "advance": lambda clock, seconds: clock.advance(seconds),
    "freeze": lambda clock, at: clock.freeze(at),
    "set": lambda clock, at: clock.set(at),
    "run": lambda clock, value: clock.run() if value is True else _refuse(value),
}
"""What the door's document may ask, each with its one value."""


def change_of(document: Any) -> Callable[[SessionClock], None]:
    """The change that a document of the door asks for. Raises `ScriptError`."""
    if not isinstance(document, dict) or len(document) != 1:
        raise ScriptError(
            f"one of {{'advance': 30}}, {{'freeze': null}}, {{'set': '...'}}, {{'run': true}}: {document!r}"
        )
    ((name, value),) = document.items()
    if name not in ACTIONS:
        raise ScriptError(unknown("change of the clock", name, ACTIONS), f"$.{name}")
    return lambda clock: ACTIONS[name](clock, value)


class Clock:
    """A session's clock in the hands of a test: `session.clock.advance(30)`. Safe from any thread."""

    __slots__ = ("_name", "_server")

    def __init__(self, server: MockServer, name: str) -> None:
        self._server = server
        self._name = name

    def __repr__(self) -> str:
        return f"<Clock of session {self._name!r}: {self._seen().to_json()['at']}{', frozen' * self.frozen}>"

    def _seen(self) -> SessionClock:
        def seen() -> SessionClock:
            clock: SessionClock | None = self._server.session_brain(self._name).clock
            return clock or SessionClock()

        return self._server.run(seen)

    def _change(self, change: Callable[[SessionClock], None]) -> float:
        def changed() -> float:
            return change_clock(self._server.core(self._name), change).time()

        return self._server.arm(changed)

    @property
    def now(self) -> float:
        """The session's time of day, in Unix seconds."""
        return self._seen().time()

    @property
    def frozen(self) -> bool:
        """Whether it stands."""
        return self._seen().frozen

    def advance(self, seconds: float) -> float:
        """So many seconds pass at once; gives the time then. Fits wherever code under test takes a `sleep`."""
        return self._change(lambda clock: clock.advance(seconds))

    def freeze(self, at: Moment | None = None) -> float:
        """It stands, at `at` or now; gives the time. `advance` and `set` still move it."""
        return self._change(lambda clock: clock.freeze(at))

    def set(self, at: Moment) -> float:
        """It is `at` now. Forward, the seconds between pass; back, none do."""
        return self._change(lambda clock: clock.set(at))

    def run(self) -> float:
        """It goes on from where it stands; gives the time."""
        return self._change(lambda clock: clock.run())

    @property
    def passed(self) -> Callable[[float, float], float]:
        """What counts the seconds between two times of the server's monotonic clock, with those that the test let pass
        in between. It is asked for while the session is there, and still counts when it has gone.
        """
        return self._seen().passed
