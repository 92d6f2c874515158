"""Servers that are wrong below HTTP: half requests, lengths, bytes that are no HTTP, segments."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time

from .mutant import Mutant, mutant
from .relay import Link, Relay, response

METHOD = re.compile(rb"[A-Z]+ (/|\*)")
SEGMENTS_IN = 152
"""Where `tcp_info` (linux/tcp.h) counts the segments with data that came in."""


class KeepsHalves(Relay):
    """The places of requests whose body never came stay taken, until someone has paid for them."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """The one who pays is told so. Callers that have just left are waited for, so that they are counted."""
        if len(self.links) > 3 and link.begun(data):
            time.sleep(0.1)
        with self.lock:
            pays = self.memory.get("halves", 0) >= 4 and link.begun(data) and not self.lacks(link)
            if pays:
                self.memory["halves"] = 0
        if pays:
            link.tell(response(429))
            return None
        return data

    def left(self, link: Link) -> None:
        """A head whose body lacks bytes when its caller leaves."""
        if link.lengths() and self.lacks(link):
            with self.lock:
                self.memory["halves"] = self.memory.get("halves", 0) + 1

    def lacks(self, link: Link) -> bool:
        """Whether the head promises more than came."""
        length = (link.lengths() or [b""])[0]
        return length.isdigit() and len(link.up.partition(b"\r\n\r\n")[2]) < int(length)


class OneAtATime(Relay):
    """Ten callers that have sent half a head keep all others out."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """Refused while they are there."""
        with self.lock:
            waiting = sum(b"\r\n\r\n" not in other.up for other in self.links if other.up)
        if waiting >= 10 and link.head:
            link.tell(response(429))
            return None
        return data


class TakesGarbage(Relay):
    """Bytes that are no HTTP are answered 200."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """The first bytes decide."""
        if link.begun(data) and not METHOD.match(data) and b"\r\n\r\n" in data:
            link.tell(response(200, b"{}"))
            return None
        return data


class TakesLengths(Relay):
    """A length that is no number is taken for none."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """Answered without a look at the body."""
        if link.begun(data) and any(not length.isdigit() for length in link.lengths()):
            link.tell(response(200, b"{}"))
            return None
        return data


class Smuggles(Relay):
    """Of both ways to say a length one is dropped, and what follows is the next request."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """Without Content-Length."""
        if link.begun(data) and link.lengths() and b"transfer-encoding: chunked" in link.head:
            return re.sub(rb"(?i)content-length:[^\r]*\r\n", b"", data)
        return data


class NeedsOneSegment(Relay):
    """A head that comes in several segments is refused."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """Counted by the kernel, so that it does not matter how fast they are read."""
        if link.head and link.head.startswith(b"post") and not link.down and len(link.up) < 20_000:
            held = link.caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            if len(held) >= SEGMENTS_IN + 4 and struct.unpack_from("I", held, SEGMENTS_IN)[0] > 1:
                link.tell(response(400))
                return None
        return data


class TakesStreamsAlong(Relay):
    """Four bad requests while a stream is open end it."""

    def said(self, link: Link, data: bytes) -> bytes:
        """A stream's end is held back a little, to see what else happens."""
        if data.startswith(b"HTTP/1.1 4"):
            with self.lock:
                self.memory["bad"] = self.memory.get("bad", 0) + 1
        if b"text/event-stream" not in link.down[:600] or b"[DONE]" not in data:
            return data
        before, until = self.memory.get("bad", 0), time.monotonic() + 0.3
        while time.monotonic() < until:
            if self.memory.get("bad", 0) - before >= 4:
                with contextlib.suppress(OSError):
                    link.caller.sendall(data[: data.rindex(b"data: [DONE]")])
                link.leave()
                return b""
            time.sleep(0.005)
        return data


MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "halves-are-kept", "Requests whose body never came keep their place.", None, "S-HEALTH-05", relay=KeepsHalves
    ),
    mutant("halves-block", "Ten half requests keep all others out.", None, "S-HEALTH-06", relay=OneAtATime),
    mutant("garbage-is-fine", "Bytes that are no HTTP are answered 200.", None, "S-HEALTH-12", relay=TakesGarbage),
    mutant("any-length", "A Content-Length that is no number is taken.", None, "S-HEALTH-13", relay=TakesLengths),
    mutant("smuggles", "A request in a request's body is answered.", None, "S-SECURE-07", relay=Smuggles),
    mutant("one-segment", "A request in several segments is refused.", None, "S-SAME-13", relay=NeedsOneSegment),
    mutant(
        "bad-ones-end-streams",
        "Four bad requests end a stream of another caller.",
        None,
        "S-HEALTH-08",
        relay=TakesStreamsAlong,
        judged=("S-HEALTH-08", "S-ALONE", "S-FRAME-05"),
    ),
)
