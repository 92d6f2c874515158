"""`CONTRIBUTING.md` and `fixtures/README.md` show what is really there: code as it stands, files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
FIXTURES = (ROOT / "fixtures" / "README.md").read_text("utf-8")
SOURCES = "\n".join(
    path.read_text("utf-8") for room in ("mockserver", "contracts") for path in (ROOT / room).rglob("*.py")
)


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL), ids=lambda b: b.split("(")[0]
)
def test_shown_code_is_real_code(block: str) -> None:
    """A Python block is part of the packages, line by line."""
    assert block.strip() in SOURCES


@pytest.mark.parametrize("text", [CONTRIBUTING, FIXTURES], ids=["CONTRIBUTING.md", "fixtures/README.md"])
def test_named_paths_exist(text: str) -> None:
    """Each path in code style that names a file or folder of the checkout is there."""
    named = set(re.findall(r"`((?:tests|contracts|mockserver|fixtures|docs|\.ci)/[\w./-]+)`", text))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "fixtures").iterdir() if path.is_dir()))
def test_every_kind_of_fixture_is_explained(folder: str) -> None:
    """Each folder of fixtures has a row in the table."""
    assert re.search(rf"^\| `{folder}/", FIXTURES, re.MULTILINE)
