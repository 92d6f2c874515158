"""What is wrong below HTTP: a relay between the judge and the right fake, which bends the bytes on their way.

A relay sees what no decision sees: half requests, bytes that are no HTTP, frames of a WebSocket. Each connection has a
`Link`; what connections share is in the relay.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

BUSY = b'{"error":{"message":"no free place","type":"server_error"}}'


def response(status: int, body: bytes = BUSY, kind: bytes = b"application/json") -> bytes:
    """A whole response."""
    head = b"HTTP/1.1 %d Said\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (status, kind, len(body)) + body


class Link:
    """One connection on its way: `up` and `down` are all bytes so far, as they came in."""

    def __init__(self, relay: Relay, caller: socket.socket) -> None:
        self.relay = relay
        self.caller = caller
        self.server: socket.socket | None = None
        self.up = b""
        self.down = b""

    @property
    def head(self) -> bytes:
        """The head of the first request, in lower case; empty while it is not whole."""
        return self.up.partition(b"\r\n\r\n")[0].lower() if b"\r\n\r\n" in self.up else b""

    def lengths(self) -> list[bytes]:
        """What the head says of the body's length."""
        lines = self.head.split(b"\r\n")
        return [line.partition(b":")[2].strip() for line in lines if line.startswith(b"content-length:")]

    def begun(self, data: bytes) -> bool:
        """Whether these bytes are the first that the caller sent."""
        return len(self.up) == len(data)

    def tell(self, data: bytes) -> None:
        """To the caller."""
        with contextlib.suppress(OSError):
            self.caller.sendall(data)

    def leave(self) -> None:
        """Ends both sides."""
        for one in (self.caller, self.server):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


class Relay:
    """A port before the server. The defects are in subclasses: `sent` and `said` give the bytes that go on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.lock = threading.Lock()
        self.links: set[Link] = set()
        self.memory: dict[str, Any] = {}
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """What goes to the server of what the caller sent; None: nothing more, the relay has answered itself."""
        return data

    def said(self, link: Link, data: bytes) -> bytes:
        """What goes to the caller of what the server said."""
        return data

    def left(self, link: Link) -> None:
        """The caller has ended the connection."""

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(self, caller)
            with self.lock:
                self.links.add(link)
            threading.Thread(target=self._upwards, args=(link,), daemon=True).start()

    def _upwards(self, link: Link) -> None:
        try:
            server = link.server = socket.create_connection(("127.0.0.1", self._port))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._downwards, args=(link, server), daemon=True).start()
            while data := link.caller.recv(1 << 16):
                link.up += data
                passed = self.sent(link, data)
                if passed is None:
                    break
                server.sendall(passed)
        except OSError:
            pass
        finally:
            with self.lock:
                self.links.discard(link)
            self.left(link)
            link.leave()
            link.caller.close()

    def _downwards(self, link: Link, server: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                link.down += data
                link.caller.sendall(self.said(link, data))
        except OSError:
            pass
        finally:
            link.leave()
            server.close()

    def close(self) -> None:
        """Listens no more and ends what is open."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(5)
        with self.lock:
            links = list(self.links)
        for link in links:
            link.leave()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
