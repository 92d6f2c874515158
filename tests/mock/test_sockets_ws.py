"""WebSockets of the fake, spoken to with the `websockets` library and with raw frames, over every stack."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rawpeer import STACKS, ended, read_all
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from inferneo import AsyncInferneoClient, InferneoAuthenticationError, InferneoClient
from mockserver.model.frames import Frames, text_frame
from mockserver.model.message import Asked, Auth, Ping, read_message
from mockserver.plan import Body, Head
from mockserver.scripting.view import View
from mockserver.serving.server import MockServer

LLAMA = "meta-llama/Llama-2-7b-chat-hf"
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
ASK = {"model": LLAMA, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
SLOW = [{"match": {}, "reply": {"text": "a b c", "pacing": {"itl": 30}}}]
"""The first token at once, the second after half a minute."""
UPGRADE = (
    f"GET {CHAT} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


@contextmanager
def opened(server: MockServer, path: str = CHAT, **options: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}{path}", proxy=None, open_timeout=5, **options) as peer:
        yield peer


def send(peer: ClientConnection, document: Any) -> None:
    peer.send(document if isinstance(document, str | bytes) else json.dumps(document))


def receive(peer: ClientConnection) -> Any:
    return json.loads(peer.recv(timeout=5))


def answered(peer: ClientConnection) -> list[Any]:
    """The messages of one answer."""
    found = []
    while True:
        found.append(receive(peer))
        if "error" in found[-1] or any(choice["finish_reason"] for choice in found[-1]["choices"]):
            return found


def text(messages: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for one in messages for choice in one["choices"])


@pytest.mark.parametrize(("http", "loop"), STACKS)
def test_several_requests_on_one_socket(http: Any, loop: Any) -> None:
    """Each is answered in its turn, names its `request_id`, and is an exchange; sent at once, they keep their order."""
    with MockServer(http=http, loop=loop) as server:
        with opened(server) as peer:
            for tag in range(3):
                send(peer, {**ASK, "request_id": tag})
            answers = [answered(peer) for _ in range(3)]
        assert [{one["request_id"] for one in messages} for messages in answers] == [{0}, {1}, {2}]
        assert {one["object"] for messages in answers for one in messages} == {"chat.completion.chunk"}
        assert peer.close_code == 1000
        exchanges = ended(server, 3)
    assert [(one.request.on_connection, one.ended, one.status) for one in exchanges] == [
        (1, "end", 200),
        (2, "end", 200),
        (3, "end", 200),
    ]
    assert {one.request.http_version for one in exchanges} == {"websocket"}
    assert {one.request.connection for one in exchanges} == {1}
    assert exchanges[0].sent_bytes > 100


def test_the_other_sockets() -> None:
    """Texts on `/v1/completions`, plain contents on `/ws`; each session has them under its name."""
    with MockServer() as server:
        with opened(server, f"/@one{COMPLETIONS}") as peer:
            send(peer, {"model": LLAMA, "prompt": "One", "max_tokens": 3})
            assert all("text" in choice for one in answered(peer) for choice in one["choices"])
        # What is not read would stop the library from reading on, and from seeing that the socket was closed.
        with opened(server, "/@one/ws", max_queue=None) as peer:
            send(peer, {"content": "Hi"})
            assert "error" not in receive(peer)
        assert len(server.session("one").wait_for(2)) == 2
        assert not server.session().journal


def test_bad_messages() -> None:
    """What is no request is answered by an error message, and the next request works."""
    with MockServer() as server, opened(server) as peer:
        for bad in ("{", "[]", "5", "{}", '{"type": "nothing"}', b"\xff\xfe", json.dumps({**ASK, "model": "no"})):
            send(peer, bad)
            assert receive(peer)["error"]["message"]
        send(peer, ASK)
        assert text(answered(peer))


def test_pings() -> None:
    """A ping message is answered at once, between the messages of a stream too; so is a ping of the protocol."""
    with MockServer(script=SLOW) as server, opened(server) as peer:
        send(peer, ASK)
        assert "choices" in receive(peer)
        assert "choices" in receive(peer)
        send(peer, {"type": "ping"})
        assert receive(peer) == {"type": "pong"}
        assert peer.ping().wait(5)


def test_messages_in_pieces() -> None:
    """A message may come in many frames; one that is too large ends the socket with 1009."""
    with MockServer(max_body=1000) as server, opened(server) as peer:
        whole = json.dumps(ASK)
        peer.send([whole[:5], whole[5:20], whole[20:]])
        assert text(answered(peer))
        peer.send("x" * 2000)
        with pytest.raises(ConnectionClosed) as caught:
            peer.recv(timeout=5)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


def test_keys() -> None:
    """In the URL, in the header, in a first message; a wrong one is refused with 401, or by an error message."""
    with MockServer(api_keys=["sk-good"]) as server:
        for options in ({"path": f"{CHAT}?token=sk-good"}, {"additional_headers": {"Authorization": "Bearer sk-good"}}):
            with opened(server, **options) as peer:
                send(peer, ASK)
                assert text(answered(peer))
        with opened(server) as peer:
            send(peer, ASK)
            assert receive(peer)["error"]["code"] == "invalid_api_key"
            send(peer, {"type": "auth", "api_key": "sk-bad"})
            assert receive(peer)["error"]["message"] == "incorrect API key"
            send(peer, {"type": "auth", "api_key": "sk-good"})
            send(peer, ASK)
            assert text(answered(peer))
        with pytest.raises(InvalidStatus) as caught, opened(server, f"{CHAT}?token=sk-bad"):
            pass
        response = caught.value.response
        assert response.status_code == 401
        assert b"sk-bad" not in (response.body or b"")
        assert response.headers["www-authenticate"] == "Bearer"
        assert server.session().wait_for(4)[-1].request.method == "GET"


def test_no_socket_there() -> None:
    """On another path the handshake is answered as the request that it is; in `engine`, on every path."""
    with MockServer() as server:
        with pytest.raises(InvalidStatus) as caught, opened(server, "/v1/nothing"):
            pass
        assert caught.value.response.status_code == 404
        with pytest.raises(InvalidStatus) as caught, opened(server, "/v1/models"):
            pass
        assert caught.value.response.status_code == 200
        assert [one.ended for one in ended(server, 2)] == ["end", "end"]
    with MockServer(profile="engine") as server, pytest.raises(InvalidStatus), opened(server):
        pass


def test_a_rule_for_the_handshake() -> None:
    """One for GET on the path refuses it; one for POST is for the messages."""
    rules = [
        {"match": {"method": "GET", "path": CHAT}, "faults": [[{"kind": "status", "status": 503}]]},
        {"match": {"method": "POST", "path": CHAT}, "reply": "Done."},
    ]
    with MockServer(script=rules) as server:
        with pytest.raises(InvalidStatus) as caught, opened(server):
            pass
        assert caught.value.response.status_code == 503
        server.session().load(rules[1:])
        with opened(server) as peer:
            send(peer, ASK)
            assert text(answered(peer)) == "Done."


@pytest.mark.parametrize(
    ("fault", "count", "end"),
    [
        ({"kind": "delay", "seconds": 0.05}, 4, "end"),
        ({"kind": "stall", "after_events": 2, "seconds": 0.05}, 4, "end"),
        ({"kind": "cut", "after_events": 2}, 2, "rst"),
        ({"kind": "cut", "at": "content[1]", "how": "fin"}, 2, "fin"),
        ({"kind": "cut", "after_events": 1, "how": "half"}, 1, "half"),
        ({"kind": "drop", "at": "finish"}, 3, "end"),
        ({"kind": "status", "status": 429}, 1, "end"),
    ],
)
def test_faults(fault: dict[str, Any], count: int, end: str) -> None:
    """They do to messages what they do to events; a cut comes with no close frame."""
    rules = [{"match": {"path": CHAT}, "faults": [[fault], []], "reply": "Hello there"}]
    with MockServer(script=rules) as server:
        with opened(server, close_timeout=0.1) as peer:
            send(peer, ASK)
            messages = [receive(peer) for _ in range(count)]
            if end == "end":
                assert ("error" in messages[0]) == (fault["kind"] == "status")
                send(peer, ASK)
                assert text(answered(peer)) == "Hello there"
            else:
                with pytest.raises(ConnectionClosed) as caught:
                    peer.recv(timeout=5)
                assert caught.value.rcvd is None
        exchange = ended(server, 1)[0]
        assert (exchange.ended, [one.kind for one in exchange.faults]) == (end, [fault["kind"]])
        assert not server.session().problems()


def test_a_stall_without_end() -> None:
    """Nothing more comes, not even a pong, until the peer leaves."""
    rules = [{"match": {}, "faults": [[{"kind": "stall", "after_events": 1}]], "reply": "Hello there"}]
    with MockServer(script=rules) as server:
        with opened(server, close_timeout=0.05) as peer:
            send(peer, ASK)
            receive(peer)
            with pytest.raises(TimeoutError):
                peer.recv(timeout=0.05)
        assert ended(server, 1)[0].ended in ("stall", "client")


def test_a_client_that_leaves() -> None:
    """Its exchange ends with it: while it is played, while it waits at a barrier; what waits behind is not begun."""
    rules = [
        {"match": {"contains": "hold"}, "hold": "gate", "reply": "x"},
        *SLOW,
    ]
    with MockServer(script=rules) as server:
        with opened(server) as peer:
            send(peer, ASK)
            receive(peer)
            send(peer, ASK)
        with opened(server) as peer:
            send(peer, {**ASK, "messages": [{"role": "user", "content": "hold"}]})
            server.session().wait_for(2, arrived=True)
        assert [one.ended for one in ended(server, 2)] == ["client", "client"]


def test_a_held_answer_and_one_that_is_made() -> None:
    """Barriers and functions hold a message as they hold a request."""

    async def late(view: View) -> str:
        await asyncio.sleep(0)
        return f"made for {view.request.http_version}"

    with MockServer() as server:
        server.session().on({"contains": "hold"}).hold("gate").reply("held")
        server.session().on({}).reply(late)
        with opened(server) as peer:
            send(peer, {**ASK, "messages": [{"role": "user", "content": "hold"}]})
            send(peer, ASK)
            server.session().wait_for(1, arrived=True)
            server.session().release("gate")
            assert text(answered(peer)) == "held"
            assert text(answered(peer)) == "made for websocket"


def test_a_flood_of_messages() -> None:
    """More requests than may wait are read later; all are answered, in order."""
    rules = [{"match": {}, "reply": {"text": "a", "pacing": {"ttft": 0.001}}}]
    with MockServer(script=rules) as server, opened(server) as peer:
        for number in range(200):
            send(peer, {**ASK, "request_id": number})
        assert [answered(peer)[-1]["request_id"] for _ in range(200)] == list(range(200))


def test_limits_and_slots() -> None:
    """A socket's messages take from the same buckets and slots as requests; the error is a message."""
    with MockServer(limits={"requests_per_minute": 2}, latency={"slots": 1}) as server, opened(server) as peer:
        for _ in range(2):
            send(peer, ASK)
            assert text(answered(peer))
        send(peer, ASK)
        assert receive(peer)["error"]["code"] == "rate_limit_exceeded"


