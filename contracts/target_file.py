"""A target file: a TOML document that says where a server is and what it can, instead of options and probes.

url = "http://127.0.0.1:8000"
model = "org/small"
profile = "openai"
restart_cmd = "docker restart server"
context = 8192

[capabilities]
det = true
n = false
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.options import known_capability

TEXTS = ("url", "model", "api_key", "profile", "restart_cmd")


@dataclass(frozen=True, slots=True)
class TargetFile:
    """What such a file says; "" where it says nothing. Capabilities it does not name are probed."""

    url: str = ""
    model: str = ""
    api_key: str = ""
    profile: str = ""
    restart_cmd: str = ""
    capabilities: tuple[tuple[str, bool], ...] = ()
    context: int = 0


def load(path: str) -> TargetFile:
    """Raises `OSError`; `ValueError` that names the file, the key and what would be right."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    known = {*TEXTS, "context", "capabilities"}
    if unknown := sorted(set(document) - known):
        raise ValueError(f"{path}: unknown key {unknown[0]!r}; known keys: {', '.join(sorted(known))}")
    for key in TEXTS:
        if not isinstance(document.get(key, ""), str):
            raise ValueError(f"{path}: {key} is {document[key]!r}; expected a text")  # noqa: TRY004 - a mistake in a file
    context = document.get("context", 1)
    if type(context) is not int or context < 1:
        raise ValueError(f"{path}: context is {context!r}; expected a number of tokens")
    return TargetFile(
        **{key: document.get(key, "") for key in TEXTS},
        context=document.get("context", 0),
        capabilities=_capabilities(path, document.get("capabilities", {})),
    )


def _capabilities(path: str, table: Any) -> tuple[tuple[str, bool], ...]:
    if not isinstance(table, dict):
        raise ValueError(f"{path}: capabilities is {table!r}; expected a table [capabilities]")  # noqa: TRY004 - the same
    found = []
    for name, value in table.items():
        if not isinstance(value, bool):
            raise ValueError(f"{path}: capability {name} is {value!r}; expected true or false")  # noqa: TRY004 - the same
        try:
            found.append((known_capability(name), value))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return tuple(found)
