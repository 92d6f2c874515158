"""The suite as pytest in a process of its own, and the results that it tells while it runs.

It is a subprocess because a package that is already imported cannot have its asserts rewritten, and because a law that
hangs or crashes must not take the report with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from contracts.connect import Unreachable
from contracts.files import FOLDER
from contracts.progress import Progress

HARD_LIMIT = 10.0
"""A run that takes this many times its budget (and a minute) is ended."""
LEAVING = 4.0
"""Seconds that a process that was interrupted has to end."""

KEY = "INFERNEO_CONTRACTS_API_KEY"
"""The variable by which the suite gets the key: others of the machine can read the words of a command."""

NOTHING_CHOSEN = 5
"""What pytest exits with when no law of the suite was asked for."""


class Suite:
    """The suite in a process of its own, once or twice, and what it told so far."""

    def __init__(self, folder: Path, budget: float, total: int, started: float, key: str = "") -> None:
        self.folder = folder
        self.budget = budget
        self.total = total
        self.results = folder / "results.jsonl"
        self.started = started
        self.key = key
        self._read: dict[Path, tuple[int, list[dict[str, Any]]]] = {}

    def lines(self) -> list[dict[str, Any]]:
        """All results so far: each process has a file of its own, so that no line is ever torn."""
        found = []
        for path in sorted(self.folder.glob(f"{self.results.name}*")):
            at, known = self._read.get(path, (0, []))
            with path.open("rb") as file:
                file.seek(at)
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                known = [*known, *(json.loads(line) for line in whole.splitlines())]
                self._read[path] = (at + len(whole) + 1, known)
            found += known
        return found

    def judge(self, arguments: list[str], workers: int, dist: str, progress: Progress) -> None:
        """Runs pytest in so many processes, follows its results. Raises `Unreachable` when it could not run at all, and
        `KeyboardInterrupt` when the child has ended too."""
        command = [sys.executable, "-m", "pytest", "-p", "contracts.plugin", "-p", "no:cacheprovider", "-q"]
        command += ["--tb=short", "--rootdir", str(self.folder), "-c", os.devnull, "-W", "error"]
        if workers > 1:
            command += ["-p", "xdist.plugin", "-n", str(workers), "--dist", dist]
        command += ["--pyargs", *arguments, "--inferneo-results", str(self.results)]
        output = self.folder / "pytest.txt"
        before, limit = len(self.lines()), time.monotonic() + 60 + HARD_LIMIT * self.budget * 2
        with output.open("wb") as file:
            child = subprocess.Popen(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=_environment(self.key),
            )
            try:
                while child.poll() is None and time.monotonic() < limit:
                    time.sleep(0.05)
                    progress.show(self.lines())
            except KeyboardInterrupt:
                _leave(child)
                raise
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
        # Of the laws asked for, all may be of the other part of the suite: then this one has nothing to do.
        empty = child.returncode == NOTHING_CHOSEN or (child.returncode == 0 and "--inferneo-part" in arguments)
        if not empty and (child.returncode not in (0, 1) or len(self.lines()) == before):
            text = output.read_text(encoding="utf-8", errors="replace")
            last = [line for line in text.strip().splitlines() if line.strip()][-12:]
            raise Unreachable(f"the suite did not run (pytest exit {child.returncode}): {' | '.join(last)}")


def _leave(child: subprocess.Popen[bytes]) -> None:
    """Lets the child end as it ends by itself, so that it tells what the servers are. At a terminal it was interrupted
    as we were; a second time would keep it from telling."""
    for wait in (1.0, LEAVING):
        try:
            child.wait(wait)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
        else:
            return


def _environment(key: str) -> dict[str, str]:
    """Ours without what would bring other plugins or options into the run; the checkout stays importable. `key`: the
    servers' key, "" for none."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", KEY)}
    paths = [str(Path(__file__).resolve().parent.parent), kept.get("PYTHONPATH", "")]
    # The suite runs in a folder of its own; a client's command is meant where the user stands.
    kept[FOLDER] = str(Path.cwd())
    kept |= {KEY: key} if key else {}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(p for p in paths if p)}
