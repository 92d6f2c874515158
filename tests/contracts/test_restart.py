"""A server that dies is a finding of its own: its request is told, the rest is judged after a restart or not at all."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.cli import main
from contracts.restart import restart
from contracts.target import Target

SCRIPT = Path(__file__).parent / "mortal.py"
LAWS = ["--law", "S-FRAME-03", "--law", "S-REFUSE-08", "--law", "S-REFUSE-10", "--no-recorded", "--budget", "30s"]


class Mortal:
    """The server in a process of its own; a restart of it writes its id into `pids`."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pids = folder / "pids"
        again = shlex.join([sys.executable, str(SCRIPT), self.port])
        self.again = f"{again} & echo $! >> {shlex.quote(str(self.pids))}"

    def close(self) -> None:
        """Ends what was started."""
        self.process.kill()
        self.process.communicate()
        for pid in self.pids.read_text().split() if self.pids.exists() else ():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    """A server that dies of a body that is no JSON."""
    server = Mortal(tmp_path)
    yield server
    server.close()


@pytest.mark.slow
def test_a_death_ends_the_judging_with_a_clear_sentence(
    mortal: Mortal, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One law is lost, with the request; those after it have no verdict rather than a wrong one."""
    assert main(["run", mortal.url, *LAWS, "--profile", "openai", "--json", str(tmp_path / "r.json")]) == 1
    document = json.loads((tmp_path / "r.json").read_text())
    (death,) = document["deaths"]
    assert death["law"] == "S-REFUSE-08"
    assert death["request"].startswith(f"curl -sS -i -N -X POST {mortal.url}/v1/")
    assert {v["law"]: v["word"] for v in document["verdicts"]} == {"S-FRAME-03": "ok", "S-REFUSE-08": "lost"}
    out = capfd.readouterr().out
    assert "DIED during S-REFUSE-08; the request: curl" in out
    assert "nothing more of it was judged; give --restart-cmd" in out


@pytest.mark.slow
def test_a_restart_lets_the_rest_be_judged(mortal: Mortal, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All laws have a verdict of their own."""
    flags = ["--profile", "openai", "--restart-cmd", mortal.again, "--json", str(tmp_path / "r.json")]
    assert main(["run", mortal.url, *LAWS, *flags]) == 1
    document = json.loads((tmp_path / "r.json").read_text())
    words = {v["law"]: v["word"] for v in document["verdicts"]}
    assert words["S-REFUSE-08"] == "lost"
    assert set(words) == {"S-FRAME-03", "S-REFUSE-08", "S-REFUSE-10"}
    assert {death["problem"] for death in document["deaths"]} == {""}
    assert "it was started again" in capfd.readouterr().out


@pytest.mark.slow
def test_a_restart_that_fails_is_told() -> None:
    """By its exit code, or by the time that was waited."""
    target = Target("http://127.0.0.1:9", "m")
    assert restart(target, "exit 3", 5.0) == "--restart-cmd ended with code 3, and the server does not answer"
    assert restart(target, "true", 0.1) == "--restart-cmd was run, but the server did not answer within 0 s"
