"""Proof, at the first start in a process, that the installed uvicorn opens the way `mockserver.serving.wire` opens it.

Two pipelined requests are fed to a protocol on a transport of paper; both responses must come out, byte for byte and in
order, and the second must end the connection. It takes about a millisecond and names the version when it fails.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

from mockserver.serving.listener import Listener
from mockserver.serving.wire import EXTENSION

_checked: set[type] = set()

_REQUESTS = b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
_EXPECTED = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n/1 1 True;HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n/2 2 False;"
)


class WireUnavailableError(RuntimeError):
    """The installed uvicorn does not open the way this kit needs; the message names its version."""


class _Paper(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def write_eof(self) -> None: ...


async def _app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    wire = scope["extensions"][EXTENSION]
    keep = wire.keep_alive
    wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    wire.write(f"{scope['path']} {wire.on_connection} {keep};".encode())
    wire.finish(keep)


async def self_check(protocol: type[asyncio.Protocol]) -> None:
    """Raise `WireUnavailableError` unless `protocol` works with the installed uvicorn. Once per class and process."""
    if protocol in _checked:
        return
    paper = _Paper()
    with socket.socket() as unused:
        listener = Listener(_app, unused, protocol=protocol)
        try:
            made = listener.connect(paper)
            made.data_received(_REQUESTS)
            for _ in range(20):
                if paper.closed:
                    break
                await asyncio.sleep(0)
            made.connection_lost(None)
            problem = "" if paper.closed and paper.written == _EXPECTED else f"it sent {paper.written!r}"
        except (AttributeError, TypeError, KeyError) as error:
            problem = f"{type(error).__name__}: {error}"
    if problem:
        raise WireUnavailableError(
            f"uvicorn {uvicorn.__version__} cannot be opened for wire faults ({protocol.__name__}): {problem}; "
            "known to work: 0.34 to 0.54"
        )
    _checked.add(protocol)
