"""The `engine` profile against the recordings of the engine: same status, same headers of note, same body shape."""

from __future__ import annotations

import json
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asking import ANSWERERS, body, head, header

from mockserver.plan import Plan
from mockserver.request import Request

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "fixtures" / "recorded" / "engine-0.1.0"
INDEX = json.loads((RECORDED / "index.json").read_text(encoding="utf-8"))
NOTED = (b"content-type", b"allow", b"location")
EXACT = {"object", "model", "role", "index", "owned_by", "status", "type", "loc", "msg", "input", "ctx", "detail"}


def _table(title: str) -> dict[str, str]:
    """The rows of one table of docs/deviations.md: the exchange and the reason."""
    text = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([a-z0-9_]+)` \| (.+?) \|$", section, re.MULTILINE))


DEVIATIONS = _table("The engine's exchanges that the mock answers otherwise")
BELOW = _table("The engine's exchanges that end below this level")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange, parsed just enough."""

    request: Request
    status: int
    headers: dict[bytes, bytes]
    body: bytes


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    pairs = (line.partition(b":") for line in lines if b":" in line)
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs]


def _chunked(data: bytes) -> bytes:
    whole = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        if not size.strip() or int(size, 16) == 0:
            break
        whole += rest[: int(size, 16)]
        data = rest[int(size, 16) + 2 :]
    return whole


def _whole_body(data: bytes, fields: dict[bytes, bytes]) -> bytes:
    if fields.get(b"transfer-encoding") == b"chunked":
        return _chunked(data)
    length = int(fields.get(b"content-length", b"0"))
    if b" bytes cut]..." in data:  # the recorder shortened the prompts of some thousand words
        data = data.partition(b"...[")[0]
        tail = b'"}], "max_tokens": 8}' if b"messages" in data else b'", "max_tokens": 8}'
        if b"stream" in data:
            tail = tail[:-1] + b', "stream": true}'
        data += b"word " * ((length - len(data)) // 5 - 30) + tail
        return data
    return data[:length]


def read(name: str) -> Recorded:
    """The exchange of that name."""
    raw = (RECORDED / f"{name}.http").read_bytes()
    asked, _, answered = raw.removeprefix(b"### REQUEST\n").partition(b"### RESPONSE\n")
    separator = b"\r\n\r\n" if b"\r\n\r\n" in asked else b"\n\n"
    first, _, data = asked.partition(separator)
    line, *rows = first.replace(b"\r\n", b"\n").split(b"\n")
    fields = _fields(rows)
    method, target, *_ = line.decode("latin-1").split(" ")
    path, _, query = target.partition("?")
    request = Request(
        method,
        urllib.parse.unquote(path),
        path.encode(),
        query.encode(),
        tuple(fields),
        _whole_body(data, dict(fields)),
    )
    first, _, data = answered.partition(b"\r\n\r\n")
    while first.startswith(b"HTTP/1.1 100"):
        first, _, data = data.partition(b"\r\n\r\n")
    line, *rows = first.split(b"\r\n")
    headers = dict(_fields(rows))
    if headers.get(b"transfer-encoding") == b"chunked":
        data = _chunked(data)
    elif b"content-length" in headers and method != "HEAD":
        data = data[: int(headers[b"content-length"])]
    return Recorded(request, int(line.split(b" ")[1]), headers, data)


def shape(value: Any, key: str = "") -> Any:
    """A value without ids, times, counts and generated text; what the protocol fixes stays as it is."""
    if isinstance(value, dict):
        return [(name, shape(item, name)) for name, item in value.items()]
    if isinstance(value, list) and key not in ("loc", "input"):
        return [shape(item, key) for item in value]
    if key in EXACT:
        return re.sub(r"\d+", "N", value) if key == "detail" and isinstance(value, str) else value
    if key == "id" and isinstance(value, str):
        return re.sub(r"[0-9a-f]{32}$", "HEX", value)
    return type(value).__name__


def shapes(data: bytes, kind: bytes) -> Any:
    """The shape of a body: of its JSON, of its events (equal neighbours once), or of its text."""
    if kind.startswith(b"application/json") and data:
        return shape(json.loads(data))
    if kind.startswith(b"text/event-stream"):
        found: list[Any] = []
        for block in data.split(b"\n\n"):
            text = block.removeprefix(b"data: ")
            one = text if text in (b"", b"[DONE]") else shape(json.loads(text))
            if not found or found[-1] != one:
                found.append(one)
        return found
    return re.sub(rb"-?\d+(\.\d+)?", b"N", data)


def differences(exchange: Recorded, plan: Plan) -> list[str]:
    """What the mock answers otherwise."""
    found = []
    if head(plan).status != exchange.status:
        found.append(f"status {head(plan).status}, recorded {exchange.status}")
    for name in NOTED:
        if header(plan, name) != exchange.headers.get(name):
            found.append(f"{name.decode()} {header(plan, name)!r}, recorded {exchange.headers.get(name)!r}")
    if (header(plan, b"content-length") is None) != (b"content-length" not in exchange.headers):
        found.append("content-length is there in one only")
    kind = exchange.headers.get(b"content-type", b"")
    if not found and shapes(body(plan), kind) != shapes(exchange.body, kind):
        found.append(f"body {shapes(body(plan), kind)!r}, recorded {shapes(exchange.body, kind)!r}")
    return found


@pytest.mark.parametrize("name", [entry["name"] for entry in INDEX if entry["name"] not in BELOW])
def test_the_engine_profile_answers_as_the_engine_did(name: str) -> None:
    """No difference, or a listed deviation that is really one."""
    exchange = read(name)
    plan = ANSWERERS["engine"].plan(exchange.request, now=1_795_367_530.0)
    found = differences(exchange, plan)
    if name in DEVIATIONS:
        assert found, f"{name} is listed as a deviation and is none; take it off docs/deviations.md"
    else:
        assert not found


def test_listed_exchanges_exist() -> None:
    """Every row names a recorded exchange, and no exchange stands in both tables."""
    names = {entry["name"] for entry in INDEX}
    assert names >= {*DEVIATIONS, *BELOW}
    assert not DEVIATIONS.keys() & BELOW.keys()
    assert BELOW
    assert DEVIATIONS
