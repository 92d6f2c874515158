"""What happens to connections: reused, freed, closed, shared, inherited, proxied, redirected."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from own_cases import BUSY, FIN, GOOD, HEL, HELLO, KEEP, open_stream, plain, stream
from raw_player import Player

from inferneo import (
    AsyncInferneoClient,
    InferneoAPIError,
    InferneoConnectionError,
    InferneoError,
    InferneoTimeoutError,
    Retry,
    _http,
    _net,
)
from inferneo import InferneoClient as Client
from inferneo.testing import instant_retries

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
HANGING = [*open_stream(HEL), {"end": "stall"}]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def test_plain_calls_share_a_connection() -> None:
    """Errors too: a read error body frees its connection."""
    with Player([GOOD, plain(400, BUSY), GOOD]) as player, Client(player.url) as client:
        client.chat.completions.create("m", M)
        with pytest.raises(InferneoAPIError):
            client.chat.completions.create("m", M)
        client.chat.completions.create("m", M)
        assert player.connections == 1


def test_break_frees_while_the_stream_is_kept() -> None:
    """Though the stream objects live on, eight breaks fit a pool of three."""
    kept = []
    with Player([HANGING]) as player, Client(player.url, limits=3, timeout=2, max_retries=0) as client:
        for _ in range(8):
            kept.append(client.chat.completions.create("m", M, stream=True))
            for _chunk in kept[-1]:
                break
        with pytest.raises(InferneoError, match="closed"):
            next(iter(kept[0]))


def test_break_frees_async() -> None:
    """The same in asyncio."""

    async def main(url: str) -> None:
        kept = []
        async with AsyncInferneoClient(url, limits=3, timeout=2, max_retries=0) as client:
            for _ in range(8):
                kept.append(await client.chat.completions.create("m", M, stream=True))
                async for _chunk in kept[-1]:
                    break
            with pytest.raises(InferneoError, match="closed"):
                await anext(kept[0])

    with Player([HANGING]) as player:
        asyncio.run(main(player.url))


def test_dropped_and_exited_streams_are_freed() -> None:
    """A stream that is never read, and one left through `with`."""
    with Player([HANGING]) as player, Client(player.url, limits=1, timeout=2, max_retries=0) as client:
        for _ in range(3):
            client.chat.completions.create("m", M, stream=True)
        for _ in range(3):
            with client.chat.completions.create("m", M, stream=True) as chunks:
                assert next(chunks).text == "Hel"


def test_dropped_and_exited_streams_are_freed_async() -> None:
    """The same in asyncio; a stream that is never awaited sends nothing."""

    async def main(url: str, player: Player) -> None:
        async with AsyncInferneoClient(url, limits=1, timeout=2, max_retries=0) as client:
            client.chat.completions.create("m", M, stream=True)
            assert player.seen == []
            for _ in range(3):
                await client.chat.completions.create("m", M, stream=True)
            for _ in range(3):
                async with client.chat.completions.create("m", M, stream=True) as chunks:
                    assert (await anext(chunks)).text == "Hel"

    with Player([HANGING]) as player:
        asyncio.run(main(player.url, player))


def test_pool_is_full() -> None:
    """Then the wait for a free connection has its own phase."""
    with Player([HANGING]) as player, Client(player.url, limits=1, max_retries=0) as client:
        held = client.chat.completions.create("m", M, stream=True)
        with pytest.raises(InferneoTimeoutError) as caught:
            client.chat.completions.create("m", M, timeout=0.05)
        assert caught.value.phase == "pool"
        held.close()


def test_no_reference_cycles() -> None:
    """Streams, read, broken off or failed, go with their last reference; clients too."""
    gc.collect()
    gc.disable()
    try:
        with Player([stream(HELLO), HANGING, [*open_stream(HEL), FIN]]) as player:
            client = Client(player.url, max_retries=0)
            for _ in range(3):
                chunks = client.chat.completions.create("m", M, stream=True)
                core = weakref.ref(chunks._core)
                try:
                    for _chunk in chunks:
                        if len(player.seen) == 2:
                            break
                except InferneoError:
                    pass
                del chunks
                assert core() is None
            gone = weakref.ref(client)
            client.close()
            del client
            assert gone() is None
    finally:
        gc.enable()


def test_close() -> None:
    """Idempotent; afterwards nothing is sent and no stream goes on, not even with what was buffered."""
    with Player([stream(HEL, HELLO)]) as player:
        client = Client(player.url)
        chunks = client.chat.completions.create("m", M, stream=True)
        first = iter(chunks)
        assert next(first).text == "Hel"
        client.close()
        client.close()
        assert client.closed
        with pytest.raises(InferneoError, match="closed"):
            next(first)
        with pytest.raises(InferneoError, match="closed"):
            client.models.list()
        chunks.close()
        chunks.close()


@pytest.mark.parametrize("whole", [False, True])
def test_close_from_another_thread(whole: bool) -> None:
    """Who waits for a chunk (or a reply) wakes up at once with an InferneoError."""
    with Player([HANGING]) as player:
        client = Client(player.url, timeout=30, max_retries=3)
        chunks = client.chat.completions.create("m", M, stream=True)
        got: list[Any] = []
        waiting = threading.Event()

        def read() -> None:
            try:
                for chunk in chunks:
                    got.append(chunk)
                    waiting.set()
            except InferneoError as error:
                got.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        assert waiting.wait(5)
        (client if whole else chunks).close()
        thread.join(5)
        assert not thread.is_alive()
        assert isinstance(got[-1], InferneoError)
        assert len(player.seen) == 1
        client.close()


def test_two_readers() -> None:
    """A second thread that reads the same stream is told so."""
    with Player([HANGING]) as player, Client(player.url, timeout=30) as client:
        chunks = client.chat.completions.create("m", M, stream=True)
        with chunks._core.lock, pytest.raises(InferneoError, match="another thread"):
            next(chunks)
        chunks.close()


def test_threads() -> None:
    """One client, many threads, no error and no mixed answers."""
    with Player([GOOD]) as player, Client(player.url) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat.completions.create("m", M).text, range(80)))
        assert answers == ["Hello"] * 80
        assert len(player.seen) == 80
        assert player.connections <= 8


def test_event_loops_one_after_another() -> None:
    """No 'Event loop is closed', and no warning of a connection that was forgotten."""
    with Player([GOOD, stream(HELLO), GOOD]) as player:
        client = AsyncInferneoClient(player.url)

        async def call() -> str:
            return (await client.chat.completions.create("m", M)).text

        async def read() -> str:
            return "".join([chunk.text async for chunk in client.chat.completions.create("m", M, stream=True)])

        assert [asyncio.run(call()), asyncio.run(read()), asyncio.run(call())] == ["Hello"] * 3
        asyncio.run(client.close())
        gc.collect()


def test_async_cancel_frees() -> None:
    """Cancellation passes through, and its connection is free at once."""

    async def main(url: str) -> None:
        async with AsyncInferneoClient(url, limits=1, timeout=5, max_retries=0) as client:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await client.chat.completions.create("m", M)
            chunks = await client.chat.completions.create("m", M, stream=True)
            await anext(chunks)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(chunks)
            await chunks.close()

    with Player([[{"end": "stall"}]] * 3 + [HANGING]) as player:
        asyncio.run(main(player.url))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 and later warn of fork and threads
def test_fork() -> None:
    """A child never writes on its parent's connection, and does not close it."""
    with Player([GOOD]) as player, Client(player.url) as client:
        client.chat.completions.create("m", M)
        child = os.fork()
        if child == 0:  # no assertion here: its failure would be another pytest
            code = 1
            try:
                code = 0 if client.chat.completions.create("m", M).text == "Hello" else 2
                client.close()
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        client.chat.completions.create("m", M)
        assert [seen.connection for seen in player.seen] == [1, 2, 1]


