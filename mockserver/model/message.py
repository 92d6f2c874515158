"""What a text message on a WebSocket is: credentials, a ping, or a request. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

PONG = b'{"type":"pong"}'


@dataclass(frozen=True, slots=True)
class Auth:
    """`{"type": "auth", "api_key": "..."}`; a key that is no text is an empty one."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """`{"type": "ping"}`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Anything else is a request, good or bad; it is read where requests are read."""

    body: bytes


Message: TypeAlias = Auth | Ping | Asked


class _Typed(msgspec.Struct):
    type: str | None = None
    api_key: str | None = None


def read_message(data: bytes) -> Message:
    """The meaning of a message. Never raises."""
    if b'"type"' not in data or b'"messages"' in data or b'"prompt"' in data:
        return Asked(data)
    try:
        found = msgspec.json.decode(data, type=_Typed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Asked(data)
    if found.type == "auth":
        return Auth((found.api_key or "").encode())
    return Ping() if found.type == "ping" else Asked(data)
