"""Sockets: a server that speaks WebSocket on its generating paths says there what it says over HTTP."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import strategies as st

from contracts.answers import index, is_error_body, piece, read
from contracts.capabilities import socket_paths as paths
from contracts.domains import CALLS, CHAT, Domain
from contracts.exchange import Call
from contracts.law import Unjudged, Unsupported, Vacuous, expect, law
from contracts.server_laws.health import still_serves
from contracts.server_laws.same import settled, steady
from contracts.sockets import CLOSE, PING, PONG, Socket, frame, proof
from contracts.sockets import TEXT as WORDS
from contracts.target import Target

SOURCE = "api.md, WebSocket"
NEEDS = {"websocket"}


def asked(call: Call) -> dict[str, Any]:
    """The message that asks for what a call asks: the fields of its body, without those of event streams."""
    return {k: v for k, v in call.document.items() if k not in ("stream", "stream_options")}


def opened(target: Target, path: str) -> Socket:
    """An open socket. Raises `Unjudged` where the handshake is refused, which S-WS-01 judges; `Unsupported` where this
    path has none."""
    socket = Socket(target, path)
    if socket.open:
        return socket
    socket.close()
    if path not in paths(target):
        raise Unsupported(f"no socket on {path}")
    raise Unjudged(f"the handshake was answered {socket.shaken.status} (S-WS-01 judges that)")


def places(target: Target) -> list[str]:
    """Where sockets are; the chat path where they were only declared, so that S-WS-01 says that none is there."""
    return paths(target) or [CHAT]


def on_sockets(domain: Domain[Call]) -> Domain[Call]:
    """The calls of a domain whose path has a socket."""

    def draw(target: Target) -> st.SearchStrategy[Call]:
        return domain.draw(target).filter(lambda call: call.path in places(target))

    return Domain(f"a message: {domain.name}", draw, None, domain.needs)


CALLED = on_sockets(CALLS)
PATHS: Domain[str] = Domain("the path of a socket", lambda target: st.sampled_from(places(target)), None)


def chunks(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The choices of an answer's messages, in order. `Unjudged` for an error, which S-WS-02 judges."""
    found: list[dict[str, Any]] = []
    for document in documents:
        choices = document.get("choices")
        if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
            raise Unjudged(f"no chunk: {str(document)[:100]} (S-WS-02 judges that)")
        found += choices
    return found


def joined(documents: list[dict[str, Any]]) -> dict[int, str]:
    """The texts of an answer by choice."""
    texts: dict[int, str] = {}
    for choice in chunks(documents):
        texts[index(choice)] = texts.get(index(choice), "") + piece(choice)
    return texts


def plain(target: Target, path: str, text: str = "Say hello") -> dict[str, Any]:
    """A short request for a socket."""
    told = {"messages": [{"role": "user", "content": text}]} if path == CHAT else {"prompt": text}
    return {"model": target.model, **told, "max_tokens": 4, "temperature": 0}


def answers(socket: Socket, target: Target, after: str) -> list[dict[str, Any]]:
    """What the socket says to a plain request after something; a breach where it is no text."""
    socket.say(plain(target, socket.path))
    found = socket.answer()
    expect("choices" in found[-1], f"an answer after {after}", found[-1])
    return found


def next_but_data(socket: Socket) -> Any:
    """The next frame that is no message and no ping; None where the connection ends, or none comes in time."""
    until = time.monotonic() + socket.target.timeout
    while (left := until - time.monotonic()) > 0:
        came = socket.next(left)
        if came is None or came.opcode not in (0, 1, 2, PING):
            return came
    return None


