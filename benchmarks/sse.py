"""Reading responses for the load generators: as little as counting needs while it runs, exactly once it is over.

`Meter` counts the events of responses as their bytes come, and knows when each is whole. `arrivals` takes the log of a
whole response (when which bytes came) and gives each event with the moment its last byte came. The rules are those of
RFC 9112, 6 and 7.1; nothing is shared with the client, the fake server or the judge.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

END = b"0\r\n\r\n"
"""What the body of a chunked response ends with; no event can (it ends with two LF and the CRLF of its chunk)."""


class BadResponseError(Exception):
    """The response is not one that can be measured; the message says what came."""


class Meter:
    """Counts what comes on one connection: `responses` that are whole, `events` in them (blocks ended by a blank line).

    `refused` counts the responses by status where that is not 200.
    """

    __slots__ = ("_body", "_left", "_tail", "events", "refused", "responses")

    def __init__(self) -> None:
        self.responses = 0
        self.events = 0
        self.refused: dict[int, int] = {}
        self._body = False
        self._left = -1  # bytes of the body still to come; -1: chunked
        self._tail = b""

    def feed(self, data: bytes) -> bool:
        """Whether `data` ends the response (one at a time: no pipelining)."""
        if not self._body:
            data = self._tail + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._tail = data
                return False
            status, self._left = framing(data[: end + 2])
            if status != 200:
                self.refused[status] = self.refused.get(status, 0) + 1
            self._body = True
            self._tail = b""
            data = data[end + 4 :]
        if self._left >= 0:
            self.events += data.count(b"\n\n")
            self._left -= len(data)
            whole = self._left <= 0
        else:
            joined = self._tail + data
            self.events += joined.count(b"\n\n") - self._tail.count(b"\n\n")
            whole = joined.endswith(END)
            self._tail = joined[-4:]
        if whole:
            self.responses += 1
            self._body = False
            self._tail = b""
        return whole


def framing(head: bytes) -> tuple[int, int]:
    """Status and length of the body, -1 where it is chunked. `head` ends with the CRLF of its last line."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at >= 0:
        return int(head[9:12]), int(lowered[at + 17 : lowered.index(b"\r\n", at + 17)])
    if b"\r\ntransfer-encoding: chunked\r\n" not in lowered:
        raise BadResponseError(f"neither Content-Length nor chunks in {head!r}")
    return int(head[9:12]), -1


def arrivals(log: Sequence[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """The events of one whole response, each with the time at which its last byte came.

    `log` holds what was received, in order: when (seconds) and what. An event is its `data` without the field's name.
    """
    wire = b"".join([data for _, data in log])
    ends, total = [], 0
    for _, data in log:
        total += len(data)
        ends.append(total)
    head = wire.find(b"\r\n\r\n")
    if head < 0:
        raise BadResponseError(f"no head in {wire[:200]!r}")
    status, length = framing(wire[: head + 2])
    if status != 200:
        raise BadResponseError(f"status {status}: {wire[head + 4 : head + 304]!r}")
    found = []
    held = b""
    for start, stop in _pieces(wire, head + 4, length):
        piece = wire[start:stop]
        before = len(held)
        held += piece
        begin = 0
        while (end := held.find(b"\n\n", begin)) >= 0:
            at = start + max(0, end + 1 - before)
            when = log[bisect_right(ends, at)][0]
            found.append((when, held[begin:end].removeprefix(b"data:").strip()))
            begin = end + 2
        held = held[begin:]
    return found


def _pieces(wire: bytes, at: int, length: int) -> Iterator[tuple[int, int]]:
    """Where the body lies in the bytes of the wire."""
    if length >= 0:
        yield at, min(at + length, len(wire))
        return
    while True:
        end = wire.find(b"\r\n", at)
        if end < 0:
            raise BadResponseError(f"the body breaks off in a chunk's size: {wire[at:]!r}")
        size = int(wire[at:end].partition(b";")[0], 16)
        if not size:
            return
        if end + 2 + size > len(wire):
            raise BadResponseError(f"the body breaks off in a chunk of {size} bytes")
        yield end + 2, end + 2 + size
        at = end + 4 + size
