"""TLS: the certificate that is made, and every fault over it. A reset may read as a truncated end there."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest
from playable import faulty, planned
from rawpeer import STACKS, ask, ended, playing, read_exactly
from strategies import json_plan, stream_plan

from mockserver import MockServer
from mockserver.faults import kinds, parse_fault
from mockserver.plan import Close, Plan, Raw
from mockserver.request import Request
from mockserver.scripting.catalogue import example_fault
from mockserver.serving.tls import identity

stacks = pytest.mark.parametrize(("http", "loop"), STACKS)
one_quick = pytest.mark.parametrize(
    ("http", "loop"), [*(pytest.param(*stack, marks=pytest.mark.slow) for stack in STACKS[:-1]), STACKS[-1]]
)
REQUEST = ask("/health")


def trusting(server: MockServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.ca_file))


def connect(server: MockServer, context: ssl.SSLContext, port: int | None = None, timeout: float = 5) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port or server.port), timeout=timeout)
    try:
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
    except BaseException:
        plain.close()
        raise


def read_all(peer: ssl.SSLSocket) -> tuple[bytes, Literal["end", "silence"]]:
    """All bytes, and whether an end came; which one, TLS does not always tell (RST may read as an end)."""
    parts: list[bytes] = []
    while True:
        try:
            part = peer.recv(1 << 16)
        except TimeoutError:
            return b"".join(parts), "silence"
        except (ConnectionResetError, ssl.SSLError):
            return b"".join(parts), "end"
        if not part:
            return b"".join(parts), "end"
        parts.append(part)


@pytest.mark.slow
@stacks
def test_every_fault_over_tls(http: str, loop: str) -> None:
    """Each kind's example on a stream and on a document: the planned bytes, then an end; a half-close is refused."""
    bases = (stream_plan("Hé", "llo"), json_plan())
    plans = [faulty(base, (parse_fault(example_fault(kind)),), 1) for kind in kinds() for base in bases]
    half = Plan(bases[0].steps, Close("half"))
    plans.append(half)

    def choose(request: Request) -> Plan:
        return plans[int(request.path[1:])]

    with playing(choose, http, loop, tls=True) as server:
        context = trusting(server)
        for number, plan in enumerate(plans):
            with connect(server, context, timeout=20) as peer:
                peer.sendall(ask(f"/{number}", "GET", "1.1", b"", "Connection: close"))
                data, end = read_all(peer)
            assert end == "end"
            if plan is half:
                assert data.startswith(b"HTTP/1.1 500 ")
                assert b"which TLS does not know" in data
            else:
                assert data == planned(plan)[0], plan
        names = [exchange.ended for exchange in ended(server, len(plans))]
    assert names == [*(planned(plan)[2] for plan in plans[:-1]), "end"]


@stacks
def test_no_byte_before_a_reset_is_lost_under_tls(http: str, loop: str) -> None:
    """Also to a reader that is slower than the server, and for what is larger than every buffer."""
    body = Random(1).randbytes(3 << 20)
    plan = Plan(tuple(Raw(body[at : at + 50_000]) for at in range(0, len(body), 50_000)), Close("rst"))
    with playing(lambda request: plan, http, loop, tls=True) as server:
        context = trusting(server)
        for _ in range(5):
            with connect(server, context) as peer:
                peer.sendall(ask())
                first = read_exactly(peer, 1000)
                rest, end = read_all(peer)
            assert first + rest == body
            assert end == "end"
        assert {exchange.ended for exchange in ended(server, 5)} == {"rst"}


@contextmanager
def armed(http: str, loop: str, **fault: Any) -> Iterator[tuple[MockServer, ssl.SSLContext]]:
    with MockServer(http=http, loop=loop, tls=True, script={"faults": [fault]}) as server:  # type: ignore[arg-type]  # names from STACKS
        yield server, trusting(server)


def healthy(peer: ssl.SSLSocket, status: bytes = b"200") -> bool:
    peer.sendall(REQUEST)
    got = peer.recv(1 << 16)
    return got.startswith(b"HTTP/1.1 " + status)


