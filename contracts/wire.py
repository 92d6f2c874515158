"""Bytes to and from a server over a plain socket: nothing is retried, mended, decoded or hidden.

The judge does not speak through an HTTP library, because a library would mend what the judge must see.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from contracts.exchange import Call, Exchange
from contracts.oracle import Event, EventReader, Malformed, Response, read_response

ENDPOINT = re.compile(r"/v1(/chat/completions|/completions|/embeddings|/models)?\Z")
"""What users leave at the end of a base URL."""
MOST = 1 << 26
"""Bytes that are read of one connection: 64 MiB are the answer to no request of the judge."""


class NoAnswer(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The server gave no whole response head: refused, closed, reset, silent, or no HTTP. `how` is one of these."""

    def __init__(self, how: str, call: Call | None, detail: str = "") -> None:
        self.how = how
        self.call = call
        super().__init__(f"{how}{': ' + detail if detail else ''}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is. `prefix` is the path below which its API begins, without `/v1`."""

    host: str
    port: int
    prefix: str = ""
    tls: bool = False

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.prefix}"


def parse_url(url: str) -> Place:
    """Raises `ValueError` that says what a base URL looks like."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no base URL: {error}; expected http://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no base URL; expected http://HOST:PORT or https://HOST")
    prefix = ENDPOINT.sub("", parts.path.rstrip("/")).rstrip("/")
    return Place(parts.hostname, port or (443 if parts.scheme == "https" else 80), prefix, parts.scheme == "https")


def encode(call: Call, place: Place, api_key: str | None, keep: bool = True) -> bytes:
    """The request as bytes; the fields of the call come last and win over the usual ones."""
    own = {name.lower() for name, _ in call.fields}
    default = 443 if place.tls else 80
    fields = [("Host", place.host if place.port == default else f"{place.host}:{place.port}")]
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        fields.append(("Content-Length", str(len(call.body))))
    if api_key:
        fields.append(("Authorization", f"Bearer {api_key}"))
    if not keep:
        fields.append(("Connection", "close"))
    fields = [f for f in fields if f[0].lower() not in own] + [f for f in call.fields if f[1] is not None]
    head = f"{call.method} {place.prefix}{call.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields)
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + call.body


class Connection:
    """One connection and all bytes that came over it. Deadlines are monotonic seconds."""

    def __init__(self, place: Place, timeout: float = 30.0) -> None:
        self.timeout = timeout
        try:
            self.socket = socket.create_connection((place.host, place.port), timeout)
        except OSError as error:
            raise NoAnswer("refused", None, f"cannot connect to {place.url}: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.tls:
            self._encrypt(place)
        self.buffer = b""
        self.ended = ""
        self.started = time.monotonic()
        self.arrivals: list[tuple[float, int]] = []

    def _encrypt(self, place: Place) -> None:
        try:
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=place.host)
        except OSError as error:
            self.socket.close()
            plain = not isinstance(error, ssl.SSLCertVerificationError)
            hint = f"; try http://{place.url.removeprefix('https://')}" if plain else ""
            raise NoAnswer("refused", None, f"no TLS with {place.url}: {error}{hint}") from error

    def send(self, data: bytes, call: Call | None = None) -> None:
        """Writes all of it; a peer that closed meanwhile is noticed when reading."""
        self.started = time.monotonic()
        self.arrivals = []
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
        except TimeoutError:
            raise NoAnswer("timeout", call, "the server does not read the request") from None
        except OSError:
            return

    def receive(self, deadline: float) -> bool:
        """Waits for more bytes; False when there will be none (see `ended`). What never stops coming is `timeout`."""
        if self.ended:
            return False
        if time.monotonic() > deadline or len(self.buffer) > MOST:
            self.ended = "timeout"
            return False
        try:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            self.ended = "timeout"
            return False
        except OSError:
            self.ended = "reset"
            return False
        if not data:
            self.ended = "fin"
            return False
        self.buffer += data
        self.arrivals.append((time.monotonic() - self.started, len(self.buffer)))
        return True

    def response(self, call: Call, timeout: float | None = None) -> Exchange:
        """Reads one whole response, or as much of it as comes. Raises `NoAnswer`."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            try:
                response = self._whole(call)
            except Malformed as error:
                raise NoAnswer("no HTTP", call, str(error)) from error
            if response is not None and (response.complete or self.ended):
                break
            if self.ended:
                raise NoAnswer(self.ended, call, f"before a response; {len(self.buffer)} bytes came")
            self.receive(deadline)
        ended = "whole" if response.complete and response.framing != "close" else self.ended
        self.buffer = response.rest
        return Exchange(call, response, ended, time.monotonic() - self.started, tuple(self.arrivals))

    def _whole(self, call: Call) -> Response | None:
        """The response read so far; chunked bodies are parsed only when they may be at their end."""
        if not self.ended and b"\r\n\r\n" in self.buffer and not self.buffer.endswith(b"\r\n\r\n"):
            head = read_response(self.buffer[: self.buffer.find(b"\r\n\r\n") + 4], call.method)
            if head is not None and head.framing == "chunked" and b"\r\n0\r\n" not in self.buffer[-400:]:
                return None
        return read_response(self.buffer, call.method, closed=self.ended == "fin")

    def close(self, abruptly: bool = False) -> None:
        """Ends the connection: in order, or by a reset."""
        with contextlib.suppress(OSError):
            if abruptly:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            self.socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenStream:
    """A stream in progress: events are read one at a time, and the reader may leave at any moment."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self.connection = connection
        self.call = call
        self._reader = EventReader()
        self._seen = 0
        self._events: list[Event] = []

    def head(self) -> Response:
        """Waits for the response head. Raises `NoAnswer`."""
        deadline = time.monotonic() + self.connection.timeout
        while True:
            try:
                response = read_response(self.connection.buffer, self.call.method, bool(self.connection.ended))
            except Malformed as error:
                raise NoAnswer("no HTTP", self.call, str(error)) from error
            if response is not None:
                return response
            if not self.connection.receive(deadline):
                raise NoAnswer(self.connection.ended, self.call, "before a response head")

    def events(self) -> Iterator[Event]:
        """Events as they come, until the body ends."""
        deadline = time.monotonic() + self.connection.timeout
        while True:
            response = self.head()
            fresh = self._reader.feed(response.body[self._seen :])
            self._seen = len(response.body)
            yield from fresh
            if response.complete or not self.connection.receive(deadline):
                return

    def rest(self) -> Exchange:
        """Reads the stream to its end."""
        return self.connection.response(self.call)

    def close(self, abruptly: bool = False) -> None:
        """Leaves."""
        self.connection.close(abruptly)

    def __enter__(self) -> OpenStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
