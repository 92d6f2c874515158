"""A budget that is given is kept: no case is begun after its end, and what was not judged is told as that."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from stranger import Stranger, serving

from contracts.cli import main
from contracts.domains import Domain
from contracts.judge import Effort, judge
from contracts.law import Breach, Law
from contracts.options import Options
from contracts.plugin import FIRST, Run
from contracts.profile import PROFILES


class Clock:
    """The time of a judge, which only cases let pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The judge's and the run's clock."""
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    return made


class Nothing:
    """A target that answers nothing."""

    live = True
    name = url = "http://127.0.0.1:9"
    profile = PROFILES["docs"]

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.sent: list[Any] = []

    def begin(self) -> None:
        """Nothing to forget."""


def a_law(clock: Clock, seconds: float, broken: bool = False) -> tuple[Law, list[int]]:
    """A law whose cases take so long, and the cases."""
    cases: list[int] = []

    def check(target: Any, number: int) -> None:
        cases.append(number)
        clock.now += seconds
        if broken:
            raise Breach("another number", number)

    numbers: Domain[int] = Domain("a number", lambda target: st.integers(0, 2**40))
    return Law("S-TEST-01", check, numbers, frozenset(), "must", "test", 100, False), cases


def test_no_case_is_begun_after_the_end(clock: Clock) -> None:
    """Cases of a second, three seconds left: the fourth begins at the end, the fifth would after it."""
    law, cases = a_law(clock, 1.0)
    assert judge(law, Nothing(), Effort(seconds=60.0, until=clock.now + 3.0)).word == "ok"
    assert len(cases) == 4


def test_a_law_that_gets_no_case_is_not_judged(clock: Clock) -> None:
    """It is not told as unsupported: the server was not asked."""
    law, cases = a_law(clock, 1.0)
    verdict = judge(law, Nothing(), Effort(until=clock.now - 1.0))
    assert (verdict.word, cases) == ("unjudged", [])
    assert "--budget" in verdict.reason


def test_a_breach_at_the_end_is_seen_again_once(clock: Clock) -> None:
    """It is not shrunk, and is believed after one repetition instead of three."""
    law, cases = a_law(clock, 1.0, broken=True)
    verdict = judge(law, Nothing(), Effort(seconds=60.0, shrink_seconds=60.0, until=clock.now + 0.5))
    assert verdict.word == "failed"
    assert verdict.failure is not None
    assert verdict.failure.seen == "1 of 1 repetitions failed again"
    assert len(cases) == 2


def test_what_is_left_is_shared_by_the_laws_that_are_left(clock: Clock) -> None:
    """No law can use up what the others need; the first of a process is judged even at the end."""
    run = Run(Options(until=clock.now + 100.0))
    run.total = 50
    assert run.late("S-TEST-01", "t") is None
    first = run.effort("server", 50)
    assert first.seconds == pytest.approx(1.5 * 100 / 49)
    clock.now += 90.0
    assert run.late("S-TEST-02", "t") is None
    assert run.effort("server", 50).seconds == pytest.approx(1.5 * 10 / 48)
    clock.now += 11.0
    late = run.late("S-TEST-03", "t")
    assert late is not None
    assert late.word == "unjudged"
    other = Run(Options(until=clock.now - 1.0))
    assert other.late("S-TEST-01", "t") is None
    assert other.effort("server", 50).until == clock.now + FIRST


@pytest.mark.slow
def test_a_run_says_what_it_did_not_judge(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One law is judged, the others are told; the run says how to judge them."""
    with serving(Stranger) as url:
        words = ["run", url, "--law", "S-FRAME", "--no-recorded", "--profile", "openai", "--budget", "0.01s"]
        assert main([*words, "--json", str(tmp_path / "r.json")]) == 0
    found = [verdict["word"] for verdict in json.loads((tmp_path / "r.json").read_text())["verdicts"]]
    assert found.count("unjudged") == len(found) - 1
    assert "unjudged" in capfd.readouterr().out
