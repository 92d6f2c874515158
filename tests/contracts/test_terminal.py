"""What a run prints: 80 columns, what was judged first, requests that can be pasted, and what every word means."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import pytest
from stranger import Stranger, serving
from wrong_servers import NoDone

from contracts.adapters.base import Task
from contracts.cli import main, parser
from contracts.mock import MockProcess
from contracts.options import Options
from contracts.pasted import SERVED
from contracts.report import Report, collect
from contracts.terminal import show, together

URL = "http://127.0.0.1:9"
PASTED = ("request", "again", "inferneo-contracts ")


def ran(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a command."""
    code = main(words)
    return code, capfd.readouterr().out.splitlines()


@pytest.mark.slow
def test_a_run_by_url_says_what_a_reader_asks(capfd: pytest.CaptureFixture[str]) -> None:
    """Who was judged, what it has; the broken law, its request in one line; the words; what to do next."""
    with serving(NoDone) as url:
        code, lines = ran(capfd, "run", url, "--law", "S-FRAME", "--law", "S-RATE", "--profile", "openai")
    text = "\n".join(lines)
    assert code == 1
    assert lines[0] == url
    assert [line.split()[0] for line in lines[1:4]] == ["model", "profile", "accepts"]
    at = [
        text.index(words) for words in ("S-FRAME-03 FAILED", "Unsupported on", "laws: ", "a MUST is broken", "explain")
    ]
    assert at == sorted(at)
    (request,) = [line for line in lines if "curl -sS" in line]
    assert request.endswith("}'")
    assert "no rate_limits: S-RATE-01..04" in text
    assert "recorded" not in text, "recordings are judged with a URL only when that is asked"
    for line in lines:
        assert len(line) <= 80 or line.strip().startswith(PASTED), line


@pytest.mark.slow
def test_recordings_are_judged_when_asked(capfd: pytest.CaptureFixture[str]) -> None:
    """Beside the server, in columns that have letters; the table of all laws shows what is kept too."""
    with serving(Stranger) as url:
        words = ["run", url, "--law", "S-FRAME", "--recorded", "--table", "--profile", "openai"]
        code, lines = ran(capfd, *words)
    text = "\n".join(lines)
    assert code == 0
    assert "B recorded engine" in text
    assert "5 recorded servers: " in text
    assert [line for line in lines if line.startswith(" S-FRAME-03") and " ok " in line]
    assert max(map(len, (line.rstrip() for line in lines if "inferneo-contracts run" not in line))) <= 80


@pytest.mark.slow
def test_the_request_of_an_embedded_fake_can_be_pasted(capfd: pytest.CaptureFixture[str]) -> None:
    """The fake is gone when the report is read: the report says how to start one, and the line then does the task."""
    code, lines = ran(capfd, "clients", "--client", "httpx", "--law", "C-ERROR-04", "--seed", "1")
    assert code == 1
    requests = [line.split(None, 1)[1] for line in lines if line.startswith("  request")]
    assert requests[0] == "# first, in another terminal: inferneo-mock serve --profile docs"
    assert SERVED in requests[-1]
    with MockProcess() as fake:
        pasted = requests[-1].replace(SERVED, fake.url).replace("| python ", f"| {sys.executable} ")
        done = subprocess.run(pasted, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["outcomes"]


def options(*words: str) -> argparse.Namespace:
    """A command line."""
    return parser().parse_args(["run", URL, *words])


def told(word: str, law: str = "S-FRAME-03", **failure: Any) -> dict[str, Any]:
    """A line of the results."""
    whole = {"expected": "a", "got": "b", "case": "", "curl": [], "seen": "3 of 3", "seed": 0, "exchanges": []}
    line = {"kind": "verdict", "where": "live", "target": URL, "law": law, "word": word, "reason": "why it is so"}
    return {**line, "cases": 1, "seconds": 0.1, "failure": {**whole, **failure} if failure else None}


def report(*lines: dict[str, Any]) -> Report:
    """Of a run on one server."""
    return collect(list(lines), Options(urls=(URL,)), "", 1.0)


def test_every_word_that_appears_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """And no other; a run without a failure offers no file of failures."""
    show(report(told("ok"), told("lenient", "S-ID-03"), told("unsupported", "S-RATE-01")), options())
    text = capsys.readouterr().out
    assert "a SHOULD is broken" in text
    assert "so it is not" in text
    assert "a MUST is broken" not in text
    assert "--save" not in text


def test_what_the_budget_left_out_is_said_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    """With the command that judges it, which keeps the other options."""
    show(report(told("ok"), told("unjudged", "S-ID-03")), options("--budget", "10s", "--profile", "openai"))
    text = capsys.readouterr().out
    assert "1 law was NOT JUDGED" in text
    assert f"inferneo-contracts run {URL} --profile openai --budget 5m" in text


def test_a_broken_law_says_how_to_judge_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The command with the law and the seed."""
    show(report(told("failed", curl=["curl x"])), options("--save", "d", "--html", "f"))
    lines = capsys.readouterr().out.splitlines()
    assert f"  again     inferneo-contracts run {URL} --law S-FRAME-03 --seed 0" in lines
    assert not any("--save" in line for line in lines)


def test_ids_that_follow_each_other_are_a_range() -> None:
    """Of one family only."""
    laws = ["S-ID-02", "S-ID-01", "S-ID-04", "S-FRAME-05", "S-ID-03", "S-ID-06"]
    assert together(laws) == "S-FRAME-05, S-ID-01..04, S-ID-06"


def test_a_task_says_only_what_is_not_usual() -> None:
    """The line of a client's task stays readable."""
    from contracts.bench import Scene

    line = Scene({"rules": []}, Task(URL, stream=True), [], []).curl(URL)
    assert '{"url": "http://127.0.0.1:9/@x", "stream": true}' in line


def test_a_request_that_is_made_again_at_once_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With how often; what comes again later is shown again, for the order may matter."""
    show(report(told("failed", curl=["curl x", "curl x", "curl y", "curl x"])), options())
    requests = [line.split(None, 1)[1] for line in capsys.readouterr().out.splitlines() if "  request" in line]
    assert requests == ["curl x  # 2 times", "curl y", "curl x"]
