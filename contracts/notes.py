"""What is known of the recorded servers: their profile and the laws they break, each with the reason.

The notes are data (`field_notes.toml`). A breach that the notes do not list fails a run, and so does a listed breach
that is no longer seen: a note is a fact about bytes that never change.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Note:
    """One recorded server. `lacks` are capabilities that it was seen not to have, `breaks` maps a law's
    id to the reason."""

    server: str
    profile: str
    about: str
    lacks: frozenset[str]
    breaks: dict[str, str]


@cache
def notes() -> dict[str, Note]:
    """All notes by server."""
    with (Path(__file__).parent / "field_notes.toml").open("rb") as file:
        document = tomllib.load(file)
    return {
        name: Note(name, entry["profile"], entry["about"], frozenset(entry.get("lacks", ())), entry.get("breaks", {}))
        for name, entry in document.items()
    }
