"""The published schemas of the API, read from the fixtures."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from contracts._fixtures import fixtures


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema of that name. Raises `FileNotFoundError`."""
    document: dict[str, Any] = json.loads(fixtures("schema", f"{name}.json").read_bytes())
    return document


@cache
def registry() -> Any:
    """All schemas by their `$id` and by file name, for references between them."""
    from referencing import Registry, Resource

    found: Any = Registry()
    for path in sorted(fixtures("schema").glob("*.json")):
        resource = Resource.from_contents(json.loads(path.read_bytes()))
        found = found.with_resource(path.name, resource)
        if (name := resource.id()) is not None:
            found = found.with_resource(name, resource)
    return found
