"""A slow and obvious reader of HTTP/1.1 responses and server-sent events, written from the standards alone.

It shares nothing with the client or the fake: it is the third reading of the wire. HTTP follows RFC 9112 (status line
4, fields 5, body length 6, chunked coding 7.1); events follow the HTML standard, 9.2.6, to the letter: one leading
byte order mark is dropped, lines end with CRLF, LF or CR, an event without data is not dispatched, an event that the
stream leaves unfinished is discarded. What a standard forbids raises `Malformed`; what it merely leaves open is read.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Fields: TypeAlias = tuple[tuple[str, str], ...]
"""Header fields in order, names as sent, values without the white space around them."""

STATUS_LINE = re.compile(rb"HTTP/(\d\.\d) (\d{3})(?: ([^\r\n]*))?\Z")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*\Z", re.DOTALL)
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\Z", re.DOTALL)


class Malformed(ValueError):  # noqa: N818 - it says what was found, in the law's words
    """The bytes are no HTTP/1.1 response; the message says what was wrong and the bytes seen."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response as it was framed.

    `framing` says how its end was found; `complete` is False while the framing promises more bytes; `rest` is what
    came after the end; `chunks` are the data of the chunked coding, in order; `interim` counts 1xx responses before it.
    """

    version: str
    status: int
    reason: str
    fields: Fields
    body: bytes
    framing: Literal["length", "chunked", "close", "none"]
    complete: bool
    rest: bytes = b""
    chunks: tuple[bytes, ...] = ()
    interim: int = 0

    def field(self, name: str) -> str | None:
        """The value of the field `name` (any case), several joined by commas (RFC 9110, 5.3); None when absent."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None


def read_response(data: bytes, method: str = "GET", closed: bool = False) -> Response | None:
    """The first final response in `data`, or None while its head is not whole.

    `closed`: the sender has ended the connection, so a body delimited by close is complete. Raises `Malformed`.
    """
    interim = 0
    while True:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if data and not b"HTTP/".startswith(data[:5]) and not data.startswith(b"HTTP/"):
                raise Malformed(f"a response begins with 'HTTP/'; got {data[:40]!r}")
            return None
        version, status, reason, fields = _read_head(data[:end])
        data = data[end + 4 :]
        if 100 <= status < 200 and status != 101:
            interim += 1
            continue
        break
    framing, length = _framing(status, fields, method)
    if framing == "none":
        return Response(version, status, reason, fields, b"", framing, True, data, (), interim)
    if framing == "length":
        complete = len(data) >= length
        return Response(version, status, reason, fields, data[:length], framing, complete, data[length:], (), interim)
    if framing == "chunked":
        chunks, complete, rest = _read_chunks(data)
        return Response(version, status, reason, fields, b"".join(chunks), framing, complete, rest, chunks, interim)
    return Response(version, status, reason, fields, data, framing, closed, b"", (), interim)


def _read_head(head: bytes) -> tuple[str, int, str, Fields]:
    first, *lines = head.split(b"\r\n")
    match = STATUS_LINE.match(first)
    if match is None:
        raise Malformed(f"a status line reads 'HTTP/1.1 200 reason'; got {first[:80]!r}")
    fields = []
    for line in lines:
        field = FIELD.match(line)
        if field is None or b"\x00" in line or b"\r" in line or b"\n" in line:
            raise Malformed(f"a header field reads 'name: value'; got {line[:80]!r}")
        fields.append((field[1].decode("ascii"), field[2].decode("latin-1")))
    return match[1].decode(), int(match[2]), (match[3] or b"").decode("latin-1"), tuple(fields)


def _framing(status: int, fields: Fields, method: str) -> tuple[Literal["length", "chunked", "close", "none"], int]:
    """How the body ends (RFC 9112, 6.3), and its length where the head says it."""
    lengths = {
        value.strip() for key, values in fields if key.lower() == "content-length" for value in values.split(",")
    }
    codings = [value.strip().lower() for k, vs in fields if k.lower() == "transfer-encoding" for value in vs.split(",")]
    if any(not re.fullmatch(r"\d+", length) for length in lengths) or len(lengths) > 1:
        raise Malformed(f"Content-Length is one decimal number; got {sorted(lengths)}")
    if method == "HEAD" or status in (101, 204, 304):
        return "none", 0
    if codings:
        return ("chunked", 0) if codings[-1] == "chunked" else ("close", 0)
    return ("length", int(lengths.pop())) if lengths else ("close", 0)


def _read_chunks(data: bytes) -> tuple[tuple[bytes, ...], bool, bytes]:
    """The chunks so far, whether the last one and the trailers were there, and what came after them."""
    chunks: list[bytes] = []
    while True:
        end = data.find(b"\r\n")
        if end < 0:
            return tuple(chunks), False, b""
        size = CHUNK_SIZE.match(data[:end])
        if size is None:
            raise Malformed(f"a chunk begins with its size in hexadecimal; got {data[:end][:40]!r}")
        length = int(size[1], 16)
        data = data[end + 2 :]
        if length == 0:
            return _after_trailers(chunks, data)
        if len(data) < length + 2:
            if data:
                chunks.append(data[:length])
            return tuple(chunks), False, b""
        if data[length : length + 2] != b"\r\n":
            raise Malformed(f"a chunk of {length} bytes ends with CRLF; got {data[length : length + 2]!r}")
        chunks.append(data[:length])
        data = data[length + 2 :]


def _after_trailers(chunks: list[bytes], data: bytes) -> tuple[tuple[bytes, ...], bool, bytes]:
    if data.startswith(b"\r\n"):
        return tuple(chunks), True, data[2:]
    end = data.find(b"\r\n\r\n")
    return (tuple(chunks), True, data[end + 4 :]) if end >= 0 else (tuple(chunks), False, b"")


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event: its type (`message` unless named), its data, the last event id and any retry time."""

    data: str
    name: str = "message"
    id: str = ""


class EventReader:
    """Reads an event stream character by character; `feed` may cut the bytes anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._first = True
        self._after_cr = False
        self._line: list[str] = []
        self._data: list[str] = []
        self._name = ""
        self._id = ""
        self.comments = 0
        self.unknown: list[str] = []

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        events: list[Event] = []
        for character in self._decoder.decode(data):
            if self._first:
                self._first = False
                if character == "\ufeff":
                    continue
            if character == "\n" and self._after_cr:
                self._after_cr = False
                continue
            self._after_cr = character == "\r"
            if character not in "\r\n":
                self._line.append(character)
                continue
            line = "".join(self._line)
            self._line = []
            if line:
                self._take(line)
                continue
            if self._data:
                events.append(Event("\n".join(self._data), self._name or "message", self._id))
            self._data, self._name = [], ""
        return events

    def _take(self, line: str) -> None:
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "" if colon:
                self.comments += 1
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id":
                if "\0" not in value:
                    self._id = value
            case "retry":
                pass
            case _:
                self.unknown.append(line)

    @property
    def pending(self) -> bool:
        """Whether an event was begun and not finished."""
        return bool(self._line or self._data)


def read_events(body: bytes) -> list[Event]:
    """All events of a whole body."""
    return EventReader().feed(body)
