"""The two-sided verdict on one call: what the wire carried against what the client's user saw. Pure.

Laws: a client that raises is never blamed for the fault it met; one that raises where nothing was wrong is told; one
that hands on a part as the whole is blamed where the part is in what it hands on. What may be done about a failure
depends on the phase: before the first token a client may ask again, after it the user has seen something and asking
again corrupts it (unless the client kept the part to itself). Each finding has an id, the evidence and a sentence of
advice; `docs/verdicts.md` has them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mockserver.count import counted
from mockserver.record.calls import VOLATILE, group, sent_of
from mockserver.record.case import Case, Limits, Passed, clean, real
from mockserver.record.findings import FINDINGS, Law, Level
from mockserver.record.journal import Exchange
from mockserver.record.saw import Saw, is_lost, is_timeout, shown_error


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the client, or a note: `id` is one of `FINDINGS`; `better`: advice that fits this
    call better than the law's own.
    """

    id: str
    evidence: str
    better: str = ""

    @property
    def level(self) -> Level:
        """`fail` fails the verdict; `warn` does not, and a `note` blames nobody."""
        return FINDINGS[self.id].level

    @property
    def advice(self) -> str:
        """What to do about it."""
        return self.better or FINDINGS[self.id].advice

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


USUAL = Limits()


def judge(
    name: str,
    exchanges: Sequence[Exchange],
    saw: Saw,
    limits: Limits = USUAL,
    volatile: Sequence[str] = VOLATILE,
    passed: Passed = real,
    unreachable: bool = False,
) -> Verdict:
    """The verdict on what the exchanges of one call of the user were and what the user saw.

    Where the exchanges are several calls on the wire (a loop over tools), the user's words are about the last one.
    `unreachable`: a fault of the session can keep connections away.
    """
    calls = group(exchanges, volatile)
    findings: list[Finding] = []
    if not calls:
        findings += _nothing_came(saw, limits, unreachable)
    sent = [tuple(sent_of(one) for one in call.attempts) for call in calls]
    all_clean = all(clean(call.attempts[-1], told[-1], limits.patience) for call, told in zip(calls, sent, strict=True))
    for number, (call, told) in enumerate(zip(calls, sent, strict=True)):
        about = saw if number == len(calls) - 1 else Saw(call.answered)
        case = Case(call, told, about, limits, passed, all_clean)
        for key, law in FINDINGS.items():
            found = law.judge(case)
            if found and not (key in OF_THE_LAST and number < len(calls) - 1):
                evidence, better = found if isinstance(found, tuple) else (found, "")
                findings.append(Finding(key, evidence, better))
    return Verdict(name, len(exchanges), tuple(findings))


OF_THE_LAST = frozenset({"unreported", "cannot-tell", "one-sign"})
"""Findings about what the user saw, who saw only the last call of several on the wire."""


def _nothing_came(saw: Saw, limits: Limits, unreachable: bool) -> list[Finding]:
    """An error without a request is excused where a fault can have kept the connection away, or the test names it."""
    told = "nothing came to the session inside the block"
    if saw.error is None:
        given = f"; what call.run gave ({saw.unfinished}) was not iterated to its end there" if saw.unfinished else ""
        better = "Iterate what call.run gives inside the block, as list(call.run(stream, prompt))" if given else ""
        return [Finding("no-request", told + given, better)]
    lost = unreachable and (is_lost(saw.error) or is_timeout(saw.error))
    if saw.left or lost or isinstance(saw.error, limits.may_raise):
        return []
    return [Finding("no-request", f"{told}, and the user saw {shown_error(saw.error)}")]


def page() -> str:
    """`docs/verdicts.md`: every finding."""
    head = (__doc__ or "").split("\n\n", 1)
    rows = [f"## `{key}` ({law.level})\n{law.title}. {_sees(law)}\n\n{law.advice}.\n" for key, law in FINDINGS.items()]
    return f"{_HEAD}\n{head[1].strip()}\n\n" + "\n".join(rows)