def test_keep_alive_and_no_delay() -> None:
    """TCP keep-alive is on, and Nagle is off."""
    with Player([GOOD]) as player, Client(player.url) as client:
        client.chat.completions.create("m", M)
        ((pool, backend),) = client._wire._pools.values()
        (connection,) = list(backend.streams)
        sock = connection.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert len(pool.connections) == 1
        assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in _net.KEEP_ALIVE


def test_tls_context_is_shared_and_lazy() -> None:
    """None for http://; one for all https:// clients."""
    made = _http._shared_context.cache_info().currsize
    Client("https://example.invalid")
    assert _http._shared_context.cache_info().currsize == made
    assert _http.tls_context(True) is _http.tls_context(True)


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Used for other hosts, never for the loopback."""
    with Player([GOOD]) as player:
        monkeypatch.setenv("HTTP_PROXY", player.url.removeprefix("http://"))
        monkeypatch.setenv("http_proxy", player.url)
        with Client("http://inferneo.invalid:81") as client:
            assert client.chat.completions.create("m", M).text == "Hello"
            assert player.seen[0].path == "http://inferneo.invalid:81/v1/chat/completions"
            assert player.seen[0].headers["host"] == "inferneo.invalid:81"
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with Client(player.url) as client:
            assert client.chat.completions.create("m", M).text == "Hello"
        monkeypatch.setenv("no_proxy", "inferneo.invalid")
        assert _http.proxy_for(Client("http://inferneo.invalid")._config) is None


def test_proxy_async(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in asyncio."""

    async def main() -> str:
        async with AsyncInferneoClient("http://inferneo.invalid:81") as client:
            return (await client.chat.completions.create("m", M)).text

    with Player([GOOD]) as player:
        monkeypatch.setenv("http_proxy", player.url)
        assert asyncio.run(main()) == "Hello"


