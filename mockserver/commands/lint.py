"""`inferneo-mock lint FILE...`: every mistake and everything suspicious in scripts, with line and column."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mockserver.scripting.lint import lint_text


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="scripts in YAML or JSON")
    parser.add_argument("--json", action="store_true", help="findings as JSON lines")
    parser.add_argument("--strict", action="store_true", help="a warning counts as a finding")
    parser.epilog = "Exit code 0: nothing found, or only warnings; 1: something found; 2: a file cannot be read."


def run(options: argparse.Namespace) -> int:
    """Print the findings, one a line. Raises `OSError` for a file that cannot be read."""
    count = 0
    for name in options.files:
        for remark in lint_text(Path(name).read_bytes(), name):
            count += not remark.warning or options.strict
            place = remark.place
            told = {"file": name, "path": remark.path, "message": remark.message}
            told |= {"level": "warning"} if remark.warning else {}
            if place is not None:
                told |= {"line": str(place.line), "column": str(place.column)}
            print(json.dumps(told) if options.json else remark)
    return 1 if count else 0
