"""A request body read with care: whatever bytes come, the answer is a JSON value or one clear refusal.

The typed decode of the fast path accepts only plain documents; everything else comes here. `Reading` is data of the
profile: which encodings, whether NaN is let in, how deep a document may be. Duplicate keys: the last one counts.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

_TOKEN = re.compile(rb'"(?:[^"\\]|\\[\s\S])*"?|[\[{]|[\]}]')
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Reading:
    """How bodies are read. `detect` takes UTF-8 with a byte order mark, UTF-16 and UTF-32 for what they are."""

    detect: bool = False
    nan: bool = False
    max_depth: int = 100


class BadJSON(ValueError):  # noqa: N818 - reads as what the body is
    """The body is no JSON document. `kind`: `syntax` (at character `position`) or `unreadable` (bytes, depth, size)."""

    def __init__(self, kind: str, message: str, position: int = 0) -> None:
        self.kind = kind
        self.message = message
        self.position = position
        super().__init__(message)


def read_json(body: bytes, reading: Reading) -> Any:
    """The value of a body. Raises `BadJSON`."""
    text = _decode(body, reading)
    if _too_deep(body, reading.max_depth):
        raise BadJSON("unreadable", f"the document is nested deeper than {reading.max_depth} levels")
    try:
        value = json.loads(body if text is None else text, parse_constant=None if reading.nan else _refuse_constant)
    except json.JSONDecodeError as error:
        raise BadJSON("syntax", error.msg, error.pos) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; bytes in no encoding
        if isinstance(error, BadJSON):
            raise
        raise BadJSON("unreadable", _sentence(error)) from error
    if _ESCAPED_SURROGATE.search(body) or text is None:
        _refuse_lone_surrogates(value)
    return value


def _decode(body: bytes, reading: Reading) -> str | None:
    """The text of the body; None: `json.loads` finds the encoding out."""
    if reading.detect:
        return None
    if body.startswith(codecs.BOM_UTF8):
        raise BadJSON("syntax", "the document begins with a byte order mark (RFC 8259, 8.1)")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadJSON("unreadable", f"the body is not UTF-8: {error.reason} at byte {error.start}") from error


def _too_deep(body: bytes, limit: int) -> bool:
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    depth = 0
    for found in _TOKEN.finditer(body):
        first = found[0][:1]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise BadJSON("syntax", f"{name} is no JSON number (RFC 8259, 6)")


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadJSON("unreadable", "a text holds a lone surrogate (an unpaired \\uD800 to \\uDFFF)") from error


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the document is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return f"the body is not {error.encoding}: {error.reason} at byte {error.start}"
    return str(error).split(";")[0].lower() or type(error).__name__