def test_frames_that_are_wrong() -> None:
    """An unmasked frame ends the socket with 1002; a bad handshake is a 4xx."""
    with MockServer() as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
            peer.sendall(UPGRADE)
            assert peer.recv(1 << 16).startswith(b"HTTP/1.1 101 ")
            peer.sendall(text_frame(b"{}"))
            data, how = read_all(peer)
            assert (data[:4], how) == (b"\x88" + data[1:2] + b"\x03\xea", "fin")
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
            peer.sendall(UPGRADE.replace(b"Version: 13", b"Version: 7"))
            data, how = read_all(peer)
            assert (data[:10], how) == (b"HTTP/1.1 4", "fin")


def test_a_peer_that_half_closes_has_left() -> None:
    """Its answer ends, and the tokens that went out are counted."""
    with MockServer(script=SLOW) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
            peer.sendall(UPGRADE)
            assert peer.recv(1 << 16).startswith(b"HTTP/1.1 101 ")
            data = json.dumps(ASK).encode()
            peer.sendall(b"\x81%c\0\0\0\0%b" % (0x80 | len(data), data))
            server.session().wait_for(1, arrived=True)
            assert b"choices" in peer.recv(1 << 16)
            peer.shutdown(socket.SHUT_WR)
            assert ended(server, 1)[0].ended == "client"
        found = server.run(server.session_brain("").metrics)
        assert (found.generation_tokens, found.finished, found.running) == (1, 0, 0)


