"""`Starlette app`: what a service of one route looks like when nobody counts."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.payload import EVENTS, PATH, completion, events

DOCUMENT = json.loads(completion())


async def chat(request: Request) -> Response:
    """A chat completion."""
    if (await request.json()).get("stream"):
        return StreamingResponse(
            pieces(int(request.query_params.get("events", EVENTS))), media_type="text/event-stream"
        )
    return JSONResponse(DOCUMENT)


async def pieces(count: int) -> AsyncIterator[bytes]:
    """One event after the other."""
    for event in events(count):
        yield event


async def health(request: Request) -> Response:
    """Alive."""
    return JSONResponse({})


def main() -> None:
    """Serve on the port given."""
    app = Starlette(routes=[Route(PATH, chat, methods=["POST"]), Route("/health", health)])
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
