"""`python -m benchmarks contracts`: how long the contract run takes against the embedded fake server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import RefusedError
from benchmarks.process import environment
from benchmarks.rows import Result
from benchmarks.run import Options, attempt

COMMANDS = {"contracts-smoke": ("run", "--budget", "5s"), "contracts-full": ("run",)}


def measure(options: Options) -> list[Result]:
    """Both rows; the full one not in a quick run."""
    results = attempt(("contracts-smoke",), lambda: [timed("contracts-smoke")])
    if options.quick:
        return [*results, Result("contracts-full", None, note="not in a quick run")]
    return results + attempt(("contracts-full",), lambda: [timed("contracts-full")])


def timed(key: str) -> Result:
    """One run, in seconds. A run that does not keep all laws is no figure."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = shutil.which("inferneo-contracts", path=path)
    if command is None:
        raise RefusedError("inferneo-contracts is not installed beside this Python; pip install -e '.[all]'")
    with tempfile.TemporaryDirectory() as directory:
        start = time.monotonic()
        done = subprocess.run(
            [command, *COMMANDS[key]],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
            env=environment(),
        )
        seconds = time.monotonic() - start
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    if done.returncode:
        raise RefusedError(f"inferneo-contracts {' '.join(COMMANDS[key])} ended with {done.returncode}: {said[-1:]}")
    return Result(key, seconds, note=f"`inferneo-contracts {' '.join(COMMANDS[key])}`")
