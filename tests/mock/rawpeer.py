"""A client of plain sockets, and a server that plays given plans: what the wire tests stand on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.plan import Plan
from mockserver.record.journal import Exchange
from mockserver.request import Request
from mockserver.serving.brain import answerer_of
from mockserver.serving.server import MockServer

STACKS = [(http, loop) for http in ("h11", "httptools") for loop in ("asyncio", "uvloop")]
DATE = (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")


@dataclass
class Given:
    """A decision that is only a plan."""

    plan: Plan
    rule: str | None = None
    reply: int | None = None
    faults: tuple[Any, ...] = ()
    connection: Any = ORDERLY
    explanation: Any = None
    ticket: Any = None


class Playing:
    """A brain that plays what `choose` says."""

    def __init__(self, choose: Callable[[Request], Plan]) -> None:
        self.choose = choose

    def decide(self, request: Request) -> Given:
        return Given(self.choose(request))

    def refuse(self, name: str, **values: Any) -> Plan:
        return answerer_of("docs").refuse(name, **values)

    def forget(self, exchange: Exchange) -> None:
        """Nobody counts here."""

    def fresh(self) -> Playing:
        return self

    def connection(self, connection: int, now: float) -> ConnectionPlan:
        return ORDERLY

    def listening(self, now: float) -> ConnectionPlan:
        return ORDERLY


@contextmanager
def playing(
    choose: Callable[[Request], Plan], http: str = "auto", loop: str = "auto", **settings: Any
) -> Iterator[MockServer]:
    """A server whose default session plays what `choose` says."""
    with MockServer(http=http, loop=loop, **settings) as server:  # type: ignore[arg-type]  # names from STACKS
        server.run(server.sessions.reset, "", Playing(choose))
        yield server


def ended(server: MockServer, count: int) -> list[Exchange]:
    """The exchanges of the default session, once `count` have ended."""
    return list(server.session().wait_for(count, 5))


def connect(server: MockServer, timeout: float = 5.0) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=timeout)


def ask(path: str = "/", method: str = "GET", version: str = "1.1", body: bytes = b"", *lines: str) -> bytes:
    """The bytes of a request."""
    fields = "".join(f"{line}\r\n" for line in (*lines, *([f"Content-Length: {len(body)}"] if body else [])))
    return f"{method} {path} HTTP/{version}\r\nHost: mock\r\n{fields}\r\n".encode() + body


def read_all(peer: socket.socket) -> tuple[bytes, Literal["fin", "rst", "silence"]]:
    """All bytes until the connection ends, and how it ended (`silence`: the socket's timeout)."""
    parts: list[bytes] = []
    while True:
        try:
            part = peer.recv(1 << 16)
        except ConnectionResetError:
            return b"".join(parts), "rst"
        except TimeoutError:
            return b"".join(parts), "silence"
        if not part:
            return b"".join(parts), "fin"
        parts.append(part)


def read_exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        assert part, f"the connection ended after {data!r}"
        data += part
    return data


def reset(peer: socket.socket) -> None:
    """Leave with a RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
