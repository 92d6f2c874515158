"""A drawn case as plain JSON values, so that a failure that was saved can be judged again.

What was seen (an exchange) is no part of a case: the law has to see it again.

Law: `from_json(to_json(case)) == case` for tuples, sets, bytes, numbers, texts, and the frozen dataclasses of this
package. Nothing else is named in a file, so that reading one runs no foreign code.
"""

from __future__ import annotations

import base64
import importlib
from dataclasses import fields, is_dataclass
from typing import Any

TYPE = "$type"
PACKAGE = "contracts."
SETS = {"set": set, "frozenset": frozenset, "tuple": tuple}


class Unsaved(Exception):  # noqa: N818 - it says what was found
    """The case holds a value that has no form in a file; the message names its type."""


def to_json(case: Any) -> Any:
    """Plain values. Raises `Unsaved`."""
    if case is None or isinstance(case, (bool, int, float, str)):
        return case
    if case is ...:
        return {TYPE: "ellipsis"}
    if isinstance(case, bytes):
        return {TYPE: "bytes", **bytes_to_json(case)}
    if isinstance(case, list):
        return [to_json(item) for item in case]
    for name, kind in SETS.items():
        if type(case) is kind:
            return {TYPE: name, "items": [to_json(item) for item in case]}
    if isinstance(case, dict):
        if TYPE not in case and all(isinstance(key, str) for key in case):
            return {key: to_json(value) for key, value in case.items()}
        return {TYPE: "dict", "items": [[to_json(key), to_json(value)] for key, value in case.items()]}
    if type(case).__name__ == "Exchange":
        raise Unsaved("an Exchange is what was seen, and has to be seen again")
    if is_dataclass(case) and not isinstance(case, type) and type(case).__module__.startswith(PACKAGE):
        name = f"{type(case).__module__}:{type(case).__qualname__}"
        return {TYPE: name, "fields": {one.name: to_json(getattr(case, one.name)) for one in fields(case)}}
    raise Unsaved(f"a {type(case).__name__} has no form in a file")


def from_json(value: Any) -> Any:
    """The inverse of `to_json`. Raises `ValueError` that names the type it does not know."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TYPE not in value:
        return {key: from_json(item) for key, item in value.items()}
    match value:
        case {"$type": "ellipsis"}:
            return ...
        case {"$type": "bytes"}:
            return bytes_from_json(value)
        case {"$type": "dict", "items": items}:
            return {from_json(key): from_json(item) for key, item in items}
        case {"$type": ("set" | "frozenset" | "tuple") as name, "items": items}:
            return SETS[name](from_json(item) for item in items)
        case {"$type": str(name), "fields": dict(found)}:
            return _kind(name)(**{key: from_json(item) for key, item in found.items()})
    raise ValueError(f"{value[TYPE]!r} is no type of a case")


def _kind(name: str) -> Any:
    module, _, kind = name.partition(":")
    if not module.startswith(PACKAGE):
        raise ValueError(f"{name!r} is no type of a case; expected {PACKAGE}MODULE:NAME")
    try:
        found = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and is_dataclass(found)):
        raise ValueError(f"{name!r} is no type of a case in this version")
    return found


def bytes_to_json(data: bytes) -> dict[str, str]:
    """Text where the bytes are UTF-8, else Base64."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def bytes_from_json(value: dict[str, Any]) -> bytes:
    """The inverse of `bytes_to_json`."""
    return base64.b64decode(value["base64"]) if "base64" in value else str(value["text"]).encode()
