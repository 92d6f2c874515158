"""One law, one target, one verdict.

Hypothesis draws the cases and shrinks a failing one, within a time of its own. A breach is believed only after its
minimal case has failed again: a server that does something once and never again is reported as such, not as wrong.
"""

from __future__ import annotations

import math
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from contracts.brief import brief
from contracts.case import Unsaved, to_json
from contracts.database import of_law
from contracts.exchange import Call, Exchange
from contracts.law import Breach, Law, Unjudged, Unsupported, Vacuous
from contracts.patience import is_short
from contracts.recorded import RecordedTarget
from contracts.secret import mask, veiled
from contracts.wire import NoAnswer

Word: TypeAlias = Literal["ok", "lenient", "failed", "unsupported", "broken", "unjudged", "lost"]
REPEATS = 3
SHOWN = 4
"""So many requests of a failing case are shown."""
KEPT = 12
"""So many of its exchanges are kept."""
GIVE_UP = 25
NO_TIME = "the budget of the run was used up before its turn; a longer --budget judges it"
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
    value: Any = None
    """The case in the form of `contracts.case`, as `{"case": ...}`; None when there is no such form."""
    model: str = ""
    profile: str = ""


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
    """How hard a law is tried: `examples` scales each law's own number, `seconds` bounds one law; `database` keeps the
    cases that failed for the next run (one of Hypothesis's databases; None: nothing is kept); at `until`, a moment of
    the monotonic clock, the budget of the run is used up: no further case is begun."""

    seed: int = 0
    examples: float = 1.0
    seconds: float = 10.0
    shrink_seconds: float = 4.0
    database: Any = None
    until: float = math.inf

    @property
    def is_over(self) -> bool:
        """Whether the budget of the run is used up."""
        return time.monotonic() > self.until


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
    dead: list[Any] | None = None
    """The calls of the case after which the server no longer answered."""
    lost: str = ""
    """How the server was lost: `died`, or `hangs`."""


NOTHING = object()


def _clerk(law: Law, target: Any) -> Callable[..., Verdict]:
    """What writes a verdict of a judgement that begins now, without the key: of a word, its reason, the number of cases
    and the failure."""
    started = time.monotonic()

    def verdict(word: Word, reason: str = "", cases: int = 0, failure: Failure | None = None) -> Verdict:
        seconds = round(time.monotonic() - started, 3)
        key = getattr(target, "api_key", None)
        return Verdict(law.id, target.name, word, str(mask(reason, key)), cases, seconds, veiled(failure, key))

    return verdict


def judge(law: Law, target: Any, effort: Effort) -> Verdict:
    """The verdict on one law. Never raises for what the target or the law does."""
    verdict = _clerk(law, target)
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
        if effort.is_over and not trial.absent:
            return verdict("unjudged", NO_TIME)
        return verdict("unsupported", (trial.absent or trial.unjudged or ["nothing of it was recorded"])[0])
    return verdict("ok", "", trial.judged)


def judge_case(law: Law, target: Any, case: object, effort: Effort) -> Verdict:
    """The verdict on one law by one case that is given; broken when it is broken in any of three trials."""
    verdict = _clerk(law, target)
    trial = _Trial(case=case)
    for _ in range(REPEATS):
        try:
            _once(law, target, case, trial)
        except Breach as breach:
            trial.breach = breach
            return _failed(law, target, effort, trial, verdict)
        except Exception as error:
            return verdict("broken", f"the law could not be judged: {error!r}")
    if trial.judged == 0:
        reasons = trial.unjudged or trial.absent
        return verdict("broken" if trial.unjudged else "unsupported", reasons[0])
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
        if error.how == "timeout" and isinstance(error.call, Call) and not is_short(error.call):
            if hasattr(target, "hangs") and target.hangs():
                raise Breach("an answer to others after this request, whose caller has gone", "none") from error
            trial.absent.append("the request asks for so much that its answer takes longer than the judge waits")
            return
        raise Breach("an HTTP response", str(error)) from error
    else:
        trial.judged += 1


