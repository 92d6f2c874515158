"""One law, one target, one verdict.

Hypothesis draws the cases and shrinks a failing one, within a time of its own. A breach is believed only after its
minimal case has failed again: a server that does something once and never again is reported as such, not as wrong.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from contracts.law import Breach, Law, Unjudged, Unsupported, Vacuous, shorten
from contracts.recorded import RecordedTarget
from contracts.wire import NoAnswer

Word: TypeAlias = Literal["ok", "lenient", "failed", "unsupported", "broken"]
REPEATS = 3
GIVE_UP = 25
PATIENCE = 60.0
"""How long past its time a law may take to get its first case."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a law was broken, in a form that people can use."""

    expected: str
    got: str
    case: str
    curl: list[str]
    exchanges: list[dict[str, Any]]
    seen: str
    seed: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`cases` were judged, `seconds` it took. `reason` says why, for every verdict but ok."""

    law: str
    target: str
    word: Word
    reason: str = ""
    cases: int = 0
    seconds: float = 0.0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a law is tried: `examples` scales each law's own number, `seconds` bounds one law."""

    seed: int = 0
    examples: float = 1.0
    seconds: float = 10.0
    shrink_seconds: float = 4.0


@dataclass(slots=True)
class _Trial:
    """What happened so far while one law is judged."""

    judged: int = 0
    unjudged: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    breach: Breach | None = None
    case: object = None
    first_breach: float = 0.0
    failing: dict[str, Breach] = field(default_factory=dict)


NOTHING = object()


def judge(law: Law, target: Any, effort: Effort) -> Verdict:
    """The verdict on one law. Never raises for what the target or the law does."""
    started = time.monotonic()

    def verdict(word: Word, reason: str = "", cases: int = 0, failure: Failure | None = None) -> Verdict:
        return Verdict(law.id, target.name, word, reason, cases, round(time.monotonic() - started, 3), failure)

    if law.live and not target.live:
        return verdict("unsupported", "needs a live server")
    for capability in sorted(law.needs | (law.over.needs if law.over else frozenset())):
        if capability in target.profile.lacks:
            return verdict("unsupported", f"no {capability}: profile {target.profile.name} does not promise it")
        has, why = target.can(capability)
        if not has:
            return verdict("unsupported", f"no {capability}: {why}")
    trial = _Trial()
    try:
        if target.live:
            _draw(law, target, effort, trial)
        else:
            _enumerate(law, target, trial)
    except Exception as error:
        if trial.breach is None:
            last = traceback.extract_tb(error.__traceback__)[-1]
            return verdict("broken", f"the law could not be judged: {error!r} at {last.filename}:{last.lineno}")
    if trial.breach is not None:
        return _failed(law, target, effort, trial, verdict)
    if trial.judged == 0:
        if trial.unjudged and target.live:
            return verdict("broken", trial.unjudged[0])
        return verdict("unsupported", (trial.absent or trial.unjudged or ["nothing of it was recorded"])[0])
    return verdict("ok", "", trial.judged)


def _once(law: Law, target: Any, case: object, trial: _Trial) -> None:
    """Runs the law on one case and keeps the books; raises `Breach` when it is broken."""
    target.begin()
    try:
        law.check(target) if case is NOTHING else law.check(target, case)
    except Unjudged as error:
        trial.unjudged.append(str(error))
    except (Vacuous, Unsupported) as error:
        trial.absent.append(str(error))
    except NoAnswer as error:
        raise Breach("an HTTP response", str(error)) from error
    else:
        trial.judged += 1


def _draw(law: Law, target: Any, effort: Effort, trial: _Trial) -> None:
    until = time.monotonic() + effort.seconds

    def one(case: object) -> None:
        now = time.monotonic()
        if trial.judged == 0 and len(trial.absent) >= GIVE_UP:
            return
        tried = trial.judged or trial.absent or trial.unjudged
        if trial.breach is None and now > until and (tried or now > until + PATIENCE):
            return
        if trial.breach is not None and now > trial.first_breach + effort.shrink_seconds:
            if repr(case) in trial.failing:
                raise trial.failing[repr(case)]
            return
        try:
            _once(law, target, case, trial)
        except Breach as breach:
            trial.first_breach = trial.first_breach or now
            trial.breach, trial.case = breach, case
            trial.failing[repr(case)] = breach
            raise

    if law.over is None:
        one(NOTHING)
        return
    strategy: st.SearchStrategy[Any] = law.over.draw(target)
    profile = settings(
        max_examples=max(1, round(law.examples * effort.examples)),
        deadline=None,
        database=None,
        derandomize=False,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    profile(seed(effort.seed)(given(strategy)(one)))()


def _enumerate(law: Law, target: RecordedTarget, trial: _Trial) -> None:
    if law.over is None or law.over.held is None:
        trial.absent.append("needs a live server")
        return
    for case in law.over.held(target):
        try:
            _once(law, target, case, trial)
        except Breach as breach:
            trial.breach, trial.case = breach, case
            raise


def _failed(law: Law, target: Any, effort: Effort, trial: _Trial, verdict: Callable[..., Verdict]) -> Verdict:
    """The minimal case once more: its breach is the one that is told."""
    breach = trial.breach
    assert breach is not None
    again, calls, log = 0, list(target.sent), list(target.log)[-len(target.sent) or None :]
    if target.live:
        for _ in range(REPEATS):
            try:
                _once(law, target, trial.case, _Trial())
            except Breach as error:
                again += 1
                breach = error
                calls, log = list(target.sent), list(target.log)[-len(target.sent) or None :]
    seen = "recorded" if not target.live else f"{again} of {REPEATS} repetitions failed again"
    url = target.url if target.live else "http://recorded"
    if breach.exchange is not None:
        calls, log = [breach.exchange.call], [breach.exchange]
    failure = Failure(
        breach.expected,
        breach.got,
        "" if trial.case is NOTHING else shorten(trial.case, 800),
        [call.curl(url) for call in calls[-4:]],
        [exchange.to_json() for exchange in log[-4:]] if target.live else [],
        seen,
        effort.seed,
    )
    if target.live and not again:
        return verdict("lenient", f"seen once, not again in {REPEATS} repetitions: {breach}", trial.judged, failure)
    word: Word = "failed" if law.level == "must" else "lenient"
    return verdict(word, str(breach), trial.judged, failure)
