"""Requests at the edges of HTTP, from raw sockets, on every stack: a clear answer, and the next request works."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest
from asking import CHAT, chat
from rawpeer import STACKS, ask, connect, ended, read_all, read_exactly

from mockserver.serving.server import MockServer

JSON = "Content-Type: application/json"
ON_EVERY_STACK = pytest.mark.parametrize(("http", "loop"), STACKS)


def answer(peer: socket.socket) -> tuple[int, dict[bytes, bytes], bytes]:
    """One whole response with a Content-Length."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(peer, 1)
    line, *rows = head[:-4].split(b"\r\n")
    fields = {name.lower(): value for name, value in (row.split(b": ", 1) for row in rows)}
    return int(line.split()[1]), fields, read_exactly(peer, int(fields[b"content-length"]))


def good(body: Any = None) -> bytes:
    return ask(CHAT, "POST", "1.1", json.dumps(body or chat()).encode(), JSON)


def still_works(peer: socket.socket) -> bool:
    peer.sendall(good())
    return answer(peer)[0] == 200


@ON_EVERY_STACK
def test_headers_of_100_kb(http: Any, loop: Any) -> None:
    """431 in the words of the profile, in one field or in many, for pages too; the connection goes on."""
    with MockServer(http=http, loop=loop) as server, connect(server) as peer:
        one = (f"X-Long: {'a' * 100_000}",)
        many = tuple(f"X-{number}: {'a' * 990}" for number in range(100))
        for lines in (one, many):
            for request in (ask(CHAT, "POST", "1.1", json.dumps(chat()).encode(), JSON, *lines),
                            ask("/v1/models", "GET", "1.1", b"", *lines)):  # fmt: skip
                peer.sendall(request)
                status, _, body = answer(peer)
                assert status == 431
                assert json.loads(body)["error"]["message"] == "the header fields are larger than 65536 bytes"
                assert still_works(peer)
        peer.sendall(ask("/v1/models", "GET", "1.1", b"", f"X-Long: {'a' * 60_000}"))
        assert answer(peer)[0] == 200


@ON_EVERY_STACK
def test_pipelining(http: Any, loop: Any) -> None:
    """Requests sent at once are answered in their order, bad ones and streams among them."""
    with MockServer(http=http, loop=loop) as server, connect(server) as peer:
        bad = ask(CHAT, "POST", "1.1", b"{", JSON)
        peer.sendall(good() + bad + ask("/v1/models") + good({"model": "x"}) + ask("/nothing") + good())
        assert [answer(peer)[0] for _ in range(6)] == [200, 400, 200, 400, 404, 200]
        numbers = [(one.request.connection, one.request.on_connection) for one in ended(server, 6)]
        assert numbers == [(1, number) for number in range(1, 7)]


@ON_EVERY_STACK
def test_http_1_0(http: Any, loop: Any) -> None:
    """Answered, and the connection ends; a stream is not chunked."""
    with MockServer(http=http, loop=loop) as server:
        for stream in (False, True):
            with connect(server) as peer:
                peer.sendall(ask(CHAT, "POST", "1.0", json.dumps(chat(stream=stream)).encode(), JSON))
                data, how = read_all(peer)
            head, _, body = data.partition(b"\r\n\r\n")
            assert (head[:12], how) == (b"HTTP/1.1 200", "fin")
            assert b"chunked" not in head.lower()
            assert body.endswith(b"data: [DONE]\n\n") if stream else json.loads(body)["choices"]


@pytest.mark.slow
@ON_EVERY_STACK
def test_huge_bodies(http: Any, loop: Any) -> None:
    """Below the limit of 10 MB a prompt is only too long; above it the answer is 413, with a length and in chunks."""
    filler = b'{"model": "%b", "messages": [{"role": "user", "content": "%b"}]}'
    model = chat()["model"].encode()
    with MockServer(http=http, loop=loop) as server:
        with connect(server, 30) as peer:
            peer.sendall(ask(CHAT, "POST", "1.1", filler % (model, b"word " * 1_900_000), JSON))
            status, _, body = answer(peer)
            assert (status, json.loads(body)["error"]["code"]) == (400, "context_length_exceeded")
            assert still_works(peer)
        size = (10 << 20) + 1
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        for start, rest in (
            (f"Content-Length: {size}\r\n\r\n".encode(), b"a" * size),
            (b"Transfer-Encoding: chunked\r\n\r\n", chunk * 161 + b"0\r\n\r\n"),
        ):
            with connect(server, 30) as peer:
                peer.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{JSON}\r\n".encode() + start)
                with contextlib.suppress(OSError):  # refused before all of it was sent
                    peer.sendall(rest)
                status, fields, body = answer(peer)
            assert (status, fields[b"connection"]) == (413, b"close")
            assert json.loads(body)["error"]["message"] == "the body is larger than 10485760 bytes"
        with connect(server) as peer:
            assert still_works(peer)
        assert [one.status for one in ended(server, 5)] == [400, 200, 413, 413, 200]


@ON_EVERY_STACK
def test_head_is_get_without_the_body(http: Any, loop: Any) -> None:
    """The same status and the same length, for each page."""
    with MockServer(http=http, loop=loop) as server, connect(server) as peer:
        for path in ("/v1/info", "/v1/models", "/health", "/metrics", "/openapi.json", "/docs", "/nothing"):
            peer.sendall(ask(path))
            status, _, body = answer(peer)
            peer.sendall(ask(path, "HEAD"))
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += read_exactly(peer, 1)
            assert head.startswith(b"HTTP/1.1 %d " % status)
            assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
            assert still_works(peer)


@ON_EVERY_STACK
def test_methods(http: Any, loop: Any) -> None:
    """A wrong one is 405 with `Allow`; OPTIONS tells the same."""
    with MockServer(http=http, loop=loop) as server, connect(server) as peer:
        peer.sendall(ask(CHAT, "DELETE"))
        status, fields, body = answer(peer)
        assert (status, fields[b"allow"]) == (405, b"POST, OPTIONS")
        assert json.loads(body)["error"]["code"] == "method_not_allowed"
        peer.sendall(ask(CHAT, "OPTIONS"))
        assert read_exactly(peer, 12) == b"HTTP/1.1 204"
