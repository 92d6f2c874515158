"""The report on a terminal, in 80 columns: what was judged, what is broken, the counts, what to do next.

Nothing is cut but the reasons of known failures, which their file has; lines that are to be pasted are never broken.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from typing import Any

from rich.console import Console
from rich.text import Text

from contracts import tables
from contracts.advice import advice
from contracts.report import Report, found_of, head, parts, summary

WIDTH = 80
WIDEST = 120
LABEL = 10
MEANING = {
    "ok": "kept in every case that was tried",
    "lenient": "a SHOULD is broken, or what was seen did not come again when asked again; fails no run",
    "known": "broken, and in the baseline or the field notes",
    "failed": "a MUST is broken, and was again when asked again",
    "broken": "could not be judged, because an answer that another law judges was unreadable",
    "lost": "the server died, or hangs, while it was judged: of its request, or for another reason",
    "unsupported": "not asked: the target lacks what the law speaks of, so it is not counted as kept",
    "unjudged": "not asked: the budget was used up",
}
COLORS = {"ok": "green", "lenient": "yellow", "known": "magenta", "failed": "red", "broken": "red", "lost": "red"}


def show(report: Report, options: argparse.Namespace) -> None:
    """Everything, in the order in which a reader asks; the counts stand last, where the eye is."""
    console = Console(highlight=False)
    width = min(console.width, WIDEST) if console.is_terminal else WIDTH
    pen = _Pen(console, width)
    for target in report.targets:
        _target(pen, report, target)
    for verdict in [*report.red(), *report.lost()]:
        _broken(pen, report, verdict)
    for surprise in report.surprises:
        pen.line(f"recorded {surprise['server']}: {surprise['text']}", style="red")
    _lenient(pen, report)
    _known(pen, report)
    _unsupported(pen, report)
    if getattr(options, "table", False):
        for table in tables.by_law(report, width):
            console.print(table, width=width)
    if len(report.columns) > 1:
        pen.line("Laws kept, of those judged (! red, - not judged):")
        named = [f"{letter} {name}" for letter, name in tables.letters(report, report.columns).items()]
        pen.line(f"  {', '.join(named)}", indent="  ")
        console.print(tables.by_family(report), width=width)
    else:
        pen.line(f"Kept, of those judged: {', '.join(tables.families(report))}", indent="  ")
        pen.line()
    for line in summary(report):
        pen.line(line, indent="  ")
    words = {report.word(verdict) for verdict in report.of("live", "client")}
    pen.line()
    for word in MEANING:
        if word in words:
            pen.item(word, MEANING[word], COLORS.get(word, "dim"), 12)
    for command, why in advice(report, options):
        pen.line()
        pen.line(f"{why}:")
        pen.paste(f"  {command}")


class _Pen:
    """Lines of a width; what is to be pasted is as long as it is."""

    def __init__(self, console: Console, width: int) -> None:
        self.console = console
        self.width = width

    def line(self, text: str = "", indent: str = "", style: str = "") -> None:
        """A paragraph."""
        for one in text.split("\n"):
            wrapped = textwrap.wrap(one, self.width, subsequent_indent=indent, break_on_hyphens=False) or [""]
            for piece in wrapped:
                self.console.print(Text(piece, style=style), soft_wrap=True)

    def item(self, label: str, text: str, style: str = "dim", room: int = LABEL) -> None:
        """A word and what is to be said of it, beside it."""
        space = " " * (2 + room)
        lines = [
            piece
            for one in text.split("\n")
            for piece in textwrap.wrap(one, self.width - len(space), break_on_hyphens=False) or [""]
        ]
        first = Text("  ").append(f"{label:<{room}}", style=style).append(lines[0])
        self.console.print(first, soft_wrap=True)
        for piece in lines[1:]:
            self.console.print(Text(space + piece), soft_wrap=True)

    def paste(self, text: str) -> None:
        """A line that stays one line."""
        self.console.print(Text(text), soft_wrap=True)


def _target(pen: _Pen, report: Report, target: dict[str, Any]) -> None:
    """What was judged, and what it was found to have."""
    pen.line(report.name(target["name"]), style="bold")
    pen.item("model", target["model"])
    pen.item("profile", f"{target['profile']} ({target['chosen']})")
    has, lacks = found_of(target)
    if has:
        pen.item("accepts", ", ".join(has))
    if lacks:
        pen.item("lacks", "\n".join(f"{name}: {why}" for name, why in lacks.items()))
    pen.line()


def _broken(pen: _Pen, report: Report, verdict: dict[str, Any]) -> None:
    pen.line(head(report, verdict), indent="  ", style="bold red")
    for label, text in parts(report, verdict):
        if label in ("request", "again"):
            pen.console.print(Text("  ").append(f"{label:<{LABEL}}", style="dim"), end="", soft_wrap=True)
            pen.paste(text)
        else:
            pen.item(label, text)
    pen.line()


def _lenient(pen: _Pen, report: Report) -> None:
    found = [verdict for verdict in report.of("live", "client") if report.word(verdict) == "lenient"]
    if not found:
        return
    pen.line("Lenient", style="bold yellow")
    several = len(report.side(("live", "client"))) > 1
    for verdict in found:
        where = f" on {report.name(verdict['target'])}" if several else ""
        pen.line(f"  {head(report, verdict, short=True)}{where}", indent="    ")
        pen.line(f"    {' '.join(verdict['reason'].split())}", indent="    ", style="dim")
    pen.line()


def _known(pen: _Pen, report: Report) -> None:
    """What is broken and in the baseline, one line each."""
    found = [verdict for verdict in report.of("live", "client") if report.word(verdict) == "known"]
    if not found:
        return
    pen.line("Known", style="bold magenta")
    several = len(report.side(("live", "client"))) > 1
    for verdict in found:
        where = f" on {report.name(verdict['target'])}" if several else ""
        line = f"  {verdict['law']}{where}: {' '.join(str(report.known(verdict)).split())}"
        pen.paste(line if len(line) <= pen.width else f"{line[: pen.width - 1]}…")
    pen.line()


def together(laws: list[str]) -> str:
    """Ids in few words: those of a family that follow each other as a range."""
    found: list[list[str]] = []
    for law in sorted(laws):
        family, _, number = law.rpartition("-")
        before, _, last = found[-1][-1].rpartition("-") if found else ("", "", "0")
        if family == before and int(number) == int(last) + 1:
            found[-1].append(law)
        else:
            found.append([law])
    runs = [(run[0], f"..{run[-1].rpartition('-')[2]}" if len(run) > 1 else "") for run in found]
    return ", ".join(first + rest for first, rest in runs)


def _unsupported(pen: _Pen, report: Report) -> None:
    """What was not asked and why, laws of one reason together."""
    for column in report.side(("live", "client")):
        reasons: dict[str, list[str]] = {}
        for (law, at), verdict in report.verdicts.items():
            if at == column and verdict["word"] == "unsupported":
                # What a target lacks was told above, with the evidence.
                reason = " ".join(verdict["reason"].split())
                told = re.match(r"no \w+(?=: )", reason) if column[0] == "live" else None
                reasons.setdefault(told[0] if told else reason, []).append(law)
        if not reasons:
            continue
        pen.line(f"Unsupported on {report.name(column[1])}", style="bold")
        for reason, laws in sorted(reasons.items(), key=lambda one: (-len(one[1]), one[0])):
            pen.line(f"  {reason}: {together(laws)}", indent="    ")
        pen.line()
