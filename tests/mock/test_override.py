"""`X-Inferneo-Fault`: a request of this host says what goes wrong with it; one from elsewhere does not."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from rawpeer import ask, connect, read_all, read_exactly

from mockserver import MockServer
from mockserver.plan import Head
from mockserver.request import Request
from mockserver.serving.brain import ScriptBrain, Settings


def status(peer: str, value: str, brain: ScriptBrain) -> int:
    """The status that a request with this header gets."""
    request = Request("GET", "/health", headers=((b"x-inferneo-fault", value.encode()),), peer=peer)
    head = brain.decide(request).plan.steps[0]
    assert isinstance(head, Head)
    return head.status


@pytest.mark.parametrize(
    ("peer", "heeded"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("", True), ("192.0.2.1", False), ("2001:db8::1", False)],
)
def test_only_this_host_is_heeded(peer: str, heeded: bool) -> None:
    """Loopback peers, and those without an address (in process); one beyond is answered as if it had not asked."""
    brain = ScriptBrain(Settings())
    fault = json.dumps({"kind": "status", "status": 418})
    assert status(peer, fault, brain) == (418 if heeded else 200)
    assert status(peer, "[]", brain) == 200


def test_it_can_be_forbidden() -> None:
    """For all."""
    assert status("127.0.0.1", '{"kind":"status","status":418}', ScriptBrain(Settings(), overrides=False)) == 200


def test_over_a_socket() -> None:
    """One request only, behind the faults of the rule; the journal has the fault and the peer's address."""
    with MockServer(script={"faults": [{"kind": "headers", "set": {"x-a": "1"}}]}) as server:
        with connect(server) as peer:
            fault = json.dumps([{"kind": "headers", "set": {"x-b": "2"}}, {"kind": "cut", "at": "end"}])
            peer.sendall(ask("/health", "GET", "1.1", b"", f"X-Inferneo-Fault: {fault}"))
            got, end = read_all(peer)
        assert end == "rst"
        assert b"x-a: 1\r\n" in got
        assert b"x-b: 2\r\n" in got
        with connect(server) as peer:
            peer.sendall(ask("/health"))
            assert read_exactly(peer, 12) == b"HTTP/1.1 200"
        first, second = server.session().wait_for(2)
    assert [fault.kind for fault in first.decision.faults] == ["headers", "headers", "cut"]
    assert [fault.kind for fault in second.decision.faults] == ["headers"]
    assert first.request.peer == "127.0.0.1"


@pytest.mark.parametrize(
    ("value", "words"),
    [("{", "is no JSON"), ('{"kind":"cutt"}', "did you mean 'cut'"), ('{"kind":"delay"}', "seconds")],
)
def test_a_bad_header_is_said(value: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """500 with the reason: a test whose fault is not played must not pass."""
    caplog.set_level(logging.CRITICAL, "mockserver")
    with MockServer() as server, connect(server) as peer:
        peer.sendall(ask("/health", "GET", "1.1", b"", f"X-Inferneo-Fault: {value}", "Connection: close"))
        got, _ = read_all(peer)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500")
    told: dict[str, Any] = json.loads(body)
    assert words in told["error"]["message"]
