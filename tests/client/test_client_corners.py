"""What is seldom reached: forks in asyncio, ends of loops, odd objects, readers in each other's way."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import pickle
import socket
import threading
import typing
from typing import Any

import pytest
from own_cases import ANSWER, BUSY, DONE, GOOD, HEL, HELLO, event, open_stream, plain, stream
from raw_player import Player
from wire_cases import EVENT_HEAD

from inferneo import (
    AsyncInferneoClient,
    InferneoClient,
    InferneoConnectionError,
    InferneoError,
    InferneoProtocolError,
    InferneoTimeoutError,
    Retry,
    _net,
    params,
)
from inferneo._arguments import OPTIONS
from inferneo._config import Secret
from inferneo._headers import Headers
from inferneo._http import proxy_for

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
HANGING = [*open_stream(HEL), {"end": "stall"}]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 and later warn of fork and threads
def test_fork_async() -> None:
    """A child with a loop of its own opens a connection of its own, and closing there leaves the parent's alone."""
    with Player([GOOD]) as player:
        client = AsyncInferneoClient(player.url)

        async def ask() -> str:
            return (await client.chat.completions.create("m", M)).text

        async def in_child() -> str:
            text = await ask()
            await client.close()
            return text

        loop = asyncio.new_event_loop()
        loop.run_until_complete(ask())
        child = os.fork()
        if child == 0:  # no assertion here: its failure would be another pytest
            code = 1
            try:
                asyncio.events._set_running_loop(None)
                code = 0 if asyncio.new_event_loop().run_until_complete(in_child()) == "Hello" else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        loop.run_until_complete(ask())
        assert [seen.connection for seen in player.seen] == [1, 2, 1]
        loop.run_until_complete(client.close())
        loop.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # see above
@pytest.mark.parametrize("kind", [InferneoClient, AsyncInferneoClient])
def test_closing_in_a_child_closes_nothing_of_the_parent(kind: Any) -> None:
    """Not even when the child never asked anything."""
    with Player([GOOD]) as player:
        client = kind(player.url)
        loop = asyncio.new_event_loop()

        def ask() -> None:
            answer = client.chat.completions.create("m", M)
            if kind is AsyncInferneoClient:
                loop.run_until_complete(answer)

        def close() -> None:
            done = client.close()
            if done is not None:
                loop.run_until_complete(done)

        ask()
        child = os.fork()
        if child == 0:
            try:
                close()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        ask()
        assert [seen.connection for seen in player.seen] == [1, 1]
        close()
        loop.close()


def test_close_reaches_other_loops() -> None:
    """A client that is closed in one loop closes its connections of another, running or gone."""
    with Player([GOOD]) as player:
        client = AsyncInferneoClient(player.url)
        other = asyncio.new_event_loop()
        thread = threading.Thread(target=other.run_forever)
        thread.start()

        async def ask() -> str:
            return (await client.chat.completions.create("m", M)).text

        assert asyncio.run_coroutine_threadsafe(ask(), other).result(5) == "Hello"
        gone = asyncio.new_event_loop()
        gone.run_until_complete(ask())
        gone.run_until_complete(gone.shutdown_asyncgens())
        gone.close()
        asyncio.run(client.close())

        async def settle() -> None:
            await asyncio.sleep(0)

        for _ in range(3):
            asyncio.run_coroutine_threadsafe(settle(), other).result(5)
        other.call_soon_threadsafe(other.stop)
        thread.join(5)
        other.run_until_complete(other.shutdown_asyncgens())
        other.close()
        assert client.closed
        gc.collect()


