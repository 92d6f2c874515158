"""The ASGI callable of the fake server: request in, decision, plan out, journal.

The paths of the API take the straight line: no router, no framework. Starlette stands only behind `/_mock/` (the door)
and is imported at its first use. `/@NAME/` before a path chooses the session; without it the default one is meant.
A whole plain response is decided and written without waiting for anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.parse
from functools import lru_cache
from typing import Any

from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.errors import PlanError
from mockserver.filled import END, Filled
from mockserver.lower import Framer
from mockserver.model.answer import with_headers
from mockserver.plan import Body, Close, Head, Plan
from mockserver.record.journal import Exchange, Journal
from mockserver.request import Request
from mockserver.scripting.decide import Decision
from mockserver.serving.clock import Clock, HttpDate, LoopClock
from mockserver.serving.later import Later, is_later, ready
from mockserver.serving.play import Player, play_asgi, whole
from mockserver.serving.sessions import SessionCore, Sessions
from mockserver.serving.wire import EXTENSION, Wire

logger = logging.getLogger("mockserver")

NOBODY = ("", 0)

MAX_BODY = 10 << 20
"""The largest request body that is read, in bytes (docs: INFERNEO_MAX_REQUEST_SIZE, 10MB)."""


class App:
    """An ASGI application over `sessions`. One object serves one event loop."""

    def __init__(self, sessions: Sessions, *, max_body: int = MAX_BODY, date: bool = True) -> None:
        self.sessions = sessions
        self.max_body = max_body
        self._date = HttpDate() if date else bytes
        self._clock: Clock | None = None
        self._door: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await _not_http(scope, receive, send)
            return
        wire: Wire | None = scope.get("extensions", {}).get(EXTENSION)
        name, path = place(scope["path"], wire)
        if path.startswith("/_mock") and (len(path) == 6 or path[6] == "/"):
            await self._open_door(name, path[6:] or "/", scope, receive, send)
            return
        if wire is not None and wire.treatment.read != "all":
            if wire.treatment.read == "none":
                wire.stop_reading()
                await wire.until_lost()
            elif (playing := self._answer(wire, name, path, scope, b"")) is not None:
                await playing.wait()
            return
        name = name or self.owner(scope)
        body = await self._read(receive)
        if body is None:
            return
        if wire is None:
            exchange, journal, clock = self.decide(None, name, path, scope, body)
            if type(exchange.decision) is Decision:
                await ready(self.sessions.get(name).brain, exchange)
            await self._play_elsewhere(exchange, journal, send, clock)
        elif (playing := self._answer(wire, name, path, scope, body)) is not None:
            await playing.wait()

    def http_date(self) -> bytes:
        """The `date` of a response that is sent now; empty: none."""
        return self._date()

    @property
    def clock(self) -> Clock:
        """The clock of the loop that serves."""
        if self._clock is None:
            self._clock = LoopClock(asyncio.get_running_loop())
        return self._clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        """Live by another clock, from before the first request on."""
        self._clock = clock

    def handle(self, wire: Wire, scope: Any, body: bytes) -> bool:
        """Answer at once, or begin to; False: `__call__` has to, it is for the door."""
        name, path = place(scope["path"], wire)
        if path.startswith("/_mock") and (len(path) == 6 or path[6] == "/"):
            return False
        self._answer(wire, name or self.owner(scope), path, scope, body)
        return True

    def owner(self, scope: Any) -> str:
        """The session that the request's API key means; the default one where it means none."""
        keys = self.sessions.keys
        if keys:
            for name, value in scope["headers"]:
                if name == b"authorization":
                    return keys.get(value, "")
        return ""

    def decide(
        self, wire: Wire | None, name: str, path: str, scope: Any, body: bytes
    ) -> tuple[Exchange, Journal, Clock]:
        """What a request gets, noted in the journal of its session. One too large is refused before anything else."""
        clock = self._clock or self.clock
        session = self.sessions.get(name)
        now = clock.now()
        session.used = now
        session.requests += 1
        request = Request(
            scope["method"],
            path,
            scope.get("raw_path") or b"",
            scope["query_string"],
            tuple(scope["headers"]) if wire is None else wire.fields(scope["headers"]),
            body,
            scope["http_version"],
            name,
            wire.connection if wire is not None else 0,
            wire.on_connection if wire is not None else 1,
            session.requests,
            now,
            (scope.get("client") or NOBODY)[0],
        )
        try:
            decision = session.decide(request) if len(body) <= self.max_body else self._too_large(session)
        except Exception as problem:
            logger.exception("deciding on %s %s failed", request.method, request.path)
            exchange = Exchange(request, Broken(problem), now)
            exchange.error = f"{type(problem).__name__}: {problem}"
        else:
            exchange = Exchange(request, decision, now)
        session.journal.add(exchange)
        return exchange, session.journal, clock

    def _answer(self, wire: Wire, name: str, path: str, scope: Any, body: bytes) -> Player | Later | None:
        """Decide and play; what plays, where it is not over at once."""
        exchange, journal, clock = self.decide(wire, name, path, scope, body)
        if is_later(exchange):
            brain = self.sessions.get(name).brain
            return Later(brain, exchange, journal, wire, lambda: self._begin(exchange, journal, clock, wire, scope))
        return self._begin(exchange, journal, clock, wire, scope)

    def _begin(self, exchange: Exchange, journal: Journal, clock: Clock, wire: Wire, scope: Any) -> Player | None:
        """Play the plan of an exchange; the player, where it is not over at once."""
        connection = exchange.decision.connection
        if connection is not ORDERLY or wire.treatment is not ORDERLY:
            treat(exchange, wire, connection)
        plan = exchange.plan
        wire.resume_reading()
        answer = plan.steps
        if isinstance(answer, Filled) and plan.ending is END and not (wire.paused or wire.lost) and _kept(wire, scope):
            data = answer.wire(self._date())
            if data is not None:
                wire.send(data)
                journal.close(exchange, "end", len(data), clock.now() - exchange.started)
                wire.finish(True)
                return None
        framer = Framer(scope["method"], scope["http_version"], wire.keep_alive, self._date())
        if not (wire.paused or wire.lost):
            data = whole(plan, framer)
            if data is not None:
                wire.write(data)
                journal.close(exchange, "end", len(data), clock.now() - exchange.started)
                wire.finish(not framer.closes)
                return None

        def tell(player: Player) -> None:
            journal.close(exchange, player.ended, player.sent, clock.now() - exchange.started, player.late)

        try:
            player = Player(plan, wire, clock, framer, tell)
        except PlanError as error:
            exchange.error = str(error)
            logger.error("%s", error)  # noqa: TRY400  # the sentence is for the user, a traceback says no more
            player = Player(refusal(str(error), "plan_refused"), wire, clock, framer, tell)
        player.start()
        return player

    async def _play_elsewhere(self, exchange: Exchange, journal: Journal, send: Any, clock: Clock) -> None:
        """Without a wire: clean plans only; others raise `PlanError` before a byte is sent."""
        ended = "error"
        try:
            await play_asgi(exchange.plan, send, clock)
            ended = "end"
        except PlanError as error:
            exchange.error = str(error)
            raise
        finally:
            journal.close(exchange, ended, 0, clock.now() - exchange.started)

    async def _read(self, receive: Any) -> bytes | None:
        """The request's body; None when the peer has left. Of one that is too large only the beginning is read."""
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message.get("body", b"")
        parts = [body]
        size = len(body)
        while message.get("more_body") and size <= self.max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        return body if len(parts) == 1 else b"".join(parts)

    def _too_large(self, session: SessionCore) -> Decision:
        """The rest of the body is not read, so the connection cannot be used again."""
        plan: Plan = session.brain.refuse("too_large", limit=self.max_body)
        return Decision(with_headers(plan, ((b"connection", b"close"),)))

    async def _open_door(self, name: str, path: str, scope: Any, receive: Any, send: Any) -> None:
        if self._door is None:
            from mockserver.serving.door import door

            self._door = door(self.sessions)
        inner = dict(scope, path=path, raw_path=urllib.parse.quote(path).encode(), root_path="")
        inner["state"] = {**scope.get("state", {}), "session": name}
        await self._door(inner, receive, send)


