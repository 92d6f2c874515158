"""What is known of the recorded servers: their profile and the laws they break, each with the reason.

The notes are data (`field_notes.toml`). A breach that the notes do not list fails a run, and so does a listed breach
that is no longer seen: a note is a fact about bytes that never change.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Note:
    """One recorded server. `lacks` are capabilities that it was seen not to have, `breaks` maps a law's
    id to the reason."""

    server: str
    profile: str
    about: str
    lacks: frozenset[str]
    breaks: dict[str, str]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A real server that `tools/targets` starts and judges. `breaks` maps a law's id to the smallest request that shows
    it and to what the server does; `sometimes` are those of them that time or load decides."""

    name: str
    version: str
    about: str
    breaks: dict[str, tuple[str, str]]
    sometimes: frozenset[str]


LIVE = "live"


@cache
def _document() -> dict[str, Any]:
    with (Path(__file__).parent / "field_notes.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def notes() -> dict[str, Note]:
    """The notes on the recorded servers, by server."""
    return {
        name: Note(name, entry["profile"], entry["about"], frozenset(entry.get("lacks", ())), entry.get("breaks", {}))
        for name, entry in _document().items()
        if name != LIVE
    }


@cache
def strangers() -> dict[str, Stranger]:
    """The notes on the servers that are judged live, by name."""
    return {
        name: Stranger(
            name,
            entry["version"],
            entry["about"],
            {law: (one["request"], one["does"]) for law, one in entry["breaks"].items()},
            frozenset(entry.get("sometimes", ())),
        )
        for name, entry in _document().get(LIVE, {}).items()
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
    lines += [
        "",
        "# Live strangers",
        "",
        "Servers from PyPI are started by `tools/targets/` and judged like any URL: `tox run -e strangers`.",
        "The run fails on a red law that is not listed here, and on a listed one that is no longer red. Each was read",
        "on the wire; requests are POSTs of JSON unless another method is named.",
    ]
    for stranger in strangers().values():
        lines += ["", f"## {stranger.name} {stranger.version}, live", "", stranger.about, ""]
        lines += ["| law | says | smallest request | what the server does |", "|---|---|---|---|"]
        for law_id, (request, does) in stranger.breaks.items():
            often = " (Not in every run: time or load decides.)" if law_id in stranger.sometimes else ""
            lines.append(f"| {law_id} | {titles[law_id]} | `{request}` | {does}{often} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(to_markdown(), end="")
