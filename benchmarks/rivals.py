"""Other fakes, for comparison: only where they install, and never in the way of our own figures.

`--rivals` installs them with their ordinary package manager into a cache of our own; without it those that are there
from before are used, and the rest is skipped, with the reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from benchmarks.machine import RefusedError
from benchmarks.payload import ANSWER, text
from benchmarks.process import Process, cache

AIMOCK_VERSION = "1.43.0"


def aimock_home(*, install: bool) -> Path:
    """The directory of aimock. Raises `RefusedError` with the reason where there is none."""
    if shutil.which("node") is None:
        raise RefusedError("aimock is skipped: node is not installed")
    home = cache() / f"aimock-{AIMOCK_VERSION}"
    package = home / "node_modules" / "@copilotkit" / "aimock"
    if package.exists():
        return package
    if not install:
        raise RefusedError("aimock is skipped: it is not installed; `--rivals` installs it")
    if shutil.which("npm") is None:
        raise RefusedError("aimock is skipped: npm is not installed")
    home.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", f"@copilotkit/aimock@{AIMOCK_VERSION}"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode or not package.exists():
        raise RefusedError(f"aimock is skipped: npm failed: {done.stderr.strip()[-300:]}")
    return package


def aimock(home: Path, *, gap_ms: int = 0) -> Process:
    """aimock with one answer for plain requests and one of 200 pieces for streams, all journalled as is its custom."""
    fixtures = cache() / "aimock.json"
    answers = [("Hello!", ANSWER), ("Count!", text())]
    document = {
        "fixtures": [{"match": {"userMessage": asked}, "response": {"content": said}} for asked, said in answers]
    }
    fixtures.write_text(json.dumps(document), encoding="utf-8")
    command = ["node", str(home / "dist" / "cli.js"), "-p", "{port}", "-f", str(fixtures), "--log-level", "silent"]
    return Process("aimock", [*command, "-c", "6", "-l", str(gap_ms)])
