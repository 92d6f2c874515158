"""A command that starts a server again runs where the user stands, not in the folder of the judge's files."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_restart import LAWS, SCRIPT

from contracts.cli import main
from contracts.files import FOLDER
from contracts.restart import restart
from contracts.target import Target


@pytest.mark.slow
def test_a_restart_runs_in_the_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path in the command is one of the user's."""
    (tmp_path / "start.sh").write_text("pwd > here; exit 3\n")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert restart(Target("http://127.0.0.1:9", "m"), "sh start.sh", 30.0).startswith("--restart-cmd ended with code 3")
    assert Path((tmp_path / "here").read_text().strip()).samefile(tmp_path)


@pytest.mark.slow
def test_a_run_starts_the_server_where_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole command: the server dies of a bad body, and the script beside the user is found."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.sh").write_text("pwd > here; exit 3\n")
    server = subprocess.Popen(
        [sys.executable, str(SCRIPT), "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        words = ["run", url, *LAWS, "--profile", "openai", "--restart-cmd", "sh ./start.sh"]
        assert main(words) == 1
    finally:
        server.kill()
        server.communicate()
    assert Path((tmp_path / "here").read_text().strip()).samefile(tmp_path)
    again = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("  again "))
    assert shlex.split(again)[-2:] == ["--restart-cmd", "sh ./start.sh"]