@one_quick
def test_faults_of_connections_over_tls(http: str, loop: str) -> None:
    """They strike once the handshake is over; those of the listener before it."""
    for kind in ("accept-reset", "accept-close"):
        with armed(http, loop, kind=kind) as (server, context):
            try:
                with connect(server, context) as peer:
                    assert read_all(peer) == (b"", "end")
            except OSError:
                pass  # met in the handshake already
    with armed(http, loop, kind="accept-black-hole") as (server, context), connect(server, context) as peer:
        peer.settimeout(0.05)
        peer.sendall(REQUEST)
        assert read_all(peer) == (b"", "silence")
    with armed(http, loop, kind="accept-delay", seconds=0.03) as (server, context), connect(server, context) as peer:
        assert healthy(peer)
    with (
        armed(http, loop, kind="connection-limit", limit=1) as (server, context),
        connect(server, context) as one,
        connect(server, context) as two,
    ):
        assert healthy(two, b"503")
        assert healthy(one)
    for how in ("fin", "rst"):
        fault = {"kind": "idle-close", "seconds": 0.02, "how": how}
        with armed(http, loop, **fault) as (server, context), connect(server, context) as peer:
            assert healthy(peer)
            assert read_all(peer) == (b"", "end")
    with armed(http, loop, kind="reset-nth-request") as (server, context), connect(server, context) as peer:
        assert healthy(peer)
        try:
            peer.sendall(REQUEST)
            assert read_all(peer) == (b"", "end")
        except OSError:
            pass  # the reset was there before the whole request was sent
        assert [exchange.ended for exchange in ended(server, 2)] == ["end", "rst"]
    body = b"x" * 100
    with armed(http, loop, kind="early-response") as (server, context), connect(server, context) as peer:
        request = ask("/health", "POST", "1.1", body)
        peer.sendall(request[: -len(body)])
        assert peer.recv(1 << 16).startswith(b"HTTP/1.1 ")
    with armed(http, loop, kind="no-read") as (server, context), connect(server, context) as peer:
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.sendall(ask("/v1/completions", "POST", "1.1", b"x" * (16 << 20)))
    with armed(http, loop, kind="refused") as (server, context), pytest.raises(ConnectionRefusedError):
        connect(server, context)
    with armed(http, loop, kind="syn-black-hole") as (server, context), pytest.raises(OSError, match="timed out"):
        connect(server, context, timeout=0.1)


def test_the_certificate_is_for_this_server_only() -> None:
    """Trusted by who was given `ca_file`, by no one else; the file goes with the server; names of the loopback hold."""
    with MockServer(tls=True) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        file = server.ca_file
        assert file.read_bytes() == server.ca_pem
        with urllib.request.urlopen(f"{server.url}/health", timeout=5, context=trusting(server)) as response:
            assert response.status == 200
        named = f"https://localhost:{server.port}/health"
        with urllib.request.urlopen(named, timeout=5, context=trusting(server)) as response:
            assert response.status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(server, ssl.create_default_context())
        with MockServer(tls=True) as other, pytest.raises(ssl.SSLCertVerificationError):
            connect(server, trusting(other))
    assert not file.exists()
    with MockServer() as plain, pytest.raises(RuntimeError, match=r"MockServer\(tls=True\)"):
        _ = plain.ca_file


def test_a_context_of_ones_own() -> None:
    """It is used as it is, and has no authority to hand out."""
    made = identity("", True)
    assert made is not None
    assert identity("127.0.0.1", False) is None
    with MockServer(tls=made.context) as server:
        assert server.url.startswith("https://")
        with pytest.raises(RuntimeError, match="no authority"):
            _ = server.ca_pem


def test_a_missing_trustme_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that brings it, too."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ImportError, match=r"trustme makes it; pip install 'inferneo\[mock\]'"):
        MockServer(tls=True)


@pytest.mark.slow
def test_serve_speaks_tls(tmp_path: Path) -> None:
    """`serve --tls --tls-ca FILE`: one ready line with https, and a file that a client can trust."""
    ca = tmp_path / "ca.pem"
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0"]
    with subprocess.Popen([*command, "--tls", "--tls-ca", str(ca)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.fullmatch(r"inferneo-mock listening on (https://\S+) \(profile docs\)\n", process.stdout.readline())
        assert found
        context = ssl.create_default_context(cafile=str(ca))
        with urllib.request.urlopen(f"{found[1]}/health", timeout=5, context=context) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    done = subprocess.run([*command, "--tls-ca", os.devnull], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (2, "inferneo-mock serve: --tls-ca needs --tls\n")
