"""The client's side of a connection in a replay: bytes out, bytes counted in, and when it ended."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from mockserver.record.bundle import Asked

SHOWN = 1 << 16
"""Bytes kept of each response, to be shown."""

FRAMING = ("content-length", "transfer-encoding", "expect")
"""Header fields that say how the body is framed: it is framed anew."""


class Peer(asyncio.Protocol):
    """`count`: bytes of the response so far; `data`: the first of them; `lost`: the server has ended the connection."""

    def __init__(self, stir: Callable[[], object]) -> None:
        self._stir = stir
        self._transport: Any = None
        self._paused = False
        self.count = 0
        self.data = bytearray()
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of the response."""
        self.count += len(data)
        self.data += data[: SHOWN - len(self.data)]
        self._stir()

    def eof_received(self) -> None:
        """The server sends no more."""
        self.lost = True
        self._stir()

    def connection_lost(self, error: Exception | None) -> None:
        """It has ended."""
        self.lost = True
        self._stir()

    def send(self, data: bytes) -> None:
        """A request goes out; what comes now is its response."""
        self.count = 0
        self.data.clear()
        self._transport.write(data)

    def pause(self) -> None:
        """Read nothing, as long as others are to overlap."""
        if not self.lost and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._transport.is_closing():
            self._transport.resume_reading()
        self._paused = False

    def close(self) -> None:
        """Leave, in order."""
        self._transport.close()


def request_bytes(asked: Asked) -> bytes:
    """The request as it is sent: its own header fields, but for those of the framing."""
    body = (asked.body or "").encode() if asked.body_base64 is None else base64.b64decode(asked.body_base64)
    lines = [f"{asked.method} {asked.target} HTTP/{asked.http_version}"]
    lines += [f"{name}: {value}" for name, value in asked.headers if name not in FRAMING]
    if asked.http_version == "1.1" and not any(name == "host" for name, _ in asked.headers):
        lines.append("host: mock")
    head = "\r\n".join(lines)
    chunked = any(name == "transfer-encoding" for name, _ in asked.headers)
    if chunked and asked.http_version == "1.1":
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return f"{head}\r\ntransfer-encoding: chunked\r\n\r\n".encode("latin-1", "replace") + chunk + b"0\r\n\r\n"
    if body or any(name == "content-length" for name, _ in asked.headers):
        head += f"\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode("latin-1", "replace") + body