@law("S-WS-01", over=PATHS, needs=NEEDS, examples=2, live=True, source="RFC 6455, 4.2.2")
def a_handshake_is_proved(target: Target, path: str) -> None:
    """The answer to a handshake is 101 with Upgrade, Connection and the Sec-WebSocket-Accept of the key.

    Nothing is agreed that was not offered: no extension, no subprotocol.
    """
    with Socket(target, path) as socket:
        response = socket.shaken.response
        expect(response.status == 101, "status 101", response.status)
        expect((response.field("upgrade") or "").lower() == "websocket", "Upgrade: websocket", response.fields)
        expect("upgrade" in (response.field("connection") or "").lower(), "Connection: Upgrade", response.fields)
        said, wanted = response.field("sec-websocket-accept"), proof(socket.key)
        expect(said == wanted, f"Sec-WebSocket-Accept: {wanted}", said)
        for name in ("sec-websocket-extensions", "sec-websocket-protocol"):
            expect(response.field(name) is None, f"no {name}, as none was offered", response.field(name))


@law("S-WS-02", over=CALLED, needs=NEEDS, examples=8, live=True, source=SOURCE)
def a_message_is_a_chunk(target: Target, call: Call) -> None:
    """A request is answered by text messages of one JSON object each, in the shape of a stream's chunks.

    There is no [DONE] on a socket: the end is the finish_reason. Its frames are such as a server may
    send (RFC 6455, 5).
    """
    with opened(target, call.path) as socket:
        socket.say(asked(call))
        found = socket.answer()
    expect(not socket.wrong, "unmasked frames of text, each in its place", socket.wrong)
    kinds = ("chat.completion.chunk", "chat.completion") if call.is_chat else ("text_completion",)
    for document in found:
        expect(isinstance(document.get("choices"), list), "a chunk with choices", document)
        said = str(document.get("object"))
        expect(said.startswith(kinds), f"object {kinds[0]!r}", said)
        for choice in document["choices"]:
            expect(isinstance(choice, dict), "choices that are objects", choice)
            has = isinstance(choice.get("delta"), dict) if call.is_chat else isinstance(choice.get("text"), str)
            expect(has, "a delta" if call.is_chat else "a text", choice)


@law("S-WS-03", over=CALLED, needs={"websocket", "det"}, examples=8, live=True, source="metamorphic")
def a_socket_says_what_http_says(target: Target, call: Call) -> None:
    """The messages of an answer join to the text that the same request gets over HTTP, and end for the same reason."""
    whole = read(target.send(call.with_(stream=..., stream_options=...)))
    with opened(target, call.path) as socket:
        socket.say(asked(call))
        found = socket.answer()
    if (got := settled(joined(found))) != settled(whole.texts):
        steady(target, call.with_(stream=..., stream_options=...), whole)
        if target.can("stream")[0] and read(target.send(call.with_(stream=True))).texts != whole.texts:
            raise Vacuous("no stream joins to its answer (S-SAME-01 judges that)")
    expect(got == settled(whole.texts), f"the text of HTTP: {whole.texts}", got)
    ends = {index(one): one["finish_reason"] for one in chunks(found) if one.get("finish_reason")}
    if None not in whole.finishes.values():
        expect(ends == whole.finishes, f"the finish_reason of HTTP: {whole.finishes}", ends)


@law("S-WS-04", over=CALLED, needs=NEEDS, examples=6, live=True, source=SOURCE)
def an_answer_ends_once(target: Target, call: Call) -> None:
    """The last message of an answer has the finish_reason, and it alone; nothing follows it.

    That nothing follows is seen by a ping: its pong is the next frame.
    """
    with opened(target, call.path) as socket:
        socket.say(asked(call))
        found = chunks(socket.answer())
        socket.write(frame(PING, b"end"))
        after = socket.next()
    finishes = [bool(one.get("finish_reason")) for one in found]
    expect(finishes == [False] * (len(found) - 1) + [True], "one finish_reason, at the end", finishes)
    expect(
        after is None or after.opcode not in (0, 1, 2), "nothing behind the finish_reason", after and after.data[:200]
    )


