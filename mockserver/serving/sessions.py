"""Sessions: everything that one test, or one user, has of the server, and nothing of another's.

Laws: a session is made on first use, by name; nothing is shared between two of them. Their number is bounded: the one
that was idle longest, with no open response, goes first, and the log says so. A reset leaves nothing of before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Protocol

from mockserver.connection import ConnectionPlan
from mockserver.model.ticket import Ticket
from mockserver.plan import Plan
from mockserver.record.journal import Exchange, Journal
from mockserver.request import Request
from mockserver.serving.doorkeeper import OPEN

logger = logging.getLogger("mockserver")

MAX_SESSIONS = 4096


class DecisionLike(Protocol):
    """What the app and the journal need of a decision."""

    @property
    def plan(self) -> Plan: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def reply(self) -> int | None: ...
    @property
    def faults(self) -> Any: ...
    @property
    def connection(self) -> ConnectionPlan: ...
    @property
    def explanation(self) -> Any: ...
    @property
    def ticket(self) -> Ticket | None: ...


class Brain(Protocol):
    """Who decides for a session."""

    def decide(self, request: Request) -> DecisionLike: ...
    def fresh(self) -> Brain: ...
    def refuse(self, name: str, **values: Any) -> Plan: ...
    def forget(self, exchange: Exchange) -> None: ...


class SessionCore:
    """One session, as the event loop sees it. Touched only by the loop's thread. `home`: where it is one of many."""

    __slots__ = ("brain", "decide", "home", "journal", "name", "requests", "used")

    def __init__(self, name: str, brain: Brain, home: Sessions) -> None:
        self.home = home
        self.name = name
        self.brain = brain
        self.decide: Callable[[Request], DecisionLike] = brain.decide
        self.journal = Journal(forget=brain.forget)
        self.requests = 0
        self.used = time.monotonic()

    def clear_journal(self) -> None:
        """The journal begins anew; what is still played ends in the old one. Numbers go on."""
        for exchange in self.journal:
            self.brain.forget(exchange)
        self.journal = Journal(forget=self.brain.forget)


class Sessions:
    """All sessions of a server, by name; the default one is named by the empty string and never goes.

    `settle(name)` lets the session's port listen as its faults say, `settled()` returns when that is done; None: there
    are no ports. `keys`: which session an Authorization header means. `doorkeeper`: who may use the door. `tls` and
    `max_body`: how the server serves them, for bundles.
    """

    def __init__(self, make: Callable[[str], Brain], max_sessions: int = MAX_SESSIONS) -> None:
        self._make = make
        self._max = max_sessions
        self._sessions: dict[str, SessionCore] = {}
        self.keys: dict[bytes, str] = {}
        self.doorkeeper = OPEN
        self.tls = False
        self.max_body: int | None = None
        self.settle: Callable[[str], None] | None = None
        self.settled: Callable[[], Awaitable[None]] | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._sessions))

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, name: str) -> bool:
        return name in self._sessions

    def get(self, name: str) -> SessionCore:
        """The session `name`, made now if it is new."""
        session = self._sessions.get(name)
        return session if session is not None else self.reset(name)

    def reset(self, name: str, brain: Brain | None = None) -> SessionCore:
        """The session `name` as if it had never been used: with `brain`, else with the settings it was made with."""
        old = self._sessions.get(name)
        if old is None and len(self._sessions) >= self._max:
            self._evict()
        if brain is None:
            brain = self._make(name) if old is None else old.brain.fresh()
        session = self._sessions[name] = SessionCore(name, brain, self)
        if self.settle is not None:
            self.settle(name)
        return session

    def drop(self, name: str) -> None:
        """Forget the session, and its keys."""
        self._sessions.pop(name, None)
        self.use_keys(name, ())

    def use_keys(self, name: str, keys: Iterable[str]) -> None:
        """Requests with one of these API keys, and no prefix, are the session's from now on; its old keys are free."""
        self.keys = {key: owner for key, owner in self.keys.items() if owner != name}
        self.keys |= {f"Bearer {key}".encode("latin-1", "replace"): name for key in keys}

    def _evict(self) -> None:
        idle = [session for name, session in self._sessions.items() if name and not session.journal.open]
        if idle:
            oldest = min(idle, key=lambda session: session.used)
            logger.warning("session %r was idle longest and is dropped: there are %d", oldest.name, self._max)
            self.drop(oldest.name)
