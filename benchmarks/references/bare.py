"""`bare ASGI`: uvicorn with httptools and uvloop around one callable that decodes the request and sends ready bytes.

`?events=N` sets the length of a stream, `?gap=S` the seconds between its events (absolute deadlines, one `send` per
event), `?coalesce` sends all of it at once.
"""

from __future__ import annotations

import asyncio
import sys
import urllib.parse
from functools import cache
from typing import Any

import msgspec
import uvicorn

from benchmarks.payload import EVENTS, completion, events

BODY = completion()
PLAIN = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
decode = msgspec.json.Decoder().decode


@cache
def settings(query: bytes) -> tuple[int, float, bool]:
    """Events, gap and whether all goes out at once, from a query string."""
    asked = urllib.parse.parse_qs(query.decode(), keep_blank_values=True)
    return int(asked.get("events", [str(EVENTS)])[0]), float(asked.get("gap", ["0"])[0]), "coalesce" in asked


@cache
def messages(count: int) -> tuple[dict[str, Any], ...]:
    """The ASGI message of each event."""
    return tuple({"type": "http.response.body", "body": event, "more_body": True} for event in events(count))


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The whole server."""
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if body and decode(body).get("stream"):
        await stream(scope, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    await send({"type": "http.response.body", "body": BODY})


async def stream(scope: Any, send: Any) -> None:
    """Answer with events."""
    count, gap, at_once = settings(scope["query_string"])
    await send({"type": "http.response.start", "status": 200, "headers": STREAM})
    if at_once:
        await send({"type": "http.response.body", "body": b"".join(events(count))})
        return
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number, event in enumerate(messages(count)):
        if gap and 0 < number < count:
            due += gap
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(early)
        await send(event)
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve on the port given."""
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        backlog=4096,
    )


if __name__ == "__main__":
    main()
