"""What a run of the suite leaves out is said, and what it judges comes in an order that wastes no time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from stranger import Stranger, serving

from contracts.options import WAITING, Options
from contracts.suite.test_client import pairs

ROUTE = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--pyargs", "contracts.suite"]


def pytest_of(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest as a stranger calls it."""
    return subprocess.run([*ROUTE, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "whom"),
    [
        (("--inferneo-law", "S-FRAME-03"), "inferneo, inferneo-async and recordings of servers"),
        (("--inferneo-law", "C-SEND-01", "--inferneo-client", "httpx", "--inferneo-no-recorded"), "httpx"),
    ],
)
def test_a_run_without_a_server_says_so(words: tuple[str, ...], whom: str, tmp_path: Path) -> None:
    """With the option that is missing: the run is green, and a reader would take it for a verdict on a server."""
    done = pytest_of(tmp_path, *words)
    assert f"no server was judged, only {whom}: give --inferneo-url URL, like http://127.0.0.1:8000" in done.stdout


@pytest.mark.slow
def test_a_run_with_a_server_does_not(tmp_path: Path) -> None:
    """Nothing is missing."""
    with serving(Stranger) as url:
        done = pytest_of(tmp_path, "--inferneo-url", url, "--inferneo-law", "S-FRAME-03")
    assert done.returncode == 0, done.stdout
    assert "no server was judged" not in done.stdout


def test_laws_in_which_a_client_waits_come_last_and_all_clients_take_turns() -> None:
    """A budget that is too short leaves the same laws of all clients unjudged, and those that take longest."""
    found = pairs(Options(clients=("a", "b")))
    assert [name for name, _ in found[:4]] == ["a", "b", "a", "b"]
    assert [law for _, law in found[::2]] == [law for _, law in found[1::2]]
    waits = [law.family in WAITING for _, law in found]
    assert waits == sorted(waits)
    assert 0 < sum(waits) < len(waits)
