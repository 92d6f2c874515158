"""Tables for the terminal, and `docs/performance.md`, woven from the last runs and from what was written by hand.

Each full run keeps its results in `docs/performance/NAME.json`, so the page always shows all of them, whichever ran
last. `docs/performance-client.md` (made by `python -m benchmarks client`) and `docs/performance-notes.md` (by hand:
where a goal is missed, by how much, what was tried, what the profile shows) are taken in as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT
from benchmarks.rows import ROWS, Result, Row, shown
from benchmarks.svg import bars, lines

DOCS = ROOT / "docs"
VERDICTS = {"goal": "goal reached", "must": "must kept", "missed": "**missed**", "not measured": "not measured"}
TITLES = {"server": "The fake server", "fixture": "A fake server for each test", "contracts": "The contract run"}


def table(rows: Sequence[Row], results: dict[str, Result]) -> str:
    """One line per row, as Markdown, in columns that can be read as they are."""
    lines = [("what", "reference", "value", "must", "goal", "verdict", "behind it", "others")]
    for row in rows:
        result = results.get(row.key) or Result(row.key, None, note="not run")
        value = "" if result.value is None else shown(result.value, row.unit)
        if result.spread and result.value is not None:
            value += f" (±{result.spread * 50:.0f} %)"
        behind = " against ".join(part for part in (result.subject, result.reference) if part)
        behind = "; ".join(part for part in (behind, result.note) if part)
        others = ", ".join(f"{name} {shown(other, row.unit)}" for name, other in result.rivals.items())
        lines.append(
            (
                row.title,
                row.reference,
                value,
                row.limit("must"),
                row.limit("goal"),
                VERDICTS[row.verdict(result.value)],
                behind.replace("|", "\\|").replace("\n", " "),
                others or (f"known: {row.rivals}" if row.rivals else ""),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown_lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    shown_lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown_lines)


def keep(name: str, command: str, facts: dict[str, str], results: Sequence[Result], docs: Path = DOCS) -> None:
    """Remember a run for the page."""
    path = docs / "performance" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(command, facts, results), encoding="utf-8")


def dump(command: str, facts: dict[str, str], results: Sequence[Result]) -> str:
    """A run as JSON. What is infinite (streams that never ended) is the text `Infinity`, as Python reads it."""
    document = {"command": command, "made with": facts, "results": [asdict(result) for result in results]}
    return json.dumps(document, indent=1) + "\n"


def load(name: str, docs: Path = DOCS) -> tuple[str, dict[str, str], dict[str, Result]] | None:
    """A remembered run: the command, what it was made with, the results by key; None if there was none."""
    path = docs / "performance" / f"{name}.json"
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document["command"], document["made with"], {item["key"]: Result(**item) for item in document["results"]}


INTRODUCTION = """# Performance

<!-- Written by `python -m benchmarks`; words of one's own belong into performance-notes.md. -->

All figures are made by one command, on one machine, in one run: the server on one core, the load on the other, the fake
server and its reference in turn, three times, and the medians compared. CPU time per unit is the server's, read from
`/proc`. The fake server does all it always does: the session is found by the URL's prefix, the request parsed and
matched, the reply taken from a rule, the exchange kept in the journal. There is no benchmark mode.

The references are in `benchmarks/references`: *bare ASGI* is uvicorn with httptools and uvloop around one callable that
decodes the request and sends ready bytes; *raw protocol* is an `asyncio.Protocol` with ready bytes, the least that
Python can do; *Starlette app* is one route as it is usually written. `±` is half the distance between the best and the
worst turn. Ratios of CPU time repeat within some 10 %; requests per second and 99th percentiles move more.
"""


def page(docs: Path = DOCS) -> str:
    """The whole page, from what is remembered under `docs`."""
    parts = [INTRODUCTION.strip()]
    for name, rows in ROWS.items():
        run = load(name, docs)
        parts.append(f"## {TITLES[name]}")
        if run is None:
            parts.append(f"Not measured yet: `python -m benchmarks {name}`.")
            continue
        command, facts, results = run
        parts.append(f"`{command}`, made with: " + "; ".join(f"{key} {value}" for key, value in facts.items()) + ".")
        parts.append(table(rows, results))
        for file, alt, drawing in charts(name, results):
            (docs / "performance" / file).write_text(drawing, encoding="utf-8")
            parts.append(f"![{alt}](performance/{file})")
    parts.append(_woven(docs / "performance-client.md", "## The client", "`python -m benchmarks client`"))
    notes = "## Where a goal is missed"
    parts.append(_woven(docs / "performance-notes.md", notes, "`docs/performance-notes.md`, by hand"))
    return "\n\n".join(parts) + "\n"


def _woven(path: Path, title: str, source: str) -> str:
    """A file as a section of the page: its own headings go one level down."""
    if not path.exists():
        return f"{title}\n\nNot written yet: {source}."
    text = path.read_text(encoding="utf-8").strip()
    lines = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        lines.append("#" + line if line.startswith("#") and not fenced else line)
    return "\n".join(lines) if text.startswith("# ") else f"{title}\n\n" + "\n".join(lines)


def charts(name: str, results: dict[str, Result]) -> list[tuple[str, str, str]]:
    """File, description and drawing of what a picture shows better than a table."""
    if name != "server":
        return []
    drawn = []
    ratios = []
    for row in ROWS[name]:
        value = results[row.key].value if row.key in results else None
        if row.unit == "x" and row.better == "lower" and value is not None and value != float("inf"):
            ratios.append(
                (row.title.replace(": CPU per request", "").replace("20 ms: ", "")[:46], value, row.must, row.goal)
            )
    if ratios:
        title = "Against the reference (bars: part of what it must be)"
        drawn.append(("ratios.svg", "each ratio against its limits", bars(title, ratios)))
    series = _gap_series(results)
    if series:
        title = "Streams at 20 ms: error of the gap between two events, p99, by number of streams"
        drawn.append(("gaps.svg", "gap error by number of streams", lines(title, (100, 500, 1000), series, "ms")))
    return drawn


def _gap_series(results: dict[str, Result]) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {"raw protocol": [], "inferneo-mock": [], "aimock": []}
    for count in (100, 500, 1000):
        result = results.get(f"gap-{count}")
        base = float(result.reference.split()[0].replace(",", "")) if result and result.reference else None
        found["raw protocol"].append(base)
        found["inferneo-mock"].append(base * result.value if result and base and result.value else None)
        rival = result.rivals.get("aimock") if result else None
        found["aimock"].append(base * rival if base and rival else None)
    return {name: row for name, row in found.items() if any(row)}
