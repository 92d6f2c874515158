"""A reply is a document filled in: JSON with holes, compiled once into bytes between holes.

`"$name"` as a whole string is a hole for any JSON value, `"... ${name} ..."` is a hole inside a text. A key that ends
in `?` is there only when all holes of its value are given. Filling is one join; nothing is encoded twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

_INSIDE = re.compile(r"\$\{([a-z_]+)\}")
_WHOLE = re.compile(r"\$([a-z_]+)\Z")


@dataclass(frozen=True, slots=True)
class Style:
    """How JSON is written: `spaced` puts a space behind `,` and `:`, `escaped` writes `\\uXXXX` for all but ASCII."""

    spaced: bool = False
    escaped: bool = False

    def encode(self, value: Any) -> bytes:
        """The JSON text of a value without holes. Numbers that JSON lacks (NaN, infinity) become null."""
        if not self.spaced and not self.escaped:
            return msgspec.json.encode(value)
        separators = (", ", ": ") if self.spaced else (",", ":")
        plain = msgspec.to_builtins(value)
        return json.dumps(plain, ensure_ascii=self.escaped, separators=separators).encode()


COMPACT = Style()
_CUT = b"\2"  # a control character, which no JSON text holds raw


@dataclass(frozen=True, slots=True)
class Hole:
    """A place to fill: `inside` a text the JSON string comes without its quotes."""

    name: str
    inside: bool = False


def holes_of(document: Any) -> set[str]:
    """The names of all holes in a document."""
    if isinstance(document, str):
        whole = _WHOLE.match(document)
        return {whole[1]} if whole else set(_INSIDE.findall(document))
    if isinstance(document, Mapping):
        return {name for value in document.values() for name in holes_of(value)}
    if isinstance(document, list):
        return {name for value in document for name in holes_of(value)}
    return set()


class Filled:
    """A document compiled for one set of given holes: a format of bytes and the names of its holes."""

    __slots__ = ("_format", "_inside", "_names")

    def __init__(self, parts: list[bytes | Hole]) -> None:
        holes = [part for part in parts if isinstance(part, Hole)]
        self._format = b"".join(b"%b" if isinstance(part, Hole) else part.replace(b"%", b"%%") for part in parts)
        self._names = tuple(hole.name for hole in holes)
        self._inside = {number for number, hole in enumerate(holes) if hole.inside}

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """The document with each hole filled by the JSON text of its value."""
        if not self._inside:
            return self._format % tuple([values[name] for name in self._names])
        filled = [values[name] for name in self._names]
        for number in self._inside:
            filled[number] = filled[number].removeprefix(b'"').removesuffix(b'"')
        return self._format % tuple(filled)

    def around(self, name: str, values: Mapping[str, bytes]) -> tuple[bytes, bytes]:
        """What stands before and behind the one hole `name`, the others filled: for events that differ in it."""
        before, behind = self.fill({**values, name: _CUT}).split(_CUT)
        return before, behind


class Template:
    """A document with holes."""

    __slots__ = ("_compiled", "document", "style")

    def __init__(self, document: Any, style: Style = COMPACT) -> None:
        self.document = document
        self.style = style
        self._compiled: dict[frozenset[str], Filled] = {}

    def given(self, names: frozenset[str]) -> Filled:
        """The template compiled for the holes that will be given."""
        found = self._compiled.get(names)
        if found is None:
            found = self._compiled[names] = Filled(list(self._parts(self.document, names)))
        return found

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """The document with the given holes; raises KeyError for a hole without a value."""
        return self.given(frozenset(values)).fill(values)

    def _parts(self, document: Any, names: frozenset[str]) -> Iterator[bytes | Hole]:
        comma, colon = (b", ", b": ") if self.style.spaced else (b",", b":")
        if isinstance(document, str):
            yield from self._text(document)
        elif isinstance(document, Mapping):
            first = True
            yield b"{"
            for key, value in document.items():
                if key.endswith("?"):
                    if not holes_of(value) <= names:
                        continue
                    key = key[:-1]
                yield (b"" if first else comma) + self.style.encode(key) + colon
                yield from self._parts(value, names)
                first = False
            yield b"}"
        elif isinstance(document, list):
            yield b"["
            for number, value in enumerate(document):
                yield comma if number else b""
                yield from self._parts(value, names)
            yield b"]"
        else:
            yield self.style.encode(document)

    def _text(self, text: str) -> Iterator[bytes | Hole]:
        whole = _WHOLE.match(text)
        if whole:
            yield Hole(whole[1])
            return
        yield b'"'
        for number, part in enumerate(_INSIDE.split(text)):
            if number % 2:
                yield Hole(part, inside=True)
            else:
                yield self.style.encode(part)[1:-1]
        yield b'"'
