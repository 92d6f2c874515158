"""The files that a run was asked for: the report in every form, and a file for each broken law."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from contracts import junit, markdown, page, saved
from contracts.document import to_json
from contracts.report import Report


def write(report: Report, options: argparse.Namespace) -> None:
    """The files that were asked for. Raises `OSError`."""
    forms: tuple[tuple[str | None, Callable[[], str]], ...] = (
        (options.json, lambda: json.dumps(to_json(report), indent=2, ensure_ascii=False) + "\n"),
        (options.junit, lambda: junit.to_junit(report)),
        (options.markdown, lambda: markdown.to_markdown(report)),
        (options.html, lambda: page.to_html(report)),
    )
    for path, text in forms:
        if path:
            put(path, text())
    if options.save:
        folder = Path(options.save)
        folder.mkdir(parents=True, exist_ok=True)
        for verdict in report.of("live", "client"):
            if verdict["failure"]:
                document = saved.to_file(verdict, report.name(verdict["target"]))
                name = saved.file_name({**verdict, "target": report.name(verdict["target"])})
                put(folder / name, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def put(path: str | Path, text: str) -> None:
    """Writes a file; a lone surrogate goes as its escape."""
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
