"""A replay of what is no plain HTTP: WebSockets, and connections that take their time."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from mockserver import MockServer, Session, chat, cli, cut
from mockserver.record.bundle import check
from mockserver.serving.rerun import Outcome, Rerun

PATH = "/v1/chat/completions"


@pytest.fixture
def session() -> Iterator[Session]:
    """A session of its own."""
    with MockServer() as server:
        yield server.new_session()


def open_socket(session: Session, query: str = "", **options: Any) -> ClientConnection:
    """A WebSocket of the session."""
    url = f"{session.url.replace('http', 'ws', 1)}{PATH}{query}"
    opened: ClientConnection = connect(url, proxy=None, open_timeout=10, **options)
    return opened


def ask(peer: ClientConnection, text: str = "hello") -> str:
    """What the server says to a message, to its end; `cut` where the connection ended before."""
    peer.send(json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}))
    said = ""
    try:
        while True:
            message = json.loads(peer.recv(timeout=10))
            if "error" in message:
                return "error"
            said += "".join(choice["delta"].get("content") or "" for choice in message["choices"])
            if any(choice["finish_reason"] for choice in message["choices"]):
                return said
    except ConnectionClosed:
        return "cut"


def replayed(document: dict[str, Any]) -> list[Outcome]:
    """The outcomes of a replay, in the order of the requests."""
    found: list[Outcome] = []
    asyncio.run(Rerun(check(json.loads(json.dumps(document))), found.append).run())
    return sorted(found, key=lambda outcome: outcome.before.number)


def unlike(outcomes: list[Outcome]) -> list[tuple[str, ...]]:
    """What was not as before."""
    return [outcome.differences for outcome in outcomes if outcome.differences]


def test_messages_on_a_socket_are_sent_again(session: Session, tmp_path: Path, capsys: Any) -> None:
    """In their order, on the sockets they came on, beside HTTP; one that is cut is cut; another word is told."""
    session.on(chat(contains="cut"), name="cut").fail(cut(at="content[1]", how="rst")).reply("one two three")
    session.on(chat(), name="r").reply("first").reply("second").reply("third").reply("fourth")
    with open_socket(session) as one, open_socket(session) as other:
        assert [ask(one), ask(other), ask(one)] == ["first", "second", "third"]
        body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}'
        urllib.request.urlopen(f"{session.url}{PATH}", body, timeout=10).close()
        assert ask(other, "cut") == "cut"
    session.wait_for(5, 20)
    document = session.bundle()
    outcomes = replayed(document)
    assert unlike(outcomes) == []
    after = [(one.after or {})["request"]["http_version"] for one in outcomes]
    assert after == ["websocket", "websocket", "websocket", "1.1", "websocket"]
    connections = [(one.after or {})["connection"] for one in outcomes]
    assert connections[0] == connections[2] != connections[1] == connections[4]
    assert b"third" in outcomes[2].data
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(document).replace('"third"', '"tired"'))
    assert cli.main(["replay", str(path)]) == 1
    told = capsys.readouterr().out
    assert "5 requests, 4 as before, 1 not" in told
    assert "   bytes: the first difference is at byte " in told


def test_keys_and_who_leaves_are_as_they_were_on_a_socket() -> None:
    """A key of the handshake, of the URL, of a message, none, a wrong one; a client that leaves in the middle."""
    with MockServer(api_keys=["sk-one-0123456", "sk-two-0123456"]) as server:
        session = server.new_session()
        session.on(chat(contains="slow")).reply({"text": "one two three four", "pacing": {"itl": 30}})
        session.on(chat()).reply("x")
        with open_socket(session, additional_headers={"authorization": "Bearer sk-one-0123456"}) as peer:
            assert ask(peer) == "x"
        with open_socket(session, "?token=sk-two-0123456") as peer:
            assert ask(peer) == "x"
        with open_socket(session) as peer:
            assert ask(peer) == "error"
            peer.send(json.dumps({"type": "auth", "api_key": "sk-two-0123456"}))
            assert ask(peer) == "x"
        with pytest.raises(InvalidStatus):
            open_socket(session, additional_headers={"authorization": "Bearer sk-three-012345"})
        with open_socket(session, "?token=sk-one-0123456") as peer:
            peer.send(json.dumps({"model": "m", "messages": [{"role": "user", "content": "slow"}]}))
            peer.recv(timeout=10)
        session.wait_for(6, 20)
        document = session.bundle()
    assert "0123456" not in json.dumps(document)
    outcomes = replayed(document)
    assert unlike(outcomes) == []
    assert [outcome.before.status for outcome in outcomes] == [200, 200, 401, 200, 401, 200]
    assert (outcomes[-1].after or {})["ended"] == "client"


def test_a_socket_that_is_not_opened_again_is_said(session: Session) -> None:
    """Refused by another script, and a key that nobody knows how it was lost."""
    with open_socket(session) as peer:
        ask(peer)
        ask(peer)
    session.wait_for(2, 20)
    document = session.bundle()
    first, second = document["exchanges"]
    first["request"]["headers"].append(["authorization", "Bearer redacted-a"])
    (difference,) = unlike(replayed(document))
    assert difference == ("its socket had lost its key by a message that nothing is known of",)
    second["request"]["headers"].append(["authorization", "Bearer redacted-a"])
    document["script"] = {"api_keys": ["redacted-b"]}
    found = unlike(replayed(document))
    assert found == [("the WebSocket was not opened: HTTP/1.1 401 Unauthorized",)] * 2


def test_over_tls_a_socket_is_opened_again() -> None:
    """The certificate is another, what is said is the same."""
    with MockServer(tls=True) as server:
        session = server.new_session()
        session.on(chat()).reply("x")
        context = ssl.create_default_context(cadata=server.ca_pem.decode())
        with open_socket(session, ssl=context) as peer:
            assert ask(peer) == "x"
        session.wait_for(1, 20)
        document = session.bundle()
    assert unlike(replayed(document)) == []


def test_connections_take_no_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hours of `accept-delay`, of a port that is shut, a connection that is closed when idle: nobody waits for them."""
    with MockServer() as server:
        session = server.new_session()
        session.load({"rules": [{"reply": "x"}], "faults": [{"kind": "accept-delay", "seconds": 0.01}]})
        base = server.listener(session)
        body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}'
        urllib.request.urlopen(f"{base}{PATH}", body, timeout=10).close()
        session.wait_for(1, 20)
        document = session.bundle()
    document["script"]["faults"] = [
        {"kind": "accept-delay", "seconds": 3600},
        {"kind": "idle-close", "seconds": 0.000001, "how": "rst"},
        {"kind": "refused", "reopen_after": 3600},
    ]
    document["exchanges"][0]["faults"] = document["script"]["faults"]
    document["events"].insert(0, {"faults": [{"kind": "syn-black-hole", "reopen_after": 3600}]})
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(document))
    cli.main(["replay", str(path)])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        "no time passes for accept-delay, idle-close, refused, syn-black-hole: "
        "connections are accepted at once, stay open, and ports listen"
    )
    assert told[1].startswith("1. POST /v1/chat/completions: 200 by rule rules[0], ended end")
