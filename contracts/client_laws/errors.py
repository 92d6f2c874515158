"""Errors: each says what happened, in the class that callers catch and in words that they can read."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from contracts.bench import Bench, rule
from contracts.domains import Domain
from contracts.law import Vacuous, expect, law

SOURCE = "client-behaviour.md, error hierarchy"
TEXT = "Hello there"
STATUSES = (400, 401, 403, 404, 405, 409, 413, 422, 429, 451, 500, 501, 502, 503, 504, 529)
REASON = "the reason in words"
FORMS: tuple[Any, ...] = (
    {"error": {"message": REASON, "type": "invalid_request_error", "param": None, "code": "some_code"}},
    {"error": {"message": REASON}},
    {"detail": REASON},
    {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": REASON, "input": {}}]},
    {"error": REASON},
    {"message": REASON},
)


def _refusals(bench: Any) -> st.SearchStrategy[tuple[int, Any, bool]]:
    return st.tuples(st.sampled_from(STATUSES), st.sampled_from(FORMS), st.booleans())


REFUSALS: Domain[tuple[int, Any, bool]] = Domain("a status and a form of error body", _refusals)


@law("C-ERROR-01", over=REFUSALS, examples=20, source=SOURCE)
def a_status_is_a_status_error(bench: Bench, case: tuple[int, Any, bool]) -> None:
    """A 4xx or 5xx is a status error with its number, also where a stream was asked for."""
    status, form, stream = case
    outcome = bench.play({"match": {}, "reply": {"json": form, "status": status}}, stream=stream).outcome
    problem = outcome.problem
    expect(problem is not None and problem.kind == "status", f"a status error for {status}", problem)
    expect(problem is not None and problem.status == status, f"status_code {status}", problem)


@law("C-ERROR-02", over=REFUSALS, examples=20, source="api.md, Errors: a client must make a readable message of both")
def a_message_is_read_in_every_form(bench: Bench, case: tuple[int, Any, bool]) -> None:
    """The server's own words are in the message, whatever shape the error body has."""
    status, form, stream = case
    problem = bench.play({"match": {}, "reply": {"json": form, "status": status}}, stream=stream).outcome.problem
    if problem is None:
        raise Vacuous("no error (C-ERROR-01 judges that)")
    expect(REASON in problem.message, f"a message with {REASON!r} for {form}", problem.message)


@law("C-ERROR-03", source=SOURCE)
def an_html_page_is_told_as_such(bench: Bench) -> None:
    """A proxy's page with 502 is a status error with 502."""
    problem = bench.play(rule(TEXT, {"kind": "html-page", "status": 502})).outcome.problem
    expect(
        problem is not None and problem.kind == "status" and problem.status == 502, "a status error with 502", problem
    )


NO_ANSWERS = (
    {"kind": "html-page", "status": 200},
    {"kind": "empty", "status": 200},
    {"kind": "bad-body", "form": "truncated"},
    {"kind": "bad-json"},
)


@law(
    "C-ERROR-04",
    over=Domain("a 200 that is no answer", lambda bench: st.tuples(st.sampled_from(NO_ANSWERS), st.booleans())),
    examples=8,
    source="client-behaviour.md: wrong content-type, schema",
)
def a_200_that_is_no_answer_is_an_error(bench: Bench, case: tuple[dict[str, Any], bool]) -> None:
    """A 200 with a page, with nothing, or with broken JSON is an error of the client's own, never an empty answer."""
    fault, stream = case
    outcome = bench.play(rule(TEXT, fault), stream=stream).outcome
    expect(outcome.problem is not None, f"an error for {fault}", f"a normal end with {outcome.text!r}")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)


@law("C-ERROR-05", source=SOURCE)
def nobody_there_is_a_connection_error(bench: Bench) -> None:
    """Where nothing listens the error is one of connection."""
    import socket

    from contracts.adapters.base import Task

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        outcome = bench.subject.do(Task(url, timeout=2.0))[0]
    expect(outcome.problem is not None and outcome.problem.kind == "connection", "a connection error", outcome.problem)


