"""Replies kept as files: `fixtures/replies/<name>.json`, or `<server>/<exchange>` of `fixtures/recorded`.

A recorded response is sent as its server sent it, but for what belongs to one connection (date, server, framing): each
HTTP chunk of a recorded stream is one `Body`, with the mark its event has.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from mockserver import fixtures
from mockserver.errors import ScriptError
from mockserver.plan import Body, Head, Plan
from mockserver.reply import Fixture, Reply, parse_reply
from mockserver.suggest import unknown

_HOP = {b"date", b"server", b"connection", b"transfer-encoding", b"content-length", b"keep-alive"}


def names() -> list[str]:
    """All fixtures that a reply may name."""
    root = fixtures.path()
    replies = [path.stem for path in (root / "replies").glob("*.json")]
    exchanges = [f"{path.parent.name}/{path.stem}" for path in (root / "recorded").glob("*/*.http")]
    return sorted(replies) + sorted(exchanges)


@lru_cache(maxsize=256)
def find(name: str) -> Reply | Plan:
    """The reply or the recorded response of that name. Raises `ScriptError` that lists the near names."""
    root = fixtures.path()
    if name not in names():
        raise ScriptError(unknown("fixture", name, names()))
    if "/" in name:
        data = (root / "recorded" / f"{name}.http").read_bytes().partition(b"### RESPONSE\n")[2]
        if not data.startswith(b"HTTP/"):
            raise ScriptError(f"the recording {name!r} holds no response: the server sent none")
        return _recorded(data)
    reply = parse_reply(json.loads((root / "replies" / f"{name}.json").read_text(encoding="utf-8")))
    if isinstance(reply, Fixture):
        raise ScriptError(f"the fixture {name!r} is only the name of another, {reply.fixture!r}; use that")
    return reply


def _recorded(response: bytes) -> Plan:
    head, _, body = response.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 1"):  # 100 Continue stands before the response
        head, _, body = body.partition(b"\r\n\r\n")
    line, *rows = head.split(b"\r\n")
    status = int(line.split(b" ")[1])
    fields = [(name, value.strip()) for name, _, value in (row.partition(b":") for row in rows)]
    kept = tuple(field for field in fields if field[0].lower() not in _HOP)
    lengths = [int(value) for name, value in fields if name.lower() == b"content-length"]
    if any(name.lower() == b"transfer-encoding" for name, _ in fields):
        chunks = [chunk for chunk in _chunks(body) if chunk]
        content = [0]
        return Plan((Head(status, kept), *(Body(chunk, _mark(chunk, content)) for chunk in chunks)))
    body = body[: lengths[0]] if lengths else body
    length = (b"content-length", b"%d" % len(body))
    return Plan((Head(status, (length, *kept)), Body(body)) if body else (Head(status, (length, *kept)),))


def _chunks(body: bytes) -> list[bytes]:
    """The pieces of a chunked body (RFC 9112, 7.1), up to the last chunk."""
    found = []
    line, _, rest = body.partition(b"\r\n")
    while size := int(line.split(b";")[0] or b"0", 16):
        found.append(rest[:size])
        line, _, rest = rest[size + 2 :].partition(b"\r\n")
    return found


def _mark(chunk: bytes, content: list[int]) -> str:
    """The place an event has in its stream, read from its JSON."""
    text = chunk.removeprefix(b"data:").strip()
    if text == b"[DONE]":
        return "done"
    try:
        event: Any = json.loads(text)
    except ValueError:
        return ""
    choices = event.get("choices") or [{}]
    delta = choices[0].get("delta") or choices[0]
    if choices[0].get("finish_reason"):
        return "finish"
    if delta.get("content") or delta.get("text"):
        content[0] += 1
        return f"content[{content[0] - 1}]"
    if delta.get("role"):
        return "role"
    return "usage" if event.get("usage") else ""
