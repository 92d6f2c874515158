"""One WebSocket of a client (RFC 6455): messages in, each answered by a plan that is played as frames.

Laws: requests on one socket are answered one after the other, in their order; pings at once. A plan's waits, cuts and
stalls hold as over HTTP: a cut ends the connection with no close frame. The handshake is refused, in HTTP, on a path
that is no socket's, for a key that is known to be wrong, and when a rule that matches `method: GET` says so. A socket
without a key may still send one. The journal has an exchange per request, `http_version` `websocket`, and one for each
refused handshake.

uvicorn hands the connection over and is then done with it; the frames that come are read by `websockets`, those that
go are made by `mockserver.model.frames`. Nothing is compressed.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections import deque
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from mockserver.errors import PlanError
from mockserver.lower import Framer
from mockserver.model.frames import SOCKET, Frames, text_frame
from mockserver.model.keys import token_of_query
from mockserver.model.message import PONG, Asked, Auth, Ping, read_message
from mockserver.plan import Body, Plan
from mockserver.record.journal import Exchange, Journal
from mockserver.serving.app import place, refusal, treat
from mockserver.serving.clock import Clock
from mockserver.serving.later import Later, is_later
from mockserver.serving.play import Player
from mockserver.serving.wire import Wire

if TYPE_CHECKING:
    from mockserver.serving.app import App
    from mockserver.serving.brain import ScriptBrain

WAITING = 64
"""Messages that may wait for those before them; then nothing more is read."""


class SocketWire(Wire):
    """The wire of a WebSocket: an answer that ends in order leaves the socket open for the next."""

    __slots__ = ()

    def finish(self, keep_alive: bool) -> None:
        """The answer was written whole."""
        self.on_lost = self.on_resume = None
        if self.lost:
            return
        if keep_alive:
            self._protocol.loop.call_soon(self._protocol.answered)
        else:
            self._end()

    def leave(self) -> None:
        """The peer has said goodbye."""
        self._left()
        self._transport.close()


class SocketProtocol(asyncio.Protocol):
    """A connection after `Upgrade: websocket`, from the handshake on."""

    def __init__(self, config: Any, server_state: Any) -> None:
        self.app: App = config.app
        self.server_state = server_state
        self.loop = asyncio.get_running_loop()
        self.timeout_keep_alive = 0.0
        self.wire_idle_reset = False
        self._socket = ServerProtocol(max_size=self.app.max_body)
        self._parts: list[bytes] = []
        self._messages: deque[bytes] = deque()
        self._busy = False
        self._key: bytes | None = None
        self._name = ""
        self._scope: dict[str, Any] = {}
        self._path = ""

    # the connection

    def connection_made(self, transport: Any) -> None:
        """Take the connection over from the protocol that read the upgrade."""
        before: Wire = transport.get_protocol().wire
        self.transport = transport
        self.flow = FlowControl(transport)
        self.client = get_remote_addr(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        wire = self.wire = SocketWire(self, transport, before.connection, before.session)
        wire.treatment, wire.on_connection = before.treatment, before.on_connection
        self.server_state.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self.server_state.connections.discard(self)
        self.wire.gone()

    def eof_received(self) -> None:
        """The peer sends no more: it has left."""
        self.wire._left()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.wire.pause()

    def resume_writing(self) -> None:
        """The transport's buffer has room."""
        self.wire.resume()

    # what comes

    def data_received(self, data: bytes) -> None:
        """Read frames; the parser answers pings and closes of the protocol itself."""
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Handshake):
                self._shake(event)
            elif isinstance(event, Frame):
                self._read(event)
        self._flush()
        if self._socket.parser_exc is not None or self._socket.close_expected():
            self.wire.leave()

    def _flush(self) -> None:
        if not self.transport.is_closing():
            for data in self._socket.data_to_send():
                if data:
                    self.wire.write(data)

    def _read(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        if isinstance(read_message(data), Ping):
            self.wire.write(text_frame(PONG))
            return
        self._messages.append(data)
        if not self._busy:
            self._next()
        elif len(self._messages) > WAITING:
            self.wire.stop_reading()

    # the handshake

    def _shake(self, handshake: Handshake) -> None:
        raw_path, _, query = handshake.path.partition("?")
        headers = [(name.lower().encode(), _latin(value)) for name, value in handshake.headers.raw_items()]
        token = token_of_query(query.encode())
        if token is not None:
            headers = [*(field for field in headers if field[0] != b"authorization"), _bearer(token)]
        self._scope = {
            "method": "GET",
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "http_version": "1.1",
        }
        name, self._path = place(urllib.parse.unquote(raw_path), self.wire)
        self._name = name or self.app.owner(self._scope)
        brain: ScriptBrain = self.app.sessions.get(self._name).brain  # type: ignore[assignment]  # a server's
        if brain.upgrades(self._path, headers):
            self._socket.send_response(self._socket.accept(handshake))
            self._flush()
            if self._socket.handshake_exc is not None:
                self.wire.leave()
            return
        exchange, journal, clock = self.app.decide(self.wire, self._name, self._path, self._scope, b"")
        self._busy = True
        framer = Framer("GET", "1.1", False, self.app.http_date())
        self._start(exchange, journal, clock, lambda: self._play(exchange, journal, clock, framer))

    # requests

    def _next(self) -> None:
        while self._messages and not self._busy and not self.wire.lost:
            message = read_message(self._messages.popleft())
            if isinstance(message, Asked):
                self._ask(message.body)
            elif isinstance(message, Auth):
                self._authenticate(message.key)
        if len(self._messages) <= WAITING:
            self.wire.resume_reading()

    def answered(self) -> None:
        """A request was answered in full: the next one."""
        self._busy = False
        self._next()

    def _headers(self) -> list[tuple[bytes, bytes]]:
        if self._key is None:
            return list(self._scope["headers"])
        return [*(field for field in self._scope["headers"] if field[0] != b"authorization"), _bearer(self._key)]

    def _authenticate(self, key: bytes) -> None:
        self._key = key
        brain: ScriptBrain = self.app.sessions.get(self._name).brain  # type: ignore[assignment]  # as above
        refused = brain.refused(self._headers())
        if refused is not None:
            self._key = None
            for step in refused.steps:
                if isinstance(step, Body):
                    self.wire.write(text_frame(step.data))

    def _ask(self, body: bytes) -> None:
        wire = self.wire
        wire.on_connection += 1
        scope = {**self._scope, "method": "POST", "headers": self._headers(), "http_version": SOCKET}
        exchange, journal, clock = self.app.decide(wire, self._name, self._path, scope, body)
        self._busy = True
        self._start(exchange, journal, clock, lambda: self._play(exchange, journal, clock, Frames()))

    def _start(self, exchange: Exchange, journal: Journal, clock: Clock, begin: Any) -> None:
        if is_later(exchange):
            Later(self.app.sessions.get(self._name).brain, exchange, journal, self.wire, begin)
        else:
            begin()

    def _play(self, exchange: Exchange, journal: Journal, clock: Clock, framer: Framer) -> Player:
        wire = self.wire
        treat(exchange, wire, exchange.decision.connection)

        def tell(player: Player) -> None:
            journal.close(exchange, player.ended, player.sent, clock.now() - exchange.started, player.late)

        try:
            player = Player(exchange.plan, wire, clock, framer, tell)
        except PlanError as error:
            exchange.error = str(error)
            instead: Plan = refusal(str(error), "plan_refused")
            player = Player(instead, wire, clock, framer, tell)
        player.start()
        return player


def _latin(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _bearer(key: bytes) -> tuple[bytes, bytes]:
    return (b"authorization", b"Bearer " + key)
