"""Streams over a WebSocket: the same object and the same errors, from a server of the `websockets` package."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("websockets", reason="extra 'ws' is not installed")

from own_cases import delta
from raw_player import Player
from websockets.sync.server import ServerConnection, serve

from inferneo import (
    AsyncInferneoClient,
    InferneoAuthenticationError,
    InferneoClient,
    InferneoConnectionError,
    InferneoError,
    InferneoProtocolError,
    InferneoServerError,
    InferneoStreamError,
    InferneoStreamTruncatedError,
    InferneoTimeoutError,
)
from inferneo.testing import instant_retries

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
SEEN: list[Any] = []
AUTH: list[str] = []
FLAKY: list[int] = []
RELEASE = threading.Event()


def handle(connection: ServerConnection) -> None:
    request = json.loads(connection.recv())
    if request.get("type") == "auth":
        AUTH.append(request["api_key"])
        connection.send('{"type": "auth_ok"}')
        request = json.loads(connection.recv())
    if request["model"] == "flaky":
        FLAKY.append(1)
        connection.send('{"type": "pong"}')
        if len(FLAKY) % 2:
            connection.close(1012)
            return
        request["model"] = "ok"
    SEEN.append((connection.request, request))
    for text in ("Hel", "lo"):
        connection.send(json.dumps(delta(text)))
    match request["model"]:
        case "error":
            connection.send(json.dumps({"error": {"message": "boom", "type": "t", "code": "c"}}))
        case "text":
            connection.send("hello")
        case "type":
            connection.send(json.dumps({"choices": 5}))
        case "close":
            connection.close(1011)
        case "stall":
            RELEASE.wait(5)
        case "two":
            connection.send(json.dumps(delta("x", "stop", 1)))
            connection.send(json.dumps(delta(finish="stop")))
        case "ok":
            connection.send(json.dumps(delta(finish="stop")).encode())
            RELEASE.wait(5)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    def check(connection: ServerConnection, request: Any) -> Any:
        if request.headers.get("Authorization") == "Bearer wrong":
            return connection.respond(401, '{"error": {"message": "no such key"}}')
        return None

    with serve(handle, "127.0.0.1", 0, process_request=check) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        RELEASE.set()
        server.shutdown()
        thread.join(5)


def read_sync(url: str, model: str, **settings: Any) -> str:
    with InferneoClient(url, **({"max_retries": 0, "timeout": 5} | settings)) as client:
        chunks = client.chat.completions.create(
            model,
            M,
            stream=True,
            transport="ws",
            extra_headers={"X-A": "1"},
            request_id="r",
            n=2 if model == "two" else None,
        )
        return chunks.get_final_response().text


def read_async(url: str, model: str, **settings: Any) -> str:
    async def main() -> str:
        async with AsyncInferneoClient(url, **({"max_retries": 0, "timeout": 5} | settings)) as client:
            chunks = client.chat.completions.create(
                model, M, stream=True, transport="ws", extra_headers={"X-A": "1"}, n=2 if model == "two" else None
            )
            return (await chunks.get_final_response()).text

    return asyncio.run(main())


BOTH = pytest.mark.parametrize("read", [read_sync, read_async])


@BOTH
@pytest.mark.parametrize("model", ["ok", "two"])
def test_complete(read: Any, url: str, model: str) -> None:
    """Complete when all choices that were asked for have finished; the socket is closed then, and not waited for."""
    assert read(url, model, api_key="k", headers={"User-Agent": "me"}) == "Hello"
    request, body = SEEN[-1]
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer k"
    assert AUTH[-1] == "k"
    assert request.headers["X-A"] == "1"
    assert request.headers["User-Agent"].startswith("me inferneo-python/")
    assert (body["model"], body["stream"], body["messages"]) == (model, True, M)


@BOTH
@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("error", InferneoStreamError, "boom"),
        ("text", InferneoProtocolError, "hello"),
        ("type", InferneoProtocolError, r"\$\.choices"),
        ("close", InferneoConnectionError, "1011"),
        ("early", InferneoStreamTruncatedError, "finish_reason"),
        ("stall", InferneoTimeoutError, "no data event"),
    ],
)
def test_errors(read: Any, url: str, model: str, kind: type[InferneoError], words: str) -> None:
    """As over HTTP, with the text so far."""
    with pytest.raises(kind, match=words) as caught:
        read(url, model, stream_idle_timeout=1 if model == "stall" else 5)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hello"
    assert caught.value.attempts == 1


@BOTH
def test_handshake(read: Any, url: str) -> None:
    """A refused handshake is the HTTP error it is, an unreachable server a connection error; retried by policy."""
    with pytest.raises(InferneoAuthenticationError, match="no such key"):
        read(url, "ok", api_key="wrong")
    refused = [{"raw": 'HTTP/1.1 503 X\r\nContent-Length: 17\r\n\r\n{"error": "busy"}'}]
    with Player([refused]) as player, instant_retries() as delays:
        with pytest.raises(InferneoServerError, match="busy") as caught:
            read(player.url, "ok", max_retries=2)
        assert caught.value.attempts == len(player.seen) == 3
        assert len(delays) == 2
    with pytest.raises(InferneoConnectionError) as unreachable:
        read("http://127.0.0.1:1", "ok")
    assert unreachable.value.url == "http://127.0.0.1:1/v1/chat/completions"
    with Player([[{"end": "stall"}]]) as player, pytest.raises(InferneoTimeoutError):
        read(player.url, "ok", timeout=0.3)
    with Player([[{"raw": "SSH-2.0\r\n"}]]) as player, pytest.raises(InferneoError):
        read(player.url, "ok")


def test_break_closes(url: str) -> None:
    """A `break` closes the WebSocket."""
    with InferneoClient(url) as client:
        chunks = client.completions.create("stall", "p", stream=True, transport="ws")
        for _chunk in chunks:
            break
        with pytest.raises(InferneoError, match="closed"):
            next(chunks)
        assert SEEN[-1][0].path == "/v1/completions"


def test_not_a_stream(url: str) -> None:
    """A WebSocket gives a stream or nothing."""
    with pytest.raises(InferneoError, match="stream=True"):
        InferneoClient(url).chat.completions.create("m", M, transport="ws")
    with pytest.raises(InferneoError, match="stream=True"):
        _ = AsyncInferneoClient(url).chat.completions.create("m", M, transport="ws")


@BOTH
def test_opened_again_before_the_first_chunk(read: Any, url: str) -> None:
    """A server that goes away before it said anything is asked again, and messages that are no chunks do not count."""
    FLAKY.clear()
    with instant_retries() as delays:
        assert read(url, "flaky", max_retries=2) == "Hello"
    assert len(FLAKY) == 2
    assert len(delays) == 1
    FLAKY.clear()
    with pytest.raises(InferneoConnectionError, match="1012") as caught:
        read(url, "flaky", max_retries=0)
    assert caught.value.attempts == 1
    assert caught.value.partial is not None


@BOTH
def test_total_timeout_bounds_all_attempts(read: Any) -> None:
    """Retries do not stretch it."""
    with Player([[{"end": "stall"}]]) as player, pytest.raises(InferneoTimeoutError) as caught:
        read(player.url, "ok", timeout=30, total_timeout=0.4, max_retries=5)
    assert caught.value.phase == "total"
    assert len(player.seen) == 1


@BOTH
def test_retry_after(read: Any) -> None:
    """A refused handshake says when to come again."""
    refused = [{"raw": "HTTP/1.1 503 X\r\nRetry-After: 7\r\nX-Request-Id: r\r\nContent-Length: 0\r\n\r\n"}]
    with Player([refused]) as player, instant_retries() as delays, pytest.raises(InferneoServerError) as caught:
        read(player.url, "ok", max_retries=1)
    assert delays == [7.0]
    assert (caught.value.retry_after, caught.value.request_id) == (7.0, "r")


@BOTH
def test_log(read: Any, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """One line per attempt, without key and query."""
    caplog.set_level("INFO", "inferneo")
    read(url, "ok", api_key="sk-secret", default_query={"token": "secret"})
    (line,) = [record.getMessage() for record in caplog.records if record.name == "inferneo"]
    assert line.startswith("GET /v1/chat/completions 101 attempt=1 ")
    assert "secret" not in caplog.text
    caplog.clear()
    with pytest.raises(InferneoConnectionError):
        read("http://127.0.0.1:1", "ok")
    assert "GET /v1/chat/completions failed attempt=1" in caplog.text


@BOTH
def test_key_of_a_callable(read: Any, url: str) -> None:
    """Asked for each attempt; what it raises is an InferneoError."""
    assert read(url, "ok", api_key=lambda: "k2") == "Hello"
    assert AUTH[-1] == "k2"
    with pytest.raises(InferneoError, match="ZeroDivision"):
        read(url, "ok", api_key=lambda: 1 / 0)
    with pytest.raises(InferneoError, match="line break"):
        read(url, "ok", api_key=lambda: "a\n")


def test_awaited_key(url: str) -> None:
    """An asynchronous client awaits it."""

    async def key() -> str:
        return "k3"

    assert read_async(url, "ok", api_key=key) == "Hello"
    assert AUTH[-1] == "k3"


def test_closing_the_client_ends_its_sockets(url: str) -> None:
    """Who waits for a chunk wakes up, and nothing is opened any more."""

    async def main() -> None:
        client = AsyncInferneoClient(url, timeout=30, max_retries=3)
        chunks = client.chat.completions.create("stall", M, stream=True, transport="ws")
        assert (await anext(chunks)).text == "Hel"
        await client.close()
        with pytest.raises(InferneoError):
            await chunks.until_done()
        with pytest.raises(InferneoError, match="closed"):
            await client.chat.completions.create("ok", M, stream=True, transport="ws")

    client = InferneoClient(url, timeout=30, max_retries=3)
    chunks = client.chat.completions.create("stall", M, stream=True, transport="ws")
    assert next(chunks).text == "Hel"
    thread = threading.Timer(0.05, client.close)
    thread.start()
    with pytest.raises(InferneoError):
        chunks.until_done()
    thread.join()
    with pytest.raises(InferneoError, match="closed"):
        client.chat.completions.create("ok", M, stream=True, transport="ws")
    asyncio.run(main())


@BOTH
def test_tls(read: Any) -> None:
    """`verify` holds for `wss:` too; a certificate that is not trusted is not tried twice."""
    trustme = pytest.importorskip("trustme")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serve(handle, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        secure = f"https://127.0.0.1:{server.socket.getsockname()[1]}"
        try:
            assert read(secure, "two", verify=trusting) == "Hello"
            with pytest.raises(InferneoConnectionError, match="certificate") as caught:
                read(secure, "ok", max_retries=3)
            assert caught.value.attempts == 1
        finally:
            server.shutdown()
            thread.join(5)
