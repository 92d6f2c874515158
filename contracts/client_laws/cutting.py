"""Cutting: an answer that ends too early is never taken for a whole one."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.bench import Bench, bytes_of, rule
from contracts.client_domains import CUTS, ENDPOINTS, CutAt, Endpoint
from contracts.domains import Domain
from contracts.law import Vacuous, expect, law

SOURCE = "laws.md 43, 44"
TEXT = "The café robot said 😀 then stopped."
WHAT: Domain[Endpoint] = Domain("an endpoint", lambda bench: ENDPOINTS)


@law("C-CUT-01", over=CUTS, examples=40, source="laws.md 43")
def a_cut_stream_is_a_prefix_and_an_error(bench: Bench, case: CutAt) -> None:
    """Of a stream that is cut anywhere the client gives a prefix, and then an error of its own; it never ends normally.

    A cut behind the end of the stream changes nothing, and one behind its finish may pass for the end.
    """
    cut = {"kind": "cut", "after_bytes": case.after, "how": case.how}
    scene = bench.play(rule(case.text, cut), what=case.what, stream=True, seen=1)
    outcome = scene.outcome
    expect(case.text.startswith(outcome.text), f"a beginning of {case.text!r}", outcome.text)
    if b'"finish_reason":"' in bytes_of(scene.journal[-1]).rpartition(b"\n\n")[0]:
        expect(
            outcome.text == case.text or outcome.problem is not None, f"all of {case.text!r}, or an error", outcome.text
        )
        return
    expect(outcome.problem is not None, "an error after the pieces that came", f"a normal end after {outcome.text!r}")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)


@law("C-CUT-02", over=CUTS, examples=20, source="laws.md 45")
def a_cut_answer_is_an_error(bench: Bench, case: CutAt) -> None:
    """An answer that is cut anywhere in its body is an error of the client's own, and gives no text."""
    cut = {"kind": "cut", "after_bytes": min(case.after, 60), "how": case.how}
    outcome = bench.play(rule(case.text, cut), what=case.what).outcome
    expect(outcome.problem is not None, "an error", outcome.text)
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)
    expect(not outcome.pieces, "no text", outcome.pieces)


@law("C-CUT-03", over=WHAT, examples=2, source="laws.md 44")
def a_stream_without_an_end_is_an_error(bench: Bench, what: Endpoint) -> None:
    """A stream that ends in order, with neither a finish_reason nor [DONE], is an error: a proxy cuts like that."""
    outcome = bench.play(rule(TEXT, {"kind": "no-end"}), what=what, stream=True).outcome
    expect(outcome.problem is not None, "an error behind the last piece", f"a normal end after {outcome.text!r}")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)
    expect(outcome.text == TEXT, "all pieces before it", outcome.text)


@law("C-CUT-04", over=WHAT, examples=2, source="client-behaviour.md: stream object")
def an_empty_stream_is_an_error(bench: Bench, what: Endpoint) -> None:
    """A stream of no event at all is an error."""
    outcome = bench.play(rule(TEXT, {"kind": "empty", "status": 200, "stream": True}), what=what, stream=True).outcome
    expect(outcome.problem is not None, "an error", "a normal end after nothing")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)


STALLS: Domain[tuple[Endpoint, int]] = Domain("a place to stall", lambda bench: st.tuples(ENDPOINTS, st.integers(0, 4)))


@law("C-CUT-05", over=STALLS, examples=3, source="laws.md 45, 46")
def a_silent_stream_times_out(bench: Bench, case: tuple[Endpoint, int]) -> None:
    """A stream that falls silent is a timeout after the pieces that came, in about the time that was set."""
    what, events = case
    outcome = bench.play(
        rule(TEXT, {"kind": "stall", "after_events": events}), what=what, stream=True, timeout=0.3
    ).outcome
    expect(TEXT.startswith(outcome.text), f"a beginning of {TEXT!r}", outcome.text)
    expect(outcome.problem is not None and outcome.problem.kind == "timeout", "a timeout", outcome.problem)
    expect(outcome.seconds < 3.0, "an end within 3 s of a timeout of 0.3 s", f"{outcome.seconds:.2f} s")


@law("C-CUT-06", over=WHAT, examples=2, source="laws.md 46")
def a_silent_server_times_out(bench: Bench, what: Endpoint) -> None:
    """A server that never answers is a timeout, in about the time that was set."""
    outcome = bench.play(rule(TEXT, {"kind": "stall", "after_bytes": 0, "wire": True}), what=what, timeout=0.3).outcome
    expect(outcome.problem is not None and outcome.problem.kind == "timeout", "a timeout", outcome.problem)
    expect(outcome.seconds < 3.0, "an end within 3 s of a timeout of 0.3 s", f"{outcome.seconds:.2f} s")


@law("C-CUT-07", over=CUTS, needs={"partial"}, examples=10, source="client-behaviour.md: e.partial")
def the_error_has_what_was_received(bench: Bench, case: CutAt) -> None:
    """The error of a cut stream has the text that was received: exactly what was handed out before it."""
    cut = {"kind": "cut", "after_bytes": case.after, "how": case.how}
    outcome = bench.play(rule(case.text, cut), what=case.what, stream=True).outcome
    if outcome.problem is None or not outcome.pieces:
        raise Vacuous("nothing was received, or nothing was cut")
    expect(outcome.problem.partial == outcome.text, f"partial {outcome.text!r}", outcome.problem.partial)


@law(
    "C-CUT-08", over=CUTS, needs={"truncation"}, examples=10, source="client-behaviour.md: InferneoStreamTruncatedError"
)
def a_truncation_is_told_from_a_timeout(bench: Bench, case: CutAt) -> None:
    """A cut stream is a truncation or a broken connection, never a timeout and never a status."""
    cut = {"kind": "cut", "after_bytes": case.after, "how": case.how}
    problem = bench.play(rule(case.text, cut), what=case.what, stream=True).outcome.problem
    if problem is None:
        raise Vacuous("cut behind the end")
    expect(problem.kind in ("truncated", "connection", "protocol"), "a truncation or a broken connection", problem)


@law("C-CUT-09", over=WHAT, examples=2, source="engine-wire.md; laws.md 8")
def a_stream_with_done_needs_no_finish(bench: Bench, what: Endpoint) -> None:
    """A stream with [DONE] but no finish_reason ends, in order or by an error of the client's own, with all text."""
    outcome = bench.play(rule(TEXT, {"kind": "no-finish"}), what=what, stream=True).outcome
    expect(outcome.text == TEXT, f"{TEXT!r}", outcome.text)
    expect(outcome.problem is None or outcome.problem.kind != "leak", "no foreign exception", outcome.problem)