class Broken:
    """The decision where deciding itself failed: a 500 that says so. It fails the test."""

    __slots__ = ("plan",)

    rule: str | None = None
    reply: int | None = None
    faults: tuple[Any, ...] = ()
    connection = ORDERLY
    explanation: Any = None
    ticket: Any = None

    def __init__(self, problem: Exception) -> None:
        self.plan = refusal(f"the fake server could not decide: {type(problem).__name__}: {problem}", "handler_error")


def _kept(wire: Wire, scope: Any) -> bool:
    """Whether the response is one to a POST of HTTP/1.1 that keeps its connection."""
    return scope["method"] == "POST" and scope["http_version"] == "1.1" and wire.keep_alive


def place(path: str, wire: Wire | None) -> tuple[str, str]:
    """The session and the path in it: of `/@NAME/rest`, else of a listener of its own, else the default one."""
    if path.startswith("/@"):
        return _parted(path)
    return (wire.session or "" if wire is not None else ""), path


@lru_cache(maxsize=1024)
def _parted(path: str) -> tuple[str, str]:
    name, _, rest = path[2:].partition("/")
    return name, "/" + rest


def treat(exchange: Exchange, wire: Wire, connection: ConnectionPlan) -> None:
    """What the treatment of the connection makes of a request on it."""
    wire.keep_idle(connection)
    if wire.on_connection in (connection.reset_on_request, wire.treatment.reset_on_request):
        exchange.instead = Plan((), Close("rst"))
    elif wire.crowded:
        refused = refusal(f"more than {wire.treatment.limit} connections are open", "too_many_connections", 503)
        exchange.instead = Plan(refused.steps, Close("fin"))


def refusal(message: str, code: str, status: int = 500) -> Plan:
    document = {"error": {"message": message, "type": "mock_error", "param": None, "code": code}}
    body = json.dumps(document).encode()
    fields = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    return Plan((Head(status, fields), Body(body)))


async def _not_http(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket here"})
