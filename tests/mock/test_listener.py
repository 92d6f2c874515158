"""A port that closes while a connection comes: nothing on stderr, nobody left waiting, in either event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from typing import Any

import pytest

from mockserver import MockServer
from mockserver.serving.server import loop_factory

STEPS = range(6)
"""Steps of the event loop between a connection's coming and the close: it waits, is accepted, has its transport, ..."""


@pytest.fixture
def aloud(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python would tell on stderr of errors that nobody can catch."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda wrong: told.append((wrong.object, wrong.exc_value)))
    return told


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_server_closes_while_a_connection_comes(loop: str, steps: int, aloud: list[Any]) -> None:
    """The connection is ended, at once; on any Python."""

    async def main() -> socket.socket:
        async with MockServer() as server:
            client = socket.create_connection((server.host, server.port))
            for _ in range(steps):
                await asyncio.sleep(0)
        return client

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        client = runner.run(asyncio.wait_for(main(), 20))
    with client:
        client.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    gc.collect()
    assert aloud == []


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_port_refuses_while_a_connection_comes(loop: str, steps: int, aloud: list[Any]) -> None:
    """Whoever was accepted is answered; who was not is refused."""

    async def main() -> bytes:
        async with MockServer() as server:
            with socket.create_connection((server.host, server.port)) as client:
                for _ in range(steps):
                    await asyncio.sleep(0)
                server.session().faults({"kind": "refused"})
                await server.settled()
                reader, writer = await asyncio.open_connection(sock=client)
                try:
                    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    return await reader.read(12)
                except ConnectionError:
                    return b""
                finally:
                    writer.close()

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        answer = runner.run(asyncio.wait_for(main(), 20))
    assert answer in (b"", b"HTTP/1.1 200")
    gc.collect()
    assert aloud == []
