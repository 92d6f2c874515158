"""`python -m tests.mutants`: judges all mutants, runs Schemathesis on a sample of them, writes `docs/power.md`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .catalogue import SERVERS
from .mutant import HERE, Mutant, WrongServer
from .power import Results, document
from .schemathesis_run import Run, run, schema_of

ROOT = HERE.parent.parent
VERSION = "4.32.5"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=30, help="servers for Schemathesis (default: 30)")
    parser.add_argument("--workers", default="2", help="processes of pytest (default: 2)")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "power.md", help="the page (default: docs/power.md)"
    )
    parser.add_argument("--theirs", type=Path, help="what Schemathesis told in an earlier run, instead of now")
    parser.add_argument("--lines", type=Path, help="results of an earlier run, instead of judging now")
    parser.add_argument(
        "--accept", action="store_true", help="write what else was red into consequences.toml, to be read"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        started = time.monotonic()
        lines, code = (_read(options.lines), 0) if options.lines else _judge(Path(folder), options.workers)
        seconds = None if options.lines else time.monotonic() - started
        if options.accept:
            _accept(lines)
            return 0
        if options.theirs:
            theirs = _read(options.theirs)
        else:
            theirs = _schemathesis(Path(folder), options.sample) if options.sample else []
        results = Results(lines, theirs, seconds, VERSION)
    options.output.write_text(document(results), encoding="utf-8")
    print(f"{len(lines)} judged, {len(theirs)} before Schemathesis: {options.output}")
    return code


def _judge(folder: Path, workers: str) -> tuple[list[dict[str, Any]], int]:
    """Runs pytest on both modules; the lines that it told, and its exit code."""
    results = folder / "results.jsonl"
    words = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", "--tb=short"]
    words += [str(HERE / "run_servers.py"), str(HERE / "run_clients.py")]
    done = subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, "INFERNEO_MUTANTS_RESULTS": str(results)})
    return _read(results), done.returncode


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines, in the order of the catalogue: by kind, then as they were written."""
    order = {one.name: at for at, one in enumerate(SERVERS)}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(lines, key=lambda line: (line.get("kind", ""), order.get(line["name"], 0), line["name"]))


def _accept(lines: list[dict[str, Any]]) -> None:
    """What else was red, by mutant. It is for a reader to say whether the same defect explains it."""
    path = HERE / "consequences.toml"
    head = (
        "# What else a defect breaks, read and found right. Mutant (or `client NAME`) = laws beyond those it names.\n"
    )
    found = []
    for line in lines:
        more = [law for law in line["red"] if law not in line["wanted"]]
        name = line["name"] if line["kind"] == "server" else f"client {line['name']}"
        if more and line["kind"] != "clean":
            found.append(f'"{name}" = {json.dumps(more)}')
    path.write_text(head + "\n".join(sorted(set(found))) + "\n", encoding="utf-8")


def _schemathesis(folder: Path, sample: int) -> list[dict[str, Any]]:
    """What Schemathesis finds, two mutants at a time."""
    sys.path.insert(0, str(ROOT / "tools" / "targets"))
    from _install import (  # type: ignore[import-not-found]  # a script beside scripts, found by its folder
        Packages,
        cache_directory,
        install,
    )

    python = install("schemathesis", Packages((f"schemathesis=={VERSION}",)), cache_directory(None))
    command = python.parent / "schemathesis"
    chosen = [SERVERS[at * len(SERVERS) // sample] for at in range(min(sample, len(SERVERS)))]
    with WrongServer(lambda turn: turn.plan) as right:
        schema = schema_of(right.url, folder)
        usual = run(command, right.url, schema).failed | run(command, right.url, schema).failed

    def one(wrong: Mutant) -> tuple[Mutant, Run]:
        with WrongServer(wrong.change) as server:
            return wrong, run(command, server.url, schema, key=wrong.key)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, chosen))
    return [
        {"name": wrong.name, "red": sorted(ran.failed - usual), "seconds": round(ran.seconds, 2)}
        for wrong, ran in found
    ]


if __name__ == "__main__":
    raise SystemExit(main())
