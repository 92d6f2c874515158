"""The command: `python -m benchmarks server|client|fixture|contracts|report`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import contracts, fixture, report, server
from benchmarks.machine import RefusedError, allow_files, describe, require_linux
from benchmarks.process import ROOT, environment
from benchmarks.rows import ROWS, Result, broken
from benchmarks.run import Options

MEASURES: dict[str, Callable[[Options], list[Result]]] = {
    "server": server.measure,
    "fixture": fixture.measure,
    "contracts": contracts.measure,
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, print tables, write docs/performance.md."
    )
    made.add_argument(
        "what", choices=[*MEASURES, "client", "report"], help="report: write the page anew, measure nothing"
    )
    made.add_argument("--quick", action="store_true", help="shorter turns; prints only, docs/performance.md stays")
    made.add_argument("--gate", action="store_true", help="only ratios of CPU time; exit 1 where a 'must' is broken")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    made.add_argument("--rivals", action="store_true", help="install other fakes to compare with (aimock, by npm)")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    given = parser().parse_args(words)
    if given.what == "client":
        return client(given)
    if given.what == "report":
        write_page()
        return 0
    try:
        require_linux()
        allow_files()
    except RefusedError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    if given.gate and not any(row.gated for row in ROWS[given.what]):
        print(
            f"python -m benchmarks: no figure of {given.what!r} is a ratio of CPU time, so none is a gate",
            file=sys.stderr,
        )
        return 2
    flags = {"--quick": given.quick, "--gate": given.gate, "--rivals": given.rivals}
    command = " ".join(["python -m benchmarks", given.what, *(flag for flag, on in flags.items() if on)])
    facts = describe()
    results = MEASURES[given.what](Options(quick=given.quick, gated=given.gate, install=given.rivals))
    found = {result.key: result for result in results}
    rows = tuple(row for row in ROWS[given.what] if row.gated or not given.gate)
    print(f"{command}\n" + "\n".join(f"  {name}: {value}" for name, value in facts.items()))
    print(report.table(rows, found))
    if given.json is not None:
        given.json.write_text(report.dump(command, facts, results), encoding="utf-8")
    if given.gate:
        problems = broken(ROWS[given.what], found)
        print("\n".join(problems) if problems else "gate: every ratio of CPU time is as it must be")
        return 1 if problems else 0
    if not given.quick:
        report.keep(given.what, command, facts, results)
        write_page()
    return 0


def write_page() -> None:
    """Write `docs/performance.md` from what is remembered."""
    path = report.DOCS / "performance.md"
    path.write_text(report.page(), encoding="utf-8")
    print(f"written: {path}")


def client(given: argparse.Namespace) -> int:
    """The client's own benchmark, a program of its own, then the page with its section."""
    command = [sys.executable, str(Path(__file__).with_name("client.py"))]
    command += ["--rounds", "2"] if given.quick else [] if given.gate else ["--write"]
    code = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    if not (given.quick or given.gate):
        write_page()
    return code if given.gate else 0


if __name__ == "__main__":
    sys.exit(main())