def test_a_peer_that_reads_slowly() -> None:
    """A full transport is waited for; nothing is lost."""
    rules = [{"match": {}, "reply": {"text": "word " * 40_000}}]
    with MockServer(script=rules) as server, opened(server, max_queue=1) as peer:
        send(peer, {key: value for key, value in ASK.items() if key != "max_tokens"})
        server.session().wait_for(1, arrived=True)
        assert server.session().journal[0].ended == "open"
        assert text(answered(peer)) == "word " * 40_000
        assert ended(server, 1)[0].ended == "end"


def test_the_server_closes() -> None:
    """A hanging answer is dropped; nothing is left of the socket."""
    with MockServer(script=SLOW) as server, opened(server, close_timeout=0.1) as peer:
        send(peer, ASK)
        assert "choices" in receive(peer)
        assert "choices" in receive(peer)
        server.close()
        with pytest.raises(ConnectionClosed):
            peer.recv(timeout=5)


def test_over_tls() -> None:
    """`wss`, with the certificate of the server; a half-close does not exist there and is told."""
    rules = [{"match": {}, "faults": [[], [{"kind": "cut", "after_events": 1, "how": "half"}]], "reply": "Hi"}]
    with MockServer(tls=True, script=rules) as server:
        context = ssl.create_default_context(cadata=server.ca_pem.decode())
        with connect(f"wss://127.0.0.1:{server.port}{CHAT}", ssl=context, proxy=None) as peer:
            send(peer, ASK)
            assert text(answered(peer)) == "Hi"
            send(peer, ASK)
            assert receive(peer)["error"]["code"] == "plan_refused"


