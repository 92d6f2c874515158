"""The app as a plain ASGI callable, in process, and over TLS: clean plans are played, others refused."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from typing import Any

import pytest
import trustme
from rawpeer import DATE, STACKS, Playing, ask, connect, ended, playing, read_all, read_exactly

from mockserver.errors import PlanError
from mockserver.plan import Body, Close, Head, Plan, Wait
from mockserver.serving.app import App
from mockserver.serving.brain import ScriptBrain, Settings
from mockserver.serving.sessions import Sessions

STREAM = Plan((Head(200, ((b"x", b"y"),)), Body(b"a"), Wait(0), Body(b"b")))


def asgi(app: App, path: str = "/", *messages: dict[str, Any], kind: str = "http") -> list[dict[str, Any]]:
    """What the app sends for one scope whose messages are these (an empty request without any)."""
    waiting = list(messages or [{"type": "http.request"}])
    sent: list[dict[str, Any]] = []
    scope = {
        "type": kind,
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "http_version": "1.1",
    }

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def plays(plan: Plan, **settings: Any) -> App:
    return App(Sessions(lambda name: Playing(lambda request: plan)), **settings)


def test_a_clean_plan_is_played_without_a_wire() -> None:
    """Head and bodies as ASGI messages; the exchange is in the journal."""
    app = plays(STREAM)
    sent = asgi(app, "/@one/v1/models", part(b"ab", True), part(b"cd"))
    assert sent[0] == {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
    assert b"".join(message["body"] for message in sent[1:]) == b"ab"
    exchange = app.sessions.get("one").journal[0]
    assert (exchange.request.path, exchange.request.body, exchange.ended) == ("/v1/models", b"abcd", "end")
    assert exchange.request.connection == 0


def test_a_wire_fault_fails_loudly_without_a_wire() -> None:
    """Nothing is sent, the error says what is needed, the journal keeps it."""
    app = plays(Plan(STREAM.steps, Close("rst")))
    with pytest.raises(PlanError, match=r"needs an ending by rst .*'mockserver\.wire'.*MockServer"):
        asgi(app)
    exchange = app.sessions.get("").journal[0]
    assert exchange.ended == "error"
    assert "an ending by rst" in exchange.error


def test_a_peer_that_leaves_in_its_body_is_no_request() -> None:
    """Before the first byte or in the middle: nothing is decided, nothing is sent."""
    app = plays(STREAM)
    assert asgi(app, "/", {"type": "http.disconnect"}) == []
    assert asgi(app, "/", part(b"a", True)) == []
    assert len(app.sessions) == 0


def test_a_body_beyond_the_limit_is_refused() -> None:
    """413 whether it comes in one part or in many; not all of it is read."""
    app = plays(STREAM, max_body=3)
    for messages in ([part(b"abcd")], [part(b"ab", True), part(b"cd", True), part(b"ef")]):
        sent = asgi(app, "/", *messages)
        assert sent[0]["status"] == 413
        assert (b"connection", b"close") in sent[0]["headers"]
        assert json.loads(sent[1]["body"])["error"]["message"] == "the body is larger than 3 bytes"


def test_the_door_is_open_in_process() -> None:
    """The same door, without a socket."""
    app = App(Sessions(lambda name: ScriptBrain(Settings())))
    sent = asgi(app, "/@x/_mock/nope")
    assert sent[0]["status"] == 404


def test_lifespan_is_answered() -> None:
    """Start and end are acknowledged, so the app runs under any server."""
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = asgi(plays(STREAM), "/", *events, kind="lifespan")
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_no_date_where_none_is_wanted() -> None:
    """The date can be left out, for bytes that never differ."""
    assert plays(STREAM, date=False)._date() == b""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(("http", "loop"), STACKS)
def test_tls(http: str, loop: str, authority: trustme.CA, caplog: pytest.LogCaptureFixture) -> None:
    """Over TLS responses and closes are as planned; a half-close is refused before a byte; a reset is no clean end."""
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    whole = Plan((Head(200, (DATE, (b"content-length", b"2"))), Body(b"ok")))
    cut = Plan((Head(200, (DATE, (b"content-length", b"9"))), Body(b"ok")), Close("rst"))
    plans = {"/": whole, "/fin": Plan(cut.steps, Close("fin")), "/rst": cut, "/half": Plan(cut.steps, Close("half"))}
    caplog.set_level(logging.CRITICAL, "mockserver")
    with playing(lambda request: plans[request.path], http, loop, tls=served) as server:
        assert server.url.startswith("https://")
        for number, path in enumerate(plans):
            with trusting.wrap_socket(connect(server), server_hostname="127.0.0.1") as peer:
                peer.sendall(ask(path))
                if path == "/":
                    assert read_exactly(peer, 15) == b"HTTP/1.1 200 OK"
                elif path == "/half":
                    assert read_exactly(peer, 12) == b"HTTP/1.1 500"
                else:
                    try:
                        got, end = read_all(peer)
                    except ssl.SSLError:
                        continue  # some versions say that the end was not clean
                    assert got.endswith(b"\r\n\r\nok")
                    assert end in ("fin", "rst")  # Python 3.11 reads a RST under TLS as an end
            exchange = ended(server, number + 1)[-1]
            assert exchange.ended == {"/": "end", "/half": "end", "/fin": "fin", "/rst": "rst"}[path]
        assert "TLS does not know" in ended(server, 4)[-1].error
