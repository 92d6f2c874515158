"""Faults: whatever a server does, the client raises only errors of its own, in time, and works on."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from contracts.bench import Bench, rule
from contracts.client_domains import FAULTS, POISON, SLOW, Faulty, catalogue
from contracts.domains import Domain
from contracts.law import expect, law

SOURCE = "laws.md 45, 46, 53"
TEXT = "The café robot said 😀 then stopped."


@law("C-FAULT-01", over=FAULTS, examples=50, source="laws.md 45")
def only_the_clients_own_errors(bench: Bench, case: Faulty) -> None:
    """Any fault of the catalogue gives an answer or an error of the client's own family, never a foreign exception."""
    scene = bench.play(rule(case.text, case.fault), what=case.what, stream=case.stream, timeout=1.5)
    problem = scene.outcome.problem
    expect(problem is None or problem.kind != "leak", f"an error of the client's own for {case.fault}", problem)


@law("C-FAULT-02", over=FAULTS, examples=15, source="laws.md 46")
def no_fault_hangs(bench: Bench, case: Faulty) -> None:
    """Without retries, whatever the fault, the call ends within three times its timeout and two seconds."""
    scene = bench.play(rule(case.text, case.fault), what=case.what, stream=case.stream, timeout=1.0)
    expect(scene.outcome.seconds < 5.0, "an end within 5 s of a timeout of 1 s", f"{scene.outcome.seconds:.2f} s")


@law("C-FAULT-03", over=FAULTS, examples=25, source="laws.md 53")
def the_next_call_works(bench: Bench, case: Faulty) -> None:
    """After any fault the same client's next call, without fault, gives its answer.

    Faults that leave an unasked answer on the connection are a law of their own (C-FAULT-08).
    """
    if case.fault["kind"] in POISON:
        return
    two = rule(case.text, case.fault, [])
    scene = bench.play(two, what=case.what, stream=case.stream, timeout=1.5, times=2)
    if scene.attempts < 2:
        return
    second = scene.outcomes[1]
    expect(second.problem is None, f"an answer after {case.fault}", second.problem)
    expect(second.text == case.text, f"{case.text!r} after {case.fault}", second.text)


def _slow(bench: Any) -> st.SearchStrategy[tuple[dict[str, Any], bool]]:
    return st.tuples(
        st.sampled_from([f for f in catalogue() if f["kind"] in SLOW - {"heartbeat", "slow-close"}]), st.booleans()
    )


@law("C-FAULT-04", over=Domain("a fault that is slow", _slow), examples=8, source="laws.md 46")
def slow_faults_end_in_time(bench: Bench, case: tuple[dict[str, Any], bool]) -> None:
    """A fault that keeps a client waiting ends by its timeout, as an error of its own, or with the answer."""
    fault, stream = case
    outcome = bench.play(rule(TEXT, fault), stream=stream, timeout=0.3).outcome
    expect(outcome.seconds < 4.0, f"an end within 4 s of a timeout of 0.3 s for {fault}", f"{outcome.seconds:.2f} s")
    expect(outcome.problem is None or outcome.problem.kind != "leak", "an error of the client's own", outcome.problem)


def _pairs(bench: Any) -> st.SearchStrategy[tuple[Faulty, Faulty]]:
    one = FAULTS.draw(bench)
    return st.tuples(one, one)


@law("C-FAULT-05", over=Domain("two faults at once", _pairs), examples=12, source="laws.md 45")
def two_faults_at_once(bench: Bench, case: tuple[Faulty, Faulty]) -> None:
    """Two faults at once give an answer or an error of the client's own family as well."""
    first, second = case
    scene = bench.play(rule(TEXT, [first.fault, second.fault]), what=first.what, stream=first.stream, timeout=1.0)
    problem = scene.outcome.problem
    expect(
        problem is None or problem.kind != "leak",
        f"an error of the client's own for {first.fault} and {second.fault}",
        problem,
    )


TRUTH_BREAKERS = {
    "replace",
    "mutate",
    "insert",
    "duplicate",
    "swap",
    "drop",
    "flip",
    "bad-text",
    "charset",
    "choice-index",
    "role-twice",
}


@law("C-FAULT-06", over=FAULTS, examples=25, source="laws.md 43")
def what_is_handed_out_was_said(bench: Bench, case: Faulty) -> None:
    """What a client hands out under a fault of transport begins what was said: nothing invented, nothing lost.

    Faults that change what is said are left out, and so are those that put another answer in its place.
    """
    if case.fault["kind"] in TRUTH_BREAKERS or case.fault.get("value") == "null":
        return  # with `data: null` in an event's place the server said nothing there; a client need not mind it
    outcome = bench.play(rule(case.text, case.fault), what=case.what, stream=case.stream, timeout=1.0).outcome
    expect(case.text.startswith(outcome.text), f"a beginning of {case.text!r} under {case.fault}", outcome.text)


@law("C-FAULT-07", source="laws.md 53")
def many_faults_leave_the_client_usable(bench: Bench) -> None:
    """After twelve resets, cuts and bad answers in a row on one client the next call gives its answer."""
    bad = [
        {"kind": "cut", "after_events": 1, "how": "rst"},
        {"kind": "bad-json", "event": 1},
        {"kind": "status", "status": 500},
        {"kind": "cut", "after_bytes": 0, "wire": True, "how": "fin"},
    ]
    scene = bench.play(rule(TEXT, *(bad * 3), []), stream=True, times=13)
    last = scene.outcomes[-1]
    expect(last.problem is None and last.text == TEXT, f"{TEXT!r}", last)


@law(
    "C-FAULT-08",
    over=Domain("an unasked answer", lambda bench: st.tuples(st.sampled_from(POISON), st.booleans())),
    examples=4,
    level="should",
    source="faults.md 41: the connection must be dropped",
)
def an_unasked_answer_is_not_taken(bench: Bench, case: tuple[str, bool]) -> None:
    """An answer that nobody asked for is not taken for the answer to the next call on the connection."""
    kind, stream = case
    scene = bench.play(rule(TEXT, {"kind": kind}, []), stream=stream, times=2)
    second = scene.outcomes[-1]
    expect(second.problem is None and second.text == TEXT, f"{TEXT!r} from the next call", second)