def _draw(law: Law, target: Any, effort: Effort, trial: _Trial) -> None:
    until = min(time.monotonic() + effort.seconds, effort.until)

    def one(case: object) -> None:
        now = time.monotonic()
        if trial.judged == 0 and len(trial.absent) >= GIVE_UP:
            return
        tried = trial.judged or trial.absent or trial.unjudged
        if trial.breach is None and now > until and (tried or now > until + PATIENCE or effort.is_over):
            return
        shrunk = min(trial.first_breach + effort.shrink_seconds, effort.until)
        if trial.breach is not None and (trial.dead or now > shrunk):
            if repr(case) in trial.failing:
                raise trial.failing[repr(case)]
            return
        try:
            _once(law, target, case, trial)
        except Breach as breach:
            trial.first_breach = trial.first_breach or now
            trial.breach, trial.case = breach, case
            trial.failing[repr(case)] = breach
            if isinstance(breach.__cause__, NoAnswer) and not trial.lost:
                trial.lost = _lost(target, breach.__cause__)
                trial.dead = list(target.sent) if trial.lost else None
            raise

    if law.over is None:
        one(NOTHING)
        return
    strategy: st.SearchStrategy[Any] = law.over.draw(target)
    profile = settings(
        max_examples=max(1, round(law.examples * effort.examples)),
        deadline=None,
        database=of_law(effort.database, law.id),
        derandomize=False,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    with warnings.catch_warnings():
        # A case may be all that a run has said.
        warnings.filterwarnings("ignore", "Generating overly large repr", HypothesisWarning)
        profile(seed(effort.seed)(given(strategy)(one)))()


def _lost(target: Any, error: NoAnswer) -> str:
    """Whether the server died, or hangs; what `target.sent` holds does not change."""
    sent = list(target.sent)
    lost = ""
    if hasattr(target, "alive") and not target.alive(2.0):
        lost = "died"
    elif error.how == "timeout" and hasattr(target, "hangs") and target.hangs():
        lost = "hangs"
    target.sent[:] = sent
    return lost


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
    if trial.dead is not None:
        target.sent[:] = trial.dead
    again, repeats, calls, log = 0, 0, list(target.sent), _shown(target)
    if breach.resent is not None:
        repeats, again = breach.resent
    elif target.live and trial.dead is None:
        while repeats < REPEATS and not (repeats and effort.is_over):
            repeats += 1
            try:
                _once(law, target, trial.case, _Trial())
            except Breach as error:
                again += 1
                breach = error
                calls, log = list(target.sent), _shown(target)
    seen = "recorded" if not target.live else f"{again} of {repeats} repetitions failed again"
    if target.live and _is_log(trial.case) and breach.resent is None:
        seen = "seen in what the run had sent, which was read again and not asked again"
    if trial.dead is not None:
        seen = f"the server {trial.lost}, so it was not asked again"
    url = target.url if target.live else "http://recorded"
    if breach.exchange is not None:
        calls = [breach.exchange.call]
        last = breach.exchange.to_json()
        log = [*(one for one in log if one != last), last] if target.live else []
    failure = Failure(
        breach.expected,
        breach.got,
        "" if trial.case is NOTHING else brief(trial.case),
        _lines(calls, url, getattr(target, "api_key", None), breach.together),
        log,
        seen,
        effort.seed,
        _saved(trial.case),
        str(getattr(target, "model", "")),
        target.profile.name,
    )
    if trial.dead is not None:
        return verdict("failed", f"the server {trial.lost}: {breach}", trial.judged, failure)
    needed = repeats if "det" in law.needs else 1
    if target.live and again < needed and trial.dead is None:
        often = "seen once, not again" if not again else f"seen once, and {again} times again"
        return verdict("lenient", f"{often} in {repeats} repetitions: {breach}", trial.judged, failure)
    word: Word = "failed" if law.level_on(target.profile.name) == "must" else "lenient"
    return verdict(word, str(breach), trial.judged, failure)


def _lines(calls: list[Any], url: str, key: str | None, together: int) -> list[str]:
    """The last requests as lines to paste; `together`: so many of the last one, at once."""
    lines = [call.curl(url, key) if key else call.curl(url) for call in calls[-SHOWN:]]
    return [f"for i in $(seq {together}); do {lines[-1]} & done; wait"] if together and lines else lines


def _is_log(case: object) -> bool:
    """Whether a case is exchanges of the past: the law on it asks nothing."""
    return isinstance(case, list) and bool(case) and all(isinstance(one, Exchange) for one in case)


def _shown(target: Any) -> list[dict[str, Any]]:
    """The last exchanges of the case; a request that no response came to has none."""
    if not target.live:
        return []
    answered = {id(getattr(exchange, "call", exchange)): exchange for exchange in target.log}
    found = []
    for call in target.sent[-KEPT:]:
        exchange = answered.get(id(call))
        found.append(exchange.to_json() if exchange else {"request": call.to_json(), "response": None, "ended": "none"})
    return found


def _saved(case: object) -> dict[str, Any] | None:
    try:
        return {} if case is NOTHING else {"case": to_json(case)}
    except Unsaved:
        return None
