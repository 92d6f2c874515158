"""A session in the hands of a test: arm it, ask what happened, say what does not agree.

Safe from any thread: what changes the session is done in the server's event loop. A rule is armed at once and grows
with every word: `session.on(chat(contains="report")).fail(status(429), times=2).reply("Done.")`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Self

from mockserver.faults import Fault, parse_faults
from mockserver.model.status import Health
from mockserver.record.bundling import Snapshot, document
from mockserver.record.calls import VOLATILE, Calls
from mockserver.record.journal import Exchange
from mockserver.record.verify import describe, near_misses, problems_of, state_of
from mockserver.request import Request
from mockserver.scripting.dsl import RuleDraft
from mockserver.scripting.match import EVERYTHING, Matcher, matches, parse_matcher
from mockserver.scripting.preview import Preview
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script
from mockserver.scripting.view import View
from mockserver.serving.sessionclock import Clock

if TYPE_CHECKING:
    from mockserver.record.callwatch import CallWatch
    from mockserver.record.verdict import Verdict
    from mockserver.serving.brain import ScriptBrain
    from mockserver.serving.server import MockServer
    from mockserver.serving.sessions import SessionCore


WATCHES = 1000
"""Calls that a session remembers the verdicts of; they keep their exchanges."""


class Exchanges(tuple[Exchange, ...]):
    """Exchanges that can be awaited too: what `wait_for` gives in a running event loop is empty until then."""

    _waiting: Callable[[], Awaitable[tuple[Exchange, ...]]] | None = None

    @classmethod
    def later(cls, waiting: Callable[[], Awaitable[tuple[Exchange, ...]]]) -> Exchanges:
        """Exchanges that are there when they are awaited."""
        made = cls()
        made._waiting = waiting
        return made

    def __await__(self) -> Generator[Any, None, Exchanges]:
        """The exchanges."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return self
        return Exchanges((yield from waiting().__await__()))


