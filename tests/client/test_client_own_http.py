"""A client or transport of the user's own under ours: the same answers, errors and ends of streams, sync and async."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hard_cases import NEXT, UNASKED
from own_cases import (
    ANSWER,
    BUSY,
    FIN,
    GOOD,
    HEL,
    HELLO,
    KEEP,
    Step,
    fails,
    ok,
    one_chunk,
    open_stream,
    plain,
    stream,
)
from raw_player import Player
from wire_cases import EVENT_HEAD, Outcome, check, chunked, play_async, run_sync

from inferneo import AsyncInferneoClient, InferneoClient, InferneoError
from inferneo._http import library

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
COMMENTS: list[Step] = [{"raw": one_chunk(b": ping\n\n")}, {"wait_s": 0.1}] * 30
CLOSING = EVENT_HEAD.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
ONCE = [{"raw": EVENT_HEAD + chunked(HELLO)}, KEEP]
CASES = [
    ok("whole", ONCE, expect={"reuse": True}),
    ok("last-late", [*open_stream(HELLO), {"wait_s": 0.01}, {"raw": "0\r\n\r\n"}, KEEP], expect={"reuse": True}),
    ok("last-in-two", [{"raw": EVENT_HEAD + one_chunk(HELLO) + "0\r"}, {"wait_s": 0.01}, {"raw": "\n\r\n"}, KEEP]),
    ok("more-after-done", [*open_stream(HELLO, HELLO), {"end": "stall"}], expect={"max_s": 3}, limit=8),
    ok("stall-after-done", [*open_stream(HELLO), {"end": "stall"}], expect={"max_s": 3}, limit=8),
    ok("unasked", [{"raw": EVENT_HEAD + chunked(HELLO) + UNASKED}, KEEP], GOOD, expect=NEXT),
    ok("retried", plain(503, BUSY, "retry-after-ms: 1"), stream(HELLO), retries=1, expect={"attempts": 2}),
    ok("closes-without-done", [{"raw": CLOSING + chunked(HELLO.removesuffix(b"data: [DONE]\n\n"))}, FIN]),
    fails("cut", "truncated", [*open_stream(HEL), FIN], expect={"partial": "Hel"}),
    fails("idle", "timeout", [*open_stream(HEL), *COMMENTS], expect={"partial": "Hel", "phase": "idle"}, limit=0.4),
    fails("status", "status", plain(400, BUSY), expect={"status": 400}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_own_client(case: dict[str, Any]) -> None:
    """Wire cases through an `http_client`: its own limits are numbers, ours hold all the same."""
    lib = library()
    with Player(case["attempts"]) as player, lib.Client(trust_env=False) as own:
        check(case, run_sync(case | {"client": {"http_client": own}}, player.url), player)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_own_client_async(case: dict[str, Any]) -> None:
    """The same in asyncio."""
    lib = library()

    async def main(url: str) -> Outcome:
        async with lib.AsyncClient(trust_env=False) as own:
            return await play_async(case | {"client": {"http_client": own}}, url)

    with Player(case["attempts"]) as player:
        check(case, asyncio.run(main(player.url)), player)


def test_transport_is_closed_with_the_client() -> None:
    """A transport that was given is the client's to close; what was read in full by it is read as it is."""
    lib = library()
    closed = []

    class Transport(lib.BaseTransport):  # type: ignore[misc, name-defined]  # the library is found at run time
        def handle_request(self, request: Any) -> Any:
            return lib.Response(200, json=ANSWER)

        def close(self) -> None:
            closed.append("sync")

    class AsyncTransport(lib.AsyncBaseTransport):  # type: ignore[misc, name-defined]  # see above
        async def handle_async_request(self, request: Any) -> Any:
            return lib.Response(200, json=ANSWER)

        async def aclose(self) -> None:
            closed.append("async")

    async def main() -> None:
        async with AsyncInferneoClient("http://own", transport=AsyncTransport()) as client:
            assert (await client.chat.completions.create("m", M)).text == "Hello"

    with InferneoClient("http://own", transport=Transport()) as client:
        assert client.chat.completions.create("m", M).text == "Hello"
    asyncio.run(main())
    assert closed == ["sync", "async"]


@pytest.mark.parametrize("content", [HELLO, HEL + b"data: {\n\n"])
def test_streams_of_a_transport_without_sockets(content: bytes) -> None:
    """There is nothing to drain and nothing to break."""
    lib = library()
    transport = lib.MockTransport(lambda _: lib.Response(200, content=iter([content])))
    with InferneoClient("http://own", transport=transport) as client:
        chunks = client.chat.completions.create("m", M, stream=True)
        if content is HELLO:
            assert chunks.until_done().text == "Hello"
        else:
            with pytest.raises(InferneoError):
                chunks.until_done()
        chunks = client.chat.completions.create("m", M, stream=True)
        assert next(chunks).text == "Hel"
        chunks.close()
