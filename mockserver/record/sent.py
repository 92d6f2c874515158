"""What a peer was really sent: a plan and a count of bytes, read back as a response. Pure.

Laws: the count is of bytes on the wire, so the plan is lowered again and cut there; nothing is asked of the plan's
meaning that its bytes do not say. A stream is whole once `[DONE]` or a finish reason was sent, a plain response once
its framing says so. Bytes that were written are counted as sent; whether a peer read them only the peer knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mockserver.lower import lower
from mockserver.plan import Plan, Raw, Repeat, Step, Wait
from mockserver.request import Request

LIMIT = 4 << 20
"""Bytes of one response that are read back."""

_DATE = b"x" * 29
"""A date is as long as any other (RFC 9110, 5.6.7), so the count of bytes is right."""


@dataclass(frozen=True, slots=True)
class Sent:
    """`status` None: no status line arrived. `events`: the payloads of a stream, whole ones. `text`: what the
    assistant was seen to say, tool arguments included. `error`: an error inside a stream. `damaged`: an event was no
    JSON. `silence`: the longest planned wait between two writes, in seconds. `begun`: what the assistant was seen to
    say in an event, or a document, that did not come to its end.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    streamed: bool = False
    events: tuple[str, ...] = ()
    text: str = ""
    framed: bool = False
    finished: bool = False
    done: bool = False
    error: str = ""
    damaged: bool = False
    silence: float = 0.0
    begun: str = ""

    @property
    def whole(self) -> bool:
        """Whether the peer got all of a response that says so itself."""
        return (self.finished or self.done) and not self.error if self.streamed else self.framed

    @property
    def visible(self) -> bool:
        """Whether a user of the client can have seen a part of the answer."""
        return self.status is not None and self.status < 300 and bool(self.text) and (self.streamed or self.framed)

    def header(self, name: str) -> str | None:
        """The first value of a header field, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


def sent(plan: Plan, request: Request, sent_bytes: int) -> Sent:
    """The first `sent_bytes` of the plan's bytes, as the peer of `request` reads them."""
    closing = (request.header(b"connection") or b"").lower() == b"close"
    lowered = lower(plan, method=request.method, http_version=request.http_version, keep_alive=not closing, date=_DATE)
    data, silence, left = bytearray(), 0.0, min(sent_bytes, LIMIT)
    for step in flat(lowered.steps):
        if isinstance(step, Wait):
            silence = max(silence, step.seconds)
        elif isinstance(step, Raw):
            data += step.data[:left]
            left -= len(step.data)
        if left < 0 or (left == 0 and not isinstance(step, Wait) and sent_bytes):
            break
    return _read(bytes(data), silence, request.method)


def flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    """The steps in the order they are played; what is repeated without end ends at `LIMIT` rounds."""
    for step in steps:
        if isinstance(step, Repeat):
            rounds = 0
            while step.times is None or rounds < step.times:
                yield from flat(step.steps)
                rounds += 1
                if rounds > LIMIT:
                    return
        else:
            yield step


def _read(data: bytes, silence: float, method: str) -> Sent:
    head, found, body = data.partition(b"\r\n\r\n")
    while found and re.match(rb"HTTP/1\.\d 1\d\d", head):  # informational responses stand before
        head, found, body = body.partition(b"\r\n\r\n")
    line, *rows = head.split(b"\r\n")
    told = re.match(rb"HTTP/\d(?:\.\d)? (\d{3})", line)
    if not found or told is None:
        return Sent(silence=silence)
    pairs = [row.partition(b":") for row in rows]
    headers = tuple((name.decode("latin-1").lower(), value.strip().decode("latin-1")) for name, _, value in pairs)
    known = dict(headers)
    status = int(told[1])
    if "chunked" in known.get("transfer-encoding", "").lower():
        body, framed = unchunked(body)
    elif known.get("content-length", "").isdigit():
        length = int(known["content-length"])
        framed = len(body) >= length or method == "HEAD" or status in (204, 304)
    else:
        framed = True
    if not known.get("content-type", "").startswith("text/event-stream"):
        text = _said(_json(body)) if framed and status < 300 else ""
        begun = _begun(body) if not framed and status < 300 else ""
        return Sent(status, headers, framed=framed, text=text, silence=silence, begun=begun)
    return _stream(body, status, headers, framed, silence)


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """The body in chunks, without its chunks, and whether it came to its end (RFC 9112, 7.1)."""
    found = bytearray()
    while True:
        line, ended, rest = body.partition(b"\r\n")
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            return bytes(found), False
        if size == 0:
            return bytes(found), bool(ended) and rest.endswith(b"\r\n")
        found += rest[:size]
        if len(rest) < size + 2:
            return bytes(found), False
        body = rest[size + 2 :]


def _stream(body: bytes, status: int, headers: tuple[tuple[str, str], ...], framed: bool, silence: float) -> Sent:
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    *blocks, rest = text.split("\n\n")
    events = []
    for block in blocks:
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if lines:
            events.append("\n".join(lines))
    said, finished, error, damaged = "", False, "", False
    for event in events:
        if event.strip() == "[DONE]":
            continue
        value = _json(event.encode())
        if not isinstance(value, dict):
            damaged = True
            continue
        said += _said(value)
        choices = value.get("choices")
        finished = finished or any(
            isinstance(one, dict) and bool(one.get("finish_reason"))
            for one in (choices if isinstance(choices, list) else ())
        )
        if value.get("error"):
            error = json.dumps(value["error"])
    done = any(event.strip() == "[DONE]" for event in events)
    begun = _begun(rest.encode())
    return Sent(status, headers, True, tuple(events), said, framed, finished, done, error, damaged, silence, begun)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


_BEGUN = re.compile(rb'"(?:content|text|arguments)"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)
"""A text of the assistant, be it without its closing quote; a quote inside of one has a backslash before it."""


def _begun(data: bytes) -> str:
    """What the assistant says in a document that breaks off: its keys and ids are nobody's words."""
    found = []
    for raw in _BEGUN.findall(data):
        text = _json(b'"%b"' % re.sub(rb"\\u[0-9a-fA-F]{0,3}$", b"", raw))
        found.append(text if isinstance(text, str) else raw.decode("utf-8", "replace"))
    return "".join(found)


def _said(document: Any) -> str:
    """What the assistant says in a response or a chunk: contents, texts, arguments of tools."""
    choices = document.get("choices") if isinstance(document, dict) else None
    found: list[str] = []
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        message = choice.get("delta") or choice.get("message") or choice
        if not isinstance(message, dict):
            continue
        found.extend(part for part in (message.get("content"), message.get("text")) if isinstance(part, str))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                found.extend(str(function[key]) for key in ("name", "arguments") if function.get(key))
    return "".join(found)
