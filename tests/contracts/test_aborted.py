"""A run that did not come to its end says so in every form, blames no law for it, and changes no baseline by it."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from stranger import Stranger, serving
from test_restart import LAWS, Mortal, mortal
from test_terminal import URL, options, report, told

from contracts.baseline import Baseline, Known, load
from contracts.cli import main
from contracts.document import to_json
from contracts.headline import headline
from contracts.junit import to_junit
from contracts.law import find
from contracts.markdown import to_markdown
from contracts.page import to_html
from contracts.plugin import describe
from contracts.report import Report, exit_code
from contracts.terminal import show

__all__ = ["mortal"]
DEATH = {"kind": "fatal", "target": URL, "law": "S-ID-05", "request": "curl x", "problem": "give --restart-cmd"}
LOST = told("lost", "S-ID-05", expected="an HTTP response", got="refused") | {"reason": "the server died: refused"}
OTHER = "http://127.0.0.1:10"


def suite_of(found: Report) -> ElementTree.Element:
    """The one suite of the JUnit file."""
    (suite,) = ElementTree.fromstring(to_junit(found))
    return suite


@pytest.mark.slow
def test_a_death_is_no_breach_in_any_form(mortal: Mortal, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """JUnit has an error, the headline says that the run was aborted, the baseline has no entry for it."""
    files = {name: str(tmp_path / name) for name in ("r.xml", "r.md", "b.toml")}
    flags = ["--profile", "openai", "--junit", files["r.xml"], "--markdown", files["r.md"]]
    assert main(["run", mortal.url, *LAWS, *flags, "--baseline", files["b.toml"], "--update-baseline"]) == 1
    (suite,) = ElementTree.parse(files["r.xml"]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "1")
    (error,) = suite.findall("testcase[@name='S-REFUSE-08']/error")
    assert error.get("message", "").startswith("the server died: ")
    assert Path(files["r.md"]).read_text().startswith("## Contracts: aborted: the server died during S-REFUSE-08\n")
    assert load(files["b.toml"]).entries == ()
    out = capfd.readouterr().out
    assert f"S-REFUSE-08 NOT JUDGED on {mortal.url}: the server died" in " ".join(out.split())
    assert "S-REFUSE-08 FAILED" not in out
    assert find("S-REFUSE-08").title not in out


def test_a_death_between_two_laws_is_an_error_too() -> None:
    """No law was judged then, so the error is a case of its own; also where no law was judged at all."""
    suite = suite_of(replace(report(told("ok")), deaths=[DEATH]))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "1")
    (error,) = suite.findall("testcase[@name='aborted']/error")
    assert error.get("message") == "the server died during S-ID-05; nothing more of it was judged"
    assert suite_of(replace(report(), deaths=[DEATH])).get("errors") == "1"
    assert len(suite_of(report(told("ok"), LOST, DEATH)).findall("testcase/error")) == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([told("ok")], "All laws kept"),
        ([told("ok"), told("unjudged", "S-ID-03")], "No law broken; 1 not judged, the budget was used up"),
        ([told("failed"), told("ok", "S-ID-01")], "1 broken"),
        ([told("failed", "S-ID-03"), told("failed", "S-FRAME-03")], "1 broken; 1 known"),
        ([told("failed", "S-ID-03")], "No new failure; 1 known"),
        ([told("ok"), LOST, DEATH], "aborted: the server died during S-ID-05"),
        ([told("failed"), LOST, DEATH], "aborted: the server died during S-ID-05; 1 broken"),
        ([LOST, DEATH | {"how": "hangs"}], "aborted: the server hangs since S-ID-05"),
        ([LOST, DEATH | {"problem": ""}], "the server died during S-ID-05, and was started again"),
        ([told("ok"), LOST, DEATH, told("ok") | {"target": OTHER}], f"aborted: {URL} died during S-ID-05"),
        ([told("ok"), {"kind": "surprise", "server": "vllm", "text": "t"}], "1 surprise in the recordings"),
        ([told("unsupported", "S-PLAIN-01")], f"NOT JUDGED: {URL}"),
    ],
)
def test_the_headline_says_what_is_so(lines: list[dict[str, Any]], said: str) -> None:
    """In the Markdown, in the page's title, and only what is true of the whole run."""
    found = report(*lines)
    found.baseline = Baseline(Path("b"), (Known("S-ID-03", "why"),))
    assert headline(found) == said
    assert to_markdown(found).startswith(f"## Contracts: {said}\n")
    assert f"<h1>Contracts: {said}</h1>" in to_html(found)
    assert to_json(found)["headline"] == said
    assert exit_code(found) == (0 if said[0] in "AN" and "NOT" not in said else 1)


