"""What a law names as its source can be read here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.law import Law, laws

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
NAMED = re.compile(r"([a-z-]+\.md)(?:,? (\d+(?:, \d+)*))?")
CITED = [law for law in laws() if ".md" in law.source]


@pytest.mark.parametrize("law", CITED, ids=[law.id for law in CITED])
def test_the_source_of_a_law_is_there(law: Law) -> None:
    """The file lies in docs/reference, and has the rows."""
    for name, rows in NAMED.findall(law.source):
        text = (REFERENCE / name).read_text()
        for row in rows.split(", ") if rows else []:
            assert re.search(rf"^\| {row} \|", text, re.MULTILINE), f"{name} has no row {row}"


def test_laws_cite_the_notes() -> None:
    """Most do: the check above checks something."""
    assert len(CITED) > 100
