"""Sockets: a server that speaks WebSocket on its generating paths says there what it says over HTTP."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from contracts.answers import index, is_error_body, piece, read
from contracts.capabilities import socket_paths as paths
from contracts.domains import CALLS, CHAT, Domain
from contracts.exchange import Call
from contracts.law import Unjudged, Unsupported, Vacuous, expect, law
from contracts.server_laws.health import still_serves
from contracts.server_laws.same import settled, steady
from contracts.sockets import CLOSE, PING, Socket, frame, proof
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


def json_of(data: bytes) -> Any:
    """The document of a message; the message itself where it is none."""
    try:
        return json.loads(data)
    except ValueError:
        return data


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
