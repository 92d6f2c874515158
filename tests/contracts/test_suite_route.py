"""`pytest --pyargs contracts.suite`: a mistake is one line and exit 4, as pytest says of its own options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from stranger import Stranger, serving
from wrong_servers import NoDone

pytestmark = pytest.mark.slow
ROUTE = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--pyargs", "contracts.suite"]


def pytest_of(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest as a stranger calls it, in a folder of their own."""
    return subprocess.run([*ROUTE, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inferneo-law", "S-FRME-03"], "no law's id begins with S-FRME-03; did you mean S-FRAME-03"),
        (["--inferneo-profile", "opneai"], "opneai"),
        (["--inferneo-url", "localhost:8000"], "'localhost:8000' is no base URL"),
        (["--inferneo-budget", "soon"], "'soon' is no budget"),
    ],
)
def test_a_mistake_is_a_usage_error(words: list[str], said: str, tmp_path: Path) -> None:
    """Nothing is judged, and nothing passes for judged."""
    done = pytest_of(tmp_path, *words)
    assert done.returncode == 4, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("server", "code"), [(Stranger, 0), (NoDone, 1)])
def test_a_server_by_its_url(server: type[Stranger], code: int, tmp_path: Path) -> None:
    """One law of one server; its recordings are not asked, and a failure has the request."""
    with serving(server) as url:
        done = pytest_of(tmp_path, "--inferneo-url", url, "--inferneo-law", "S-FRAME-03", "-rs")
    assert done.returncode == code, done.stdout
    assert ("request: curl -sS" in done.stdout) == (code == 1)
    assert "engine" not in done.stdout


def test_a_server_that_is_not_there_is_one_line_for_each_law(tmp_path: Path) -> None:
    """No traceback of the judge; and it is tried once."""
    done = pytest_of(tmp_path, "--inferneo-url", "http://127.0.0.1:9", "--inferneo-law", "S-FRAME")
    assert done.returncode == 1, done.stdout
    assert "\ncannot judge http://127.0.0.1:9: refused: cannot connect to http://127.0.0.1:9: " in done.stdout
    assert "connect.py" not in done.stdout
    assert "Traceback" not in done.stdout
