"""The command line: one ready line, ends at once, mistakes in one line."""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mockserver import cli
from mockserver.commands.serve import port, size

COMMAND = [sys.executable, "-m", "mockserver"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_is_ready_when_it_says_so_and_ends_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """One line on stdout, flushed; requests are answered then; the signal ends it with 0, hanging responses or not."""
    script = tmp_path / "s.yaml"
    script.write_text("rules:\n  - match: {path: /hang}\n    faults: [[{kind: stall}]]\n    reply: x\n")
    words = ["serve", "--port", "0", "--script", str(script), "--profile", "engine"]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"inferneo-mock listening on (http://127.0.0.1:(\d+)) \(profile engine\)\n", line)
        assert found, line
        with urllib.request.urlopen(f"{found[1]}/health", timeout=5) as response:
            assert response.status == 200
        with socket.create_connection(("127.0.0.1", int(found[2]))) as hanging:
            hanging.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
            with urllib.request.urlopen(f"{found[1]}/_mock/journal?wait_for=2&arrived=1", timeout=5) as response:
                assert response.status == 200
            process.send_signal(number)
            rest, errors = process.communicate(timeout=5)
        assert (process.returncode, rest, errors) == (0, "", "")


def test_mistakes_are_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what was wrong, the value, and what would be right; never a traceback."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules:\n  - macth: {}\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = str(taken.getsockname()[1])
        cases = {
            ("serve", "--port", busy): f"port {busy} on 127.0.0.1 is in use",
            ("serve", "--script", str(bad)): f"{bad}:2:",
            ("serve", "--script", "nope.yaml"): "nope.yaml",
            ("serve", "--profile", "dosc"): "did you mean 'docs'",
            ("serve", "--host", "256.1.1.1", "--port", "0"): "256.1.1.1",
            ("serve", "--port", "x"): "a port is a number from 0 to 65535, not 'x'",
            ("serve", "--loop", "uvlop"): "did you mean 'uvloop'",
            ("serev",): "did you mean 'serve'",
            (
                "serve",
                "--prot",
                "1",
            ): "serve: unrecognized arguments: --prot 1; did you mean '--port'?; see inferneo-mock s",
            ("ctl", "explain", "--txt=x"): "did you mean '--text'?",
            ("ctl", "script", "put", "F"): "ctl: unrecognized arguments: put F; did you mean '--put'?; see",
            ("ctl", "clock", "advance", "5"): "ctl: unrecognized arguments: advance 5; did you mean '--advance'?; see",
            ("ctl", "heal", "x"): "ctl: unrecognized arguments: x; see",
            ("explain",): "'docs'); did you mean 'ctl explain'?; see inferneo-mock --help",
            ("explan",): "'docs'); did you mean 'ctl explain'?; see inferneo-mock --help",
            ("falts",): "'docs'); did you mean 'faults'?; see inferneo-mock --help",
            ("zzz",): "'docs'); see inferneo-mock --help",
            ("lint", "--zz", "x"): "inferneo-mock lint: unrecognized arguments: --zz; see inferneo-mock lint --help",
            (): "a command is needed",
        }
        for words, message in cases.items():
            with pytest.raises(SystemExit) as left:
                cli.main(words)
            out, errors = capsys.readouterr()
            assert (left.value.code, out) == (2, ""), words
            assert message in errors, words
            assert errors.count("\n") == 1, errors
    result = run("serve", "--profile", "dosc")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_help_and_version() -> None:
    """Each option says its default and its environment variable."""
    assert run("--version").stdout.startswith("inferneo-mock ")
    assert "run the fake server" in run("--help").stdout
    shown = run("serve", "--help").stdout
    for word in ("--port", "INFERNEO_PORT", "8000", "--profile", "--script", "--seed"):
        assert word in shown


def test_the_environment_sets_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """`INFERNEO_HOST`, `INFERNEO_PORT` and `INFERNEO_MAX_REQUEST_SIZE` are those of the real server."""
    monkeypatch.setenv("INFERNEO_HOST", "127.0.0.9")
    monkeypatch.setenv("INFERNEO_PORT", "9")
    monkeypatch.setenv("INFERNEO_MAX_REQUEST_SIZE", "2KB")
    options = cli.parser("serve").parse_args(["serve"])
    assert (options.host, options.port, options.max_request_size) == ("127.0.0.9", 9, 2048)


def test_in_process(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, called as functions: what a coverage tool sees."""
    monkeypatch.setattr("mockserver.commands.serve.until_stopped", lambda ready: ready())
    assert cli.main(["serve", "--port", "0"]) == 0
    assert "listening on http://127.0.0.1:" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    for words in (["serve", "--script", "/nope"], ["serve", "--profile", "nope"], []):
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        assert left.value.code == 2

    def interrupted(ready: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mockserver.commands.serve.until_stopped", interrupted)
    assert cli.main(["serve", "--port", "0"]) == 0


def test_until_stopped_returns_at_a_signal() -> None:
    """Either signal, and the handlers from before are back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    timer = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    cli.until_stopped()
    assert signal.getsignal(signal.SIGTERM) is before
    cli.until_stopped(lambda: os.kill(os.getpid(), signal.SIGINT))


@pytest.mark.parametrize(("text", "number"), [("10MB", 10 << 20), ("64 kb", 65536), ("7", 7), ("1B", 1)])
def test_sizes(text: str, number: int) -> None:
    """Sizes are written as the real server's configuration writes them."""
    assert size(text) == number


def test_bad_values() -> None:
    """The value seen is in the message."""
    for read, wrong in ((size, "big"), (port, "65536"), (port, "-1")):
        with pytest.raises(argparse.ArgumentTypeError, match=f"not '{wrong}'"):
            read(wrong)
