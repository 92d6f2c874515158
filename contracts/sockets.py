"""A WebSocket (RFC 6455) over a plain connection, written from the standard alone: nothing is mended or hidden.

A frame that the standard forbids is handed out as it is, and `wrong` holds what is wrong with it, for S-WS-02. Messages
go out masked, whole or in pieces; pings and goodbyes are frames like others.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.exchange import MESSAGE, Call, Exchange
from contracts.law import Breach
from contracts.wire import Connection, NoAnswer

if TYPE_CHECKING:
    from contracts.target import Target

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came (5.2). `head` is its first byte: FIN, the reserved bits and the opcode."""

    head: int
    masked: bool
    data: bytes

    @property
    def opcode(self) -> int:
        """What it is."""
        return self.head & 0x0F

    @property
    def final(self) -> bool:
        """Whether the message ends with it."""
        return bool(self.head & 0x80)

    @property
    def code(self) -> int | None:
        """The code of a close frame; None where it has none (7.1.5)."""
        return int.from_bytes(self.data[:2], "big") if len(self.data) >= 2 else None


def read_frame(data: bytes) -> tuple[Frame, bytes] | None:
    """The first frame and what follows it; None while it is not whole."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    if size >= 126:
        wide = 2 if size == 126 else 8
        size, at = int.from_bytes(data[2 : 2 + wide], "big"), 2 + wide
    mask = b""
    if data[1] & 0x80:
        mask, at = data[at : at + 4], at + 4
    if len(data) < at + size:
        return None
    held = data[at : at + size]
    return Frame(data[0], bool(mask), _masked(held, mask) if mask else held), data[at + size :]


def forbidden(came: Frame, continued: bool) -> str:
    """What no frame of a server may be (5.1, 5.2, 5.4, 5.5), nor of this API, which speaks text; "" where all is well.

    `continued`: the message before it is not whole yet.
    """
    control = came.opcode >= CLOSE
    faults = (
        (came.masked, "a masked frame"),
        (came.head & 0x70, "a reserved bit that is set"),
        (came.opcode not in (CONT, TEXT, BINARY, CLOSE, PING, PONG), f"a frame of opcode {came.opcode}"),
        (came.opcode == BINARY, "a binary message"),
        (control and not came.final, "a control frame in pieces"),
        (control and len(came.data) > 125, f"a control frame of {len(came.data)} bytes"),
        (not control and came.opcode != CONT and continued, "a message inside another"),
        (came.opcode == CONT and not continued, "a continuation of nothing"),
    )
    return next((what for wrong, what in faults if wrong), "")


def frame(opcode: int, data: bytes, *, head: int = 0x80, masked: bool = True) -> bytes:
    """A frame of a caller. `head` has FIN and the reserved bits."""
    size, bit = len(data), 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 1 << 16:
        length = bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([bit | 127]) + size.to_bytes(8, "big")
    start = bytes([head | opcode]) + length
    if not masked:
        return start + data
    mask = os.urandom(4)
    return start + mask + _masked(data, mask)


def _masked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    keys = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


def handshake(path: str, key: str, *fields: tuple[str, str]) -> Call:
    """The request that opens a socket (4.1)."""
    usual = (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
    )
    return Call("GET", path, b"", (*usual, *fields))


def new_key() -> str:
    """Sixteen random bytes (4.1, 7)."""
    return base64.b64encode(os.urandom(16)).decode()


def proof(key: str) -> str:
    """What Sec-WebSocket-Accept must be (4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode()


class Socket:
    """An open socket of a target. `ended`: how the connection ended, "" while it is open. `wrong`: what was forbidden
    of the frames that came.
    """

    def __init__(self, target: Target, path: str, *fields: tuple[str, str]) -> None:
        """Shakes hands. Raises `NoAnswer`; `shaken` is the exchange, whatever its status."""
        self.target = target
        self.path = path
        self.key = new_key()
        self.wrong: list[str] = []
        self._continued = False
        call = handshake(path, self.key, *fields)
        target.sent.append(call)
        self.connection: Connection = target.connect()
        try:
            self.connection.send(target.encode(call), call)
            self.shaken: Exchange = target.keep(self.connection.response(call))
        except NoAnswer:
            self.close()
            raise

    @property
    def open(self) -> bool:
        """Whether the server agreed."""
        return self.shaken.status == 101

    @property
    def ended(self) -> str:
        """How the connection ended."""
        return self.connection.ended

    def say(self, message: Any) -> None:
        """A text message: bytes as they are, or a document."""
        data = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        self.target.sent.append(Call(MESSAGE, self.path, data))
        self.write(frame(TEXT, data))

    def write(self, data: bytes) -> None:
        """Bytes of one's own."""
        self.connection.send(data)

    def next(self, timeout: float | None = None) -> Frame | None:
        """The next frame; None when the connection ends, or nothing comes in time (see `ended`)."""
        deadline = time.monotonic() + (timeout or self.target.timeout)
        while (found := read_frame(self.connection.buffer)) is None:
            if not self.connection.receive(deadline):
                return None
        came, self.connection.buffer = found
        if what := forbidden(came, self._continued):
            self.wrong.append(what)
        if came.opcode < CLOSE:
            self._continued = not came.final
        return came

    def message(self, until: float | None = None) -> bytes:
        """The next whole message, pings answered. Raises `Breach` where none comes in time: until that moment of the
        monotonic clock, else within the target's time.
        """
        until = time.monotonic() + self.target.timeout if until is None else until
        data = b""
        while True:
            left = until - time.monotonic()
            came = self.next(left) if left > 0 else None
            if came is None:
                raise Breach(
                    "a message", f"none; the connection ended by {self.ended}" if self.ended else "none in time"
                )
            if came.opcode == PING:
                self.write(frame(PONG, came.data))
            elif came.opcode == CLOSE:
                raise Breach("a message", f"a close frame with code {came.code} {came.data[2:]!r}")
            elif came.opcode in (CONT, TEXT, BINARY):
                data += came.data
                if came.final:
                    return data

    def answer(self) -> list[dict[str, Any]]:
        """The messages of one answer: to the one in which all choices have finished, or which is no chunk.

        Raises `Breach` where there is no such one within the target's time, however many come.
        """
        until = time.monotonic() + self.target.timeout
        found: list[dict[str, Any]] = []
        open_choices: set[Any] = set()
        while True:
            if found and time.monotonic() > until:
                raise Breach("an answer that ends", f"{len(found)} messages in {self.target.timeout:g} s, and no end")
            data = self.message(until)
            try:
                document = json.loads(data)
            except ValueError:
                document = None
            if not isinstance(document, dict):
                raise Breach("messages that are JSON objects", data[:200])
            found.append(document)
            choices = document.get("choices")
            if not isinstance(choices, list) or not choices:
                return found
            for choice in choices:
                at = choice.get("index") if isinstance(choice, dict) else None
                done = isinstance(choice, dict) and bool(choice.get("finish_reason"))
                open_choices = open_choices - {at} if done else open_choices | {at}
            if not open_choices:
                return found

    def close(self) -> None:
        """Leaves without a word."""
        self.connection.close()

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
