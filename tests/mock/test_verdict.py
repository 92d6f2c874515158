"""The verdict is right on both sides: twelve clients that behave, twelve that do not, each one story of one call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from recordings import ROOT

from mockserver.errors import CallError
from mockserver.faults import Fault
from mockserver.lower import lower
from mockserver.plan import Body, Close, End, Head, Plan, Raw, Stall, Wait
from mockserver.record.calls import Calls, group, sent_of
from mockserver.record.case import Limits, retry_after, wire_text
from mockserver.record.findings import FINDINGS
from mockserver.record.journal import Exchange
from mockserver.record.saw import Saw, text_of
from mockserver.record.verdict import judge, page
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
    "passes over a broken event": (
        [Try((fault("bad-json", event=2),), streamed=True)],
        value("one three"),
        "damaged-accepted",
    ),
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
    """An answer from nowhere fails, and so does an error, unless a fault can have kept the connection away."""
    assert verdict([], value()) == ("no-request",)
    assert verdict([], Saw()) == ("no-request",)
    assert verdict([], error()) == ("no-request",)
    assert verdict([], error(), may_raise=RuntimeError) == ()
    assert verdict([], Saw(True, error=RuntimeError("x"), left=True)) == ()
    refused = Saw(True, error=ConnectionRefusedError(111, "refused"))
    assert judge("story", [], refused).ids == ("no-request",)
    assert judge("story", [], refused, unreachable=True).ids == ()
    assert judge("story", [], error(), unreachable=True).ids == ("no-request",)


def test_silence_must_be_told() -> None:
    """A call that went wrong and of which nobody says what the user saw is not passed over."""
    assert verdict([Try(CUT, streamed=True)], Saw()) == ("unreported",)
    assert verdict([Try()], Saw()) == ()


def test_who_leaves_in_silence_before_the_first_token_need_not_ask_again() -> None:
    """It has waited long enough; a close is a lost connection, and that may be cured."""
    assert verdict([Try((stall(after_bytes=0),), streamed=True, seconds=5.0)], error()) == ()
    assert verdict([Try((cut(after_bytes=0, how="fin"),), streamed=True, seconds=5.0)], error()) == ("gave-up",)


def test_a_lost_connection_and_what_the_server_says_of_retries_count() -> None:
    """Before the first byte a client asks again; `x-should-retry: false` is obeyed."""
    lost = [Try((cut(after_bytes=0),), sent=0)]
    assert verdict(lost, error()) == ("gave-up",)
    assert "it ended before a status line" in told(lost, error())
    never = (status(503, headers=((b"x-should-retry", b"false"),)),)
    assert verdict([Try(never), Try(at=0.6)], value()) == ("retried-permanent",)
    assert verdict([Try(never)], error()) == ()


def test_what_is_expected_can_be_said() -> None:
    """Patience, retries and the size of a storm are arguments."""
    assert verdict([Try(DOWN)], error(), retries=0) == ()
    assert verdict([Try((delay(seconds=3),), seconds=3.2)], value(), patience=2) == ("no-time-limit",)
    assert verdict([Try(DOWN), Try(at=0.5), Try(at=1.0)], value(), attempts=1) == ("retry-storm",)


def test_one_sign_of_the_end_is_enough_and_is_noted() -> None:
    """The finish reason says that nothing is missing; [DONE] alone says so too; neither is a cut. Raising is right."""
    for one in (drop(at="done"), drop(at="finish")):
        found = judge("story", [exchange(1, Try((one,), streamed=True))], value())
        assert (found.ids, found.ok, found.findings[0].level) == (("one-sign",), True, "note")
        assert verdict([Try((one,), streamed=True)], error()) == ()
    assert "with a finish reason and without [DONE]" in told([Try((drop(at="done"),), streamed=True)], value())
    assert "with [DONE] and without a finish reason" in told([Try((drop(at="finish"),), streamed=True)], value())
    neither = [Try((fault("no-end"),), streamed=True)]
    assert verdict(neither, value()) == ("truncated-accepted",)
    assert "Raise when a stream ends with neither a finish reason nor [DONE]" in told(neither, value())


def told(tries: list[Try], saw: Saw, **limits: Any) -> str:
    """The whole text of the verdict."""
    return str(judge("story", [exchange(number, one) for number, one in enumerate(tries, 1)], saw, Limits(**limits)))


WRONG = AttributeError("'str' object has no attribute 'stripp'")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_after_a_whole_answer_is_found(streamed: bool) -> None:
    """Nothing on the wire was wrong, and `call.run` has noted what the test would have seen."""
    raised = Saw(True, error=WRONG)
    assert verdict([Try(streamed=streamed)], raised) == ("raised-on-success",)
    assert verdict([Try(DOWN), Try(at=0.6)], raised)[-1] == "raised-on-success"
    assert verdict([Try(streamed=streamed)], raised, may_raise=(KeyError, AttributeError)) == ()
    assert verdict([Try(streamed=streamed)], raised, may_raise=KeyError) == ("raised-on-success",)
    assert "the user saw AttributeError(" in told([Try(streamed=streamed)], raised)


@pytest.mark.parametrize(
    ("one", "saw"),
    [
        (Try(), Saw(True, error=WRONG, left=True)),
        (Try(), Saw(True, error=TimeoutError("too slow"))),
        (Try(streamed=True, ended="client"), Saw(True, error=WRONG)),
        (Try((fault("bad-json", event=2),), streamed=True), Saw(True, error=WRONG)),
        (Try((fault("empty", status=200),)), Saw(True, error=WRONG)),
        (Try((fault("content-type", value="text/html"),)), Saw(True, error=WRONG)),
        (Try((fault("finish-reason", reason=""),), streamed=True), Saw(True, error=WRONG)),
        (Try((delay(seconds=40),), seconds=40.1), Saw(True, error=WRONG)),
    ],
)
def test_who_raises_with_a_reason_is_not_blamed_for_it(one: Try, saw: Saw) -> None:
    """A fault of any kind, a time limit, an error that the test itself has seen."""
    made = exchange(1, one)
    made.decision = Decision(made.plan, faults=one.faults)
    assert "raised-on-success" not in judge("story", [made], saw).ids


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE.strip().upper(),
        {"summary": WHOLE, "length": 13},
        SimpleNamespace(summary=[WHOLE.title()]),
        f"Summary: {WHOLE}.",
        list(WORDS),
    ],
)
def test_what_is_done_to_the_whole_answer_is_no_output_of_the_part(answer: Any) -> None:
    """A client that keeps the part to itself may do with the whole what it likes."""
    assert verdict([Try(CUT, streamed=True), Try(at=0.6, streamed=True)], value(answer)) == ()


@pytest.mark.parametrize(
    "answer",
    [
        "one two " + WHOLE,
        ("one two " + WHOLE).upper().strip(),
        {"summary": "one two " + WHOLE},
        [*WORDS[:2], *WORDS],
        SimpleNamespace(text=f"Summary: one two {WHOLE}"),
    ],
)
def test_a_part_in_front_of_the_whole_is_found_whatever_was_done_to_it(answer: Any) -> None:
    """The evidence says what was compared."""
    again = [Try(CUT, streamed=True), Try(at=0.6, streamed=True)]
    assert verdict(again, value(answer)) == ("retried-after-output",)
    assert "has that part besides the answer that came after it" in told(again, value(answer))


def test_pieces_that_were_handed_out_before_the_retry_are_evidence() -> None:
    """By the time they came, also where the whole looks as if nothing had happened; notices of its own are none."""
    again = [Try(CUT, streamed=True), Try(at=0.6, streamed=True)]
    early = Saw(True, pieces=WORDS, times=(0.05, 0.06, 0.7))
    assert verdict(again, early) == ("retried-after-output",)
    assert "'one two ' of it had been handed out" in told(again, early)
    assert verdict(again, Saw(True, pieces=WORDS, times=(0.7, 0.71, 0.72))) == ()
    assert verdict(again, Saw(True, pieces=("Thinking... ", *WORDS), times=(0.05, 0.7, 0.71, 0.72))) == ()


@pytest.mark.parametrize("answer", [13, True, None, object(), {"length": 13}])
def test_a_value_without_a_text_is_a_note(answer: Any) -> None:
    """It can hide either, and nobody is blamed for what cannot be told."""
    for tries in ([Try(CUT, streamed=True), Try(at=0.6, streamed=True)], [Try(CUT, streamed=True)]):
        assert verdict(tries, value(answer)) == ("cannot-tell",)
    assert judge("story", [exchange(1, Try(CUT, streamed=True))], value(answer)).ok
    assert verdict([Try()], value(answer)) == ()


ERROR_EVENT = (fault("error-event", at="content[2]", then="go-on"),)


@pytest.mark.parametrize("faults", [CUT, ERROR_EVENT, (fault("bad-json", event=2),)])
def test_an_answer_of_its_own_is_no_part_passed_off(faults: tuple[Fault, ...]) -> None:
    """`except SummError: return "Sorry, no summary today"` shares nothing with the wire."""
    for answer in ("Sorry, no summary today", {"summary": "not available"}, ["Try", "again", "later"]):
        assert verdict([Try(faults, streamed=True)], value(answer)) == ()


@pytest.mark.parametrize(
    "answer", ["one two", "ONE TWO", {"summary": "one two..."}, ["one ", "two "], "The report: one two"]
)
def test_a_part_is_found_in_whatever_it_was_put(answer: Any) -> None:
    """Without case and white space, in mappings, lists and objects."""
    assert verdict([Try(CUT, streamed=True)], value(answer)) == ("truncated-accepted",)
    assert "it came as far as 'one two '" in told([Try(CUT, streamed=True)], value(answer))


def test_nothing_handed_on_as_an_answer_is_found_where_nothing_came() -> None:
    """An empty text is what came; where some text had come, it is the client's own."""
    nothing = [Try((cut(at="content[0]", how="fin"),), streamed=True)]
    assert verdict(nothing, value("")) == ("truncated-accepted",)
    assert verdict(nothing, Saw(True, watched=True)) == ("truncated-accepted",)
    assert verdict(nothing, value("Sorry")) == ()
    assert verdict([Try(CUT, streamed=True)], value("")) == ()


