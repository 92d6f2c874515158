"""Servers that say on a WebSocket what they would not say over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mockserver.plan import Body, Plan, Step, Wait

from .edits import Doc, bodies, encoded, holder_of, oops, status_of, texts, with_bodies
from .mutant import Change, Mutant, OnSockets, Turn, mutant, right
from .relay import Link, Relay, response

CLOSE, BROKEN, NORMAL = 0x88, (1002).to_bytes(2, "big"), (1000).to_bytes(2, "big")


def messages(edit: Callable[[list[Doc], Turn], list[Doc]]) -> Change:
    """Answers on sockets, their messages edited."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if status_of(plan) != 200:
            return plan
        return with_bodies(plan, [encoded(one) for one in edit([json.loads(data) for data in bodies(plan)], turn)])

    return OnSockets(right, change)


def message(edit: Callable[[Doc, int], object]) -> Change:
    """Each message of an answer, edited in place."""

    def each(documents: list[Doc], turn: Turn) -> list[Doc]:
        for at, document in enumerate(documents):
            edit(document, at)
        return documents

    return messages(each)


def everywhere(edit: Callable[[str, Turn], str]) -> Change:
    """The text of generations, edited over HTTP and on sockets alike: in all its pieces at once."""

    def change(documents: list[Doc], turn: Turn) -> list[Doc]:
        found = [holder_of(one) for document in documents for one in document["choices"] if one.get("index") == 0]
        pieces = [(holder, key) for holder, key in found if holder.get(key)]
        text = edit("".join(holder[key] for holder, key in pieces), turn)
        for at, (holder, key) in enumerate(pieces):
            holder[key] = text if at == 0 else ""
        return documents

    said = messages(change)
    return OnSockets(texts(edit), said)


def _shouts(document: Doc, at: int) -> None:
    for one in document["choices"]:
        holder, key = holder_of(one)
        if holder.get(key):
            holder[key] = holder[key].upper()


def _finishes_twice(documents: list[Doc], turn: Turn) -> list[Doc]:
    last = documents[-1]
    last["choices"] = [*last["choices"], *({**one} for one in last["choices"])]
    return documents


def _first_s_id(documents: list[Doc], turn: Turn) -> list[Doc]:
    key = f"first {turn.request.connection}"
    if turn.request.on_connection == 3 and key in turn.memory:
        return [{**one, "id": turn.memory[key]} for one in documents]
    turn.memory.setdefault(key, documents[0]["id"])
    return documents


def _speechless(turn: Turn) -> Plan:
    plan = turn.plan
    return plan if status_of(plan) == 200 else with_bodies(plan, [encoded({"error": {"message": "", "type": "x"}})])


def _offended(turn: Turn) -> Plan:
    plan = turn.plan
    key = f"offended {turn.request.connection}"
    if turn.memory.get(key):
        return oops(400, "bad message")
    turn.memory[key] = status_of(plan) != 200
    return plan


def _mixed(turn: Turn) -> Plan:
    if status_of(turn.plan) != 200:
        return turn.plan
    last = turn.memory.get("last")
    turn.memory["last"] = turn.prompt
    plan = turn.plan
    if turn.open and isinstance(last, str):
        told: Any = {"messages": [{"role": "user", "content": last}]} if turn.chat else {"prompt": last}
        plan = turn.asked(**told).plan
    return Plan((Wait(0.02), *plan.steps), plan.ending)


def _kept(turn: Turn) -> Plan:
    left = sum(one.ended == "client" for one in turn.journal)
    if turn.body.get("max_tokens") != 64:
        return oops(503, "no free place") if left - turn.memory.get("paid", 0) >= 8 else turn.plan
    steps: list[Step] = []
    for step in turn.plan.steps:
        steps += [step, Wait(0.02)] if isinstance(step, Body) else [step]
    return Plan(tuple(steps), turn.plan.ending)


def _needs_key(turn: Turn) -> Plan:
    if turn.request.header(b"authorization") == b"Bearer sk-right-0001" or turn.request.path == "/health":
        return turn.plan
    return oops(401, "a valid key is needed")


class WrongProof(Relay):
    """The handshake proves nothing."""

    def said(self, link: Link, data: bytes) -> bytes:
        """The key itself for its proof."""
        if link.down == data and data.startswith(b"HTTP/1.1 101"):
            head, _, rest = data.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"sec-websocket-accept")]
            return b"\r\n".join([*lines, b"Sec-WebSocket-Accept: bm90IGEgcHJvb2Y="]) + b"\r\n\r\n" + rest
        return data


