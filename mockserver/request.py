"""What a client sent: one frozen value, read once, asked by matchers, replies and the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec


class _Unread:
    """The body was not parsed yet."""


_UNREAD = _Unread()


class NotJSON(ValueError):  # noqa: N818  # what the body is, not what went wrong
    """The body is no JSON document; the message says why."""


@dataclass(slots=True)
class Request:
    """One request as it arrived. Never changed after it was built; only the parsed body is remembered.

    `path` is decoded and without the session's prefix, `raw_path` is as it was sent (without the query). `headers`
    have lower-case names, in order. `connection` numbers the connections of the server from 1, `on_connection` the
    requests of that connection from 1, `number` the requests of the session from 1. `received` is the server's
    monotonic clock in seconds. `peer` is the client's address; empty: there is none, it is of this process or host.
    """

    method: str
    path: str
    raw_path: bytes = b""
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    http_version: str = "1.1"
    session: str = ""
    connection: int = 0
    on_connection: int = 1
    number: int = 1
    received: float = 0.0
    peer: str = ""
    _parsed: Any = field(default=_UNREAD, repr=False, compare=False)

    def header(self, name: bytes) -> bytes | None:
        """The first value of the header `name` (lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def forget(self) -> None:
        """Drop the parsed body; it is parsed again when asked for. Journals keep thousands of requests."""
        self._parsed = _UNREAD

    def json(self) -> Any:
        """The body as plain JSON values. Raises `NotJSON`."""
        if self._parsed is _UNREAD:
            try:
                self._parsed = msgspec.json.decode(self.body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self._parsed = NotJSON(str(error))
        if isinstance(self._parsed, NotJSON):
            raise self._parsed
        return self._parsed
