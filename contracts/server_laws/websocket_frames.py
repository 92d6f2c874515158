"""Sockets below their answers: bad messages, frames, pings, goodbyes; one socket's fault is no other's."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import strategies as st

from contracts.answers import is_error_body
from contracts.domains import Domain
from contracts.exchange import Call
from contracts.law import Unsupported, Vacuous, expect, law
from contracts.server_laws.health import still_serves
from contracts.server_laws.websocket import (
    CALLED,
    NEEDS,
    PATHS,
    SOURCE,
    answers,
    asked,
    joined,
    json_of,
    opened,
    places,
    plain,
)
from contracts.sockets import CLOSE, PING, PONG, Socket, frame
from contracts.sockets import TEXT as WORDS
from contracts.target import Target


def next_but_data(socket: Socket) -> Any:
    """The next frame that is no message and no ping; None where the connection ends, or none comes in time."""
    until = time.monotonic() + socket.target.timeout
    while (left := until - time.monotonic()) > 0:
        came = socket.next(left)
        if came is None or came.opcode not in (0, 1, 2, PING):
            return came
    return None


BAD: tuple[tuple[bytes, str], ...] = (
    (b"{", "half a document"),
    (b"[]", "a list"),
    (b"5", "a number"),
    (b'"text"', "a string"),
    (b"{}", "an empty object"),
    (b'{"type":"no-such-type"}', "an unknown type"),
    (b'{"messages":5,"prompt":{}}', "wrong types"),
    (b"no JSON", "no JSON"),
)
BAD_MESSAGES: Domain[tuple[str, bytes, str]] = Domain(
    "a message that is no request",
    lambda target: st.builds(lambda path, bad: (path, *bad), st.sampled_from(places(target)), st.sampled_from(BAD)),
    None,
)


@law("S-WS-06", over=BAD_MESSAGES, needs=NEEDS, examples=10, live=True, source=SOURCE)
def a_bad_message_is_told(target: Target, case: tuple[str, bytes, str]) -> None:
    """What is no request is answered by one error message with a readable text: not by silence, a drop or a text.

    A server that answers and then closes has to say so by a close frame.
    """
    path, data, what = case
    with opened(target, path) as socket:
        socket.say(data)
        document = json_of(socket.message())
    expect(is_error_body(document), f"an error for {what}", document)
    error = document.get("error", document.get("detail"))
    said = error.get("message") if isinstance(error, dict) else error
    expect(bool(said) and str(said).strip() != "", "a message in the error", document)


@law("S-WS-07", over=BAD_MESSAGES, needs=NEEDS, examples=8, live=True, source=SOURCE)
def a_bad_message_hurts_only_itself(target: Target, case: tuple[str, bytes, str]) -> None:
    """After a bad message the same socket answers the next request, or has said goodbye by a close frame."""
    path, data, what = case
    with opened(target, path) as socket:
        socket.say(data)
        first = socket.next()
        if first is None or (first.opcode != CLOSE and not is_error_body(json_of(first.data))):
            raise Vacuous("the bad message is not refused (S-WS-06 judges that)")
        if first.opcode == CLOSE:
            return
        socket.say(plain(target, path))
        second = socket.next()
        expect(second is not None, f"an answer or a close frame after {what}", "nothing")
        told = json_of(second.data) if second is not None and second.opcode != CLOSE else None
        expect(not is_error_body(told), f"an answer after {what}", told)


BROKEN: tuple[tuple[bytes, str, tuple[int, ...]], ...] = (
    (frame(WORDS, b"{}", masked=False), "a frame without a mask", (1002,)),
    (frame(3, b"{}"), "an unknown opcode", (1002, 1003)),
    (frame(WORDS, b"{}", head=0xC0), "a reserved bit", (1002,)),
    (frame(PING, b"x" * 126), "a ping of 126 bytes", (1002,)),
    (frame(PING, b"x", head=0), "half a ping", (1002,)),
    (frame(0, b"x"), "a continuation of nothing", (1002,)),
    (frame(CLOSE, b"\x03"), "a close frame of one byte", (1002,)),
    (frame(CLOSE, (1005).to_bytes(2, "big")), "a close frame with code 1005", (1002,)),
)
BROKEN_FRAMES: Domain[tuple[str, int]] = Domain(
    "a frame that is forbidden",
    lambda target: st.tuples(st.sampled_from(places(target)), st.integers(0, len(BROKEN) - 1)),
    None,
)


@law("S-WS-08", over=BROKEN_FRAMES, needs=NEEDS, examples=10, live=True, source="RFC 6455, 5 and 7.4")
def a_broken_frame_ends_the_socket(target: Target, case: tuple[str, int]) -> None:
    """A frame that the standard forbids ends the connection; where a close frame says why, its code is true.

    1002 is the code of a broken protocol (1003, 1007, 1008 and 1011 are borne); 1000 would say that all is well.
    """
    data, what, codes = BROKEN[case[1]]
    with opened(target, case[0]) as socket:
        socket.write(data)
        came = next_but_data(socket)
        if came is not None:
            wanted = (*codes, 1003, 1007, 1008, 1011)
            told = came.code if came.opcode == CLOSE else f"a frame of opcode {came.opcode}"
            expect(told in wanted, f"a close frame with {codes[0]} for {what}", told)
            after = socket.next()
            expect(after is None, "nothing behind the close frame", after)
        expect(socket.ended in ("fin", "reset"), f"the end of the connection after {what}", socket.ended)


@law("S-WS-09", over=BROKEN_FRAMES, needs=NEEDS, examples=4, live=True, source=SOURCE)
def a_broken_frame_hurts_only_its_socket(target: Target, case: tuple[str, int]) -> None:
    """While and after a socket breaks the protocol, another one and plain requests are served."""
    path = case[0]
    with opened(target, path) as other:
        with opened(target, path) as socket:
            socket.write(BROKEN[case[1]][0])
            answers(other, target, f"{BROKEN[case[1]][1]} on another socket")
        with opened(target, path) as third:
            answers(third, target, "a socket that broke the protocol")
    still_serves(target, "a socket that broke the protocol")


@law("S-WS-11", over=PATHS, needs=NEEDS, examples=3, live=True, source="RFC 6455, 5.5.2 and 5.5.3")
def a_ping_is_answered(target: Target, path: str) -> None:
    """A ping is answered by a pong with the same bytes."""
    with opened(target, path) as socket:
        for data in (b"", b"are you there?", bytes(125)):
            socket.write(frame(PING, data))
            came = socket.next()
            expect(came is not None and came.opcode == PONG, "a pong", came)
            expect(came is not None and came.data == data, f"a pong with {data[:20]!r}", came)


@law("S-WS-12", over=PATHS, needs=NEEDS, examples=2, live=True, level="should", source=SOURCE)
def a_ping_message_keeps_a_socket(target: Target, path: str) -> None:
    """The message {"type": "ping"} is no error, and the socket answers the next request."""
    with opened(target, path) as socket:
        socket.say({"type": "ping"})
        socket.say(plain(target, path))
        until = time.monotonic() + target.timeout
        while not (isinstance(document := json_of(socket.message(until)), dict) and "choices" in document):
            expect(not is_error_body(document), "no error for a ping message", document)


@law("S-WS-13", over=PATHS, needs=NEEDS, examples=2, live=True, source="RFC 6455, 5.5.1 and 7.4")
def goodbye_is_answered(target: Target, path: str) -> None:
    """A close frame with 1000 is answered by a close frame with a true code, and the server ends the connection."""
    with opened(target, path) as socket:
        answers(socket, target, "the handshake")
        socket.write(frame(CLOSE, (1000).to_bytes(2, "big") + b"bye"))
        came = next_but_data(socket)
        expect(came is not None and came.opcode == CLOSE, "a close frame", came)
        code = came.code if came is not None else None
        expect(code is None or code in (1000, 1001), "code 1000", code)
        expect(socket.next() is None and socket.ended in ("fin", "reset"), "the end of the connection", socket.ended)


@law("S-WS-15", over=CALLED, needs={"websocket", "det"}, examples=4, live=True, source="RFC 6455, 5.4")
def a_message_may_come_in_pieces(target: Target, call: Call) -> None:
    """A request in three frames, with a ping between them, gets the answer that it gets in one."""
    data = json.dumps(asked(call), ensure_ascii=False).encode()
    with opened(target, call.path) as socket:
        socket.say(data)
        whole = joined(socket.answer())
        cut = len(data) // 3
        socket.write(frame(WORDS, data[:cut], head=0) + frame(0, data[cut : 2 * cut], head=0))
        socket.write(frame(PING, b"between") + frame(0, data[2 * cut :]))
        pieces = joined(without_pongs(socket))
        socket.say(data)
        again = joined(socket.answer())
    if again != whole:
        raise Unsupported("temperature 0 is not deterministic: the same message got two texts")
    expect(pieces == whole, f"the same text: {whole}", pieces)


def without_pongs(socket: Socket) -> list[dict[str, Any]]:
    """An answer; a breach where an error comes."""
    found = socket.answer()
    expect("choices" in found[-1], "an answer to a message in pieces", found[-1])
    return found
