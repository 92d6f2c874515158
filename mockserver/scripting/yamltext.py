"""YAML (and so JSON) with places: an error of meaning names the line and column of the node it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

from mockserver.errors import Place, ScriptError
from mockserver.scripting.mistakes import mistakes
from mockserver.settings import child

T = TypeVar("T")
_DEPTH = 200


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of plain words, as far as it matters: `on` and `off` are words, a date is a text."""

    yaml_implicit_resolvers = {
        first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        if first not in "oOyYnN"
    } | {
        first: [(tag, regex) for tag, regex in yaml.SafeLoader.yaml_implicit_resolvers[first] if "null" in tag]
        for first in "nN"
    }


def read_yaml(data: bytes, parse: Callable[[Any, str], T], name: str = "") -> T:
    """What `parse(value, "$")` makes of the document in `data`. Raises `ScriptError` with line and column.

    JSON is read by the JSON parser, which is a hundred times faster; YAML's is asked only where an error stands.
    """
    value, read = _read_json(data)
    if not read:
        return _read(data, parse, name)
    try:
        return parse(value, "$")
    except ScriptError as error:
        try:
            _read(data, parse, name)
        except ScriptError as placed:
            if placed.path == error.path:
                raise placed from error
        raise


def _read_json(data: bytes) -> tuple[Any, bool]:
    """The document and True, if it is JSON with no key twice."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return None, False
    try:
        return json.loads(data, object_pairs_hook=_once), True
    except (ValueError, RecursionError):
        return None, False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _read(data: bytes, parse: Callable[[Any, str], T], name: str) -> T:
    value, places = _document(data, name)
    try:
        return parse(value, "$")
    except ScriptError as error:
        raise error.at(_nearest(error.path, places)) from error


def read_mistakes(data: bytes, parse: Callable[[Any, str], object], name: str = "") -> list[ScriptError]:
    """All that is wrong with the document in `data`, by line and column; empty: `parse` reads it.

    What is no YAML has one mistake, for nobody knows what is meant behind it.
    """
    found: list[ScriptError] = []
    try:
        value, places = _document(data, name, found)
    except ScriptError as error:
        return [error]
    bare = isinstance(value, list)  # a script may be the list of its rules
    for mistake in mistakes({"rules": value} if bare else value, parse):
        path = mistake.path.replace("$.rules", "$", 1) if bare else mistake.path
        found.append(mistake.at(_nearest(path, places)))
    return sorted(found, key=lambda one: (one.place.line, one.place.column) if one.place else (0, 0))


def _document(data: bytes, name: str, twice: list[ScriptError] | None = None) -> tuple[Any, dict[str, Place]]:
    """The document, and where each part of it stands. A key that is there twice goes to `twice`, where there is one."""
    try:
        loader = _Loader(data)
        try:
            node = loader.get_single_node()
            places = {"$": Place(1, 1, name)}
            if node is not None:
                _note_places(node, "$", places, name, set(), twice)
            value = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = None if mark is None else Place(mark.line + 1, mark.column + 1, name)
        raise ScriptError(f"no YAML: {error.problem}", "$", place) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, ScriptError):
            raise
        raise ScriptError(f"no YAML: {str(error).splitlines()[0]}", "$", Place(1, 1, name)) from error
    return value, places


def _note_places(
    node: yaml.Node,
    path: str,
    places: dict[str, Place],
    name: str,
    above: set[int],
    twice: list[ScriptError] | None = None,
) -> None:
    """Where every node of the document begins, by its path; a key's place is that of the key."""
    if id(node) in above or len(above) > _DEPTH:
        raise ScriptError(f"a script is a tree of at most {_DEPTH} levels", path, places.get(path))
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, item in node.value:
            where = child(path, str(key.value))
            places[where] = Place(key.start_mark.line + 1, key.start_mark.column + 1, name)
            if key.value in seen:
                error = ScriptError(f"the key {key.value!r} is there twice", where, places[where])
                if twice is None:
                    raise error
                twice.append(error)
            seen.add(key.value)
            _note_places(item, where, places, name, above, twice)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            where = child(path, number)
            places[where] = Place(item.start_mark.line + 1, item.start_mark.column + 1, name)
            _note_places(item, where, places, name, above, twice)


def places_of(data: bytes, name: str = "") -> Callable[[str], Place | None]:
    """Where each path of a script that can be read begins, or the nearest part above it; a list is its rules."""
    loader = _Loader(data)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    places = {"$": Place(1, 1, name)}
    if node is not None:
        root = "$.rules" if isinstance(node, yaml.SequenceNode) else "$"
        _note_places(node, root, places, name, set())
    return lambda path: _nearest(path, places)


def _nearest(path: str, places: dict[str, Place]) -> Place | None:
    """The place of the path, else of the nearest part above it."""
    while path not in places and len(path) > 1:
        path = path[: max(path.rfind("."), path.rfind("["), 1)]
    return places.get(path)