@law("C-ERROR-06", over=Domain("where to break", lambda bench: st.integers(1, 3)), examples=3, source="laws.md 45")
def bad_json_in_a_stream_keeps_what_came(bench: Bench, event: int) -> None:
    """An event that is no JSON is an error of the client's own behind the pieces that came before it."""
    outcome = bench.play(rule("one two three four", {"kind": "bad-json", "event": event}), stream=True).outcome
    expect(outcome.problem is not None, "an error", f"a normal end after {outcome.text!r}")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)
    expect("one two three four".startswith(outcome.text), "a beginning of the text", outcome.text)


ERROR_EVENTS = ("error", "event")


@law("C-ERROR-07", source="api.md: an error object inside a 200 stream")
def an_error_event_is_an_error(bench: Bench) -> None:
    """An error object inside a stream is an error with the server's words, behind the pieces that came."""
    fault = {"kind": "error-event", "after_events": 2, "message": REASON}
    outcome = bench.play(rule("one two three four", fault), stream=True).outcome
    expect(
        outcome.problem is not None and outcome.problem.kind != "leak", "an error of the client's own", outcome.problem
    )
    expect(
        outcome.problem is not None and REASON in outcome.problem.message, f"a message with {REASON!r}", outcome.problem
    )
    expect(
        "one two three four".startswith(outcome.text) and bool(outcome.pieces), "the pieces before it", outcome.pieces
    )


@law(
    "C-ERROR-08",
    over=Domain("the other mode", lambda bench: st.booleans()),
    examples=2,
    source="client-behaviour.md: JSON instead of a stream",
)
def the_other_mode_is_never_silence(bench: Bench, stream: bool) -> None:
    """JSON for a stream, or a stream for JSON, is the answer or an error: never a normal end with nothing."""
    fault = {"kind": "wrong-mode", "to": "json" if stream else "stream"}
    outcome = bench.play(rule(TEXT, fault), stream=stream).outcome
    expect(outcome.problem is not None or outcome.text == TEXT, f"{TEXT!r} or an error", "a normal end with nothing")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)


@law(
    "C-ERROR-09",
    over=Domain(
        "bytes that are no HTTP",
        lambda bench: st.sampled_from(["garbage-status", "not-http", "status-line-only", "half-head"]),
    ),
    examples=4,
    source="faults.md 24-28",
)
def what_is_no_http_is_an_error(bench: Bench, kind: str) -> None:
    """A broken response head is an error of the client's own."""
    needed: dict[str, dict[str, Any]] = {"garbage-status": {"line": "HTTP/1.1 abc"}, "half-head": {"after_bytes": 30}}
    outcome = bench.play(rule(TEXT, {"kind": kind, **needed.get(kind, {})})).outcome
    expect(
        outcome.problem is not None and outcome.problem.kind in ("connection", "protocol"),
        "a connection or protocol error",
        outcome.problem,
    )


@law("C-ERROR-10", needs={"retries"}, source="client-behaviour.md: e.retry_after, e.code")
def a_rate_limit_says_when_to_come_back(bench: Bench) -> None:
    """A 429 that is not retried is a status error with its code."""
    reply = {"error": {"status": 429, "message": REASON, "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    problem = bench.play({"match": {}, "reply": reply}).outcome.problem
    expect(problem is not None and problem.status == 429, "status_code 429", problem)
    expect(problem is not None and problem.code == "rate_limit_exceeded", "code 'rate_limit_exceeded'", problem)


@law(
    "C-ERROR-11",
    over=Domain(
        "values of the wrong type",
        lambda bench: st.sampled_from(
            [
                {"choices": None},
                {"choices": 5},
                {"choices": []},
                {"choices": [5]},
                {"choices": [{"index": 0, "message": 5, "finish_reason": "stop"}]},
                [],
                None,
                5,
                "x",
            ]
        ),
    ),
    examples=9,
    source="client-behaviour.md: schema violations",
)
def wrong_types_are_never_foreign_errors(bench: Bench, document: Any) -> None:
    """An answer whose JSON is not an answer is an error of the client's own when it is got, not an AttributeError."""
    outcome = bench.play({"match": {}, "reply": {"json": document}}).outcome
    expect(not outcome.pieces, "no text", outcome.pieces)
    empty = document == {"choices": []}
    expect(
        empty or (outcome.problem is not None and outcome.problem.kind != "leak"),
        f"an error of the client's own for {document!r}",
        outcome.problem,
    )
