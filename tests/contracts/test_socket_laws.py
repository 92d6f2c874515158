"""The laws about sockets: kept by the fake, unsupported where there are none; frames are as RFC 6455 has them."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from contracts.connect import connect
from contracts.exchange import MESSAGE, Call
from contracts.judge import Effort, judge
from contracts.law import Breach, Unjudgeable, find, laws
from contracts.options import Options
from contracts.replay import as_saved
from contracts.saved import Saved, rules
from contracts.server_laws.websocket_frames import next_but_data
from contracts.sockets import PING, TEXT, Socket, forbidden, frame, proof, read_frame
from contracts.target import Target
from mockserver.serving.server import MockServer

ABOUT_SOCKETS = [law for law in laws("server") if "websocket" in law.needs]


@pytest.mark.parametrize("key", ["", "sk-good"])
def test_the_fake_keeps_them(key: str) -> None:
    """All are judged and kept; the one about keys where a key is given."""
    with MockServer(api_keys=[key] if key else []) as server:
        target = connect(server.url, Options(profile="docs", api_key=key))
        words = {law.id: judge(law, target, Effort(3)).word for law in ABOUT_SOCKETS}
    assert len(words) >= 15
    assert {law for law, word in words.items() if word != "ok"} == (set() if key else {"S-WS-17"})


def test_a_server_without_sockets_is_not_blamed() -> None:
    """It is shown as unsupported, with the reason."""
    with MockServer(profile="engine") as server:
        verdict = judge(find("S-WS-02"), connect(server.url, Options(profile="engine")), Effort())
    assert (verdict.word, verdict.reason) == ("unsupported", "no websocket: no handshake was answered 101")


def test_sockets_that_were_promised_and_are_not_there() -> None:
    """Where a target file declares them, the law of the handshake is broken."""
    with MockServer(profile="engine") as server:
        target = connect(server.url, Options(profile="engine"))
        target.known["websocket"] = (True, "declared")
        verdict = judge(find("S-WS-01"), target, Effort())
    assert verdict.word == "failed"
    assert verdict.reason.startswith("expected status 101")


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frames(size: int) -> None:
    """RFC 6455, 5.2: three lengths; a masked frame is read as what it says."""
    data = bytes(n % 251 for n in range(size))
    for masked in (True, False):
        made = frame(TEXT, data, masked=masked)
        assert read_frame(made[:-1]) is None or size == 0
        found = read_frame(made + b"rest")
        assert found is not None
        assert (found[0].opcode, found[0].final, found[0].masked, found[0].data) == (TEXT, True, masked, data)
        assert found[1] == b"rest"


def test_the_proof() -> None:
    """The example of RFC 6455, 1.3."""
    assert proof("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_message_is_shown_and_not_replayed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A report shows a command for it; a saved failure has no rule for it, and says so where it is replayed."""
    call = Call(MESSAGE, "/v1/completions", b'{"a": 1}')
    assert call.curl("http://h:1") == """printf '%s\\n' '{"a": 1}' | websocat -n ws://h:1/v1/completions"""
    assert rules([{"request": call.to_json(), "response": None, "ended": "none"}]) == []
    saved = Saved(tmp_path_factory.mktemp("saved") / "x.json", "S-WS-02", "t", "m", "docs", 0, {}, {})
    with pytest.raises(Unjudgeable, match="about sockets"):
        as_saved(saved, find("S-WS-02"), "http://127.0.0.1:9")


@contextlib.contextmanager
def agreeing(talk: Callable[[socket.socket], None]) -> Iterator[Target]:
    """A server that agrees to each handshake and then does what it is told, as a target of little patience."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    key = re.search(rb"Sec-WebSocket-Key: (\S+)", connection.recv(4096))
                    assert key is not None
                    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                    agreed = fields + proof(key[1].decode()).encode()
                    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + agreed + b"\r\n\r\n")
                    talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        target = Target(f"http://127.0.0.1:{listener.getsockname()[1]}", "m", timeout=0.3)
        target.known["websocket"] = (True, "declared")
        target.notes["sockets"] = ["/v1/completions"]
        yield target
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def endless(data: bytes) -> Callable[[socket.socket], None]:
    """Says it for ever, to whoever has said something."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        while True:
            connection.sendall(data)

    return talk


CHUNK = b'{"choices": [{"index": 0, "text": "x", "finish_reason": null}]}'


@pytest.mark.slow
def test_an_answer_without_an_end_is_cut() -> None:
    """However much comes, the target's time is all that an answer has; pings and other frames end no wait."""
    with agreeing(endless(frame(TEXT, CHUNK, masked=False) * 20)) as target:
        with Socket(target, "/v1/completions") as one:
            one.say({})
            with pytest.raises(Breach, match="expected an answer that ends"):
                one.answer()
        with Socket(target, "/v1/completions") as one:
            one.say({})
            assert next_but_data(one) is None
    with agreeing(endless(frame(PING, b"", masked=False))) as target, Socket(target, "/v1/completions") as one:
        one.say({})
        with pytest.raises(Breach, match="a message; got none in time"):
            one.message()


def test_a_ping_message_may_be_answered_by_what_is_no_json() -> None:
    """A word, a number: no error, so the law goes on to the answer."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        last = CHUNK.replace(b"null", b'"stop"')
        connection.sendall(b"".join(frame(TEXT, data, masked=False) for data in (b"pong", b"5", last)))
        connection.recv(4096)

    with agreeing(talk) as target:
        assert judge(find("S-WS-12"), target, Effort()).word == "ok"


NAMED = ("completions", "generate", "chat", "stream", "stream_usage", "system")
LAST = b'{"object": "text_completion", "choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]}'


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (frame(1, LAST, masked=False), ""),
        (frame(1, LAST[:5], head=0, masked=False) + frame(0, LAST[5:], masked=False), ""),
        (frame(2, LAST, masked=False), "a binary message"),
        (frame(1, LAST), "a masked frame"),
        (frame(1, LAST, head=0xC0, masked=False), "a reserved bit that is set"),
        (frame(3, b"", masked=False) + frame(1, LAST, masked=False), "a frame of opcode 3"),
        (frame(PING, b"", head=0, masked=False) + frame(1, LAST, masked=False), "a control frame in pieces"),
        (frame(PING, bytes(126), masked=False) + frame(1, LAST, masked=False), "a control frame of 126 bytes"),
        (frame(1, LAST[:5], head=0, masked=False) + frame(1, LAST[5:], masked=False), "a message inside another"),
        (frame(0, LAST, masked=False), "a continuation of nothing"),
    ],
    ids=[
        "right",
        "in-pieces",
        "binary",
        "masked",
        "reserved",
        "opcode-3",
        "ping-in-pieces",
        "ping-of-126",
        "inside-another",
        "of-nothing",
    ],
)
def test_what_a_server_may_not_send_is_found(data: bytes, wrong: str) -> None:
    """RFC 6455, 5: each such frame breaks S-WS-02, though the text in it could be read."""

    def talk(connection: socket.socket) -> None:
        while connection.recv(4096):
            connection.sendall(data)

    with agreeing(talk) as target:
        target.known |= {name: (name not in ("chat", "stream_usage", "system"), "") for name in NAMED}
        verdict = judge(find("S-WS-02"), target, Effort(examples=0.1, shrink_seconds=0.0))
    assert (verdict.word, wrong in verdict.reason) == ("failed" if wrong else "ok", True), verdict
    found = read_frame(data)
    assert found is not None
    assert forbidden(found[0], False) in ("", wrong)
