"""Foreign clients as the judge: what others wrote talks to `inferneo-mock serve`, over real sockets.

They need packages of their own (the dependency group `foreign`, npm, an environment for litellm), so a plain test run
does not collect them: `INFERNEO_FOREIGN=1 python -m pytest tests/foreign`, or the tox environment `foreign`.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mock_door import PROFILES, Mock, ready_url

collect_ignore_glob = [] if os.environ.get("INFERNEO_FOREIGN") == "1" else ["test_*.py"]

NODE = Path(__file__).parent / "node"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mock_url() -> Iterator[str]:
    """One mock for all foreign clients, a process of its own; `INFERNEO_FOREIGN_URL` names one that runs already."""
    if running := os.environ.get("INFERNEO_FOREIGN_URL"):
        yield running.rstrip("/")
        return
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield ready_url(process)
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _session(url: str, profile: str) -> Iterator[Mock]:
    mock = Mock(url, f"foreign-{os.getpid()}-{next(_numbers)}", profile)
    mock.script([])
    yield mock
    mock.forget()


@pytest.fixture(params=PROFILES)
def mock(mock_url: str, request: pytest.FixtureRequest) -> Iterator[Mock]:
    """A fresh session that answers like a model; the test runs once for each profile."""
    yield from _session(mock_url, request.param)


@pytest.fixture
def docs_mock(mock_url: str) -> Iterator[Mock]:
    """A fresh session of profile `docs` alone: for what does not depend on the profile."""
    yield from _session(mock_url, "docs")


@pytest.fixture(scope="session")
def scripts() -> Path:
    """A directory with client.mjs and the installed package, named by the lock file: installed once, used for ever."""
    lock = (NODE / "package-lock.json").read_bytes()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inferneo-foreign"
    directory = base / f"node-{hashlib.sha256(lock).hexdigest()[:8]}"
    directory.mkdir(parents=True, exist_ok=True)
    with (base / "node.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", "client.mjs"):
            shutil.copy(NODE / name, directory / name)
        if not (directory / "node_modules" / ".package-lock.json").exists():
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=directory, check=True, capture_output=True)
    return directory