def test_redirect_keeps_the_key_at_home() -> None:
    """On the same origin the key goes along; another origin gets nothing at all."""
    with Player([GOOD]) as elsewhere, Player([plain(307, {}, "Location: /x"), GOOD]) as player:
        with Client(player.url, api_key="sk-secret") as client:
            client.chat.completions.create("m", M)
        assert [seen.headers["authorization"] for seen in player.seen] == ["Bearer sk-secret"] * 2
        assert [seen.path for seen in player.seen] == ["/v1/chat/completions", "/x"]
        with (
            Player([plain(307, {}, f"Location: {elsewhere.url}/v1")]) as player,
            Client(player.url) as client,
            pytest.raises(InferneoAPIError, match="redirect"),
        ):
            client.chat.completions.create("m", M)
        assert elsewhere.seen == []


def test_get_redirects() -> None:
    """A GET follows any redirect on its origin."""
    page = plain(200, {"data": [{"id": "a"}]})
    for status in (301, 302, 303, 307, 308):
        with Player([plain(status, {}, "Location: /y?z=1"), page]) as player, Client(player.url) as client:
            assert [model.id for model in client.models.list()] == ["a"]
            assert player.seen[1].path == "/y?z=1"


def test_unreachable() -> None:
    """A refused connection is retried, then said, with the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        instant_retries() as delays,
        Client(f"http://127.0.0.1:{port}", max_retries=2) as client,
        pytest.raises(InferneoConnectionError, match=f"cannot connect to http://127.0.0.1:{port}") as caught,
    ):
        client.models.list()
    assert caught.value.attempts == 3
    assert caught.value.retryable
    assert len(delays) == 2


def test_unknown_host() -> None:
    """A name that has no address is a connection error in both shells."""

    async def main() -> None:
        async with AsyncInferneoClient("http://no-such-host.invalid", max_retries=0, timeout=5) as client:
            await client.models.list()

    with (
        Client("http://no-such-host.invalid", max_retries=0, timeout=5) as client,
        pytest.raises(InferneoConnectionError),
    ):
        client.models.list()
    with pytest.raises(InferneoConnectionError):
        asyncio.run(main())


def test_tls_is_not_retried_when_the_certificate_is_wrong() -> None:
    """A certificate that is not trusted stays so."""
    trustme = pytest.importorskip("trustme")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    accepted = []

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            accepted.append(1)
            try:
                with context.wrap_socket(raw, server_side=True) as connection:
                    connection.recv(65536)
                    body = b'{"data":[{"id":"a"}]}'
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            except OSError:
                raw.close()

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"

    async def main() -> None:
        async with AsyncInferneoClient(url, max_retries=3) as client:
            await client.models.list()

    try:
        for run in (Client(url, max_retries=3).models.list, lambda: asyncio.run(main())):
            with pytest.raises(InferneoConnectionError, match="certificate") as caught:
                run()
            assert caught.value.attempts == 1
            assert not caught.value.retryable
        assert len(accepted) == 2
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        with Client(url, verify=trusting) as client:
            assert client.models.list()[0].id == "a"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.slow
def test_slow_sending_is_bounded() -> None:
    """A server that does not read: sending is a phase of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    big = [{"role": "user", "content": "x" * (32 << 20)}]

    async def main() -> None:
        async with AsyncInferneoClient(url, timeout=0.4, max_retries=0) as client:
            await client.chat.completions.create("m", big)

    with Client(url, timeout=0.4, max_retries=0) as client, pytest.raises(InferneoTimeoutError) as caught:
        client.chat.completions.create("m", big)
    assert caught.value.phase == "write"
    with pytest.raises(InferneoTimeoutError) as caught:
        asyncio.run(main())
    assert caught.value.phase == "write"
    listener.close()


def test_injected_time() -> None:
    """Sleep and randomness are the policy's; the server's date counts against its own clock."""
    slept: list[float] = []
    policy = Retry(max_retries=2, sleep=slept.append, random=lambda: 0.5)
    with Player([plain(503, BUSY), plain(503, BUSY), GOOD]) as player, Client(player.url, retry=policy) as client:
        client.chat.completions.create("m", M)
    assert slept == [0.375, 0.75]
    assert [seen.headers.get("x-inferneo-retry-count") for seen in player.seen] == [None, "1", "2"]


def test_timing_is_told() -> None:
    """`.http` has status, attempts, elapsed and the request id."""
    answer = plain(200, {"version": "1", "models": ["a"], "gpu_memory": {"total": 1}, "uptime": 2}, "X-Request-Id: r")
    with Player([plain(503, BUSY, "retry-after-ms: 1"), answer]) as player, Client(player.url) as client:
        began = time.monotonic()
        info = client.info()
        assert info.http is not None
        assert (info.http.status, info.http.attempts, info.http.request_id) == (200, 2, "r")
        assert 0 < info.http.elapsed <= time.monotonic() - began
        assert (info.version, info.models, info.gpu_memory, info.uptime) == ("1", ["a"], {"total": 1.0}, 2.0)
        assert info.http.headers["X-REQUEST-ID"] == "r"
    assert KEEP == {"end": "keep"}
