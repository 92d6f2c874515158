"""The TLS sockets of a WebSocket: one thread reads, another writes, and either may be the one that ends it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from inferneo._tls import LockedContext, LockedSocket


@pytest.fixture
def pair() -> Iterator[tuple[LockedSocket, ssl.SSLSocket]]:
    """A client's socket and its server's, after the handshake of TLS 1.3 and the tickets that follow it."""
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[ssl.SSLSocket] = []
        thread = threading.Thread(target=lambda: accepted.append(serving.wrap_socket(listener.accept()[0], True)))
        thread.start()
        raw = socket.create_connection(listener.getsockname(), timeout=5)
        client = LockedContext(trusting).wrap_socket(raw, server_hostname="127.0.0.1")
        thread.join(5)
    accepted[0].settimeout(5)
    yield client, accepted[0]
    client.close()
    accepted[0].close()


def reading(client: LockedSocket) -> tuple[threading.Thread, list[Any]]:
    """A thread that reads, and what it got: bytes, or the error."""
    got: list[Any] = []

    def read() -> None:
        try:
            got.append(client.recv(65536))
        except OSError as error:
            got.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, got


def test_a_reader_does_not_keep_a_writer_out(pair: Any) -> None:
    """Where the reader waits (the tickets woke it, no byte for it came), what another thread sends arrives."""
    client, server = pair
    client.settimeout(None)
    thread, got = reading(client)
    for size in (1, 300_000):  # the second is more than the buffers of both sockets hold
        sent = bytes(size)
        writer = threading.Thread(target=client.sendall, args=(sent,))
        writer.start()
        arrived = b""
        while len(arrived) < size:
            arrived += server.recv(65536)
        writer.join(5)
        assert arrived == sent
    assert not got
    server.sendall(b"answer")
    thread.join(5)
    assert got == [b"answer"]


def test_neither_direction_waits_inside_openssl(pair: Any) -> None:
    """Whatever timeout is asked for: the socket below never blocks."""
    client, _ = pair
    for seconds in (None, 5.0):
        client.settimeout(seconds)
        assert client.gettimeout() == 0


def test_closing_wakes_the_reader(pair: Any) -> None:
    """`close` from another thread ends a `recv` without a time limit."""
    client, _ = pair
    client.settimeout(None)
    thread, got = reading(client)
    client.close()
    thread.join(5)
    assert not thread.is_alive()
    assert got[0] == b"" or isinstance(got[0], OSError)


def test_the_end_without_a_farewell_is_an_end(pair: Any) -> None:
    """A peer that closes the TCP connection without TLS's `close_notify` is the end of the bytes, no TLS error."""
    client, server = pair
    server.sendall(b"last")
    socket.socket.shutdown(server, socket.SHUT_RDWR)
    assert client.recv(10) == b"last"
    assert client.recv(10) == b""


def test_time_limits(pair: Any) -> None:
    """Of a read, and of a write that nobody reads."""
    client, _ = pair
    client.settimeout(0.01)
    with pytest.raises(TimeoutError):
        client.recv(1)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(50_000_000))


def test_half_an_end(pair: Any) -> None:
    """After `shutdown(SHUT_WR)` what the peer sent can still be read, decrypted."""
    client, server = pair
    client.settimeout(5)
    client.shutdown(socket.SHUT_WR)
    server.sendall(b"still")
    assert client.recv(10) == b"still"
