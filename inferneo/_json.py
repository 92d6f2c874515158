"""A JSON reader for what fast decoders refuse: lone surrogates, NaN, bad UTF-8, huge integers, any depth.

It keeps no stack of Python calls, so depth costs memory only. It is otherwise strict: text that is not JSON raises
`ValueError` with the offset.
"""

from __future__ import annotations

import re
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_WORD = re.compile("|".join(re.escape(word) for word in _WORDS))


def _scan_string(text: str, start: int) -> tuple[str, int]:
    import json.decoder

    value, end = json.decoder.scanstring(text, start, True)  # type: ignore[attr-defined]  # typeshed leaves it out
    return str(value), int(end)


def _scalar(text: str, at: int) -> tuple[Any, int]:
    if text[at : at + 1] == '"':
        return _scan_string(text, at + 1)
    word = _WORD.match(text, at)
    if word:
        return _WORDS[word.group()], word.end()
    number = _NUMBER.match(text, at)
    if not number:
        raise ValueError(f"not JSON at offset {at}: {text[at : at + 20]!r}")
    whole, fraction, exponent = number.groups()
    if fraction or exponent:
        return float(number.group()), number.end()
    try:
        return int(whole), number.end()
    except ValueError:  # more digits than Python converts
        return float(whole), number.end()


def read_json(raw: bytes) -> Any:
    """The value of `raw`. Raises `ValueError` when it is not one JSON text (also when it is empty)."""
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    stack: list[tuple[Any, Any]] = []  # (open container, key that waits for its value)
    at = _SPACE.match(text).end()  # type: ignore[union-attr]  # the pattern matches everywhere
    while True:
        # one value starts at `at`
        opener = text[at : at + 1]
        value: Any
        if opener in ("{", "["):
            value = {} if opener == "{" else []
            at = _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]  # see above
            if text[at : at + 1] != ("}" if opener == "{" else "]"):
                key = None
                if opener == "{":
                    key, at = _key(text, at)
                stack.append((value, key))
                continue
            at += 1
        else:
            value, at = _scalar(text, at)
        # a value is whole: hand it to its container, close what closes
        while True:
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # see above
            if not stack:
                if at != len(text):
                    raise ValueError(f"not JSON at offset {at}: {text[at : at + 20]!r} after the value")
                return value
            container, key = stack.pop()
            is_object = isinstance(container, dict)
            if is_object:
                container[key] = value
            else:
                container.append(value)
            mark = text[at : at + 1]
            if mark == ",":
                at = _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]  # see above
                if is_object:
                    key, at = _key(text, at)
                stack.append((container, key))
                break
            if mark != ("}" if is_object else "]"):
                raise ValueError(f"not JSON at offset {at}: {text[at : at + 20]!r}")
            at += 1
            value = container


def _key(text: str, at: int) -> tuple[str, int]:
    """An object's key, the colon after it, and where its value starts."""
    if text[at : at + 1] != '"':
        raise ValueError(f"not JSON at offset {at}: a key must be a string, got {text[at : at + 20]!r}")
    key, at = _scan_string(text, at + 1)
    at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere
    if text[at : at + 1] != ":":
        raise ValueError(f"not JSON at offset {at}: ':' expected, got {text[at : at + 20]!r}")
    return key, _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]  # see above
