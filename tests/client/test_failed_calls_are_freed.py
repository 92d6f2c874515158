"""A failed call holds nothing of its caller: the error forgotten, all that it had held is free, without a collector.

An error's traceback holds the frames it went through. A frame that holds the error, or one from which the error is
reached, is a cycle; and on it hang the frames of all callers, with what the user's own locals name.
"""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from own_cases import ANSWER, BUSY, FIN, HEL, RST, open_stream, plain, stream
from raw_player import Player, Steps

from inferneo import AsyncInferneoClient, InferneoError, Retry, _http
from inferneo import InferneoClient as Client

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
STALL = {"end": "stall"}
HEAD = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"

STREAMS: dict[str, Steps] = {
    "cut after a chunk": [*open_stream(HEL), FIN],
    "cut before a chunk": [*open_stream(), FIN],
    "reset after a chunk": [*open_stream(HEL), RST],
    "silent after a chunk": [*open_stream(HEL), STALL],
    "no chunk size": [*open_stream(HEL), {"raw": "zz\r\n"}, FIN],
    "no JSON": stream(HEL, b"data: {\n\n"),
    "an error in a stream": stream(b'data: {"error": {"message": "x"}}\n\n'),
}
WHOLES: dict[str, Steps] = {
    "no reply": [FIN],
    "no HTTP": [{"raw": "SSH-2.0\r\n\r\n"}, FIN],
    "silence": [STALL],
    "busy": plain(503, BUSY),
    "refused": plain(400, BUSY),
    "no JSON": plain(200, b"<html>", kind="text/html"),
    "cut": [{"raw": HEAD}, FIN],
    "reset": [{"raw": HEAD}, RST],
    "no chunk size": [*open_stream(), {"raw": "zz\r\n"}, FIN],
}
CASES = [(steps, streamed) for cases, streamed in ((STREAMS, True), (WHOLES, False)) for steps in cases.values()]
NAMES = [f"{kind}: {name}" for kind, cases in (("stream", STREAMS), ("whole", WHOLES)) for name in cases]


class Kept:
    """Something that the caller holds."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def patience(steps: Steps) -> float:
    """Seconds that a call may take: few only where it fails of silence: a late machine cuts no other."""
    return 0.1 if STALL in steps else 10


def settings(retries: int, driven: Any, seconds: float = 10) -> dict[str, Any]:
    return {"timeout": seconds, "retry": Retry(max_retries=retries, base=0.001), "http_client": driven}


def ask(client: Client, streamed: bool) -> None:
    if streamed:
        client.chat.completions.create("m", M, stream=True).until_done()
    else:
        client.chat.completions.create("m", M)


async def ask_async(client: AsyncInferneoClient, streamed: bool) -> None:
    if streamed:
        await client.chat.completions.create("m", M, stream=True).until_done()
    else:
        await client.chat.completions.create("m", M)


def failed(client: Client, streamed: bool) -> weakref.ref[Kept]:
    """A user's function: when it has returned, all of it is over."""
    kept = Kept()
    with pytest.raises(InferneoError):
        ask(client, streamed)
    return weakref.ref(kept)


async def failed_async(client: AsyncInferneoClient, streamed: bool) -> weakref.ref[Kept]:
    """The same, awaited."""
    kept = Kept()
    with pytest.raises(InferneoError):
        await ask_async(client, streamed)
    return weakref.ref(kept)


@pytest.mark.parametrize("own", [True, False], ids=["own pool", "http_client"])
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize(("steps", "streamed"), CASES, ids=NAMES)
def test_what_the_caller_held_is_free(steps: Steps, streamed: bool, retries: int, own: bool) -> None:
    """At once, however the call failed, and also when it was tried again."""
    seconds = patience(steps)
    driven = None if own else _http.library().Client(timeout=seconds, trust_env=False)
    with Player([steps]) as player, Client(player.url, **settings(retries, driven, seconds)) as client:
        kept = failed(client, streamed)
        assert kept() is None
    if driven is not None:
        driven.close()


@pytest.mark.parametrize("own", [True, False], ids=["own pool", "http_client"])
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize(("steps", "streamed"), CASES, ids=NAMES)
def test_what_the_caller_held_is_free_async(steps: Steps, streamed: bool, retries: int, own: bool) -> None:
    """The same in asyncio."""

    async def main(url: str) -> None:
        seconds = patience(steps)
        driven = None if own else _http.library().AsyncClient(timeout=seconds, trust_env=False)
        async with AsyncInferneoClient(url, **settings(retries, driven, seconds)) as client:
            kept = await failed_async(client, streamed)
            assert kept() is None
        if driven is not None:
            await driven.aclose()

    with Player([steps]) as player:
        asyncio.run(main(player.url))


def test_a_failure_that_was_mended_holds_nothing() -> None:
    """The first attempt fails, the second does not: of the first nothing is left."""

    def answered(client: Client) -> weakref.ref[Kept]:
        kept = Kept()
        assert client.chat.completions.create("m", M).choices[0].message.content == "Hello"
        return weakref.ref(kept)

    with Player([[FIN], plain(200, ANSWER)]) as player, Client(player.url, **settings(1, None)) as client:
        kept = answered(client)
        assert len(player.seen) == 2
        assert kept() is None


@pytest.mark.parametrize(
    ("steps", "streamed", "words"),
    [
        (STREAMS["reset after a chunk"], True, "Connection reset"),
        (STREAMS["cut after a chunk"], True, "peer closed connection"),
        (WHOLES["no HTTP"], False, "illegal status line"),
    ],
    ids=["reset", "cut", "no HTTP"],
)
def test_the_causes_are_told_with_their_tracebacks(steps: Steps, streamed: bool, words: str) -> None:
    """Nothing of it is lost to the user: the library's error, what it came of, and where each was raised."""
    with Player([steps]) as player, Client(player.url, timeout=5, max_retries=0) as client:
        with pytest.raises(InferneoError) as caught:
            ask(client, streamed)
        cause: BaseException | None = caught.value
        while isinstance(cause, InferneoError):
            cause = cause.__cause__
        assert cause is not None
        assert type(cause).__module__.partition(".")[0] == _http.engine().__name__
        assert cause.__context__ is not None
        assert words in str(cause.__context__)
        told = [place.name for place in traceback.extract_tb(cause.__traceback__)]
        assert told[0] == ("read" if streamed else "send")
        assert {"_receive_event", "__exit__" if words[0] != "C" else "read"} <= set(told)
        assert traceback.extract_tb(cause.__context__.__traceback__)
        assert "direct cause of the following exception" in "".join(traceback.format_exception(caught.value))
        del cause, caught
