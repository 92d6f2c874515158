"""Faults of the listener and of accepted connections, over real sockets, on both parsers and both event loops."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rawpeer import STACKS, ask, connect, read_all, read_exactly

from mockserver import MockServer
from mockserver.request import Request
from mockserver.serving.brain import ScriptBrain, Settings
from mockserver.serving.session import Session

stacks = pytest.mark.parametrize(("http", "loop"), STACKS)
BODY = json.dumps({"model": "meta-llama/Llama-2-7b-chat-hf", "prompt": "x"}).encode()


@contextmanager
def armed(http: str, loop: str, *faults: dict[str, Any]) -> Iterator[tuple[MockServer, Session]]:
    """A server whose default session has these faults for everything."""
    with MockServer(http=http, loop=loop, script={"faults": list(faults)}) as server:  # type: ignore[arg-type]  # names from STACKS
        yield server, server.session()


def meets_reset(server: MockServer) -> bool:
    """Where the client meets the RST is a race: when it connects, or when it reads."""
    try:
        with connect(server) as peer:
            return read_all(peer) == (b"", "rst")
    except ConnectionResetError:
        return True


def healthy(peer: socket.socket) -> bool:
    peer.sendall(ask("/health"))
    return read_exactly(peer, 12) == b"HTTP/1.1 200" and bool(peer.recv(1 << 16))


@stacks
def test_accepted_connections_are_reset_closed_or_left_alone(http: str, loop: str) -> None:
    """RST or FIN right after the accept, before a request; a black hole takes all and says nothing."""
    with armed(http, loop, {"kind": "accept-reset"}) as (server, session):
        assert meets_reset(server)
        assert session.state["unused_faults"] == []
    with armed(http, loop, {"kind": "accept-close"}) as (server, _), connect(server) as peer:
        assert read_all(peer) == (b"", "fin")
    with armed(http, loop, {"kind": "accept-black-hole"}) as (server, session), connect(server, 0.05) as peer:
        peer.sendall(ask("/health"))
        assert read_all(peer) == (b"", "silence")
        assert session.journal == ()


@stacks
def test_when_counts_connections(http: str, loop: str) -> None:
    """Only the first connection is reset; the second is served; healing takes the fault away."""
    with armed(http, loop, {"kind": "accept-reset", "when": {"first": 1}}) as (server, session):
        assert meets_reset(server)
        with connect(server) as peer:
            assert healthy(peer)
        session.faults({"kind": "accept-reset"})
        assert meets_reset(server)
        session.heal()
        with connect(server) as peer:
            assert healthy(peer)


@stacks
def test_when_knows_numbers_of_connections(http: str, loop: str) -> None:
    """Behind the first, each second one: 3 and 5 of six, each with its real number."""
    with armed(http, loop, {"kind": "accept-reset", "when": {"after": 1, "every": 2}}) as (server, session):
        struck = []
        for number in range(1, 7):
            try:
                with connect(server) as peer:
                    peer.sendall(ask("/health"))
                    if not peer.recv(1):
                        struck.append(number)
            except ConnectionError:
                struck.append(number)
        assert struck == [3, 5]
        assert [exchange.request.connection for exchange in session.wait_for(4)] == [1, 2, 4, 6]


def test_when_knows_the_time_of_connections() -> None:
    """`until` counts from the session's first request, else from the first connection that was struck."""
    script = {"faults": [{"kind": "accept-reset", "when": {"until": 5}}]}
    brain = ScriptBrain(Settings(script=script))
    assert [brain.connection(1, now).on_accept for now in (100.0, 105.0, 105.1)] == ["reset", "reset", "none"]
    brain = ScriptBrain(Settings(script=script))
    brain.decide(Request("GET", "/health", received=50.0))
    assert [brain.connection(1, now).on_accept for now in (55.0, 55.1)] == ["reset", "none"]


@stacks
def test_a_delayed_accept_answers_later(http: str, loop: str) -> None:
    """Nothing is read for so long, then all is as usual."""
    with armed(http, loop, {"kind": "accept-delay", "seconds": 0.05}) as (server, _):
        started = time.monotonic()
        with connect(server) as peer:
            assert healthy(peer)
        assert time.monotonic() - started >= 0.049


@stacks
@pytest.mark.parametrize("over", ["reset", "close", "status"])
def test_one_connection_too_many(http: str, loop: str, over: str) -> None:
    """Those within the limit are served; the one above is reset, closed, or answered 503 and closed."""
    fault = {"kind": "connection-limit", "limit": 1, "over": over}
    with armed(http, loop, fault) as (server, _), connect(server) as first:
        assert healthy(first)
        if over == "reset":
            assert meets_reset(server)
        else:
            with connect(server) as second:
                if over == "status":
                    second.sendall(ask("/health"))
                got, end = read_all(second)
                assert (got[:12], end) == (b"HTTP/1.1 503" if over == "status" else b"", "fin")
        assert healthy(first)


