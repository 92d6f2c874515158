"""The report that the README shows is one that a run prints: its counts, its law, its command."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.cli import parser
from contracts.commands import again
from contracts.law import find, laws

README = (Path(__file__).parents[2] / "README.md").read_text()
SAMPLE = next(text for text in re.findall(r"```text\n(.*?)```", README, re.DOTALL) if "FAILED" in text)
URL = "http://127.0.0.1:8000"


def test_all_laws_are_counted() -> None:
    """As many as there are on servers (`inferneo-contracts list`), each with one word."""
    (line,) = re.findall(rf"^{URL}: (\d+) laws: (.+)$", SAMPLE, re.MULTILINE)
    counts = [int(number) for number in re.findall(r"(\d+) [a-z]+", line[1])]
    assert int(line[0]) == sum(counts) == len(laws("server"))
    assert SAMPLE.count(" FAILED on ") == int(re.findall(r"(\d+) failed", line[1])[0])


def test_the_law_says_what_it_says() -> None:
    """Its title, and the reason behind it."""
    words = " ".join(SAMPLE.split())
    law = find("S-FRAME-03")
    assert f"{law.id} FAILED on {URL}: {law.title} request" in words
    assert f"why {' '.join(law.description.partition(chr(10))[2].split())} seen" in words


def test_the_command_is_the_one_that_is_printed() -> None:
    """Word for word."""
    verdict = {"law": "S-FRAME-03", "where": "live", "target": URL, "failure": {"seed": 0}}
    assert f"  again     {again(parser().parse_args(['run', URL]), verdict, embedded=False)}\n" in SAMPLE
