"""Several processes: one judges all laws on a server, the others what is left."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from stranger import Stranger, serving

from contracts.schedule import scope

URL = "http://127.0.0.1:8000"


def test_a_server_is_a_scope_and_every_other_test_is_one() -> None:
    """The ids are those of the suite."""
    assert scope(f"contracts/suite/test_server.py::test_server_law[S-ID-01-{URL}]") == URL
    assert scope(f"::test_server_law[S-FRAME-15-{URL}]") == URL
    for other in ("::test_client_law[C-ID-01-inferneo]", "::test_recording[engine-0.1.0]"):
        assert scope(other) == other


@pytest.mark.slow
def test_one_process_judges_a_server(tmp_path: Path) -> None:
    """As the run starts it: with xdist's own grouping both would."""
    with serving(Stranger) as url:
        words = ["-p", "no:cacheprovider", "-v", "-n", "2", "--dist", "loadgroup", "--pyargs", "contracts.suite"]
        words += ["--inferneo-url", url, "--inferneo-law", "S-ID", "--inferneo-recorded"]
        command = [sys.executable, "-m", "pytest", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    judges = re.findall(r"\[(gw\d)\].*test_server_law", done.stdout)
    assert len(judges) >= 5, done.stdout
    assert len(set(judges)) == 1
