"""Server-sent events by the letter of WHATWG HTML 9.2.6, over bytes, without I/O.

Lines end at LF, CR or CRLF and nowhere else (U+2028 and U+0085 are data). One leading byte order mark is dropped. The
bytes of `data` are handed on as they came: UTF-8 is decoded, with replacement, only by who reads text. An event without
a `data` line is never dispatched, an unterminated last event is dropped. Every byte is looked at a bounded number of
times, whatever the segments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """A dispatched event: its name (`None` is the default, "message") and its data as UTF-8 bytes."""

    name: str | None
    data: bytes

    @property
    def text(self) -> str:
        """The data as text; invalid UTF-8 is replaced by U+FFFD."""
        return self.data.decode("utf-8", "replace")


class SSEDecoder:
    """Feed it segments of a body, get the events that became whole; `last_event_id`, `retry_ms` as in the standard."""

    __slots__ = ("_carry", "_data", "_head", "_name", "_skip_lf", "last_event_id", "retry_ms")

    def __init__(self) -> None:
        self._head: bytes | None = b""  # the first bytes until it is known whether they are a BOM; then None
        self._carry: list[bytes] = []  # pieces of the line that has no end yet
        self._skip_lf = False  # the last segment ended in CR: a LF at the start of the next belongs to it
        self._data: list[bytes] = []
        self._name: str | None = None
        self.last_event_id = ""
        self.retry_ms: int | None = None

    def feed(self, segment: bytes) -> list[Event]:
        """The events that end in this segment, in order."""
        if self._head is not None:
            segment = self._head + segment
            if len(segment) < len(BOM) and BOM.startswith(segment):
                self._head = segment
                return []
            self._head = None
            segment = segment.removeprefix(BOM)
        if self._skip_lf and segment:
            self._skip_lf = False
            if segment[0] == 10:
                segment = segment[1:]
        if not segment:
            return []
        lines = segment.splitlines()
        last = segment[-1]
        whole = last in (10, 13)
        self._skip_lf = last == 13
        carry = self._carry
        if carry:
            carry.append(lines[0])
            if len(lines) == 1 and not whole:
                return []
            lines[0] = b"".join(carry)
            carry.clear()
        if not whole:
            carry.append(lines.pop())
        events: list[Event] = []
        data = self._data
        for line in lines:
            if line[:5] == b"data:":
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line:
                self._field(line)
            else:
                if data:
                    events.append(Event(self._name, data[0] if len(data) == 1 else b"\n".join(data)))
                    data.clear()
                self._name = None
        return events

    def feed_all(self, segments: Iterable[bytes]) -> list[Event]:
        """The events of a whole body."""
        return [event for segment in segments for event in self.feed(segment)]

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":  # without a colon
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace") or None
        elif name == b"id":
            if b"\0" not in value:
                self.last_event_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 4300:  # bytes.isdigit is ASCII only
            self.retry_ms = int(value)

    def ends_done(self) -> bool:
        """Whether the unterminated last event is a whole `data: [DONE]`: it counts, unlike any other."""
        data = list(self._data)
        rest = b"".join(self._carry)
        if rest.startswith(b"data:"):
            data.append(rest[5:])
        elif rest:
            return False
        return len(data) > 0 and b"\n".join(data).strip() == b"[DONE]"
