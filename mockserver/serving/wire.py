"""All that touches uvicorn's undocumented attributes: one connection as a `Wire`.

uvicorn parses requests and keeps connections; the responses are ours. `Wire` writes bytes to the transport, ends the
connection in every way TCP knows, and hands it back to uvicorn for the next request (`finish`) when a whole response
was written. An app finds it in `scope["extensions"]["mockserver.wire"]`.

What is relied on (the same since uvicorn 0.34, proven at start by `serving.selfcheck`): a protocol object per
connection with `app`, `transport`, `flow`, `server_state`; a cycle per request, reached as `receive.__self__`, with
`response_started`, `response_complete`, `disconnected`, `message_event`, `on_response` and, of httptools, `keep_alive`;
h11's connection as `conn`. `disconnected = True` makes a cycle inert: uvicorn then sends nothing of its own.

With httptools a request whose body came along is answered without a task: an app that has `handle(wire, scope, body)`
is called when the last byte was parsed, and says whether it took the request. Bodies above `HELD`, `Expect:
100-continue` and what the app does not take go through uvicorn's task and the app as an ASGI callable.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from mockserver.connection import ORDERLY, ConnectionPlan

EXTENSION = "mockserver.wire"
"""The key of the `Wire` in `scope["extensions"]`."""

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_LINGER_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_SIOCOUTQNSD = 0x894B
"""Linux: bytes the kernel has not sent yet (linux/sockios.h)."""

HELD = 60_000
"""The largest body, in bytes, of a request that is answered without a task (uvicorn stops reading at 65,536)."""

BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\n"
    b"connection: close\r\n\r\nInvalid HTTP request received."
)
"""The answer to what is no HTTP."""

LINGER_SECONDS = 1.0
"""How long a closing connection still reads (and drops) what its peer had already sent."""


class Wire:
    """One connection of a client, for one response after the other.

    `connection` counts the connections of the server from 1, `on_connection` the requests of this one from 1. `send`
    is the transport's own `write`, for those who know that the peer is there. `on_lost` is called once when the peer
    has left (or the server closes: `dropped`) while a response is played, `on_resume` when the transport takes bytes
    after `paused`.
    `crowded`: the connection is one too many and has to be answered 503.
    """

    __slots__ = (
        "_cycle",
        "_fields",
        "_protocol",
        "_refused",
        "_timer",
        "_transport",
        "closing",
        "connection",
        "crowded",
        "dropped",
        "lost",
        "on_connection",
        "on_lost",
        "on_resume",
        "paused",
        "send",
        "session",
        "treatment",
    )

    def __init__(self, protocol: Any, transport: Any, connection: int, session: str | None) -> None:
        self._protocol = protocol
        self._transport = transport
        self._cycle: Any = None
        self._fields: tuple[Sequence[tuple[bytes, bytes]], tuple[tuple[bytes, bytes], ...]] = ((), ())
        self._timer: asyncio.TimerHandle | None = None
        self.connection = connection
        self.session = session
        self.treatment = ORDERLY
        self.on_connection = 0
        self.send: Callable[[bytes], None] = transport.write
        self._refused = False
        self.lost = False
        self.dropped = False
        self.crowded = False
        self.closing = False
        self.paused = False
        self.on_lost: Callable[[], None] | None = None
        self.on_resume: Callable[[], None] | None = None

    # what the peer is

    @property
    def peer(self) -> tuple[str, int] | None:
        """Address and port of the client; None where the socket has none."""
        client: tuple[str, int] | None = self._protocol.client
        return client

    @property
    def tls(self) -> bool:
        """Whether the bytes go through TLS (no half-close there)."""
        return bool(self._protocol.scheme == "https")

    @property
    def keep_alive(self) -> bool:
        """Whether the request lets the connection stay open after its response (RFC 9112, 9.3)."""
        kept: bool = self._protocol.wire_keeps(self._cycle)
        return kept

    def fields(self, headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
        """The header fields of a request, to be kept: those of the request before, where they say the same.

        A client mostly says the same again, and journals keep thousands of requests.
        """
        before, kept = self._fields
        if headers != before:
            kept = tuple(headers)
            self._fields = headers, kept
        return kept

    # how it is treated

    def treat(self, plan: ConnectionPlan, connections: int) -> None:
        """Obey `plan` from the accept on; `connections` are open on the listener, this one included."""
        self.treatment = plan
        how: str = plan.on_accept
        if plan.limit is not None and connections > plan.limit:
            self.crowded = plan.over_limit == "status"
            how = how if self.crowded else plan.over_limit
        if how == "reset":
            self.reset()
        elif how == "close":
            self._transport.close()
        elif how == "blackhole":
            # Not only paused: uvloop begins to read after `connection_made`, whatever is said in it.
            self._transport.set_protocol(_Sink(self._protocol))
            self._protocol.loop.call_soon(self.stop_reading)
        elif plan.accept_delay > 0:
            gate = _Gate(self._protocol)
            self._transport.set_protocol(gate)
            self._timer = self._protocol.loop.call_later(plan.accept_delay, gate.open, self._transport)
        self.keep_idle(plan)

    def keep_idle(self, plan: ConnectionPlan) -> None:
        """End the connection when it waits too long for its next request, as `plan` says."""
        if plan.idle_after is not None:
            self._protocol.timeout_keep_alive = plan.idle_after
            self._protocol.wire_idle_reset = plan.idle_how == "rst"

    async def until_lost(self) -> None:
        """Return when the peer has left, or the server closes."""
        if not self.lost:
            future: asyncio.Future[None] = self._protocol.loop.create_future()
            self.on_lost = lambda: None if future.done() else future.set_result(None)
            await future

    # sending

    def write(self, data: bytes) -> None:
        """Send `data` as it is. Nothing happens once the peer has left."""
        if not self.lost:
            self.send(data)

    def when_flushed(self, then: Callable[[], None]) -> None:
        """Call `then` once all bytes written have left this host, or the peer has.

        On loopback bytes that the kernel has sent are with the peer; elsewhere the peer has to have acknowledged them
        (where the platform tells: Linux). A peer that never reads is waited for as long as it stays.
        """
        self._flush(then, 0)

    def _flush(self, then: Callable[[], None], tries: int) -> None:
        if self.lost or (self._transport.get_write_buffer_size() == 0 and self._kernel_backlog() == 0):
            then()
        elif tries < 2:
            self._protocol.loop.call_soon(self._flush, then, tries + 1)
        else:
            delay = min(0.001 * 2 ** (tries - 2), 0.02)
            self._timer = self._protocol.loop.call_later(delay, self._flush, then, min(tries + 1, 10))

    def _kernel_backlog(self) -> int:
        if not sys.platform.startswith("linux"):
            return 0
        import fcntl
        import termios

        sock = self._transport.get_extra_info("socket")
        peer = self.peer
        loopback = peer is not None and (peer[0].startswith("127.") or peer[0] == "::1")
        backlog = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(sock.fileno(), _SIOCOUTQNSD if loopback else termios.TIOCOUTQ, backlog)
        return backlog[0]

    # endings

    def finish(self, keep_alive: bool) -> None:
        """The response was written whole: the connection is uvicorn's again, for the next request, or is closed."""
        cycle = self._cycle
        self.on_lost = self.on_resume = None
        if self.lost:
            cycle.disconnected = True
            return
        self._protocol.wire_finish(cycle, keep_alive)
        cycle.response_started = True
        cycle.response_complete = True
        cycle.message_event.set()
        if not keep_alive:
            self._end()
        elif self._refused:
            self.refuse()
        else:
            cycle.on_response()

    def close(self) -> None:
        """Deliver what was written, then FIN."""
        self._take_over()
        self._end()

    def half_close(self) -> None:
        """Deliver what was written, then FIN; keep reading (and dropping) until the peer leaves. Not under TLS."""
        if self.tls:
            raise ValueError("a half-close does not exist under TLS")
        self._take_over()
        self._drop_input()
        with contextlib.suppress(OSError, RuntimeError):
            self._transport.write_eof()

    def reset(self) -> None:
        """RST, now. What was written but has not left yet is lost: wait with `when_flushed` before."""
        self._take_over()
        transport = self._transport
        if not transport.is_closing():
            with contextlib.suppress(OSError):
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        transport.abort()

    def hold(self) -> None:
        """Keep the connection open, drop what the peer sends, send nothing of uvicorn's own. Its leaving is noticed."""
        on_lost = self.on_lost
        self._take_over()
        self.on_lost = on_lost
        self._drop_input()

    def stop_reading(self) -> None:
        """Leave what the peer sends in the kernel (its leaving is then not noticed either)."""
        self._protocol.flow.pause_reading()

    def resume_reading(self) -> None:
        """Read on, after the parser or `stop_reading` has paused."""
        self._protocol.flow.resume_reading()

    def abort(self) -> None:
        """The server ends: drop the connection without waiting for anything."""
        self.dropped = True
        self._left()
        self._transport.abort()

    def _take_over(self) -> None:
        self.on_lost = self.on_resume = None
        if self._cycle is not None:
            self._cycle.disconnected = True

    def _end(self) -> None:
        """FIN. Unread input would turn it into a RST, so input that was held back is read and dropped first."""
        self.closing = True
        if self._protocol.flow.read_paused and not self.tls and not self._transport.is_closing():
            self._drop_input()
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()
            self._timer = self._protocol.loop.call_later(LINGER_SECONDS, self._transport.close)
        else:
            self._transport.close()

    def _drop_input(self) -> None:
        if not self._transport.is_closing():
            self._transport.set_protocol(_Sink(self._protocol))
            self._read_on()
            # A pipelined request in the very bytes that are being parsed now pauses the reading once more.
            self._protocol.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._protocol.flow.resume_reading()

    # events of the protocol

    def begin(self, cycle: Any) -> None:
        """A request starts; `cycle` is uvicorn's. Saying it twice of one request is saying it once."""
        if cycle is not self._cycle:
            self._cycle = cycle
            self.on_connection += 1

    def refuse(self) -> None:
        """What came is no HTTP: answer 400 and close, behind the response that is being played, if there is one."""
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            self._refused = True
            self._drop_input()
        else:
            self.write(BAD_REQUEST)
            self._end()

    def _left(self) -> None:
        self.lost = True
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
        self.on_resume = None
        callback, self.on_lost = self.on_lost, None
        if callback is not None:
            callback()

    def gone(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._left()

    def pause(self) -> None:
        """The transport's buffer is full."""
        self.paused = True

    def resume(self) -> None:
        """The transport's buffer has room."""
        self.paused = False
        callback = self.on_resume
        if callback is not None:
            callback()


class _Sink(asyncio.Protocol):
    """Reads and drops; all else goes to the protocol it stands in for."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def data_received(self, data: bytes) -> None:
        pass

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)


class _Gate(_Sink):
    """Keeps what comes until it is opened."""

    __slots__ = ("_kept",)

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self._kept = b""

    def data_received(self, data: bytes) -> None:
        self._kept += data

    def open(self, transport: Any) -> None:
        """Hand all over; the connection goes on as if nothing had been."""
        if not transport.is_closing():
            transport.set_protocol(self._protocol)
            if self._kept:
                self._protocol.data_received(self._kept)


class _Mixin:
    """Mixed into uvicorn's HTTP protocols: makes the `Wire` and tells it what happens. `Any`: uvicorn is not ours."""

    wire: Wire
    transport: Any
    app: Any
    flow: Any
    server_state: Any
    config: Any
    wire_handle: Any
    wire_idle_reset: bool = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[misc]  # a mixin: the protocol is the other base
        state = self.server_state
        self.access_log = False
        self.wire_handle = getattr(self.config.app, "handle", None)
        wire = self.wire = Wire(self, transport, next(state.numbers), state.session)
        inner: App = self.app
        extensions = {EXTENSION: wire}

        def app(scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
            wire.begin(receive.__self__)
            scope["extensions"] = extensions
            return inner(scope, receive, send)

        self.app = app
        treatment = ORDERLY if state.policy is None else state.policy(wire.connection)
        if treatment is not ORDERLY:
            wire.treat(treatment, len(state.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)  # type: ignore[misc]  # as above
        self._unset_keepalive_if_required()  # type: ignore[attr-defined]  # uvicorn leaves the timer after an error
        self.wire.gone()

    def eof_received(self) -> None:
        self.wire._left()

    def send_400_response(self, msg: str) -> None:
        self.wire.refuse()

    def timeout_keep_alive_handler(self) -> None:
        if self.wire_idle_reset:
            self.wire.reset()
        else:
            super().timeout_keep_alive_handler()  # type: ignore[misc]  # as above

    def pause_writing(self) -> None:
        self.flow.pause_writing()
        self.wire.pause()

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        self.wire.resume()


def _h11_class() -> type[asyncio.Protocol]:
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    final = h11.Response(status_code=200, headers=[(b"content-length", b"0")], reason=b"")
    closing = h11.Response(status_code=200, headers=[(b"content-length", b"0"), (b"connection", b"close")], reason=b"")
    end = h11.EndOfMessage()

    class H11Wire(_Mixin, H11Protocol):
        """h11: its state machine is told of a response like ours; the bytes it makes of it are dropped."""

        def wire_keeps(self, cycle: Any) -> bool:
            if cycle.scope["http_version"] != "1.1" or not cycle.keep_alive:
                return False
            for name, value in cycle.scope["headers"]:
                if name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                    return False
            return True

        def wire_finish(self, cycle: Any, keep_alive: bool) -> None:
            self.conn.send(final if keep_alive else closing)
            self.conn.send(end)
            if not keep_alive:
                self.conn.send(h11.ConnectionClosed())

    return H11Wire


def _httptools_class() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class HttpToolsWire(_Mixin, HttpToolsProtocol):
        """httptools: it keeps no state of responses, and a request is answered where its last byte was parsed."""

        wire_held: Any = None

        def _start_asgi_task(self, cycle: Any, app: Any) -> None:
            self._unset_keepalive_if_required()
            if (
                self.wire_handle is None
                or cycle.waiting_for_100_continue
                or app is not self.app
                or self.wire.treatment.read != "all"
            ):
                super()._start_asgi_task(cycle, app)
            elif cycle.more_body:
                self.wire_held = cycle
            else:
                self.loop.call_soon(self.wire_answer, cycle)

        def on_body(self, body: bytes) -> None:
            super().on_body(body)
            held = self.wire_held
            if held is not None and len(held.body) > HELD:
                self.wire_held = None
                super()._start_asgi_task(held, self.app)

        def on_message_complete(self) -> None:
            super().on_message_complete()
            held = self.wire_held
            if held is not None:
                self.wire_held = None
                self.wire_answer(held)

        def wire_answer(self, cycle: Any) -> None:
            wire = self.wire
            if wire.lost or wire.closing:
                cycle.disconnected = True
                return
            wire.begin(cycle)
            try:
                taken = self.wire_handle(wire, cycle.scope, bytes(cycle.body))
            except Exception:
                self.logger.exception("the answer to %s failed", cycle.scope["path"])
                wire.abort()
            else:
                if not taken:
                    super()._start_asgi_task(cycle, self.app)

        def wire_keeps(self, cycle: Any) -> bool:
            keeps: bool = cycle.keep_alive
            return keeps

        def wire_finish(self, cycle: Any, keep_alive: bool) -> None:
            pass

    return HttpToolsWire


_classes: dict[str, type[asyncio.Protocol]] = {}


def protocol_class(http: str = "auto") -> type[asyncio.Protocol]:
    """uvicorn's protocol class with a wire. `auto`: httptools where it is installed, else h11.

    Raises ValueError for another name and ImportError where the parser is missing.
    """
    if http == "auto":
        try:
            import httptools  # noqa: F401  # only whether it is there
        except ImportError:
            http = "h11"
        else:
            http = "httptools"
    if http not in ("h11", "httptools"):
        raise ValueError(f"unknown HTTP parser {http!r}; known: auto, h11, httptools")
    made = _classes.get(http)
    if made is None:
        made = _classes[http] = _h11_class() if http == "h11" else _httptools_class()
    return made
