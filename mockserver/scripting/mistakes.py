"""Every mistake of a document whose reader stops at the first: what was wrong is taken out, and it is read again. Pure.

Laws: each mistake is told at its own place in the document as it was written; what only follows from the taking out (a
key that is missing now) is not told. Nothing that can be read is changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from mockserver.errors import ScriptError
from mockserver.settings import child

LIMIT = 100
"""Mistakes told of one document."""

_PART = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]")


def mistakes(document: Any, parse: Callable[[Any, str], object]) -> list[ScriptError]:
    """All that `parse(document, "$")` refuses, in the order of finding; empty: nothing."""
    search = _Search(document)
    while len(search.found) < LIMIT:
        try:
            parse(search.document, "$")
        except ScriptError as error:
            if not search.take_out(error):
                break
        else:
            break
    return search.found


class _Search:
    """A copy of a document that loses what is wrong with it, and knows what stood where."""

    def __init__(self, document: Any) -> None:
        self.found: list[ScriptError] = []
        self._numbers: dict[int, list[int]] = {}
        self._changed: set[str] = set()
        self.document = self._copy(document)

    def _copy(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._copy(item) for key, item in value.items()}
        if isinstance(value, list):
            copied = [self._copy(item) for item in value]
            self._numbers[id(copied)] = list(range(len(copied)))
            return copied
        return value

    def take_out(self, error: ScriptError) -> bool:
        """Note the error at its true place and remove what it is about; False: it is about all of the document."""
        node, path = self.document, "$"
        above: tuple[Any, Any, str] | None = None
        parts = parts_of(error.path)
        while parts and _has(node, parts[0]):
            key = parts.pop(0)
            above = node, key, path
            path = child(path, self._numbers[id(node)][key] if isinstance(key, int) else key)
            node = node[key]
        if not (path in self._changed and not parts):
            place = path
            for part in parts:
                place = child(place, part)
            self.found.append(ScriptError(error.message, place))
        if above is None:
            return False
        holder, key, holder_path = above
        del holder[key]
        if isinstance(holder, list):
            del self._numbers[id(holder)][key]
        self._changed.add(holder_path)
        return True


def _has(node: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(node, list) and part < len(node)
    return isinstance(node, dict) and part in node


def parts_of(path: str) -> list[str | int]:
    """The keys and indexes of a JSON path as errors write it."""
    return [
        name if name else int(number) if number else ast.literal_eval(quoted)
        for name, number, quoted in _PART.findall(path.removeprefix("$"))
    ]