class Session:
    """One session of a `MockServer`. `url` is the base URL that clients are given."""

    def __init__(self, server: MockServer, name: str) -> None:
        self._server = server
        self._watches: deque[CallWatch] = deque(maxlen=WATCHES)
        self.name = name

    def __repr__(self) -> str:
        return f"<Session {self.name!r} at {self.url}>"

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"{self._server.url}/@{self.name}" if self.name else self._server.url

    @property
    def core(self) -> SessionCore:
        """The inside, for the event loop's thread."""
        return self._server.core(self.name)

    @property
    def brain(self) -> ScriptBrain:
        """Who decides, for the event loop's thread."""
        brain: ScriptBrain = self.core.brain  # type: ignore[assignment]  # `MockServer` makes no other
        return brain

    # arming

    def load(self, script: Any) -> Self:
        """Take another script: a path, a JSON value or a `Script`. Raises `ScriptError`, and nothing has changed."""
        self._server.arm(self.brain.load, script)
        return self

    def add(self, script: Any) -> Self:
        """Put the rules and faults of `script` behind those that are there."""
        self._server.arm(self.brain.add, script)
        return self

    def on(self, match: Any = None, *, name: str | None = None, priority: int = 0) -> RuleDraft:
        """A new rule for what `match` says (a matcher, its JSON, or nothing: every request), in force at once."""
        places: list[int] = []

        def put(rule: Rule) -> None:
            brain = self.brain
            if not places:
                places.append(len(brain.script.rules))
            brain.put_rule(places[0], rule)

        matcher = EVERYTHING if match is None else parse_matcher(match)
        frame = Rule(name=name, matcher=matcher, priority=priority)
        self._server.run(put, frame)
        return RuleDraft(frame, publish=lambda rule: self._server.run(put, rule))

    def faults(self, *faults: Any) -> Self:
        """Faults for every request and connection of the session."""
        self._server.arm(self.brain.set_faults, _faults(faults))
        return self

    def heal(self) -> Self:
        """Every fault that there is now is over; those that are given later act again."""
        self._server.arm(self.brain.heal)
        return self

    def reset(self) -> Self:
        """As if the session had never been used, with the server's settings."""
        self._server.arm(self._server.sessions.reset, self.name)
        return self

    def release(self, barrier: str = "hold", times: int | None = None) -> int:
        """Let go the responses that wait at the barrier (`hold` of a rule), and those that will; or only `times`."""
        return self._server.run(self.brain.gates.release, barrier, times)

    def health(self, health: Health | None) -> Self:
        """What `/health` says from now on; None: what script and server say."""
        self._server.run(self.brain.set_health, health)
        return self

    def seed(self, seed: int) -> Self:
        """Where all that is random begins, from now on."""
        self._server.run(self.brain.reseed, seed)
        return self

    @property
    def clock(self) -> Clock:
        """The session's own time: `session.clock.advance(30)`, `.freeze(at=...)`, `.set(...)`, `.run()`."""
        return Clock(self._server, self.name)

    def close(self) -> None:
        """Forget the session; its own listener, if it has one, closes."""
        self._server.forget(self.name)

    # asking

    @property
    def script(self) -> Script:
        """The script in force."""
        return self._server.run(lambda: self.brain.script)

    @property
    def state(self) -> dict[str, Any]:
        """Counters, unused rules and faults, as the door shows them."""
        return self._server.run(lambda: state_of(self.core))

    @property
    def journal(self) -> tuple[Exchange, ...]:
        """The exchanges so far, the oldest first."""
        return self._server.run(lambda: tuple(self.core.journal))

    @property
    def calls(self) -> Calls:
        """The exchanges as calls of a client: attempts of one request belong together."""
        return self.calls_with()

    def calls_with(self, volatile: Sequence[str] = VOLATILE) -> Calls:
        """The exchanges as calls, where attempts of one may differ in these fields of the body."""
        return Calls(self.journal, volatile)

    def requests(self, match: Matcher | dict[str, Any] | None = None) -> list[Exchange]:
        """The exchanges whose request `match` matches (None: all), the oldest first."""
        matcher = parse_matcher(match or {})
        return [one for one in self.journal if matches(matcher, View(one.request))]

    def preview(self, request: Request) -> Preview:
        """What the request would get now, and why; nothing changes."""
        return self._server.run(self.brain.preview, request, self._server.sessions.max_body)

    def wait_for(self, count: int = 1, within: float = 5.0, *, arrived: bool = False) -> Exchanges:
        """Wait until `count` exchanges have ended (or only arrived). Raises `TimeoutError`, saying how many have.

        In a running event loop nothing blocks: `await session.wait_for(...)`.
        """
        __tracebackhide__ = True

        def waiting() -> Awaitable[tuple[Exchange, ...]]:
            return self._server.awaitable(self.async_wait_for(count, within, arrived=arrived))

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            return Exchanges.later(waiting)
        try:
            return Exchanges(self._server.wait(self.async_wait_for(count, within, arrived=arrived)))
        except concurrent.futures.TimeoutError as error:
            raise TimeoutError(str(error)) from None

    async def async_wait_for(
        self, count: int = 1, within: float = 5.0, *, arrived: bool = False
    ) -> tuple[Exchange, ...]:
        """`wait_for`, inside the server's event loop."""
        __tracebackhide__ = True
        journal = self.core.journal
        try:
            async with asyncio.timeout(within):
                await journal.wait_for(count, arrived=arrived)
        except TimeoutError:
            have = journal.arrived if arrived else journal.ended
            verb = "arrived" if arrived else "ended"
            held = [f"{number} at the barrier {name!r}" for name, number in self.brain.gates.waiting().items()]
            stand = f"; there stand {', '.join(held)}" if held and not arrived else ""
            raise TimeoutError(f"{have} of {count} exchanges have {verb} within {within} s{stand}") from None
        return tuple(journal)

    # judging

    def call(
        self,
        name: str = "call",
        *,
        patience: float = 30.0,
        retries: int = 1,
        attempts: int = 10,
        volatile: Sequence[str] = VOLATILE,
        may_raise: type[BaseException] | tuple[type[BaseException], ...] = (),
        judge: bool = True,
    ) -> CallWatch:
        """A block around one call of the code under test; `call.verdict()` judges it (docs/verdicts.md).

        `may_raise`: errors that are right though the answer was whole. Not `judge`: nobody needs to ask for the
        verdict. Raises `CallError`.
        """
        __tracebackhide__ = True
        from mockserver.record.callwatch import (
            CallWatch,  # its judge is some 600 lines that a server does not need to start
        )
        from mockserver.record.case import Limits

        watch = CallWatch(self, name, Limits(patience, retries, attempts, may_raise), volatile, judged=not judge)
        self._watches.append(watch)
        return watch

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the calls that are over; who asks for them has judged all of these."""
        return tuple(watch.verdict() for watch in self._watches if watch.over)

    def assert_called(self, match: Matcher | dict[str, Any] | None = None, times: int | None = None) -> list[Exchange]:
        """`times` requests that `match` matches have come (None: at least one). The error shows the near misses."""
        __tracebackhide__ = True
        found = self.requests(match)
        if len(found) == times or (times is None and found):
            return found
        raise AssertionError(near_misses(parse_matcher(match or {}), self.journal, found, times))

    def bundle(self) -> dict[str, Any]:
        """All of the session in one document, for `inferneo-mock replay`."""
        return document(self._server.run(lambda: Snapshot.of(self.core)))

    def problems(self) -> list[str]:
        """What of script and traffic does not agree: unmatched requests, unused rules and faults, failed rules, calls
        with findings whose verdict nobody asked for.
        """
        return [*self._server.run(lambda: problems_of(self.core)), *self._forgotten()]

    def describe(self, explained: bool = True) -> str:
        """The session in a few lines: its script, its seed, its traffic, what is wrong with the calls watched.

        Not `explained`: without why requests were refused, and rules are never reached (`problems` tells it).
        """
        told = self._server.run(lambda: describe(self.core, explained))
        return "\n".join([told, *self._calls_told(explained)])

    def _calls_told(self, unasked: bool) -> list[str]:
        if not self._watches:
            return []
        from mockserver.record.watches import told  # as in `call`

        return told(self._watches, unasked)

    def _forgotten(self) -> list[str]:
        if not self._watches:
            return []
        from mockserver.record.watches import forgotten  # as in `call`

        return forgotten(self._watches)


def _faults(faults: tuple[Any, ...]) -> tuple[Fault, ...]:
    parsed: tuple[Fault, ...] = parse_faults(list(faults))
    return parsed
