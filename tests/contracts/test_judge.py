"""The judge: each verdict has its cause, a breach is shrunk and seen again, and nothing a target does escapes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from contracts.domains import Domain
from contracts.judge import Effort, judge
from contracts.law import Breach, Law, Unjudged, Unsupported, Vacuous, expect
from contracts.profile import PROFILES
from contracts.wire import NoAnswer

NUMBERS: Domain[int] = Domain("a number", lambda target: st.integers(0, 1000))


class Nothing:
    """A target that answers nothing and can only count."""

    live = True
    name = "nothing"
    url = "http://127.0.0.1:9"
    profile = PROFILES["docs"]

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.sent: list[Any] = []

    def begin(self) -> None:
        self.sent.clear()

    def can(self, capability: str) -> tuple[bool, str]:
        return capability == "count", "it can only count"


def a_law(check: Callable[..., None], **settings: Any) -> Law:
    """An unregistered law over numbers."""
    values: dict[str, Any] = {
        "over": NUMBERS,
        "needs": frozenset(),
        "level": "must",
        "source": "test",
        "examples": 30,
        "live": False,
    }
    return Law("S-TEST-01", check, **{**values, **settings})


def raising(error: Exception) -> Callable[..., None]:
    """A law that always raises."""

    def check(target: Any, number: int) -> None:
        raise error

    return check


def test_a_kept_law_is_ok() -> None:
    """All drawn cases were judged."""
    verdict = judge(a_law(lambda target, number: None), Nothing(), Effort())
    assert (verdict.word, verdict.cases) == ("ok", 30)


def test_a_broken_law_shows_its_smallest_case() -> None:
    """Hypothesis shrinks, and the minimal case is seen again."""

    def small(target: Any, number: int) -> None:
        expect(number < 17, "a number below 17", number)

    verdict = judge(a_law(small), Nothing(), Effort())
    assert verdict.word == "failed"
    assert verdict.failure is not None
    assert (verdict.failure.case, verdict.failure.got, verdict.failure.expected) == ("17", "17", "a number below 17")
    assert verdict.failure.seen.startswith("3 of 3")


def test_a_broken_should_is_lenient() -> None:
    """A SHOULD never fails a run."""
    assert judge(a_law(raising(Breach("a", "b")), level="should"), Nothing(), Effort()).word == "lenient"


def test_what_is_seen_once_only_is_not_a_failure() -> None:
    """A breach that never comes again is told, and is not red."""
    count = itertools.count()

    def once(target: Any, number: int) -> None:
        expect(next(count) != 3, "no breach", "a breach")

    verdict = judge(a_law(once), Nothing(), Effort())
    assert verdict.word == "lenient"
    assert "seen once" in verdict.reason


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Unsupported("no such thing"), "unsupported"),
        (Vacuous("does not arise"), "unsupported"),
        (Unjudged("another law is broken"), "broken"),
        (KeyError("a mistake of the law"), "broken"),
    ],
)
def test_each_cause_has_its_word(error: Exception, word: str) -> None:
    """Nothing that was not judged is counted as kept."""
    verdict = judge(a_law(raising(error)), Nothing(), Effort())
    assert verdict.word == word
    assert verdict.reason


def test_no_answer_is_a_breach() -> None:
    """A server that does not answer breaks the law that asked."""
    verdict = judge(a_law(raising(NoAnswer("reset", None))), Nothing(), Effort())
    assert verdict.word == "failed"
    assert "an HTTP response" in verdict.reason


def test_a_missing_capability_is_told() -> None:
    """Needs are asked before anything is drawn, and the profile has the first word."""
    kept = a_law(lambda target, number: None, needs=frozenset({"count"}))
    assert judge(kept, Nothing(), Effort()).word == "ok"
    lacking = a_law(lambda target, number: None, needs=frozenset({"fly"}))
    assert judge(lacking, Nothing(), Effort()).reason == "no fly: it can only count"
    engine = Nothing()
    engine.profile = PROFILES["engine"]
    promised = judge(a_law(lambda target, number: None, needs=frozenset({"n"})), engine, Effort())
    assert "does not promise" in promised.reason


def test_some_cases_may_say_nothing() -> None:
    """A law is kept when some cases were judged, whatever the others were."""

    def half(target: Any, number: int) -> None:
        if number % 2:
            raise Vacuous("odd")

    verdict = judge(a_law(half), Nothing(), Effort())
    assert verdict.word == "ok"
    assert 0 < verdict.cases < 30


def test_the_same_seed_draws_the_same_cases() -> None:
    """A seed makes a run repeatable."""
    drawn: list[list[int]] = []
    for seed in (1, 1, 2):
        cases: list[int] = []
        judge(a_law(lambda target, number, cases=cases: cases.append(number)), Nothing(), Effort(seed=seed))
        drawn.append(cases)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_law_without_cases_is_run_once() -> None:
    """No domain: the function takes the target alone."""
    calls: list[Any] = []
    verdict = judge(a_law(calls.append, over=None), Nothing(), Effort())
    assert (verdict.word, len(calls)) == ("ok", 1)