def _sees(law: Law) -> str:
    return " ".join((law.judge.__doc__ or "").split())


_HEAD = """# Verdicts: was the client right?

Made by `python -m mockserver.record.verdict`, the findings and their advice of `mockserver/record/findings.py`, all
else of `mockserver/record/verdict.py`; a test fails when it differs.

```python
def test_a_cut_stream(inferneo_mock):
    inferneo_mock.on(chat(stream=True)).fail(cut(at="content[2]", how="fin")).reply("one two three four")
    with inferneo_mock.call("summary") as call:
        call.run(summarize, "the report")  # notes what it returns or raises
    assert call.verdict()
```

`call.run(function, ...)` notes a value or an error and hands it on (an error is noted, not raised: the verdict is what
is asked for). A generator that it gives is watched as it is iterated; an async function is for `await call.arun(...)`.
`call.watch(stream)` notes what a stream hands out, piece by piece. `call.returned(value)` and `call.raised(error)` say
it in words. What code prints or draws while a stream arrives is not seen by itself: hand the stream through
`call.watch(stream)`, or yield the pieces. An exception that leaves the block is noted and goes on: `pytest.raises`
stands around the block.
`inferneo_mock.call(name, patience=30, retries=1, attempts=10, volatile=(...), may_raise=(), judge=True)` says what is
expected of the client: seconds of silence it may endure, how often it asks again at least, how many attempts are a
storm, the fields of the body that differ between attempts of one call, and errors that are right though the answer was
whole.

`assert call.verdict()` names the ids of what was found; the section `inferneo_mock` of a failing test's report has each
finding of every call of the session in full, asked for or not, and for each call the error that its user saw, with the
line of your code that it came through. A call whose verdict nobody asked for fails the test at its end where something
at level `fail` was found, but for `unreported`: `judge=False` lets it be, `@pytest.mark.inferneo(strict=False)` too.
Outside of pytest `call.verdict().check()` raises an `AssertionError` with all of it. Waits between attempts count by
the session's clock: seconds that the test let pass are waited. A verdict is on your client, so a replay has none.

## What is compared
Whether a part was handed on is read off the texts that the user got: pieces of a watched stream, a text, texts in
mappings, sequences and the fields of objects; without case and white space, so `.strip()` and `.upper()` hide nothing.
They are compared with the model's words alone (contents, texts, names and arguments of tools): a key, an id or the name
of a model is nobody's answer. A few words in common are chance, unless they are all of the one or of the other.

| after a cut the user got | it is |
|---|---|
| the text that came, a part of it, or one that has it | `truncated-accepted` |
| the body as it came, from its first byte to its last | `truncated-accepted` |
| another text ("Sorry, no summary today"), an error | right |
| an empty text, where some text had come | right |
| an empty text, where none had come | `truncated-accepted`: nothing is no answer |
| a number, a bool, None, an object without a text | a note, `cannot-tell` |

| asked again after a part, the user got | it is |
|---|---|
| a piece of the part before the second attempt came | `retried-after-output` |
| the part, and right behind it the second answer | `retried-after-output` |
| the part somewhere, which the second answer has not | `retried-after-output` |
| the second answer, whatever was done to it | right |
| a number, a bool, None, an object without a text | a note, `cannot-tell` |

| a stream ends in order with | taking it for whole is | raising is |
|---|---|---|
| a finish reason and [DONE] | right | `raised-on-success` |
| a finish reason or [DONE] | a note, `one-sign` | right |
| neither | `truncated-accepted` | right |

A server has to send both (law S-FRAME-03 of the contract suite says it of [DONE]); a reader may go by either, for a
stream that a proxy cuts has neither.

## The findings
"""

if __name__ == "__main__":
    from mockserver import fixtures

    (fixtures.path().parent / "docs" / "verdicts.md").write_text(page(), encoding="utf-8")
