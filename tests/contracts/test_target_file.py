"""A target file says what a server can: what it declares is not probed, and a mistake in it is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stranger import Stranger, serving

from contracts.cli import main
from contracts.target_file import TargetFile, load


def test_declared_capabilities_are_not_probed(tmp_path: Path) -> None:
    """A server that could is not asked; the reason says who said so."""
    file = tmp_path / "t.toml"
    with serving(Stranger) as url:
        file.write_text(f'url = "{url}"\nprofile = "openai"\n[capabilities]\ndet = false\nchat = true\n')
        run = ["run", "--target", str(file), "--law", "S-SAME-01", "--no-recorded", "--budget", "5s"]
        assert main([*run, "--json", str(tmp_path / "r.json")]) == 0
    (verdict,) = json.loads((tmp_path / "r.json").read_text())["verdicts"]
    assert (verdict["word"], verdict["reason"]) == ("unsupported", "no det: declared")


def test_all_keys(tmp_path: Path) -> None:
    """Each has its place."""
    file = tmp_path / "t.toml"
    file.write_text(
        'url = "u"\nmodel = "m"\napi_key = "k"\nprofile = "engine"\nrestart_cmd = "r"\n[capabilities]\nn = false\n'
    )
    assert load(str(file)) == TargetFile("u", "m", "k", "engine", "r", (("n", False),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url = 3", "url is 3; expected a text"),
        ("x", "is no TOML"),
        ("capabilities = 1", "expected a table"),
        ("[capabilities]\ndet = 1", "capability det is 1; expected true or false"),
        ("[capabilities]\nstraem = true", "unknown capability 'straem'; known: "),
        ("[capabilities]\nstraem = true", "did you mean 'stream'?"),
    ],
)
def test_a_mistake_is_one_line(text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the file and what would be right."""
    file = tmp_path / "t.toml"
    file.write_text(text)
    assert main(["run", "--target", str(file)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert str(file) in error
    assert error.count("\n") == 1
