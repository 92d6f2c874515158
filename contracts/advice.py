"""What a reader of the report may want to do next: a command, and what it is for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from contracts.commands import command
from contracts.report import Report


def advice(report: Report, options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """At most three commands, none of which was just given."""
    again = command(options)
    words = [report.word(verdict) for verdict in report.of("live", "client")]
    if late := words.count("unjudged"):
        longer = "5m" if options.budget != "5m" else "1h"
        yield (
            command(options, budget=longer),
            f"{late} {_laws(late)} NOT JUDGED, the budget was used up; this judges all",
        )
    red = report.red()
    if red:
        yield f"inferneo-contracts explain {red[0]['law']}", "What a law says, why, and where it comes from"
    missing = [("--save", "failures/")] if red and not options.save else []
    missing += [("--html", "report.html")] if not options.html else []
    if missing:
        what = {"--save": "a file for each failure, for `replay`", "--html": "a page with every verdict and the wire"}
        flags = " ".join(f"{flag} {value}" for flag, value in missing)
        wanted = " and ".join(what[flag] for flag, _ in missing)
        yield f"{again} {flags}", wanted[0].upper() + wanted[1:]


def _laws(number: int) -> str:
    return "law was" if number == 1 else "laws were"
