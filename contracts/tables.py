"""The verdicts as tables on a terminal: how much of each family is kept, and each law on each target."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich import box
from rich.table import Table
from rich.text import Text

from contracts.law import find, laws
from contracts.report import BAD, SILENT, Column, Report

SIGNS = {
    "ok": ("ok", "green"),
    "lenient": ("~", "yellow"),
    "known": ("k", "magenta"),
    "failed": ("F", "bold red"),
    "broken": ("B", "bold red"),
    "lost": ("X", "bold red"),
    "unsupported": ("-", "dim"),
    "unjudged": ("?", "yellow"),
}
LEGEND = "~ lenient  k known  F failed  B broken  X lost  - unsupported  ? not judged  * a SHOULD"
NARROW = 11


def by_family(report: Report) -> Table:
    """A row for each family of laws: how many are kept of those that could be judged."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("family", no_wrap=True)
    columns = report.columns
    for letter in letters(report, columns):
        table.add_column(letter, justify="right", no_wrap=True, min_width=5)
    for family, words in _by_family(report).items():
        table.add_row(family, *(_share(words.get(column, [])) for column in columns))
    return table


def families(report: Report) -> list[str]:
    """The same in words, for one target."""
    return [f"{family} {_share(next(iter(words.values())))}" for family, words in _by_family(report).items()]


def letters(report: Report, columns: list[Column]) -> dict[str, str]:
    """A letter for each target, and what the target is called."""
    return {chr(ord("A") + number % 26) * (1 + number // 26): _head(report, one) for number, one in enumerate(columns)}


def _by_family(report: Report) -> dict[str, dict[Column, list[str]]]:
    """The words of the verdicts; families of server laws first."""
    found: dict[str, dict[Column, list[str]]] = {}
    for (law, column), verdict in report.verdicts.items():
        family = "-".join(law.split("-")[:2])
        found.setdefault(family, {}).setdefault(column, []).append(report.word(verdict))
    return {name: found[name] for name in sorted(found, key=lambda name: (name.startswith("C-"), name))}


def _share(words: list[str]) -> Text:
    judged = [word for word in words if word not in SILENT]
    if not words:
        return Text("")
    if not judged:
        return Text("-", "dim")
    kept = sum(word in ("ok", "lenient") for word in judged)
    red = any(word in BAD for word in judged)
    style = "bold red" if red else "magenta" if kept < len(judged) else "green"
    return Text(f"{kept}/{len(judged)}{' !' if red else ''}", style)


def by_law(report: Report, width: int) -> Iterator[Table]:
    """A row for each law, a sign for each target; a letter stands for a target where there are many."""
    for title, side, where in (("Server laws", "server", ("live", "recorded")), ("Client laws", "client", ("client",))):
        columns = report.side(where)
        if columns:
            yield _table(report, title, side, columns, width)


def _table(report: Report, title: str, side: str, columns: list[Column], width: int) -> Table:
    many = len(columns) > 2
    lettered = letters(report, columns)
    names = list(lettered) if many else [_head(report, one) for one in columns] if len(columns) > 1 else ["verdict"]
    sizes = [2 if many else max(4, min(NARROW, len(name))) for name in names]
    says = width - 19 - sum(size + 3 for size in sizes)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", caption_justify="left")
    named = [f"{letter} {name}" for letter, name in lettered.items()] if many else [_head(report, columns[0])]
    table.title = f"{title}: {', '.join(named)}" if len(columns) != 2 else title
    table.caption = LEGEND
    table.add_column("law", no_wrap=True, width=12)
    table.add_column("says", width=says)
    for name, size in zip(names, sizes, strict=True):
        table.add_column(name, justify="center", width=size, overflow="fold")
    for law in laws(side):
        row = [report.verdicts.get((law.id, column)) for column in columns]
        if any(row):
            cells = [Text(*SIGNS[report.word(verdict)]) if verdict else Text("") for verdict in row]
            table.add_row(law.id + ("" if find(law.id).level == "must" else "*"), law.title, *cells)
    return table


def _head(report: Report, column: Column) -> str:
    """A target's name without its version and scheme, for the head of a column."""
    where, name = column
    short = re.sub(r"-\d[\d.]*$", "", report.name(name)).removeprefix("http://").removeprefix("https://")
    return f"recorded {short.replace('-', ' ')}" if where == "recorded" else short
