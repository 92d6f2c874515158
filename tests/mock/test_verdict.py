"""The verdict is right on both sides: twelve clients that behave, twelve that do not, each one story of one call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from recordings import ROOT

from mockserver.faults import Fault
from mockserver.lower import lower
from mockserver.plan import Body, Close, End, Head, Plan, Raw, Stall, Wait
from mockserver.record.calls import Calls, group, sent_of
from mockserver.record.journal import Exchange
from mockserver.record.verdict import FINDINGS, Limits, Saw, judge, page, retry_after, text_of
from mockserver.request import Request
from mockserver.scripting.decide import Decision
from mockserver.scripting.dsl import cut, delay, drop, fault, stall, status

WORDS = ("one ", "two ", "three")
WHOLE = "".join(WORDS)
ASK = {"model": "m", "messages": [{"role": "user", "content": "the report"}]}


def event(value: Any, mark: str) -> Body:
    return Body(b"data: %b\n\n" % (value if isinstance(value, bytes) else json.dumps(value).encode()), mark)


def stream() -> Plan:
    """A stream of three words, as a model sends it."""
    deltas = [event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]}, "role")]
    deltas += [
        event({"choices": [{"index": 0, "delta": {"content": word}}]}, f"content[{i}]") for i, word in enumerate(WORDS)
    ]
    deltas += [event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "finish")]
    return Plan((Head(200, ((b"content-type", b"text/event-stream"),)), *deltas, event(b"[DONE]", "done")))


def plain() -> Plan:
    """The same answer in one piece."""
    message = {"role": "assistant", "content": WHOLE}
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    return Plan((Head(200, headers), Body(body)))


@dataclass(frozen=True)
class Try:
    """One attempt: what it asked, what it met, when it came, and (None: as planned) how it ended and after how long."""

    faults: tuple[Fault, ...] = ()
    at: float = 0.0
    streamed: bool = False
    ended: str | None = None
    seconds: float = 0.1
    sent: int | None = None
    body: dict[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()


def exchange(number: int, one: Try) -> Exchange:
    plan = stream() if one.streamed else plain()
    for fault_ in one.faults:
        plan = fault_.rewrite(plan, Random(0))
    body = json.dumps({**ASK, "stream": one.streamed, **one.body}).encode()
    request = Request("POST", "/v1/chat/completions", headers=one.headers, body=body, connection=1, number=number)
    made = Exchange(request, Decision(plan), one.at)
    raw = [step for step in lower(plan, date=b"x" * 29).steps if isinstance(step, Raw)]
    endings = {End: "end", Stall: "stall"}
    planned = plan.ending.how if isinstance(plan.ending, Close) else endings[type(plan.ending)]
    made.ended = one.ended or planned
    made.sent_bytes = sum(len(step.data) for step in raw) if one.sent is None else one.sent
    made.seconds = one.seconds
    return made


def verdict(tries: list[Try], saw: Saw, **limits: Any) -> tuple[str, ...]:
    exchanges = [exchange(number, one) for number, one in enumerate(tries, 1)]
    return judge("story", exchanges, saw, Limits(**limits)).ids


def error() -> Saw:
    return Saw(True, error=RuntimeError("the stream broke off"))


def value(text: Any = WHOLE, *pieces: str) -> Saw:
    return Saw(True, value=text, pieces=pieces)


CUT = (cut(at="content[2]", how="rst"),)
BUSY = (status(429, retry_after=2),)
DOWN = (status(503),)
QUIET = (stall(after_events=1),)

GOOD: dict[str, tuple[list[Try], Saw]] = {
    "answers at once": ([Try()], value()),
    "streams to the end": ([Try(streamed=True)], value(None, *WORDS)),
    "raises on a stream cut after a token": ([Try(CUT, streamed=True)], error()),
    "raises on a stream cut after a token, with the part shown": (
        [Try(CUT, streamed=True)],
        Saw(True, error=RuntimeError("cut"), pieces=WORDS[:2]),
    ),
    "obeys Retry-After": ([Try(BUSY), Try(at=2.2)], value()),
    "asks again after a 503": ([Try(DOWN), Try(DOWN, at=0.6), Try(at=1.9)], value()),
    "asks again after a reset before the head": ([Try((cut(after_bytes=0),)), Try(at=0.6)], value()),
    "raises at once on a 401": ([Try((status(401),))], error()),
    "closes a silent stream and raises": ([Try(QUIET, streamed=True, seconds=5.0)], error()),
    "keeps the part to itself and asks again": ([Try(CUT, streamed=True), Try(at=0.6, streamed=True)], value()),
    "gives up where Retry-After is too long": ([Try((status(429, retry_after=3600),))], error()),
    "leaves after [DONE]": ([Try(streamed=True, ended="client")], value(None, *WORDS)),
}

BAD: dict[str, tuple[list[Try], Saw, str]] = {
    "takes a cut stream for an answer": ([Try(CUT, streamed=True)], value("one two "), "truncated-accepted"),
    "takes an orderly early end for an answer": (
        [Try((cut(after_events=2, how="fin"),), streamed=True)],
        value("one "),
        "truncated-accepted",
    ),
    "takes an error inside a stream for its end": (
        [Try((fault("error-event", at="content[2]"),), streamed=True)],
        value("one two "),
        "truncated-accepted",
    ),
    "passes over a broken event": ([Try((fault("bad-json", event=2),), streamed=True)], value(), "damaged-accepted"),
    "asks again after a token was shown": (
        [Try(CUT, streamed=True), Try(at=0.6, streamed=True)],
        value(None, *WORDS[:2], *WORDS),
        "retried-after-output",
    ),
    "comes back before Retry-After": ([Try(BUSY), Try(at=0.6)], value(), "ignored-retry-after"),
    "hides that by a changing field": (
        [Try(BUSY, body={"metadata": {"attempt": 1}}), Try(at=0.6, body={"metadata": {"attempt": 2}})],
        value(),
        "ignored-retry-after",
    ),
    "storms": ([Try(DOWN, at=float(number)) for number in range(12)], error(), "retry-storm"),
    "asks again after a 400": ([Try((status(400),)), Try(at=0.6)], value(), "retried-permanent"),
    "gives up on the first 503": ([Try(DOWN)], error(), "gave-up"),
    "waits for ever": (
        [Try((stall(after_events=1, seconds=60),), streamed=True, seconds=60.1)],
        error(),
        "no-time-limit",
    ),
    "leaves the connection open": (
        [Try(QUIET, streamed=True, ended="open", seconds=0.0)],
        error(),
        "leaked-connection",
    ),
}


def test_there_are_twelve_of_each() -> None:
    """The table of the issue."""
    assert (len(GOOD), len(BAD)) == (12, 12)


@pytest.mark.parametrize("story", GOOD)
def test_a_good_client_is_not_blamed(story: str) -> None:
    """No finding at all: a false alarm teaches people to switch the verdict off."""
    assert verdict(*GOOD[story]) == ()


@pytest.mark.parametrize("story", BAD)
def test_a_bad_client_is_found(story: str) -> None:
    """Exactly the finding that is meant, and none besides."""
    tries, saw, finding = BAD[story]
    assert verdict(tries, saw) == (finding,)


@pytest.mark.parametrize("story", BAD)
def test_the_client_that_raises_instead_is_judged_by_what_it_did(story: str) -> None:
    """Raising never hides what was wrong on the wire before, and never counts as taking a part for the whole."""
    tries, _, finding = BAD[story]
    found = verdict(tries, error())
    if finding in ("truncated-accepted", "damaged-accepted", "retried-after-output"):
        assert finding not in found
    else:
        assert finding in found


def test_no_pause_is_a_warning() -> None:
    """Three retries without a pause are said, and do not fail: tests may run without sleeping."""
    exchanges = [exchange(n + 1, Try(DOWN, at=n * 0.101)) for n in range(4)]
    found = judge("story", exchanges, error())
    assert found.ids == ("no-pause",)
    assert found.ok
    assert found
    assert "3 retries" in str(found)


def test_a_call_without_a_request_has_tested_nothing() -> None:
    """An answer from nowhere fails; an error may be one of the connection, before any request."""
    assert verdict([], value()) == ("no-request",)
    assert verdict([], Saw()) == ("no-request",)
    assert verdict([], error()) == ()


def test_silence_must_be_told() -> None:
    """A call that went wrong and of which nobody says what the user saw is not passed over."""
    assert verdict([Try(CUT, streamed=True)], Saw()) == ("unreported",)
    assert verdict([Try()], Saw()) == ()


def test_who_leaves_in_silence_before_the_first_token_need_not_ask_again() -> None:
    """It has waited long enough; a close is a lost connection, and that may be cured."""
    assert verdict([Try((stall(after_bytes=0),), streamed=True, seconds=5.0)], error()) == ()
    assert verdict([Try((cut(after_bytes=0, how="fin"),), streamed=True, seconds=5.0)], error()) == ("gave-up",)


def test_what_is_expected_can_be_said() -> None:
    """Patience, retries and the size of a storm are arguments."""
    assert verdict([Try(DOWN)], error(), retries=0) == ()
    assert verdict([Try((delay(seconds=3),), seconds=3.2)], value(), patience=2) == ("no-time-limit",)
    assert verdict([Try(DOWN), Try(at=0.5), Try(at=1.0)], value(), attempts=1) == ("retry-storm",)


def test_a_stream_without_done_but_with_its_finish_is_whole() -> None:
    """The finish reason says that nothing is missing; [DONE] alone says so too."""
    assert verdict([Try((drop(at="done"),), streamed=True)], value()) == ()
    assert verdict([Try((drop(at="finish"),), streamed=True)], value()) == ()


def test_the_report_says_id_evidence_and_advice() -> None:
    """A failing assertion shows all of it."""
    found = judge("summary", [exchange(1, Try(BUSY)), exchange(2, Try(at=0.6))], value())
    assert not found
    assert str(found) == (
        "call 'summary', 2 attempts: not ok\n  ignored-retry-after (fail): attempt 1 was told to wait 2 s, attempt 2 "
        "came after 0.50 s. Wait at least as long as Retry-After says, or give up where that is too long"
    )
    assert repr(found) == "<Verdict on 'summary', 2 attempts: not ok: ignored-retry-after>"
    with pytest.raises(AssertionError) as caught:
        found.check()
    assert str(caught.value) == str(found)
    assert found.to_json() == {
        "call": "summary",
        "ok": False,
        "attempts": 2,
        "findings": [found.findings[0].to_json()],
    }


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, None),
        (5, 5.0),
        (0.2, 0.2),
        (0, 0.0),
        (-3, 0.0),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_as_it_is_written(written: Any, seconds: float | None) -> None:
    """Numbers, dates, garbage, nothing."""
    assert retry_after(sent_of(exchange(1, Try((status(429, retry_after=written),))))) == seconds


def test_text_is_found_in_what_clients_give() -> None:
    """Texts, lists of texts, responses as objects and as JSON; else nothing."""

    class Message:
        content = "x"

    class Choice:
        message = Message()

    class Response:
        choices = (Choice(),)

    assert [text_of(one) for one in ("x", ["x"], Response(), {"choices": [{"text": "x"}]}, 7, None)] == [
        *("x",) * 4,
        None,
        None,
    ]


def test_attempts_are_grouped() -> None:
    """By key; else by body, one after the other; what overlaps, or comes after an answer, is another call."""
    key = ((b"idempotency-key", b"k"),)
    assert len(group([exchange(1, Try(DOWN, headers=key)), exchange(2, Try(at=0.01, headers=key))])) == 1
    assert len(group([exchange(1, Try(DOWN)), exchange(2, Try(at=0.5))])) == 1
    assert len(group([exchange(1, Try(DOWN)), exchange(2, Try(DOWN, at=0.05))])) == 2
    assert len(group([exchange(1, Try()), exchange(2, Try(at=0.5))])) == 2
    assert len(group([exchange(1, Try(DOWN)), exchange(2, Try(DOWN, at=1.0, body={"n": 2}))])) == 2
    volatile = ("extra.attempt",)
    tries = [Try(DOWN, body={"extra": {"attempt": 1}}), Try(at=1.0, body={"extra": {"attempt": 2}})]
    exchanges = [exchange(number, one) for number, one in enumerate(tries, 1)]
    assert (len(group(exchanges)), len(group(exchanges, volatile))) == (2, 1)
    calls = Calls(exchanges, volatile)
    assert (calls.attempts, len(calls), len(calls[0].attempts), calls[0].answered) == (2, 1, 2, True)
    assert [len(call.attempts) for call in calls] == [2]


def test_what_was_sent_is_read_back_to_the_byte() -> None:
    """Cut anywhere, the text is what the whole events before the cut say."""
    whole = exchange(1, Try(streamed=True))
    for count in range(0, whole.sent_bytes + 1, 7):
        whole.sent_bytes = count
        told = sent_of(whole)
        assert WHOLE.startswith(told.text)
        assert told.text == "".join(
            json.loads(one)["choices"][0]["delta"].get("content", "") for one in told.events if one != "[DONE]"
        )
    assert sent_of(exchange(1, Try((delay(seconds=3),)))).silence == 3
    assert isinstance(Wait(3), Wait)


def test_the_page_is_true() -> None:
    """docs/verdicts.md is what the code says; every finding is in it."""
    text = (ROOT.parent / "docs" / "verdicts.md").read_text("utf-8")
    assert text == page(), "run python -m mockserver.record.verdict"
    assert all(f"## `{key}`" in text for key in FINDINGS)
