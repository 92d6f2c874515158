"""What a new user gets wrong: one line that says what, what was seen and what would be right, and exit 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = (
    "import sys; sys.modules['hypothesis'] = None; sys.argv = ['inferneo-contracts', *sys.argv[1:]]\n"
    "from contracts.cli import main; raise SystemExit(main())"
)
"""The command where the extra is not installed."""


def without_the_extra(*words: str) -> subprocess.CompletedProcess[str]:
    """What the command says then."""
    return subprocess.run([sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_need_no_extra(flag: str) -> None:
    """They say what the command is, and end with 0."""
    said = without_the_extra(flag)
    assert (said.returncode, said.stderr) == (0, "")
    assert "inferneo-contracts" in said.stdout


@pytest.mark.parametrize("words", [["list"], ["run"], ["clients"], ["replay", "x.json"], ["explain", "S-FRAME-03"]])
def test_the_missing_extra_is_named(words: list[str]) -> None:
    """One line, no traceback."""
    said = without_the_extra(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.count("\n") == 1, said.stderr
    assert "pip install 'inferneo[contracts]'" in said.stderr


def test_the_package_is_the_command() -> None:
    """`python -m contracts` is another name for it; a word it does not know is one line."""
    said = subprocess.run([sys.executable, "-m", "contracts", "rnu"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1, said.stderr
    assert "invalid choice: 'rnu'" in said.stderr
