"""`--set PATH=VALUE`: one part of a script on the command line, in the words of the script.

Laws: the value is YAML (so JSON too); the path is that of error messages without its `$.`: `rules[0].reply.text`, or
with dots, `rules.0.reply.text`. A path one past the end of a list adds to it. The outcome is read as every script is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mockserver import fixtures
from mockserver.errors import ScriptError
from mockserver.scripting.script import Script, parse_script

_PART = re.compile(r"\.?([A-Za-z_][\w-]*|\d+)|\[(\d+)\]")


def script_from(path: str | Path | None, assignments: Sequence[str] = ()) -> Script:
    """The script of a file, or one of ours by name (None: an empty one), with the assignments in it.

    Raises `ScriptError`, `OSError`.
    """
    path = None if path is None else fixtures.script_file(path)
    if path is None and not assignments:
        return parse_script(None)
    from mockserver.scripting.yamltext import read_yaml  # PyYAML takes 20 ms to import

    if path is not None and not assignments:
        return read_yaml(path.read_bytes(), parse_script, str(path))
    document: Any = {}
    if path is not None:
        data = path.read_bytes()
        read_yaml(data, parse_script, str(path))  # for the line of a mistake in the file itself
        document = read_yaml(data, lambda value, _: value, str(path)) or {}
    if isinstance(document, list):
        document = {"rules": document}
    for assignment in assignments:
        document = assign(document, assignment)
    return parse_script(document)


def assign(document: Any, assignment: str) -> Any:
    """The document with `PATH=VALUE` in it. Raises `ScriptError`."""
    from mockserver.scripting.yamltext import read_yaml  # as above

    path, equals, text = assignment.partition("=")
    if not equals:
        raise ScriptError(f"expected PATH=VALUE, got {assignment!r}", "--set")
    value = read_yaml(text.encode(), lambda found, _: found, "--set")
    return _put(document, _parts(path.strip()), value, path)


def _parts(path: str) -> list[str | int]:
    parts: list[str | int] = []
    at = 2 if path.startswith("$.") else 0
    while at < len(path):
        found = _PART.match(path, at)
        if found is None:
            raise ScriptError(f"no path: {path!r}; write rules[0].reply.text", "--set")
        word = found[1] if found[1] is not None else found[2]
        parts.append(int(word) if word.isdigit() else word)
        at = found.end()
    if not parts:
        raise ScriptError("the path before '=' is empty; write seed=7 or rules[0].reply=Hello", "--set")
    return parts


def _put(document: Any, parts: list[str | int], value: Any, path: str) -> Any:
    if not parts:
        return value
    first, rest = parts[0], parts[1:]
    if isinstance(first, int):
        items = list(document) if isinstance(document, list | tuple) else []
        if first > len(items) or (document is not None and not isinstance(document, list | tuple)):
            raise ScriptError(f"{path!r}: there is no item {first}; {len(items)} are there", "--set")
        inner = items[first] if first < len(items) else None
        return [*items[:first], _put(inner, rest, value, path), *items[first + 1 :]]
    if document is not None and not isinstance(document, dict):
        raise ScriptError(f"{path!r}: {first!r} is a key, and what is there is {document!r}", "--set")
    found = document or {}
    return {**found, first: _put(found.get(first), rest, value, path)}
