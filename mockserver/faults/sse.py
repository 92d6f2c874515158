"""Server-sent events as faults need them: one event in, its fields, one event out. Reads only what the mock wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_LINE = re.compile(rb"\r\n|\n|\r")


def is_event(payload: bytes) -> bool:
    """Whether it looks like a server-sent event with data."""
    return any(line.startswith(b"data:") for line in _LINE.split(payload))


def data_of(payload: bytes) -> bytes:
    """The data of an event, lines joined; a payload that is no event is its own data."""
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(payload) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else payload


def with_data(payload: bytes, data: bytes) -> bytes:
    """The event with other data, one `data:` line for each of its lines; what is no event becomes the data."""
    if not is_event(payload):
        return data
    kept = [line for line in _LINE.split(payload) if line and not line.startswith(b"data:")]
    return b"\n".join([*kept, *(b"data: " + line for line in data.split(b"\n"))]) + b"\n\n"


def event(data: bytes) -> bytes:
    """A new event."""
    return with_data(b"data:", data)


def compact(value: Any) -> bytes:
    """JSON as the engine writes it: no spaces, raw UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def edited(payload: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The payload with its JSON object changed in place by `change`; what holds no JSON object comes back as it is."""
    try:
        value = json.loads(data_of(payload))
    except (ValueError, RecursionError):
        return payload
    if not isinstance(value, dict):
        return payload
    change(value)
    return with_data(payload, compact(value))
