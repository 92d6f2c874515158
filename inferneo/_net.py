"""Connections of our own pools: httpcore's network backends, made to obey a `Bound`, and countable.

Imported at the first request, because httpcore is most of what a request needs to be imported.
"""

# ruff: noqa: ASYNC109  # `timeout` arguments are what httpcore calls its backends with
from __future__ import annotations

import select
import socket
import ssl
import time
import weakref
from typing import Any

from inferneo._bounds import FOREVER, Bound
from inferneo._http import engine

core: Any = engine()

KEEP_ALIVE: list[tuple[int, int, int]] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
for _name, _value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5)):
    if hasattr(socket, _name):  # which of these exist differs by platform
        KEEP_ALIVE.append((socket.IPPROTO_TCP, getattr(socket, _name), _value))


def _left(timeout: float | None, expired: type[Exception]) -> float | None:
    """What a wait may take now; raises when the phase is over."""
    if timeout is None:
        return None
    left = timeout.left() if type(timeout) is Bound else timeout
    if left <= 0:
        raise expired("the time limit passed")
    return left if left < FOREVER / 2 else None


# A pool asks each idle connection whether the server closed it, for each request. In a burst that is a system call per
# connection and request; an answer this young (seconds) is good enough, because it may be wrong a moment later anyway.
FRESH = 0.002


def is_readable(sock: Any) -> bool:
    """Whether an idle connection has something to read: its end, or bytes that nobody asked for."""
    if sock is None or sock.fileno() < 0:
        return True
    pending = getattr(sock, "pending", None)  # of a TLS socket: decrypted bytes that wait
    if pending is not None and pending():
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def shutdown(stream: Any) -> None:
    """End both directions of a connection now; a thread that waits on it wakes up."""
    try:
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError, ValueError):
        return  # it is closed already


_LINKS = ("_connection", "_stream", "_httpcore_stream")


def http_state(response: Any) -> Any:
    """The HTTP/1.1 parser of the connection under a response, `None` when there is none.

    The engines do not hand it out; each object of the chain between body and parser holds the next in one of `_LINKS`.
    """
    link = response.stream
    for _ in range(8):
        state = getattr(link, "_h11_state", None)
        if state is not None:
            return state
        link = next((found for name in _LINKS if (found := getattr(link, name, None)) is not None), None)
        if link is None:
            break
    return None


def is_spoiled(response: Any) -> bool:
    """Whether more than the reply has been read from its connection."""
    state = http_state(response)
    return state is not None and bool(state.trailing_data[0])


LAST_CHUNK = (b"0\r\n\r\n", b"\r\n0\r\n\r\n")


def ends_within(response: Any, seconds: float) -> bool:
    """Whether what is left of a body is its last chunk, here or within `seconds`: reading it then cannot block.

    For clients of the user's own, whose reads take no limit of ours. Nothing is taken off the socket.
    """
    state = http_state(response)
    sock = response.extensions["network_stream"].get_extra_info("socket") if state is not None else None
    if sock is None:
        return False
    rest = state.trailing_data[0]
    if rest in LAST_CHUNK:
        return True
    if isinstance(sock, ssl.SSLSocket) or not any(last.startswith(rest) for last in LAST_CHUNK):
        return False
    try:
        sock.settimeout(seconds)
        return rest + sock.recv(64, socket.MSG_PEEK) in LAST_CHUNK
    except OSError:  # nothing came in time, or the library has closed the connection already
        return False


class Stream:
    """A blocking connection."""

    __slots__ = ("__weakref__", "_asked", "_inner", "_plain", "_socket")

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._socket = inner.get_extra_info("socket")
        self._asked = 0.0
        # A plain socket is read and written here: one call less per chunk, and a bound on the whole of a write.
        self._plain = None if inner.get_extra_info("ssl_object") else self._socket

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _left(timeout, core.ReadTimeout)
        self._asked = 0.0
        if self._plain is None:
            data: bytes = self._inner.read(max_bytes, left)
            return data
        try:
            self._plain.settimeout(left)
            data = self._plain.recv(max_bytes)
        except TimeoutError as error:
            raise core.ReadTimeout(str(error)) from error
        except OSError as error:
            raise core.ReadError(str(error)) from error
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            left = _left(timeout, core.WriteTimeout)
            if self._plain is None:
                self._inner.write(bytes(view[:16384]), left)
                view = view[16384:]
                continue
            try:
                self._plain.settimeout(left)
                view = view[self._plain.send(view) :]
            except TimeoutError as error:
                raise core.WriteTimeout(str(error)) from error
            except OSError as error:
                raise core.WriteError(str(error)) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, core.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            now = time.monotonic()
            if now - self._asked < FRESH:
                return False
            readable = is_readable(self._socket)
            self._asked = 0.0 if readable else now
            return readable
        return self._inner.get_extra_info(info)


class Backend:
    """Makes blocking connections, and knows those that live."""

    def __init__(self) -> None:
        self._backend = core.SyncBackend()
        self.streams: weakref.WeakSet[Any] = weakref.WeakSet()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> Stream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise core.ConnectError(str(error)) from error
        failure: Exception | None = None
        for address in dict.fromkeys(entry[4][0] for entry in found):  # one limit for all addresses together
            try:
                inner = self._backend.connect_tcp(
                    str(address), port, _left(timeout, core.ConnectTimeout), local_address, socket_options
                )
            except core.ConnectError as error:
                failure = error
                continue
            stream = Stream(inner)
            self.streams.add(stream)
            return stream
        raise failure or core.ConnectError(f"{host} has no address")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class AsyncStream:
    """A connection of an event loop."""

    __slots__ = ("__weakref__", "_asked", "_inner", "_socket", "_waiting")

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._socket = inner.get_extra_info("socket")
        self._asked = 0.0
        # What the transport has read and nobody has taken yet; a socket does not show it.
        self._waiting = getattr(getattr(getattr(inner, "_stream", None), "_protocol", None), "read_queue", ())

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._asked = 0.0
        data: bytes = await self._inner.read(max_bytes, _left(timeout, core.ReadTimeout))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, _left(timeout, core.WriteTimeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncStream:
        left = _left(timeout, core.ConnectTimeout)
        return AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            now = time.monotonic()
            if now - self._asked < FRESH:
                return False
            readable = bool(self._waiting) or is_readable(self._socket)
            self._asked = 0.0 if readable else now
            return readable
        return self._inner.get_extra_info(info)


class AsyncBackend:
    """Makes connections in asyncio, and knows those that live."""

    def __init__(self) -> None:
        self._backend = core.AnyIOBackend()
        self.streams: weakref.WeakSet[Any] = weakref.WeakSet()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> AsyncStream:
        left = _left(timeout, core.ConnectTimeout)
        stream = AsyncStream(await self._backend.connect_tcp(host, port, left, local_address, socket_options))
        self.streams.add(stream)
        return stream

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
