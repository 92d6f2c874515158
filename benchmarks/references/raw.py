"""`raw protocol`: an `asyncio.Protocol` on uvloop with ready bytes. Nothing written in Python answers with less.

It finds the end of a request and whether it wants a stream, and no more. `?events=N&gap=S` as for `bare`; a paced
stream has absolute deadlines, one callback and one write per event.
"""

from __future__ import annotations

import asyncio
import re
import sys
from functools import cache
from typing import cast

import uvloop

from benchmarks.payload import EVENTS, completion, events

BODY = completion()
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
COUNT = re.compile(rb"[?&]events=(\d+)")
PAUSE = re.compile(rb"[?&]gap=([0-9.]+)")


@cache
def chunks(count: int) -> tuple[bytes, ...]:
    """The events as they go over the wire; the head is before the first, the end of the body behind the last."""
    framed = [b"%x\r\n%b\r\n" % (len(event), event) for event in events(count)]
    framed[0] = HEAD + framed[0]
    framed[-1] += b"0\r\n\r\n"
    return tuple(framed)


class Raw(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self.transport = cast("asyncio.Transport", transport)
        self.held = b""
        self.at = 0.0
        self.gap = 0.0
        self.number = 0
        self.chunks: tuple[bytes, ...] = ()

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.held, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.held) < whole:
                return
            request, self.held = self.held[:whole], self.held[whole:]
            if b'"stream": true' in request:
                self.stream(request)
            else:
                self.transport.write(PLAIN)

    def stream(self, request: bytes) -> None:
        """Start to answer with events."""
        line = request[: request.index(b"\r\n")]
        count, gap = COUNT.search(line), PAUSE.search(line)
        self.chunks = chunks(int(count[1]) if count else EVENTS)
        self.gap = float(gap[1]) if gap else 0.0
        self.number = 0
        if not self.gap:
            for chunk in self.chunks:
                self.transport.write(chunk)
            return
        self.at = asyncio.get_running_loop().time()
        self.tick()

    def tick(self) -> None:
        """One event, and the appointment for the next. `[DONE]` goes with the last."""
        if self.transport.is_closing():
            return
        self.transport.write(self.chunks[self.number])
        self.number += 1
        if self.number < len(self.chunks) - 1:
            self.at += self.gap
            asyncio.get_running_loop().call_at(self.at, self.tick)
        else:
            self.transport.write(self.chunks[-1])


async def serve(port: int) -> None:
    """Listen for ever."""
    server = await asyncio.get_running_loop().create_server(Raw, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Serve on the port given."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
