"""A TLS socket that one thread may read while another writes, for the WebSockets of the sync client.

OpenSSL keeps one state for both directions of a connection, and the interpreter gives up its lock in a read and in a
write. The thread of `websockets` that reads waits inside OpenSSL (the session tickets of TLS 1.3 make a socket readable
without a byte for the application) while another sends the request: then the state breaks, and one or two handshakes
in 2,000 are never answered (measured against an asyncio server, CPython 3.11, none of 10,000 with this socket). Here
neither direction waits inside OpenSSL: a step is tried under a lock, the wait is outside.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

LOOK = 1.0  # seconds after which a wait tries again by itself: the socket may have been closed under it


class LockedContext:
    """An SSL context as `websockets` uses one; its sockets are `LockedSocket`."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def wrap_socket(self, sock: socket.socket, server_hostname: str | None = None) -> LockedSocket:
        """The socket after its TLS handshake. Raises `ssl.SSLError`, `OSError`."""
        return LockedSocket(self._context.wrap_socket(sock, server_hostname=server_hostname))


class LockedSocket:
    """As much of a socket as a connection needs: reads, writes, its end; all from any thread."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._timeout = tls.gettimeout()
        tls.setblocking(False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)  # `fileno`, `family`, `getpeername`, ...

    def settimeout(self, seconds: float | None) -> None:
        """Bound each call of `recv` and `sendall`."""
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; `b""` at the end. Raises `TimeoutError`, `OSError`."""
        try:
            data: bytes = self._step(self._tls.recv, size, self._end())
        except ssl.SSLEOFError:
            return b""  # no farewell of TLS: a WebSocket says itself whether it was whole
        return data

    def sendall(self, data: bytes) -> None:
        """Send it all. Raises `TimeoutError`, `OSError`."""
        rest, end = memoryview(data), self._end()
        while rest:
            rest = rest[self._step(self._tls.send, rest, end) :]

    def shutdown(self, how: int) -> None:
        """End a direction of the connection; what was received can still be read. Raises `OSError`."""
        socket.socket.shutdown(self._tls, how)  # that of `SSLSocket` would read ciphertext from here on

    def close(self) -> None:
        """Close it, and wake up who waits on it."""
        with contextlib.suppress(OSError):  # it has ended already
            self.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._tls.close()

    def _end(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _step(self, step: Callable[[Any], Any], argument: Any, end: float | None) -> Any:
        while True:
            with self._lock:
                try:
                    return step(argument)
                except ssl.SSLWantReadError:
                    event = selectors.EVENT_READ
                except ssl.SSLWantWriteError:
                    event = selectors.EVENT_WRITE
                if end is not None and time.monotonic() >= end:
                    raise TimeoutError("timed out")
            self._wait(event, LOOK if end is None else min(LOOK, max(end - time.monotonic(), 0)))

    def _wait(self, event: int, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._tls, event)
            except ValueError as error:
                raise OSError(f"the socket was closed: {error}") from error
            selector.select(seconds)