def test_frames() -> None:
    """Lengths of 7, 16 and 64 bits (RFC 6455, 5.2)."""
    assert text_frame(b"a" * 125)[:2] == b"\x81\x7d"
    assert text_frame(b"a" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert text_frame(b"a" * 65536)[:10] == b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"


def test_what_a_message_is() -> None:
    """Auth and ping by their type; all else is a request."""
    assert read_message(b'{"type":"auth","api_key":"k"}') == Auth(b"k")
    assert read_message(b'{"type":"auth"}') == Auth(b"")
    assert read_message(b'{"type": "ping"}') == Ping()
    for data in (b'{"type":5}', b'{"type":"x"}', b'{"messages":[],"type":"ping"}', b"{", b'"type"'):
        assert read_message(data) == Asked(data)


def test_the_client_of_the_kit_speaks_it() -> None:
    """`transport="ws"`, sync and async, with a key; a refused handshake is its authentication error."""
    with MockServer(api_keys=["sk-good"], script=[{"match": {"stream": True}, "reply": "Hello there"}]) as server:
        call: Any = {"model": LLAMA, "messages": ASK["messages"], "stream": True, "transport": "ws"}
        with InferneoClient(server.url, api_key="sk-good") as client:
            assert client.chat.completions.create(**call).get_final_response().text == "Hello there"
        with InferneoClient(server.url, api_key="sk-bad") as client, pytest.raises(InferneoAuthenticationError):
            client.chat.completions.create(**call)

        async def run() -> str:
            async with AsyncInferneoClient(server.url, api_key="sk-good") as client:
                return str((await client.chat.completions.create(**call).get_final_response()).text)

        assert asyncio.run(run()) == "Hello there"


def test_framing() -> None:
    """A plan's heads are nothing on a socket; its bodies are messages."""
    framer = Frames()
    assert framer.head(Head(200)) + framer.end() + framer.body(b"") == b""
    assert framer.body(Body(b"{}").data) == b"\x81\x02{}"
    assert not framer.chunks(Head(200))
