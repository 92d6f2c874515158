"""The client's side of a connection in a replay: bytes out, bytes counted in, and when it ended."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

from websockets.frames import Frame, Opcode

from mockserver.record.bundle import Asked

SHOWN = 1 << 16
"""Bytes kept of each response, to be shown."""

FRAMING = ("content-length", "transfer-encoding", "expect")
"""Header fields that say how the body is framed: it is framed anew."""


class Peer(asyncio.Protocol):
    """`count`: bytes of the response so far; `data`: the first of them; `lost`: the server has ended the connection.

    `shaken`: it is a WebSocket by now; `answered`: the status line that its handshake got; `key`: that of its requests.
    """

    def __init__(self, stir: Callable[[], object]) -> None:
        self._stir = stir
        self._transport: Any = None
        self._paused = False
        self._head: bytearray | None = None
        self.count = 0
        self.data = bytearray()
        self.lost = False
        self.shaken = False
        self.answered = ""
        self.key: str | None = None

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of the response."""
        if self._head is not None:
            self._head += data
            head, end, data = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return
            self._head = None
            self.answered = head.partition(b"\r\n")[0].decode("latin-1")
            self.shaken = self.answered.startswith("HTTP/1.1 101")
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

    def shake(self, data: bytes) -> None:
        """The handshake of a WebSocket goes out; what comes first is its answer, and no part of a response."""
        self._head = bytearray()
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


def handshake_bytes(asked: Asked) -> bytes:
    """The handshake of the WebSocket that a request came over, as it was sent; a key that came later comes with it."""
    fields = [f"{name}: {value}" for name, value in asked.headers if name not in FRAMING]
    lines = [f"GET {asked.target} HTTP/1.1", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def message_bytes(asked: Asked) -> bytes:
    """The message of a request over a WebSocket: text, where it is."""
    return Frame(Opcode.TEXT if asked.body_base64 is None else Opcode.BINARY, body_of(asked)).serialize(mask=True)


def auth_bytes(key: str) -> bytes:
    """The message that gives a WebSocket another key."""
    said = json.dumps({"type": "auth", "api_key": key}).encode()
    return Frame(Opcode.TEXT, said).serialize(mask=True)


def key_of(asked: Asked) -> str | None:
    """The key that a request came with, whether its handshake or a message had brought it."""
    value = next((value for name, value in asked.headers if name == "authorization"), None)
    return None if value is None else value.removeprefix("Bearer ")


def body_of(asked: Asked) -> bytes:
    """The body as it came."""
    return (asked.body or "").encode() if asked.body_base64 is None else base64.b64decode(asked.body_base64)


def request_bytes(asked: Asked) -> bytes:
    """The request as it is sent: its own header fields, but for those of the framing."""
    body = body_of(asked)
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