def test_a_cut_document_has_no_text_but_its_bytes() -> None:
    """What was scraped out of a body that ended before its length is found in it."""
    half = [Try((cut(after_bytes=80, how="fin"),), streamed=False)]
    wire = wire_text(exchange(1, half[0]))
    assert wire.startswith('{"choices"')
    assert verdict(half, value(wire)) == ("truncated-accepted",)
    assert verdict(half, value("Sorry, no summary today")) == ()


def long_stream(events: int, tail: bytes = b"") -> Exchange:
    """A stream that broke off behind that many events (of which the first says nothing), and a part of the next."""
    words = ("The summary ", "of the report says ", "that sales have risen")
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "inferneo-large"}
    deltas = [event({**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}, "role")]
    deltas += [event({**chunk, "choices": [{"index": 0, "delta": {"content": one}}]}, "content") for one in words]
    head = Head(200, ((b"content-type", b"text/event-stream"),))
    made = exchange(1, Try(streamed=True))
    made.decision = Decision(Plan((head, *deltas[:events], Body(tail)), Close("fin")))
    made.ended, made.sent_bytes = "fin", 10_000
    return made


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "sorry", "model": "inferneo-large"},
        "completion failed",
        "chat.completion.chunk",
        {"id": "chatcmpl-1", "role": "assistant", "text": "no summary"},
        "the model inferneo-large has not answered",
    ],
)
def test_what_is_no_word_of_the_answer_is_no_part_of_it(answer: Any) -> None:
    """Keys, ids, the model that was asked for: a client's own answer may have them."""
    begun = b'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "inferneo-large", "choices"'
    for made in (long_stream(1), long_stream(1, begun), long_stream(2), long_stream(3, begun)):
        assert judge("story", [made], value(answer)).ids == ()


