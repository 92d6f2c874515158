"""Judge a stranger and hold the verdicts to the field notes: `python tools/targets/judge.py guidellm --cache DIR`.

Exit code 0 when exactly the explained laws are red, 1 when one more or one fewer is, 2 when the judge did not run. What
is explained is in `contracts/field_notes.toml`, under `live`, and is printed in `docs/field-notes.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from contracts.notes import Stranger, strangers

HERE = Path(__file__).resolve().parent
JUDGE = [sys.executable, "-c", "from contracts.cli import main; raise SystemExit(main())"]


def surprises(stranger: Stranger, red: dict[str, str], seen: set[str]) -> list[str]:
    """One line for each law that is red and not explained, or explained and not red although it was judged."""
    known = set(stranger.breaks)
    new = [f"{law} is red and not explained: {reason}" for law, reason in sorted(red.items()) if law not in known]
    kept = sorted(known - set(red) - stranger.sometimes)
    gone = [f"{law} is explained, but no longer red{'' if law in seen else ' (it was not judged)'}" for law in kept]
    return [*new, *gone]


def main() -> int:
    """Starts the stranger by its script, judges it, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(strangers()))
    parser.add_argument("--cache", help="where environments are kept (default: $XDG_CACHE_HOME, ~/.cache)")
    parser.add_argument("--budget", default="10m", help="time for all laws (default: 10m)")
    options = parser.parse_args()
    stranger = strangers()[options.name]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = [*JUDGE, "run", "--no-recorded", "--no-clients", "--budget", options.budget]
        command = [sys.executable, str(HERE / f"{options.name}.py")]
        command += ["--cache", options.cache] if options.cache else []
        subprocess.run([*command, "--run", *words, "--json", str(report), "%u"], check=False)
        if not report.is_file():
            print(f"{options.name}: the judge wrote no report", file=sys.stderr)
            return 2
        verdicts = json.loads(report.read_text(encoding="utf-8"))["verdicts"]
    red = {v["law"]: v["reason"] for v in verdicts if v["word"] in ("failed", "broken")}
    found = surprises(stranger, red, {v["law"] for v in verdicts if v["word"] != "unjudged"})
    for line in found:
        print(f"{options.name}: {line}", file=sys.stderr)
    if not found:
        print(f"{options.name}: {len(red)} laws are red, all of them explained in docs/field-notes.md")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
