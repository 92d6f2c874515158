"""The two-sided verdict on one call: what the wire carried against what the client's user saw. Pure.

Laws: a client that raises is never blamed for the fault it met; a client that hands on a part as the whole always is.
What may be done about a failure depends on the phase: before the first token a client may ask again, after it the user
has seen something and asking again corrupts it (unless the client kept the part to itself). Each finding has an id, the
evidence and a sentence of advice; `docs/verdicts.md` has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from mockserver.count import counted
from mockserver.plan import Stall
from mockserver.record.calls import VOLATILE, Call, group, sent_of
from mockserver.record.journal import Exchange
from mockserver.record.sent import Sent

Level = Literal["fail", "warn"]

PERMANENT = frozenset(range(400, 500)) - {408, 409, 425, 429} | {501, 505}
"""Statuses that the same request gets again."""

SLACK = 0.05
"""Seconds that a retry may come earlier than Retry-After says: clocks and timers differ."""


@dataclass(frozen=True, slots=True)
class Saw:
    """What the user of the client got: a `value`, an `error`, or neither was told (`told` False). `pieces`: what a
    stream handed out, piece by piece, whatever came of it.
    """

    told: bool = False
    value: Any = None
    error: BaseException | None = None
    pieces: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether the user took it for an answer."""
        return self.told and self.error is None


