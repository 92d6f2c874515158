"""The commands that a report prints do what was done: whole, quoted, and run by a shell."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stranger import serving
from wrong_servers import NoDone

from contracts.cli import main, parser
from contracts.commands import again, command

URL = "http://127.0.0.1:9"


class NoDoneBy(NoDone):
    """A model whose name a shell would take apart."""

    models = ("it's $HOME; a model",)


def failed(**more: Any) -> dict[str, Any]:
    """A verdict on a server."""
    return {"law": "S-FRAME-03", "where": "live", "target": URL, "failure": {"seed": 7}, **more}


def given(*words: str) -> argparse.Namespace:
    """A command line."""
    return parser().parse_args(words)


@pytest.mark.parametrize(
    ("words", "verdict", "wanted"),
    [
        (("run", URL), failed(), f"run {URL} --law S-FRAME-03 --seed 7"),
        (("run",), failed(), f"run {URL} --law S-FRAME-03 --seed 7"),
        (
            ("run", URL, "--profile", "openai", "--model", "a b", "--level", "must", "--law", "S", "--baseline", "x"),
            failed(),
            f"run {URL} --profile openai --model 'a b' --law S-FRAME-03 --seed 7",
        ),
        (("run", "--target", "my file.toml"), failed(), "run --target 'my file.toml' --law S-FRAME-03 --seed 7"),
        (
            ("run", URL, "http://127.0.0.1:8", "--budget", "1h", "--restart-cmd", "a & b"),
            failed(),
            f"run {URL} --law S-FRAME-03 --seed 7 --budget 1h --restart-cmd 'a & b'",
        ),
        (("run", URL, "--api-key", "s3cret"), failed(), f'run {URL} --law S-FRAME-03 --seed 7 --api-key "$API_KEY"'),
        (
            ("clients", "--client", "httpx", "--client", "command:node a.mjs", "--mock-url", URL),
            failed(where="client", target="a client", law="C-CUT-01"),
            f"clients --client 'command:node a.mjs' --mock-url {URL} --law C-CUT-01 --seed 7",
        ),
        (
            ("run", "--profile", "docs", "--seed", "7"),
            failed(where="client", target="inferneo", law="C-CUT-01"),
            "clients --client inferneo --law C-CUT-01 --seed 7",
        ),
    ],
)
def test_a_law_is_judged_again_by_a_whole_command(words: tuple[str, ...], verdict: Any, wanted: str) -> None:
    """Its target, model, profile, files and effort; the parser of the command takes it."""
    line = again(given(*words), verdict, embedded=False)
    assert line == f"inferneo-contracts {wanted}"
    assert parser().parse_args(shlex.split(line)[1:]).seed == 7


def test_the_fake_of_a_run_is_started_anew() -> None:
    """Its URL is gone when the report is read."""
    line = again(given("run", "--profile", "engine"), failed(), embedded=True)
    assert line == "inferneo-contracts run --profile engine --law S-FRAME-03 --seed 7"


def test_a_command_with_a_change_keeps_the_rest() -> None:
    """Also what begins like an option."""
    line = command(given("run", URL, "--model=-x", "--budget", "10s", "--law", "S-A", "--law", "S-B"), budget="5m")
    assert line == f"inferneo-contracts run {URL} --model=-x --law S-A --law S-B --budget 5m"


@pytest.mark.slow
@pytest.mark.slow
def test_the_printed_command_finds_the_same(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is run by a shell, as a reader would run it."""
    program = tmp_path / "inferneo-contracts"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m contracts "$@"\n')
    program.chmod(0o755)
    with serving(NoDoneBy) as url:
        words = [
            "run",
            url,
            "--model",
            NoDoneBy.models[0],
            "--law",
            "S-FRAME-0",
            "--budget",
            "5s",
            "--profile",
            "openai",
        ]
        assert main(words) == 1
        lines = capfd.readouterr().out.splitlines()
        (line,) = {line.split(None, 1)[1] for line in lines if line.startswith("  again ")}
        path = {
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(line, shell=True, env=path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert line in done.stdout
    assert "S-FRAME-03 FAILED" in done.stdout
    assert "--profile openai" in line