@law("S-WS-05", over=CALLED, needs=NEEDS, examples=6, live=True, source=SOURCE)
def an_answer_has_one_id(target: Target, call: Call) -> None:
    """The messages of one answer have the same id, those of the next another."""
    with opened(target, call.path) as socket:
        said = []
        for _ in range(2):
            socket.say(asked(call))
            said.append({str(document.get("id")) for document in socket.answer()})
    expect(all(len(ids) == 1 for ids in said), "one id in each answer", said)
    expect(said[0] != said[1], "another id for the next answer", said)


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


def json_of(data: bytes) -> Any:
    """The document of a message; the message itself where it is none."""
    try:
        return json.loads(data)
    except ValueError:
        return data


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


@law("S-WS-10", over=PATHS, needs={"websocket", "det", "load"}, examples=3, live=True, source="laws.md 20")
def two_sockets_are_two(target: Target, path: str) -> None:
    """Two sockets that ask at once get each the answer it gets alone, and no two have the same id."""
    questions = [plain(target, path, text) | {"max_tokens": 8} for text in ("Say hello", "The café robot")]
    alone = []
    for question in questions:
        with opened(target, path) as socket:
            socket.say(question)
            alone.append(socket.answer())
    with opened(target, path) as one, opened(target, path) as other:
        for socket, question in zip((one, other), questions, strict=True):
            socket.say(question)
        together = [socket.answer() for socket in (one, other)]
    expect(
        joined(together[0]) == joined(alone[0]), f"the answer it gets alone: {joined(alone[0])}", joined(together[0])
    )
    expect(
        joined(together[1]) == joined(alone[1]), f"the answer it gets alone: {joined(alone[1])}", joined(together[1])
    )
    ids = [{str(document.get("id")) for document in found} for found in together]
    expect(not ids[0] & ids[1], "ids of their own", ids)


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


@law("S-WS-14", over=PATHS, needs=NEEDS, examples=3, live=True, source=SOURCE)
def requests_keep_their_order(target: Target, path: str) -> None:
    """Three requests sent at once on one socket are answered one after the other, each with its one finish."""
    with opened(target, path) as socket:
        for number in range(3):
            socket.say(plain(target, path, f"Say {number}"))
        answered = [socket.answer() for _ in range(3)]
    for found in answered:
        expect("choices" in found[-1], "three answers", found[-1])
    ids = [str(document.get("id")) for found in answered for document in found]
    runs = [said for at, said in enumerate(ids) if at == 0 or ids[at - 1] != said]
    expect(len(runs) == len(set(runs)), "answers that do not interleave", ids)


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


@law("S-WS-16", over=PATHS, needs=NEEDS, examples=3, live=True, source="RFC 6455, 7.4; laws.md 50")
def sockets_that_are_left_are_forgotten(target: Target, path: str) -> None:
    """After ten sockets that were left in the middle of an answer, another one and plain requests are served."""
    for _ in range(10):
        with opened(target, path) as socket:
            socket.say(plain(target, path) | {"max_tokens": 64})
            socket.next()
    with opened(target, path) as socket:
        answers(socket, target, "ten sockets that were left")
    still_serves(target, "ten sockets that were left")


@law("S-WS-17", over=PATHS, needs={"websocket", "auth"}, examples=2, live=True, source=SOURCE)
def a_socket_needs_the_key(target: Target, path: str) -> None:
    """Where a key is needed, a socket without one, or with a wrong one, gets no text: a refusal or an error message."""
    for fields in ((("Authorization", ""),), (("Authorization", "Bearer sk-wrong"),)):
        with Socket(target, path, *fields) as socket:
            if not socket.open:
                expect(socket.shaken.status in (401, 403), "status 401 for the handshake", socket.shaken.status)
                continue
            socket.say(plain(target, path))
            came = socket.next()
            if came is not None and came.opcode != CLOSE:
                document = json_of(came.data)
                expect(is_error_body(document), "an error message without the key", document)
