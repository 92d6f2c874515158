"""The report as Markdown for the summary page of a CI run: the counts, what is broken, each with its request."""

from __future__ import annotations

from typing import Any

from contracts.headline import headline
from contracts.law import find
from contracts.pasted import request_of
from contracts.report import Report, summary

CELL = 200
"""So many characters of what was got fit into a table."""


def to_markdown(report: Report) -> str:
    """The page. `inferneo-contracts run --markdown "$GITHUB_STEP_SUMMARY"` shows it."""
    bad = report.red()
    lines = [f"## Contracts: {headline(report)}", "", *[f"- {_cell(line, 1000)}" for line in summary(report)], ""]
    if bad:
        lines += ["| law | target | expected | got |", "|---|---|---|---|"]
        for verdict in bad:
            failure = verdict["failure"] or {"expected": find(verdict["law"]).title, "got": verdict["reason"]}
            cells = [verdict["law"], report.name(verdict["target"]), failure["expected"], failure["got"]]
            lines.append("| " + " | ".join(_cell(str(cell)) for cell in cells) + " |")
        lines += ["", *[line for verdict in bad for line in _request(report, verdict)]]
    known = [v for v in report.of("live", "client") if report.word(v) == "known"]
    if known:
        lines += ["", "Known failures (baseline):", ""]
        lines += [f"- {v['law']} on {report.name(v['target'])}: {_cell(str(report.known(v)))}" for v in known]
    return "\n".join(lines).rstrip() + "\n"


def _request(report: Report, verdict: dict[str, Any]) -> list[str]:
    requests = request_of(verdict)
    if not requests:
        return []
    title = f"{verdict['law']} on {report.name(verdict['target'])}: the request"
    # A longer fence than any in the request cannot be closed by it.
    fence = "`" * (max((len(run) for line in requests for run in _fences(line)), default=2) + 1)
    return [f"<details><summary>{_html(title)}</summary>", "", f"{fence}sh", *requests, fence, "", "</details>", ""]


def _fences(line: str) -> list[str]:
    import re

    return [run for run in re.findall("`+", line) if len(run) > 2]


def _cell(text: str, limit: int = CELL) -> str:
    """Text that cannot leave its cell nor become markup."""
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return _html(" ".join(short.split())).replace("|", "\\|").replace("`", "&#96;").replace("*", "&#42;")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
