"""`tools/targets`: one ready line, then a server that answers; after the signal nothing of it is left."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TARGETS = Path(__file__).parents[2] / "tools" / "targets"

SCRIPT = """
import sys
sys.path.insert(0, {targets!r})
from _install import Packages
from _run import Target, main

CODE = {code!r}
sys.exit(main(Target("plain", "m", Packages(()), lambda at: [str(at.python), "-c", CODE, str(at.port)], {{}}, "/")))
"""

SERVES = "import http.server as h, sys; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"
WITH_CHILD = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', " + repr(SERVES) + ", sys.argv[1]]);"
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); child.wait(); signal.pause()"
)
DIES = "raise SystemExit('no such model')"


def command(directory: Path, code: str, *words: str) -> list[str]:
    """The command line of a target whose server is the Python code `code`."""
    script = directory / "plain.py"
    script.write_text(SCRIPT.format(targets=str(TARGETS), code=code))
    return [sys.executable, str(script), "--cache", str(directory / "cache"), *words]


@contextmanager
def started(directory: Path, code: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running script and the URL from its ready line."""
    with subprocess.Popen(command(directory, code), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = re.fullmatch(
                r"plain listening on (http://127\.0\.0\.1:\d+) \(model m\)\n", process.stdout.readline()
            )
            assert ready is not None
            yield process, ready[1]
        finally:
            process.kill()


def test_it_answers_until_the_signal(tmp_path: Path) -> None:
    """The ready line's URL answers; SIGTERM: exit code 0, the port is closed, the start's directory is gone."""
    with started(tmp_path, SERVES) as (process, url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=10)
    assert list((tmp_path / "cache" / "inferneo-targets").glob("plain-run-*")) == []


@pytest.mark.slow
def test_a_server_of_several_processes_ends_whole(tmp_path: Path) -> None:
    """A child that serves, under a parent that ignores SIGTERM: both are gone."""
    with started(tmp_path, WITH_CHILD) as (process, url):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=10)


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_gets_the_url(tmp_path: Path, code: int) -> None:
    """`--run`: `%u` and `%m` stand for URL and model; its exit code is the script's."""
    words = ("--run", sys.executable, "-c", f"import sys; print(*sys.argv[1:]); sys.exit({code})", "%u", "%m")
    done = subprocess.run(command(tmp_path, SERVES, *words), capture_output=True, text=True, check=False)
    ready, said = done.stdout.splitlines()
    assert done.returncode == code
    assert said == f"{ready.split()[3]} m"


def test_a_server_that_dies_is_explained(tmp_path: Path) -> None:
    """Exit code 1; the message says what happened and shows the end of the log."""
    done = subprocess.run(command(tmp_path, DIES), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "plain: ended with exit code 1 before it answered" in done.stderr
    assert "no such model" in done.stderr
