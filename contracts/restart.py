"""A fatal finding: the server died, or hangs. It is told with the request after which that was so, and the server is
started again by a command of the user, or nothing more of it is judged."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.files import FOLDER
from contracts.judge import Failure, Verdict
from contracts.law import Law

SUSPICIOUS = 4.0
"""A law that took longer may have left a server that hangs."""
PATIENCE = 90.0
"""A server has so many seconds to answer again."""
_STARTED: list[subprocess.Popen[bytes]] = []
"""What the commands started lives on after the run: it is the user's server."""


def lost(target: Any, verdict: Verdict) -> str:
    """How the server was lost while the law was judged: `died`, `hangs` (it listens, but no longer answers what it
    answered at first), or "" where it goes on."""
    for how in ("died", "hangs"):
        if verdict.reason.startswith(f"the server {how}: "):
            return how
    if verdict.word in ("failed", "broken", "lenient") and not target.alive():
        return "died"
    slow = verdict.word != "ok" and verdict.seconds >= SUSPICIOUS
    return "hangs" if (slow or target.silent is not None) and target.hangs() else ""


def killer(verdict: Verdict) -> str:
    """The request after which nothing more came: the first of the case that was not answered."""
    if verdict.failure is None:
        return ""
    curl = verdict.failure.curl
    answered = [exchange.get("response") is not None for exchange in verdict.failure.exchanges[-len(curl) :]]
    at = answered.index(False) if False in answered and len(answered) == len(curl) else -1
    return curl[at] if curl else ""


def restart(target: Any, command: str, patience: float = PATIENCE) -> str:
    """Runs the command until the server answers; "" when it does, else why not. One at a time for each server.

    It runs where the user stands, so that `./start.sh` is what it says."""
    with _alone(target.url):
        if target.serves(0.5):
            return ""
        try:
            child = subprocess.Popen(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd=os.environ.get(FOLDER),
            )
        except OSError as error:
            return f"--restart-cmd could not be run: {error}"
        _STARTED.append(child)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if target.serves(1.0):
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


def fatal(law: Law, verdict: Verdict, target: Any, how: str) -> Verdict:
    """The verdict on the law during which the server was lost: `lost`, whatever else was seen.

    Whether the law is broken cannot be known: what ended the server may be its request, or a hand."""
    if how == "hangs" and target.silent is not None and not verdict.reason.startswith("the server hangs"):
        wait = target.hang_after + 20 * target.usually
        failure = Failure(
            f"an answer to a plain request within {wait:.0f} s after this one, whose caller has gone",
            "none, although the server accepts connections",
            "",
            [call.curl(target.url, target.api_key) for call in (target.silent, target.pulse)],
            [{"request": call.to_json(), "response": None, "ended": "none"} for call in (target.silent, target.pulse)],
            "the server hangs, so it was not asked again",
            0,
            model=target.model,
            profile=target.profile.name,
        )
        verdict = replace(verdict, failure=failure, reason=f"expected {failure.expected}; got {failure.got}")
    begun = f"the server {how}: "
    reason = verdict.reason if verdict.reason.startswith(begun) else f"{begun}{verdict.reason}"
    return replace(verdict, law=law.id, word="lost", reason=reason)