class AllIsWell(Relay):
    """A socket that is closed because of a broken frame says 1000."""

    def said(self, link: Link, data: bytes) -> bytes:
        """1000 for 1002."""
        if b"upgrade: websocket" in link.head and data[:1] == bytes([CLOSE]) and data[2:4] == BROKEN:
            return data[:2] + NORMAL + data[4:]
        return data


class LeavesBadly(Relay):
    """A goodbye is answered by 1011."""

    def said(self, link: Link, data: bytes) -> bytes:
        """1011 for 1000."""
        if b"upgrade: websocket" in link.head and data[:1] == bytes([CLOSE]) and data[2:4] == NORMAL:
            return data[:2] + (1011).to_bytes(2, "big") + data[4:]
        return data


class EmptyPongs(Relay):
    """A pong is empty, whatever the ping said."""

    def said(self, link: Link, data: bytes) -> bytes:
        """Two bytes."""
        return b"\x8a\x00" if b"upgrade: websocket" in link.head and data[:1] == b"\x8a" else data


class NoPingMessages(Relay):
    """The message that keeps a connection alive is an error."""

    def said(self, link: Link, data: bytes) -> bytes:
        """An error for the pong."""
        wrong = b'{"error":{"message":"unknown type"}}'
        return data.replace(b'\x81\x0f{"type":"pong"}', b"\x81" + bytes([len(wrong)]) + wrong)


class NoPieces(Relay):
    """A message that comes in pieces ends the connection."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """A frame of text without FIN."""
        return None if b"upgrade: websocket" in link.head and data[:1] == b"\x01" else data


class OthersPay(Relay):
    """After a broken frame the next plain request is refused."""

    def sent(self, link: Link, data: bytes) -> bytes | None:
        """One request pays."""
        if link.begun(data) and link.head.startswith(b"post") and self.memory.pop("broken", False):
            link.tell(response(429))
            return None
        return data

    def said(self, link: Link, data: bytes) -> bytes:
        """A close frame with 1002 tells of one."""
        if b"upgrade: websocket" in link.head and data[:1] == bytes([CLOSE]) and data[2:4] == BROKEN:
            self.memory["broken"] = True
        return data


MUTANTS: tuple[Mutant, ...] = (
    mutant("socket-unproved", "The handshake of a socket proves nothing.", None, "S-WS-01", relay=WrongProof),
    mutant(
        "socket-object",
        "The messages of a socket call themselves chunk.",
        message(lambda d, at: d.update(object="chunk")),
        "S-WS-02",
    ),
    mutant("socket-shouts", "A socket gives another text than HTTP.", message(_shouts), "S-WS-03"),
    mutant("socket-finishes-twice", "A socket's answer finishes twice.", messages(_finishes_twice), "S-WS-04"),
    mutant(
        "socket-id-of-each",
        "Each message of a socket has an id of its own.",
        message(lambda d, at: d.update(id=f"{d['id']}{at}")),
        "S-WS-05",
    ),
    mutant("socket-speechless", "An error on a socket has no message.", OnSockets(right, _speechless), "S-WS-06"),
    mutant("socket-offended", "After a bad message a socket is of no use.", OnSockets(right, _offended), "S-WS-07"),
    mutant("socket-all-is-well", "A broken frame is answered by code 1000.", None, "S-WS-08", relay=AllIsWell),
    mutant("socket-others-pay", "After a broken frame another request is refused.", None, "S-WS-09", relay=OthersPay),
    mutant("socket-mixes", "Of two sockets the second gets the first's answer.", OnSockets(right, _mixed), "S-WS-10"),
    mutant("socket-empty-pongs", "A pong does not say what the ping said.", None, "S-WS-11", relay=EmptyPongs),
    mutant("socket-no-ping", "A ping message is an error.", None, "S-WS-12", relay=NoPingMessages),
    mutant("socket-leaves-badly", "A goodbye is answered by code 1011.", None, "S-WS-13", relay=LeavesBadly),
    mutant("socket-ids-again", "A socket's third answer has the id of its first.", messages(_first_s_id), "S-WS-14"),
    mutant("socket-no-pieces", "A message in pieces ends the connection.", None, "S-WS-15", relay=NoPieces),
    mutant(
        "socket-places-kept",
        "Sockets that were left keep their place.",
        OnSockets(right, _kept),
        "S-WS-16",
        judged=("S-WS-16",),
    ),
    mutant(
        "socket-needs-no-key",
        "A key is asked for over HTTP only.",
        OnSockets(_needs_key, right),
        "S-WS-17",
        key="sk-right-0001",
    ),
)