def test_known_failures_are_named_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, no longer than the terminal is wide."""
    found = report(told("failed", "S-ID-03"), told("ok"))
    found.baseline = Baseline(Path("b"), (Known("S-ID-03", "long " * 40, ticket="T-1", expires=date(2999, 1, 1)),))
    show(found, options())
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("Known")
    assert lines[at + 1].startswith("  S-ID-03: long long")
    assert lines[at + 1].endswith("…")
    assert len(lines[at + 1]) == 80
    assert lines[at + 2] == ""


def test_an_entry_is_gone_only_where_all_it_speaks_of_was_judged() -> None:
    """Not when a server that it covers died before its law's turn, nor when the run was interrupted before it."""
    entry = Known("S-FRAME-03", "why")
    for found, gone in (
        (report(told("ok"), told("ok") | {"target": OTHER}), [entry]),
        (report(told("ok"), told("ok", "S-ID-01") | {"target": OTHER}), []),
        (report(told("ok"), DEATH | {"target": OTHER}), []),
        (report(told("lost"), DEATH), []),
        (replace(report(told("ok")), given=argparse.Namespace(urls=[URL, OTHER])), []),
    ):
        found.baseline = Baseline(Path("b"), (entry,))
        assert found.gone() == gone


def test_pytest_tells_a_death_without_the_law_s_claim() -> None:
    """`pytest --pyargs contracts.suite` shows what `describe` says."""
    from contracts.judge import Failure, Verdict

    failure = Failure("an HTTP response", "refused", "", ["curl x"], [], "the server died", 0)
    text = describe(Verdict("S-ID-05", URL, "lost", "the server died: refused", failure=failure))
    assert text.startswith("S-ID-05 NOT JUDGED: the server died")
    assert find("S-ID-05").title not in text
    assert "request: curl x" in text


class Counting(Stranger):
    """Tells when it was asked so often that laws have been judged."""

    many = threading.Event()
    numbers_asked = itertools.count(1)

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        if next(self.numbers_asked) >= 60:
            self.many.set()
        super().generate(body, text, chat)


@pytest.mark.slow
def test_an_interrupted_run_tells_what_was_judged(tmp_path: Path) -> None:
    """Exit code 2; the files hold the verdicts so far and say that there would have been more."""
    files = [str(tmp_path / name) for name in ("r.xml", "r.md", "r.json", "b.toml")]
    flags = ["--junit", files[0], "--markdown", files[1], "--json", files[2], "--baseline", files[3]]
    with serving(Counting) as url:
        command = [sys.executable, "-m", "contracts", "run", url, "--profile", "openai", *flags, "--update-baseline"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert Counting.many.wait(60)
        os.kill(child.pid, signal.SIGINT)
        out, errors = child.communicate(timeout=60)
    assert (child.returncode, errors) == (2, "inferneo-contracts: interrupted\n")
    document = json.loads(Path(files[2]).read_text())
    judged = len(document["verdicts"])
    assert judged > 0
    assert document["exit_code"] == 2
    assert document["headline"].startswith(f"aborted: interrupted after {judged} of ")
    assert document["headline"] in Path(files[1]).read_text().splitlines()[0]
    (suite,) = ElementTree.parse(files[0]).getroot()
    assert (suite.get("tests"), suite.get("errors")) == (str(judged + 1), "1")
    assert "INTERRUPTED" in out
    assert not Path(files[3]).exists(), "a run that saw half of it knows no baseline"
