"""A small JSONPath (RFC 9535): names, indexes, wildcards, descendants. `$.messages[-1].content`, `$..name`, `$['a b']`.

Filters, slices and unions are refused by name: a matcher says those things with `regex`, `json` or a predicate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mockserver.errors import ScriptError

_SEGMENT = re.compile(
    r"(?P<deep>\.\.)?(?:\.?\*|\[\*\]|(?:(?<=\.\.)|\.)(?P<name>[^\W\d][\w-]*)"
    r"|\[(?P<index>-?\d+)\]|\['(?P<quoted>[^']*)'\]|\[\"(?P<double>[^\"]*)\"\])"
)


@dataclass(frozen=True, slots=True)
class Segment:
    """One step: a key or an index (None: every member), among all descendants if `deep`."""

    key: str | int | None
    deep: bool


@lru_cache(4096)
def parse_path(text: str) -> tuple[Segment, ...]:
    """The steps of a path. Raises `ScriptError`."""
    if not text.startswith("$"):
        raise ScriptError(f"a JSONPath begins with '$', got {text!r}", "")
    at, found = 1, []
    while at < len(text):
        seen = _SEGMENT.match(text, at)
        if seen is None or seen.end() == at:
            raise ScriptError(f"{text!r}: cannot read {text[at:]!r}; known: .name ['name'] [0] [-1] [*] ..name", "")
        index = seen["index"]
        names = [name for name in (seen["name"], seen["quoted"], seen["double"]) if name is not None]
        found.append(Segment(int(index) if index else (names[0] if names else None), bool(seen["deep"])))
        at = seen.end()
    return tuple(found)


def select(path: str, document: Any) -> list[Any]:
    """All values of `document` that the path names, in order."""
    values = [document]
    for segment in parse_path(path):
        roots = [item for value in values for item in _descendants(value)] if segment.deep else values
        values = [item for root in roots for item in _members(root, segment.key)]
    return values


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for item in _members(value, None):
        yield from _descendants(item)


def _members(value: Any, key: str | int | None) -> Iterator[Any]:
    if isinstance(value, dict):
        if key is None:
            yield from value.values()
        elif key in value:
            yield value[key]
    elif isinstance(value, list):
        if key is None:
            yield from value
        elif isinstance(key, int) and -len(value) <= key < len(value):
            yield value[key]
