"""The how-tos are test files: they run, and the page lists each of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mockserver.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("test_*.py"))
FOREIGN = {"test_langchain.py", "test_node.py", "test_openai_python.py", "test_requests.py"}
"""Those that need what only the group `foreign` installs; tests/foreign/test_foreign_examples.py runs them."""


@pytest.mark.slow
def test_the_examples_pass() -> None:
    """As a user runs them: one pytest, the plugin, nothing else."""
    files = [str(path) for path in EXAMPLES if path.name not in FOREIGN]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", *files]
    done = subprocess.run(command, cwd=DOCS, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b1[2-9] passed", done.stdout)


def test_the_page_lists_every_example() -> None:
    """No example is hidden, no link is dead."""
    page = (DOCS / "how-to.md").read_text("utf-8")
    assert set(re.findall(r"\]\(examples/(\w+\.py)\)", page)) == {path.name for path in EXAMPLES}
    assert {path.name for path in EXAMPLES} >= FOREIGN
    for link in re.findall(r"\]\(([\w/.-]+)\)", page):
        assert (DOCS / link).is_file(), link


def test_the_page_names_every_command() -> None:
    """A command that nobody can find is none."""
    page = (DOCS / "how-to.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`inferneo-mock {name}" not in page] == []
