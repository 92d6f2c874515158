"""A fatal finding: the server died. It is told with the request that killed it, and the server is started again by a
command of the user, or nothing more of it is judged."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.judge import Verdict
from contracts.law import Law

PATIENCE = 90.0
"""A server has so many seconds to answer again."""
_STARTED: list[subprocess.Popen[bytes]] = []
"""What the commands started lives on after the run: it is the user's server."""


def killer(verdict: Verdict) -> str:
    """The request after which nothing more came: the first of the case that was not answered."""
    if verdict.failure is None:
        return ""
    curl = verdict.failure.curl
    answered = [exchange.get("response") is not None for exchange in verdict.failure.exchanges[-len(curl) :]]
    at = answered.index(False) if False in answered and len(answered) == len(curl) else -1
    return curl[at] if curl else ""


def restart(target: Any, command: str, patience: float = PATIENCE) -> str:
    """Runs the command until the server answers; "" when it does, else why not. One at a time for each server."""
    with _alone(target.url):
        if target.alive(0.5):
            return ""
        try:
            child = subprocess.Popen(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            return f"--restart-cmd could not be run: {error}"
        _STARTED.append(child)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if target.alive(1.0):
                return ""
            if child.poll() not in (None, 0):
                return f"--restart-cmd ended with code {child.returncode}, and the server does not answer"
        return f"--restart-cmd was run, but the server did not answer within {patience:.0f} s"


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Only one process of this machine restarts a server."""
    path = Path(tempfile.gettempdir()) / f"inferneo-contracts-restart-{zlib.crc32(url.encode()):08x}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fatal(law: Law, verdict: Verdict) -> Verdict:
    """The verdict on the law during which the server died: failed, whatever else was seen."""
    reason = verdict.reason if verdict.reason.startswith("the server died") else f"the server died: {verdict.reason}"
    return replace(verdict, law=law.id, word="failed", reason=reason)