@stacks
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_an_idle_connection_goes_bad(http: str, loop: str, how: str) -> None:
    """After a response it waits so long for the next request, then it is closed or reset without a word."""
    with armed(http, loop, {"kind": "idle-close", "seconds": 0.02, "how": how}) as (server, _), connect(server) as peer:
        assert healthy(peer)
        assert read_all(peer) == (b"", how)


@stacks
def test_the_nth_request_is_reset(http: str, loop: str) -> None:
    """Also where the connection came through a shared port and the fault is a named session's."""
    fault = {"kind": "reset-nth-request", "n": 2}
    with MockServer(http=http, loop=loop) as server:  # type: ignore[arg-type]  # names from STACKS
        session = server.new_session(script={"faults": [fault]})
        with connect(server) as peer:
            for wanted in ("end", "rst"):
                peer.sendall(ask(f"/@{session.name}/health"))
                if wanted == "end":
                    assert read_exactly(peer, 12) == b"HTTP/1.1 200"
                    assert peer.recv(1 << 16)
            assert read_all(peer) == (b"", "rst")
        assert [exchange.ended for exchange in session.wait_for(2)] == ["end", "rst"]


@stacks
def test_an_answer_before_the_body(http: str, loop: str) -> None:
    """The answer comes when the head was read; the connection is good for the next request afterwards."""
    with armed(http, loop, {"kind": "early-response"}) as (server, session), connect(server) as peer:
        request = ask("/health", "POST", "1.1", BODY)
        peer.sendall(request[: -len(BODY)])
        assert read_exactly(peer, 8) == b"HTTP/1.1"
        assert peer.recv(1 << 16)
        peer.sendall(BODY)
        assert healthy(peer)
        assert [exchange.request.body for exchange in session.journal] == [b"", b""]


@stacks
def test_a_body_that_is_never_read(http: str, loop: str) -> None:
    """A client that sends more than the buffers hold is stuck in sending; it gets no answer."""
    with armed(http, loop, {"kind": "no-read"}) as (server, session), connect(server, 0.2) as peer:
        with pytest.raises(TimeoutError):
            peer.sendall(ask("/v1/completions", "POST", "1.1", b"x" * (16 << 20)))
        assert session.journal == ()


@stacks
def test_a_port_that_does_not_listen(http: str, loop: str) -> None:
    """Refused while the fault is in force, open connections go on, open again when healed; the port stays the same."""
    with MockServer(http=http, loop=loop) as server:  # type: ignore[arg-type]  # names from STACKS
        session = server.session()
        with connect(server) as before:
            assert healthy(before)
            session.faults({"kind": "refused"})
            with pytest.raises(ConnectionRefusedError):
                connect(server)
            assert healthy(before)
        session.heal()
        with connect(server) as peer:
            assert healthy(peer)
        session.faults({"kind": "refused", "reopen_after": 0.02})
        opened = time.monotonic() + 5
        while time.monotonic() < opened:
            try:
                connect(server).close()
                break
            except ConnectionRefusedError:
                pass
        with connect(server) as peer:
            assert healthy(peer)
        session.faults({"kind": "refused"})


@stacks
def test_a_port_that_drops_what_comes(http: str, loop: str) -> None:
    """The accept queue is full: connecting takes until the client's time limit; healed, it is served."""
    with MockServer(http=http, loop=loop) as server:  # type: ignore[arg-type]  # names from STACKS
        session = server.session()
        session.faults({"kind": "syn-black-hole"})
        with pytest.raises(OSError, match="timed out") as seen:
            connect(server, 0.1)
        assert isinstance(seen.value, TimeoutError) or seen.value.errno == errno.ETIMEDOUT
        session.heal()
        with connect(server) as peer:
            assert healthy(peer)
        session.faults({"kind": "syn-black-hole"})


def test_a_sessions_own_port_has_its_own_faults() -> None:
    """The shared port is not touched by a named session's listener; armed through the door, too."""
    with MockServer() as server:
        session = server.new_session(script={"faults": [{"kind": "refused"}]})
        url = server.listener(session)
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with connect(server) as peer:
            peer.sendall(ask(f"/@{session.name}/_mock/heal", "POST"))
            assert read_exactly(peer, 12) == b"HTTP/1.1 200"
        with socket.create_connection(("127.0.0.1", port)) as peer:
            assert healthy(peer)
        assert len(session.journal) == 1


def test_ports_settle_in_async_code() -> None:
    """Under `async with` the port opens again after `settled`."""

    async def main() -> None:
        async with MockServer() as server:
            session = server.session()
            session.faults({"kind": "refused"})
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(server.host, server.port)
            session.heal()
            await server.settled()
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())
