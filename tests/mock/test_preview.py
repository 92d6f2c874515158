"""A preview is what comes next: keys, limits, slots and the queue included, and nothing is used up by asking."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver import MockServer, Session, chat, cli
from mockserver.scripting.dsl import where

TWO_KEYS = {"api_keys": ["sk-one", "sk-two"], "limits": {"requests_per_minute": 2}}


@pytest.fixture
def server() -> Iterator[MockServer]:
    """A server of its own."""
    with MockServer() as running:
        yield running


def asked(key: str = "", text: str = "hello", **more: Any) -> dict[str, Any]:
    """A chat, as the door is asked about it."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    return {"headers": headers, "body": {"model": "m", "messages": [{"role": "user", "content": text}]}, **more}


def explained(session: Session, request: dict[str, Any], what: str = "explain") -> dict[str, Any]:
    """What the door says of a request."""
    data = json.dumps(request).encode()
    with urllib.request.urlopen(f"{session.url}/_mock/{what}", data, timeout=20) as found:
        told: dict[str, Any] = json.load(found)
    return told


def send(session: Session, request: dict[str, Any]) -> int:
    """The status of the request when it comes."""
    data = json.dumps(request["body"]).encode()
    try:
        sent = urllib.request.Request(f"{session.url}/v1/chat/completions", data, request["headers"])
        with urllib.request.urlopen(sent, timeout=20) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_keys_and_limits_are_told_and_nothing_is_taken(server: MockServer) -> None:
    """For every request of a row: the plan that the preview shows, however often asked for, is what is sent."""
    session = server.new_session().load({**TWO_KEYS, "rules": [{"name": "r", "reply": "x"}]})
    session.clock.freeze()
    found = []
    for number, key in enumerate(("sk-one", "", "sk-wrong", "sk-one", "sk-one", "sk-two"), 1):
        before = session.state
        told = [explained(session, asked(key)) for _ in range(3)]
        assert told[0] == told[2]
        assert session.state == before
        found.append((send(session, asked(key)), told[0]["refused"], told[0]["rule"]))
        assert session.wait_for(number, 20)[-1].to_json()["plan"] == told[0]["plan"]
    key, limit = "its API key is missing, wrong or expired", "its rate limit is used up"
    before_rules = "before any rule is asked"
    assert found == [
        (200, None, "r"),
        (401, f"refused with 401 {before_rules}: {key}", None),
        (401, f"refused with 401 {before_rules}: {key}", None),
        (200, None, "r"),
        (429, f"refused with 429 {before_rules}: {limit}", None),
        (200, None, "r"),
    ]
    assert "<- answers" not in explained(session, asked("sk-one"))["text"]
    assert explained(session, asked("sk-one"), "plan")["refused"].startswith("refused with 429")


def test_slots_and_the_queue_are_told_and_nobody_moves() -> None:
    """The first has its slot, the second would wait, and does; the third would be refused, and is."""
    with MockServer(max_concurrent=1, latency={"queue": 1}) as server:
        session = server.new_session()
        session.on(chat(), name="r").hold("gate").reply("x")
        threads = []
        for number in (1, 2):
            told = explained(session, asked())
            assert told["refused"] is None
            waits = "waits for a slot: 1 request runs on 1 slot, 0 wait before it; the times are those from when it has"
            assert (told["queued"] or "").startswith(waits) == (number == 2)
            assert bool(told["queued"]) == (number == 2)
            threads.append(threading.Thread(target=send, args=(session, asked())))
            threads[-1].start()
            session.wait_for(number, 20, arrived=True)
            assert session.state["running"] == 1
        told = explained(session, asked())
        assert told["refused"] == "refused with 503: 1 request runs on 1 slot, 1 waits, which is all that may"
        assert told["timeline"][0]["shown"] == "503"
        assert (session.state["running"], session.state["waiting"]) == (1, 1)
        session.on(chat(contains="quick"), name="quick", priority=1).reply("x")
        assert send(session, asked(text="quick")) == 503
        session.release("gate")
        for thread in threads:
            thread.join()


def test_what_else_is_sent_is_told_too(server: MockServer) -> None:
    """A body beyond the limit, faults in the request's own header."""
    with MockServer(max_body=200) as small:
        session = small.new_session()
        told = explained(session, asked(text="x" * 300))
        assert told["refused"].startswith("refused with 413 before anything else: its body has 3")
        assert send(session, asked(text="x" * 300)) == 413
    session = server.new_session()
    override = asked()
    override["headers"]["X-Inferneo-Fault"] = '{"kind": "status", "status": 418}'
    assert explained(session, override)["timeline"][0]["shown"] == "418"
    assert send(session, override) == 418


def test_what_nobody_can_know_is_said(server: MockServer) -> None:
    """The connection, an asynchronous function under a limit, a function with a memory."""

    async def later(view: Any) -> str:
        return "later"

    session = server.new_session().load({"faults": [{"kind": "accept-reset", "when": {"after": 50}}]})
    session.on(chat(connection=7), name="seventh").reply("x")
    session.on(chat(contains="later"), name="later").reply(later)
    session.on(chat(), name="now").reply(lambda view: "now")
    told = explained(session, asked())
    ahead = "on which connection it comes, which decides about fault accept-reset, rule seventh"
    assert told["notes"] == [ahead, "whether its function, which was asked for this preview, will say the same again"]
    assert f"not known ahead: {ahead}" in told["text"]
    assert explained(session, asked(connection=7))["rule"] == "seventh"
    assert explained(session, asked(connection=7))["notes"] == []
    assert explained(session, asked(text="later", connection=1))["notes"] == []
    session.load({**TWO_KEYS})
    session.on(chat(), name="later").reply(later)
    (note,) = explained(session, asked("sk-one"))["notes"]
    assert note == "whether it finds a slot: that is decided when its reply has been made"
    session.load({})
    session.on(chat() & where(lambda view: True), name="odd").reply("x")
    assert explained(session, asked())["notes"] == []
    with pytest.raises(urllib.error.HTTPError) as caught:
        explained(session, asked(connection="one"))
    with caught.value as error:
        assert b"the number of a connection is a whole number from 1, not 'one'" in error.read()


def test_ctl_explain_takes_a_key(server: MockServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Without it a session with keys says no, with it the rule answers."""
    session = server.new_session().load({**TWO_KEYS, "rules": [{"name": "r", "reply": "x"}]})
    words = ["ctl", "--url", server.url, "--session", session.name, "explain"]
    assert cli.main(words) == 0
    assert "refused with 401 before any rule is asked: its API key is missing" in capsys.readouterr().out
    assert cli.main([*words, "--key", "sk-two"]) == 0
    assert "answered by rule r, call 1" in capsys.readouterr().out
