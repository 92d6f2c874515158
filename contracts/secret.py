"""The user's key is in no report: where a text holds it, or most of it, `$API_KEY` stands, as a shell expands it."""

from __future__ import annotations

import base64
import json
import re
import shlex
from dataclasses import fields, replace
from itertools import takewhile
from typing import Any
from urllib.parse import quote

LEAST = 6
"""A key of fewer characters is masked in `Authorization` only: its letters are in every text."""
HEAD = 8
"""A text that was cut may hold the beginning of a key: from so many characters on it is masked."""
NAME = "API_KEY"
IN_DOUBLE_QUOTES = re.compile(r'[^"\\`$!]*')


def forms(key: str) -> dict[str, str]:
    """What a text may hold of a key, and the filter of a POSIX shell that makes it of the key; "" where it is read as
    the key."""
    found = {key: ""}
    for told in (json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1], quote(key, safe="")):
        found.setdefault(told, "")
    if key.isascii():
        found.setdefault(key.swapcase(), "tr a-zA-Z A-Za-z")
    return found


def expansion(key: str, form: str, size: int) -> str:
    """What a POSIX shell expands to so many characters of a form of the key. Where they are cut in an escape, or after
    one, it is the whole key."""
    change = forms(key)[form]
    whole = size == len(form) or (form != key and not change)
    if not change and (whole or size == len(key) - 1):
        return f"${NAME}" if whole else f"${{{NAME}%?}}"
    told = f'printf %{"" if whole else f".{size}"}s "${NAME}"'
    return f"$({told} | {change})" if change else f"$({told})"


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _pieces(text: str, key: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is an expansion: of the key, or of its beginning where it was cut."""
    known = forms(key)
    heads = {form: form[: max(1, min(HEAD, len(form) - 1))] for form in known}
    pieces, at = [], 0
    for found in re.finditer("|".join(map(re.escape, sorted(heads.values(), key=len, reverse=True))), text):
        start = found.start()
        if start < at:
            continue
        sizes = {form: _common(form, text[start : start + len(form)]) for form in known}
        form = max((form for form in known if sizes[form] >= len(heads[form])), key=lambda one: sizes[one])
        pieces.append((text[at:start], False))
        at = start + sizes[form]
        shell, after = expansion(key, form, sizes[form]), text[at : at + 1]
        glued = shell == f"${NAME}" and (after.isalnum() or after == "_")
        pieces.append((f"${{{NAME}}}" if glued else shell, True))
    return [piece for piece in (*pieces, (text[at:], False)) if piece[0]]


def masked(text: str, key: str | None, least: int = LEAST) -> str:
    """The text without the key."""
    if not key or len(key) < least:
        return text
    return "".join(piece for piece, _ in _pieces(text, key))


def word(text: str, key: str | None, least: int = LEAST) -> str:
    """The text as one word of a shell, in which what it holds of the key is an expansion: in double quotes where that
    can be, and else only the expansion."""
    pieces = _pieces(text, key) if key and len(key) >= least else [(text, False)]
    if not any(expands for _, expands in pieces):
        return shlex.quote(text)
    if all(expands or IN_DOUBLE_QUOTES.fullmatch(piece) for piece, expands in pieces):
        return f'"{"".join(piece for piece, _ in pieces)}"'
    return "".join(f'"{piece}"' if expands else shlex.quote(piece) for piece, expands in pieces)


def mask(value: Any, key: str | None) -> Any:
    """Plain values without the key, in keys and texts; in a text whose name ends with base64 its bytes count."""
    if not key or len(key) < LEAST:
        return value
    if isinstance(value, str):
        return masked(value, key)
    if isinstance(value, list):
        return [mask(one, key) for one in value]
    if isinstance(value, dict):
        return {
            mask(name, key): _mask_bytes(one, key) if str(name).endswith("base64") else mask(one, key)
            for name, one in value.items()
        }
    return value


def _mask_bytes(value: Any, key: str) -> Any:
    """A text in Base64, its bytes without the key; what is none is masked as a text."""
    try:
        data = base64.b64decode(value, validate=True).decode("latin-1")
    except (ValueError, TypeError):
        return mask(value, key)
    return base64.b64encode(masked(data, key).encode("latin-1")).decode()


def veiled(one: Any, key: str | None) -> Any:
    """A frozen dataclass of plain values without the key."""
    if not key or one is None:
        return one
    return replace(one, **{field.name: mask(getattr(one, field.name), key) for field in fields(one)})