def test_the_words_of_an_unfinished_event_are_a_part() -> None:
    """Whoever scrapes them out has handed on a part; a first word may stand in any answer. The evidence names both."""
    begun = long_stream(1, b'data: {"choices": [{"delta": {"content": "The \\u00fcber-summary of\\u00')
    found = judge("story", [begun], value({"note": "incomplete", "text": "The \u00fcber-summary"}))
    assert found.ids == ("truncated-accepted",)
    assert "as far as 'The \u00fcber-summary of', the user got 'The \u00fcber-summary' (" in str(found)
    first = long_stream(1, b'data: {"choices": [{"delta": {"content": "This')
    assert judge("story", [first], value("Sorry, this did not work")).ids == ()
    assert judge("story", [first], value("This")).ids == ("truncated-accepted",)
    first = long_stream(1, b'data: {"choices": [{"delta": {"content": "This"}}]}\n\n')
    assert judge("story", [first], value("Sorry, this did not work")).ids == ()
    assert judge("story", [first], value("this")).ids == ("truncated-accepted",)


def test_a_document_that_breaks_off_is_compared_by_its_words() -> None:
    """A text that was scraped out of it is found; a model's name is none."""
    half = [Try((cut(after_bytes=82, how="fin"),), streamed=False)]
    assert sent_of(exchange(1, half[0])).begun == "one two thr"
    assert verdict(half, value("one two")) == ()
    assert verdict(half, value("one two th")) == ("truncated-accepted",)
    assert verdict(half, value({"error": '"finish": assistant "content" "role"'})) == ()


def test_the_advice_about_an_error_event_fits_it() -> None:
    """Its stream may well have a finish reason and [DONE]."""
    accepted = told([Try(ERROR_EVENT, streamed=True)], value())
    assert "carried an error event at event 4" in accepted
    assert "Raise when an event carries an error, as event 4 does here" in accepted
    assert "neither a finish reason" not in accepted


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"patience": "3"}, "call(patience='3'): patience is seconds, a number of at least 0, as 30.0"),
        ({"patience": -1}, "call(patience=-1): patience is seconds, a number of at least 0, as 30.0"),
        ({"patience": float("nan")}, "call(patience=nan): patience is seconds, a number of at least 0, as 30.0"),
        ({"retries": True}, "call(retries=True): retries is a count, a whole number of at least 0"),
        ({"attempts": 0}, "call(attempts=0): attempts is a count, a whole number of at least 1"),
        ({"may_raise": "KeyError"}, "call(may_raise='KeyError'): may_raise is an exception class, or a tuple of them"),
    ],
)
def test_what_means_nothing_is_refused_where_it_is_said(wrong: dict[str, Any], said: str) -> None:
    """A text in place of seconds is no error deep inside a report."""
    with pytest.raises(CallError) as caught:
        Limits(**wrong)
    assert str(caught.value).startswith(said)


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
