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


def to_markdown() -> str:
    """The notes as `docs/field-notes.md`; `python -m contracts.notes` prints it."""
    from contracts.law import laws

    titles = {law.id: law.title for law in laws("server")}
    lines = [
        "# Field notes: what real servers break",
        "",
        "Five servers were recorded answering the same requests (`fixtures/recorded/`, exact bytes). Every run replays",
        "the server laws over them. A cell says `broken` in the report where these notes list the breach; one that",
        "they do not list, or that is no longer seen, fails the run. This page is printed by",
        "`python -m contracts.notes` from `contracts/field_notes.toml`, and a test holds it to that.",
        "",
        "A server is judged by what its profile promises: the engine answers any model name and has `detail` in its",
        "errors, and its profile says so; the others call themselves compatible with OpenAI's API, and that is what",
        "they are held to.",
    ]
    for name, note in notes().items():
        lines += ["", f"## {name}", "", f"Profile `{note.profile}`. {note.about}", ""]
        if not note.breaks:
            lines.append("No law broken.")
            continue
        lines += ["| law | says | what the server does |", "|---|---|---|"]
        lines += [f"| {law_id} | {titles[law_id]} | {reason} |" for law_id, reason in note.breaks.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(to_markdown(), end="")
