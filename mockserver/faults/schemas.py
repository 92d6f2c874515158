"""What a document must be, by `fixtures/schema`: every way to break it at one place. Reads files, once; else pure.

The documents of the API name themselves (`object`), so the schema is found by looking. A schema here is plain JSON
Schema (2020-12) with local references; `anyOf`, `oneOf`, `enum`, `const`, `type`, `required`, `properties`, `items`
and the bounds of numbers and texts are understood, which is enough for what the files forbid.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from mockserver import fixtures

_BY_OBJECT = {
    ("chat.completion.chunk", True): "chat_chunk",
    ("chat.completion", True): "chat_chunk",
    ("chat.completion", False): "chat_response",
    ("text_completion", True): "completion_chunk",
    ("text_completion", False): "completion_response",
    ("model", False): "model",
}
"""The schema of a document by its `object`, as an event of a stream and as a body."""

_STRANGER = "never-heard-of"
_EXAMPLES: dict[str, Any] = {
    "string": "seven",
    "integer": 7,
    "number": 7,
    "boolean": True,
    "array": ["not", "an object"],
    "object": {"not": "a list"},
    "null": None,
}
_OTHERS = ("string", "integer", "array", "object", "boolean")

Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Break:
    """One place, and what makes the document wrong there. `form` `drop`: the key is gone; else it is `value`."""

    form: str
    path: Path
    value: Any = None


@cache
def read(name: str) -> dict[str, Any]:
    """A schema of `fixtures/schema`, by its file's name."""
    found: dict[str, Any] = json.loads((fixtures.path() / "schema" / f"{name}.json").read_text("utf-8"))
    return found


def schema_of(value: dict[str, Any], streamed: bool) -> dict[str, Any] | None:
    """The schema that the document is to be valid by; None for a stranger."""
    told = value.get("object")
    if told == "list":
        data = value.get("data")
        first = data[0] if isinstance(data, list) and data else None
        return read("embeddings_response" if isinstance(first, dict) and "embedding" in first else "models_list")
    if isinstance(told, str) and (told, streamed) in _BY_OBJECT:
        return read(_BY_OBJECT[told, streamed])
    return read("error") if isinstance(value.get("error"), dict) else None


def breaks(value: Any, schema: dict[str, Any]) -> Iterator[Break]:
    """Every single change at one place of `value` that the schema forbids, outermost first."""
    yield from _of(value, schema, schema, ())


def _of(value: Any, schema: dict[str, Any], root: dict[str, Any], path: Path) -> Iterator[Break]:
    chosen = [one for one in _alternatives(schema, root) if _type_of(value) in _types(one)]
    if isinstance(value, dict):
        chosen = [one for one in chosen if set(one.get("required", ())) <= set(value)]
    deeper: list[tuple[Any, dict[str, Any], Path]] = []
    for one in chosen:
        if isinstance(value, dict):
            for key, inner in one.get("properties", {}).items():
                if key in value:
                    here = (*path, key)
                    if key in one.get("required", ()):
                        yield Break("drop", here)
                    yield from _wrong(value[key], inner, root, here)
                    deeper.append((value[key], inner, here))
        elif isinstance(value, list) and isinstance(one.get("items"), dict):
            for number, item in enumerate(value):
                yield from _wrong(item, one["items"], root, (*path, number))
                deeper.append((item, one["items"], (*path, number)))
    for item, inner, here in deeper:
        yield from _of(item, inner, root, here)


def _wrong(value: Any, schema: dict[str, Any], root: dict[str, Any], path: Path) -> Iterator[Break]:
    alternatives = _alternatives(schema, root)
    allowed = {name for one in alternatives for name in _types(one)}
    if "null" not in allowed:
        yield Break("null", path)
    other = next((name for name in _OTHERS if name not in allowed and name != _type_of(value)), None)
    if other is not None:
        yield Break("type", path, _EXAMPLES[other])
    texts = [one for one in alternatives if "string" in _types(one)]
    if texts and all("enum" in one or "const" in one for one in texts):
        yield Break("enum", path, _STRANGER)
    for one in alternatives:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if "minimum" in one:
                yield Break("range", path, one["minimum"] - 1)
            if "maximum" in one:
                yield Break("range", path, one["maximum"] + 1)
        elif isinstance(value, str) and one.get("minLength"):
            yield Break("range", path, "")


def _alternatives(schema: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema without references, `anyOf` and `oneOf` of types: one of these has to hold."""
    if "$ref" in schema:
        found = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return _alternatives(found, root)
    if "type" not in schema and (parts := schema.get("anyOf") or schema.get("oneOf")):
        return [one for part in parts for one in _alternatives(part, root)]
    return [schema]


def _types(schema: dict[str, Any]) -> set[str]:
    """The JSON types that a schema without references allows."""
    if "enum" in schema:
        return {_type_of(value) for value in schema["enum"]}
    if "const" in schema:
        return {_type_of(schema["const"])}
    told = schema.get("type", list(_EXAMPLES))
    names = {told} if isinstance(told, str) else set(told)
    return names | {"integer"} if "number" in names else names


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