@dataclass(frozen=True, slots=True)
class Limits:
    """What is expected of the client. `patience`: seconds of silence that it may endure, and the longest Retry-After it
    must obey (30 s is the documented client's timeout). `retries`: how often at least it asks again when that is right.
    `attempts`: how many are a storm.
    """

    patience: float = 30.0
    retries: int = 1
    attempts: int = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the client: `id` is one of `FINDINGS`."""

    id: str
    evidence: str

    @property
    def level(self) -> Level:
        """`fail` fails the verdict, `warn` does not."""
        return FINDINGS[self.id].level

    @property
    def advice(self) -> str:
        """What to do about it."""
        return FINDINGS[self.id].advice

    def __str__(self) -> str:
        return f"{self.id} ({self.level}): {self.evidence}. {self.advice}"

    def to_json(self) -> dict[str, str]:
        """For the door and reports."""
        return {"id": self.id, "level": self.level, "evidence": self.evidence, "advice": self.advice}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`assert call.verdict()` holds where nothing at level `fail` was found; the message names what was."""

    name: str
    attempts: int
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no finding fails."""
        return all(finding.level != "fail" for finding in self.findings)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the findings, in order."""
        return tuple(finding.id for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def check(self) -> Verdict:
        """Itself, where it is ok. Else raises `AssertionError` with every finding, where `assert` would shorten it."""
        __tracebackhide__ = True
        if not self.ok:
            raise AssertionError(str(self))
        return self

    def __repr__(self) -> str:
        """One short line, for pytest shows no more of it; the whole is in the report's section `inferneo_mock`."""
        found = f": {', '.join(self.ids)}" if self.findings else ""
        return (
            f"<Verdict on {self.name!r}, {counted(self.attempts, 'attempt')}: {'ok' if self.ok else 'not ok'}{found}>"
        )

    def __str__(self) -> str:
        lines = "".join(f"\n  {finding}" for finding in self.findings)
        return f"call {self.name!r}, {counted(self.attempts, 'attempt')}: {'ok' if self.ok else 'not ok'}{lines}"

    def to_json(self) -> dict[str, Any]:
        """For the door and reports."""
        return {
            "call": self.name,
            "ok": self.ok,
            "attempts": self.attempts,
            "findings": [finding.to_json() for finding in self.findings],
        }


Passed = Callable[[float, float], float]
"""Seconds between two times of the server's monotonic clock, as the session counts them."""


def real(begin: float, end: float) -> float:
    """`Passed` where no test has moved the session's clock."""
    return end - begin


@dataclass(frozen=True, slots=True)
class Case:
    """One call and all that is known of it, with what was sent in each attempt worked out once."""

    call: Call
    sent: tuple[Sent, ...]
    saw: Saw
    limits: Limits
    passed: Passed

    @property
    def last(self) -> Sent:
        """What the last attempt sent."""
        return self.sent[-1]

    def retries(self) -> Iterator[tuple[int, Exchange, Sent, Exchange]]:
        """(number of the attempt from 1, the attempt, what it sent, the one after it)."""
        for number, told in enumerate(self.sent[:-1]):
            yield number + 1, self.call.attempts[number], told, self.call.attempts[number + 1]


Judge = Callable[[Case], str]
"""The evidence, or the empty string."""


@dataclass(frozen=True, slots=True)
class Law:
    """What a finding means. `source`: where its right behaviour is written down."""

    level: Level
    title: str
    advice: str
    judge: Judge


def unreported(case: Case) -> str:
    """The wire went wrong and the test did not say what came of it."""
    if case.saw.told or (case.last.whole and (case.last.status or 500) < 400):
        return ""
    return f"the last attempt {_ending(case)}, and nobody said what the user of the client saw"


def no_request(case: Case) -> str:
    """The user got an answer, or nobody said what, and no request came: the test has tested nothing."""
    return ""  # a case has attempts; `judge` finds this before there is one


def truncated_accepted(case: Case) -> str:
    """A part was handed on as the whole."""
    last = case.last
    if not case.saw.answered or last.whole or (last.status or 500) >= 400 or case.call.attempts[-1].ended == "open":
        return ""
    if last.streamed and case.call.attempts[-1].ended == "client" and not last.error:
        return ""  # the client left of its own will: it has what it wanted
    return f"the response {_ending(case)}, and the user was given it as an answer"


def damaged_accepted(case: Case) -> str:
    """An event that is no JSON was passed over."""
    if case.saw.answered and case.last.damaged:
        return "an event of the stream was no JSON, and the user was given the rest as an answer"
    return ""


def retried_after_output(case: Case) -> str:
    """The question was asked again although the user had seen a part of the answer."""
    for number, _, told, _ in case.retries():
        if told.streamed and told.visible and not _kept_to_itself(case, told):
            return (
                f"attempt {number} had sent {counted(len(told.text), 'character')} ({told.text[:40]!r}) "
                f"when it broke off, and attempt {number + 1} asked again"
            )
    return ""


def _kept_to_itself(case: Case, told: Sent) -> bool:
    """Whether the user saw nothing of the attempt that broke off."""
    saw = case.saw
    if saw.pieces:
        return "".join(saw.pieces) == case.last.text and case.last.whole
    if saw.error is not None:
        return True  # nothing was handed out, and no part is passed off as an answer
    text = text_of(saw.value)
    return text is not None and text == case.last.text


def text_of(value: Any) -> str | None:
    """The text in what a client gave its user: a text, bytes, a list of texts, a response; None where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return "".join(value)
    for path in (("choices", 0, "message", "content"), ("choices", 0, "text"), ("text",), ("content",)):
        found = value
        for step in path:
            try:
                found = found[step] if isinstance(step, int) or isinstance(found, dict) else getattr(found, step)
            except (AttributeError, KeyError, IndexError, TypeError):
                found = None
                break
        if isinstance(found, str):
            return found
    return None


def ignored_retry_after(case: Case) -> str:
    """The server said when to come back, and the client came before."""
    for number, exchange, told, after in case.retries():
        wanted = retry_after(told)
        waited = case.passed(exchange.started + exchange.seconds, after.started)
        if wanted is not None and waited < wanted - max(SLACK, wanted * 0.05):
            return f"attempt {number} was told to wait {wanted:g} s, attempt {number + 1} came after {waited:.2f} s"
    return ""


def retry_after(told: Sent) -> float | None:
    """Seconds that the response asks to wait: the least of what its headers say; None: nothing that means something."""
    found = []
    for name, value in told.headers:
        if name == "retry-after-ms" and _is_number(value):
            found.append(float(value) / 1000)
        elif name == "retry-after" and _is_number(value):
            found.append(float(value))
        elif name == "retry-after":
            date = told.header("date")
            try:
                now = parsedate_to_datetime(date) if date and date.count("x") < 9 else datetime.now(UTC)
                found.append((parsedate_to_datetime(value) - now).total_seconds())
            except (TypeError, ValueError):
                continue
    return max(0.0, min(found)) if found else None


def _is_number(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").replace(".", "", 1).isdigit()


def retry_storm(case: Case) -> str:
    """More attempts than any failure is worth."""
    count = len(case.call.attempts)
    if count <= case.limits.attempts:
        return ""
    first, last = case.call.attempts[0], case.call.attempts[-1]
    enough = "1 is" if case.limits.attempts == 1 else f"{case.limits.attempts} are"
    return f"{counted(count, 'attempt')} in {last.started - first.started:.2f} s; {enough} plenty"


def no_pause(case: Case) -> str:
    """Attempts one upon the other."""
    waits = [case.passed(one.started + one.seconds, after.started) for _, one, _, after in case.retries()]
    if len(waits) >= 3 and max(waits) < 0.01:
        return f"{len(waits)} retries, none of them more than {max(waits) * 1000:.0f} ms after the failure"
    return ""


def retried_permanent(case: Case) -> str:
    """Asked again what the server had refused for good."""
    for number, _, told, _ in case.retries():
        said = (told.header("x-should-retry") or "").lower()
        if told.status in PERMANENT and said != "true":
            return f"attempt {number} was refused with {told.status}, and attempt {number + 1} asked the same again"
        if said == "false" and told.status is not None and told.status >= 400:
            return f"attempt {number} said 'x-should-retry: false', and attempt {number + 1} asked again"
    return ""


def gave_up(case: Case) -> str:
    """A failure that asking again may cure, before the user saw anything, was not asked again."""
    last, exchange = case.last, case.call.attempts[-1]
    if case.saw.answered or not case.saw.told or len(case.call.attempts) > case.limits.retries:
        return ""
    if exchange.ended == "open" or left(exchange) or (last.streamed and last.visible):
        return ""  # it waited long enough, or must not ask again
    wait = retry_after(last)
    if (wait is not None and wait > case.limits.patience) or (last.header("x-should-retry") or "").lower() == "false":
        return ""
    transient = last.status is None or (last.status >= 400 and last.status not in PERMANENT)
    broken = not transient and not last.whole and not last.error and not last.visible and exchange.ended != "end"
    if not transient and not broken:
        return ""
    return f"the failure (it {_ending(case)}) came before the first token, and only {len(case.call.attempts)} tried"


def left(exchange: Exchange) -> bool:
    """Whether the client closed first, be it in a planned silence."""
    ending = exchange.plan.ending
    if exchange.ended == "stall" and isinstance(ending, Stall):
        return ending.seconds is None or exchange.seconds < ending.seconds
    return exchange.ended == "client"


def no_time_limit(case: Case) -> str:
    """Silence was endured without end."""
    patience = case.limits.patience
    for number, (exchange, told) in enumerate(zip(case.call.attempts, case.sent, strict=True)):
        silence = told.silence
        if exchange.ended in ("stall", "server"):
            silence = max(silence, exchange.seconds)
        if silence > patience and exchange.ended not in ("client", "open"):
            return f"attempt {number + 1} was silent for {silence:g} s and the client waited it out"
    return ""


def leaked_connection(case: Case) -> str:
    """The call was over and a connection with an unread response was left open."""
    for number, exchange in enumerate(case.call.attempts):
        if exchange.ended == "open" and case.saw.told:
            return (
                f"the call is over, and the response to attempt {number + 1} is still open "
                f"on connection {exchange.request.connection}"
            )
    return ""


FINDINGS: dict[str, Law] = {
    "no-request": Law(
        "fail",
        "No request came",
        "Give the code under test the session's URL, and let it make its call inside the block",
        no_request,
    ),
    "truncated-accepted": Law(
        "fail",
        "A truncated response was accepted as an answer",
        "Raise when a stream ends without a finish reason and [DONE], or a body before its length",
        truncated_accepted,
    ),
    "damaged-accepted": Law(
        "fail",
        "A damaged event was passed over",
        "Raise on an event that is no JSON: what it said is lost",
        damaged_accepted,
    ),
    "retried-after-output": Law(
        "fail",
        "Retried after visible output",
        "Raise once a token was handed out; only a client that keeps the part to itself may ask again",
        retried_after_output,
    ),
    "ignored-retry-after": Law(
        "fail",
        "Retry-After was ignored",
        "Wait at least as long as Retry-After says, or give up where that is too long",
        ignored_retry_after,
    ),
    "retry-storm": Law(
        "fail",
        "A storm of retries",
        "Bound the attempts of one call, and let the waits between them grow",
        retry_storm,
    ),
    "no-pause": Law(
        "warn",
        "Retries without a pause",
        "Wait longer before each retry, with some chance in it, so that a server can recover",
        no_pause,
    ),
    "retried-permanent": Law(
        "fail",
        "Retried what is permanent",
        "Raise at once on a status that the same request will get again (400, 401, 403, 404, 422)",
        retried_permanent,
    ),
    "gave-up": Law(
        "fail",
        "Gave up too early",
        "Ask again after a failure that may pass (429, 5xx, a lost connection) while nothing was handed out",
        gave_up,
    ),
    "no-time-limit": Law(
        "fail",
        "No time limit",
        "Limit the time without a byte, and close the connection when it is over",
        no_time_limit,
    ),
    "leaked-connection": Law(
        "fail",
        "A connection was leaked",
        "Close the response when the call is over, also when it raises: use a `with` block or close()",
        leaked_connection,
    ),
    "unreported": Law(
        "fail",
        "Nobody said what the user saw",
        "Let the exception leave the block, or say call.returned(value), call.raised(error) or call.watch(stream)",
        unreported,
    ),
}
"""Every finding, in the order of judging."""


def judge(
    name: str,
    exchanges: Sequence[Exchange],
    saw: Saw,
    limits: Limits = Limits(),
    volatile: Sequence[str] = VOLATILE,
    passed: Passed = real,
) -> Verdict:
    """The verdict on what the exchanges of one call of the user were and what the user saw.

    Where the exchanges are several calls on the wire (a loop over tools), the user's words are about the last one.
    """
    calls = group(exchanges, volatile)
    findings: list[Finding] = []
    if not calls and saw.error is None:
        findings.append(Finding("no-request", "nothing came to the session inside the block"))
    for number, call in enumerate(calls):
        about = saw if number == len(calls) - 1 else Saw(True, pieces=()) if call.answered else Saw()
        case = Case(call, tuple(sent_of(one) for one in call.attempts), about, limits, passed)
        for key, law in FINDINGS.items():
            evidence = law.judge(case)
            if evidence and not (key == "unreported" and number < len(calls) - 1):
                findings.append(Finding(key, evidence))
    return Verdict(name, len(exchanges), tuple(findings))


def _ending(case: Case) -> str:
    last, exchange = case.last, case.call.attempts[-1]
    if last.status is None:
        return "ended before a status line"
    if last.status >= 400:
        return f"was refused with {last.status}"
    if last.error:
        return f"carried an error ({last.error[:60]})"
    how = {"rst": "with a reset", "fin": "with a close", "end": "in order", "stall": "in silence"}
    if last.whole:
        return "was whole"
    return f"ended {how.get(exchange.ended, exchange.ended)} before it was whole"


def page() -> str:
    """`docs/verdicts.md`: every finding."""
    head = (__doc__ or "").split("\n\n", 1)
    rows = [f"## `{key}` ({law.level})\n{law.title}. {_sees(law)}\n\n{law.advice}.\n" for key, law in FINDINGS.items()]
    return f"{_HEAD}\n{head[1].strip()}\n\n" + "\n".join(rows)


def _sees(law: Law) -> str:
    return " ".join((law.judge.__doc__ or "").split())


_HEAD = """# Verdicts: was the client right?

Made from `mockserver/record/verdict.py` by `python -m mockserver.record.verdict`; a test fails when it differs.

```python
def test_a_cut_stream(inferneo_mock):
    inferneo_mock.on(chat(stream=True)).fail(cut(at="content[2]", how="fin")).reply("one two three four")
    with inferneo_mock.call("summary") as call:
        call.run(summarize, "the report")  # notes what it returns or raises
    assert call.verdict()
```

`call.run(function, ...)` notes a value or an error and hands it on (an error is noted, not raised: the verdict is what
is asked for). `call.watch(stream)` notes what a stream hands out, piece by piece. `call.returned(value)` and
`call.raised(error)` say it in words; an exception that leaves the block is noted and goes on its way.
`inferneo_mock.call(name, patience=30, retries=1, attempts=10, volatile=(...))` says what is expected of the client:
seconds of silence it may endure, how often it asks again at least, how many attempts are a storm, and the fields of the
body that differ between attempts of one call.

`assert call.verdict()` names the ids of what was found; the section `inferneo_mock` of a failing test's report has each
finding of every call of the session in full, also of calls whose verdict nobody asked for (those fail no test: a block
alone is no assertion). Outside of pytest `call.verdict().check()` raises an `AssertionError` with all of it. Waits
between attempts count by the session's clock: seconds that the test let pass are waited.
"""

if __name__ == "__main__":
    from mockserver import fixtures

    (fixtures.path().parent / "docs" / "verdicts.md").write_text(page(), encoding="utf-8")
