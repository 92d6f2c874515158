"""The report on a terminal: a table per side, each broken law at length, then what it comes to."""

from __future__ import annotations

import re
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.law import Law, laws
from contracts.report import Column, Report, block, summary

SIGNS = {
    "ok": ("ok", "green"),
    "lenient": ("lenient", "yellow"),
    "known": ("known", "magenta"),
    "failed": ("FAILED", "bold red"),
    "unsupported": ("-", "dim"),
    "unjudged": ("no time", "yellow"),
    "broken": ("BROKEN", "bold red"),
}


def show(report: Report) -> None:
    """The tables, then each broken law at length, then one line that sums up."""
    console = Console(highlight=False)
    width = None if console.is_terminal else 160
    console = Console(highlight=False, width=width)
    for title, side, where in (("Server laws", "server", ("live", "recorded")), ("Client laws", "client", ("client",))):
        columns = report.side(where)
        if columns:
            console.print(_table(report, title, laws(side), columns, console.width))
    for verdict in report.red():
        console.print(Text(block(report, verdict)), style=None)
    for surprise in report.surprises:
        console.print(Text(f"recorded {surprise['server']}: {surprise['text']}\n", style="red"))
    for line in summary(report):
        console.print(Text(line))


def _short(name: str) -> str:
    """A server's name without its version and scheme, for the head of a column."""
    return re.sub(r"-\d[\d.]*$", "", name).removeprefix("http://").replace("-", " ")


def _table(report: Report, title: str, found: list[Law], columns: list[Column], width: int) -> Table:
    room = max(30, width - 18 - 13 * len(columns))
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("law", no_wrap=True)
    table.add_column("says", no_wrap=True, width=room)
    for where, name in columns:
        words = f"recorded {_short(name)}" if where == "recorded" else _short(report.name(name))
        table.add_column(words, justify="center", width=10, overflow="fold")
    for law in found:
        row = [report.verdicts.get((law.id, column)) for column in columns]
        if not any(row):
            continue
        cells = [_cell(report, verdict) for verdict in row]
        table.add_row(law.id + ("" if law.level == "must" else "*"), _cut(law.title, room), *cells)
    table.caption = "* SHOULD    - unsupported or not recorded    known: in the baseline or contracts/field_notes.toml"
    return table


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _cell(report: Report, verdict: dict[str, Any] | None) -> Text:
    return Text("") if verdict is None else Text(*SIGNS[report.word(verdict)])
