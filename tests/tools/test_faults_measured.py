"""The page of what clients do has a row for every fault; the command that makes it works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mockserver.faults import kinds

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "faults_measured.py"


def test_the_page_has_every_kind() -> None:
    """Twice: as a stream and as one document, in the catalogue's groups."""
    page = (ROOT / "docs" / "faults-measured.md").read_text("utf-8")
    for part in page.split("\n## ")[1:]:
        assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", part, re.MULTILINE)) == sorted(kinds()), (
            "run python tools/faults_measured.py"
        )


@pytest.mark.slow
def test_a_measurement() -> None:
    """httpx and our client on three faults: a reset, a refusal, one that finds nothing to do."""
    done = subprocess.run(
        [sys.executable, str(TOOL), "cut", "status"], capture_output=True, text=True, timeout=60, check=True
    )
    stream, document = (
        {row.split(" | ")[0]: row.strip(" |").split(" | ")[1:] for row in part.splitlines() if row.startswith("| ")}
        for part in done.stdout.split("\n## ")[1:]
    )
    names = stream["| fault"]
    httpx, ours = names.index("httpx"), names.index("inferneo")
    assert stream["| `cut`"][httpx] == "**ReadError**"
    assert stream["| `cut`"][ours].startswith("**Inferneo")
    assert document["| `cut`"][ours] == "-"
    assert document["| none"][ours] == "ok, all"
    assert document["| `status`"][httpx].startswith("429, ")
    assert stream["| `status`"][ours] == "**InferneoRateLimitError** 429"


def test_a_stranger_is_refused() -> None:
    """One line with what is known."""
    done = subprocess.run([sys.executable, str(TOOL), "cutt"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "unknown fault kind 'cutt'" in done.stderr