def test_a_client_closed_while_it_waits() -> None:
    """Whoever waits for a reply, or its body, gets an InferneoError that says so."""
    half = [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"}, {"end": "stall"}]

    async def main(url: str) -> None:
        client = AsyncInferneoClient(url, timeout=30, max_retries=3)
        asked = asyncio.create_task(client.chat.completions.create("m", M))
        while not player.seen:  # noqa: ASYNC110  # the player is a thread and has no asyncio.Event
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await client.close()
        with pytest.raises(InferneoError, match="closed"):
            await asked

    for steps in ([{"end": "stall"}], half):
        with Player([steps]) as player:
            client = InferneoClient(player.url, timeout=30, max_retries=3)
            thread = threading.Timer(0.1, client.close)
            thread.start()
            with pytest.raises(InferneoError, match="closed"):
                client.chat.completions.create("m", M)
            thread.join(5)
        with Player([steps]) as player:
            asyncio.run(main(player.url))


def test_two_tasks_and_one_stream() -> None:
    """The second reader, and the second opener, are told."""

    async def main(url: str) -> None:
        async with AsyncInferneoClient(url, timeout=30, max_retries=0) as client:
            chunks = client.chat.completions.create("m", M, stream=True)
            first = asyncio.create_task(chunks._open())
            await asyncio.sleep(0)
            with pytest.raises(InferneoError, match="another task"):
                await chunks
            await first
            assert (await anext(chunks)).text == "Hel"
            waiting = asyncio.create_task(chunks.until_done())
            while not chunks._core.busy:  # noqa: ASYNC110  # the client tells nobody
                await asyncio.sleep(0)
            with pytest.raises(InferneoError, match="another task"):
                await chunks.until_done()
            await chunks.close()
            with pytest.raises(InferneoError, match="closed while"):
                await waiting

    with Player([HANGING]) as player:
        asyncio.run(main(player.url))


def test_streams_dropped_without_their_loop() -> None:
    """Dropped in another thread, or after its loop: nothing is raised, nothing is leaked."""

    async def opened(url: str) -> Any:
        client = AsyncInferneoClient(url, timeout=5, max_retries=0)
        chunks = await client.chat.completions.create("m", M, stream=True)
        await anext(chunks)
        return client, chunks

    with Player([HANGING]) as player:
        loop = asyncio.new_event_loop()
        client, chunks = loop.run_until_complete(opened(player.url))
        del chunks  # the loop exists and does not run
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.run_until_complete(client.close())
        client, chunks = loop.run_until_complete(opened(player.url))
        loop.run_until_complete(client.close())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        del chunks
        gc.collect()
        assert len(player.seen) == 2


def test_event_stream_that_calls_itself_json() -> None:
    """A whole body of events under a wrong content type is read as what it is; in asyncio too."""
    head = EVENT_HEAD.replace("text/event-stream", "application/json")

    async def main(url: str) -> str:
        async with AsyncInferneoClient(url) as client:
            return (await client.chat.completions.create("m", M, stream=True).get_final_response()).text

    with Player([stream(HELLO, head=head)]) as player:
        assert asyncio.run(main(player.url)) == "Hello"


def test_key_of_a_callable_that_fails_async() -> None:
    """What it raises, or gives wrongly, is an InferneoError."""

    async def main(key: Any) -> None:
        async with AsyncInferneoClient("http://127.0.0.1:1", api_key=key) as client:
            await client.models.list()

    for key, words in [(lambda: 1 / 0, "ZeroDivision"), (lambda: "a\n", "line break"), (lambda: None, "NoneType")]:
        with pytest.raises(InferneoError, match=words):
            asyncio.run(main(key))


def test_interrupt_frees_the_connection() -> None:
    """KeyboardInterrupt passes through a wait, and the connection is not used again."""
    policy = Retry(sleep=lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with Player([plain(503, BUSY)]) as player, InferneoClient(player.url, retry=policy) as client:
        with pytest.raises(KeyboardInterrupt):
            client.models.list()
        assert len(player.seen) == 1


def test_no_retry_of_connection_faults() -> None:
    """When the policy says so."""
    with (
        InferneoClient("http://127.0.0.1:1", retry=Retry(connection_faults=False)) as client,
        pytest.raises(InferneoConnectionError) as caught,
    ):
        client.models.list()
    assert caught.value.attempts == 1


def test_log_level_of_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong one is named; a right one adds one handler, once."""
    monkeypatch.setenv("INFERNEO_LOG", "loud")
    with pytest.raises(InferneoError, match="INFERNEO_LOG must be debug, info, warning or error, got 'loud'"):
        InferneoClient()
    logger = logging.getLogger("inferneo")
    level, handlers = logger.level, list(logger.handlers)
    try:
        for value in ("debug", " Info "):
            monkeypatch.setenv("INFERNEO_LOG", value)
            InferneoClient()
        assert len(logger.handlers) == len(handlers) + 1
        assert logger.level == logging.INFO
        with Player([plain(200, {"data": []})]) as player, InferneoClient(player.url) as client:
            client.models.list()
        assert "GET /v1/models 200" in capsys.readouterr().err
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def test_values() -> None:
    """Small values compare, hash, pickle and show themselves."""
    assert Secret("a" * 9) == Secret("a" * 9)
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    headers = Headers([(b"A", b"1"), (b"a", b"2")])
    assert dict(headers) == {"a": "1, 2"}
    assert repr(headers) == "Headers({'a': '1, 2'})"
    assert pickle.loads(pickle.dumps(headers)) == headers


def test_with_options_async() -> None:
    """Shares the connections; a client is not pickled."""
    client = AsyncInferneoClient("http://h", max_retries=1)
    other = client.with_options(max_retries=0)
    assert other._wire is client._wire
    assert (client._config.retry.max_retries, other._config.retry.max_retries) == (1, 0)
    with pytest.raises(InferneoError, match="copy"):
        pickle.dumps(client)


def test_is_readable() -> None:
    """A closed socket, one with bytes, and a TLS socket with bytes it has decrypted are; an idle one is not."""

    class Decrypted:
        def fileno(self) -> int:
            return 0

        def pending(self) -> int:
            return 5

    ours, theirs = socket.socketpair()
    assert not _net.is_readable(ours)
    theirs.send(b"x")
    assert _net.is_readable(ours)
    ours.close()
    theirs.close()
    assert _net.is_readable(ours)
    assert _net.is_readable(None)
    assert _net.is_readable(Decrypted())
    _net.shutdown(None)


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy without a scheme is an HTTP one; socks is left to the engine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    config = InferneoClient("http://inferneo.invalid")._config
    assert proxy_for(config, {"some_proxy": ""}) is None
    monkeypatch.setenv("all_proxy", "proxy:1")
    assert proxy_for(config) == "http://proxy:1"
    for other in ("http://localhost", "http://127.1.2.3", "http://[::1]"):
        assert proxy_for(InferneoClient(other)._config) is None


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_pools_of_proxies(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be reached, or whose kind the engine was not installed for, is a connection error."""
    monkeypatch.setenv("http_proxy", f"{scheme}://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with InferneoClient("http://inferneo.invalid", max_retries=0) as client, pytest.raises(InferneoConnectionError):
        client.models.list()


def test_messages_that_raise() -> None:
    """A value whose own `to_dict` fails is named."""

    class Odd:
        def to_dict(self) -> Any:
            raise KeyError("odd")

    with pytest.raises(InferneoError, match=r"KeyError.*odd"):
        InferneoClient().chat.completions.create("m", [Odd()])  # type: ignore[list-item]  # that is the point


def test_text_stream_of_odd_chunks() -> None:
    """A text chunk without a choice has no text; a stream without logprobs gives none."""
    chunks = [
        event({"choices": []}),
        event({"choices": [{"text": "a"}]}),
        event({"choices": [{"finish_reason": "stop"}]}),
    ]
    with Player([stream(*chunks, DONE)]) as player, InferneoClient(player.url) as client:
        found = client.completions.create("m", "p", stream=True)
        assert [chunk.text for chunk in found] == ["", "a", ""]
        answer = found.get_final_response()
        assert answer.choices[0].logprobs is None
        assert answer.text == "a"


def test_coding_that_was_not_asked_for_is_closed() -> None:
    """A reply whose body nobody can read does not keep its connection."""
    with Player([plain(200, ANSWER, "Content-Encoding: br")]) as player, InferneoClient(player.url) as client:
        for connections in (1, 2):
            with pytest.raises(InferneoProtocolError, match="'br' was not asked for"):
                client.chat.completions.create("m", M)
            assert player.connections == connections


def test_cancelled_in_the_body() -> None:
    """A body that was not read to its end does not keep its connection."""
    half = [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"}, {"end": "stall"}]

    async def main(url: str) -> None:
        async with AsyncInferneoClient(url, limits=1, timeout=30) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.chat.completions.create("m", M)
            assert (await client.chat.completions.create("m", M)).text == "Hello"

    with Player([half, GOOD]) as player:
        asyncio.run(main(player.url))


def test_a_body_without_a_limit() -> None:
    """`timeout=None` bounds nothing, and `total_timeout` still does."""
    with Player([[{"end": "stall"}]]) as player, InferneoClient(player.url, timeout=None, total_timeout=0.2) as client:
        with pytest.raises(InferneoTimeoutError) as caught:
            client.chat.completions.create("m", M)
        assert caught.value.phase == "total"
    with Player([GOOD, stream(HELLO)]) as player, InferneoClient(player.url, timeout=None) as client:
        assert client.chat.completions.create("m", M).text == "Hello"
        assert client.chat.completions.create("m", M, stream=True).until_done().text == "Hello"


def test_shapes_of_parameters() -> None:
    """What must be given is what `create` must be given, and no key is one of the options that steer a call."""
    client = InferneoClient()
    shapes: list[tuple[Any, Any]] = [
        (params.ChatCompletionParams, client.chat.completions.create),
        (params.CompletionParams, client.completions.create),
    ]
    for shape, method in shapes:
        hints = typing.get_type_hints(shape, include_extras=True)
        arguments = inspect.signature(method).parameters.values()
        assert {name for name, hint in hints.items() if typing.get_origin(hint) is typing.Required} == {
            one.name for one in arguments if one.default is one.empty and one.kind is not one.VAR_KEYWORD
        }
        assert not OPTIONS & set(hints)
