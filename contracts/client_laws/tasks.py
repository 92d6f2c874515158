"""Tasks: an asynchronous client leaves nothing running behind it and can be cancelled."""

from __future__ import annotations

from contracts.bench import Bench, rule
from contracts.client_domains import FAULTS, Faulty
from contracts.law import Vacuous, expect, law

TEXT = "one two three four five six"
NEEDS = {"async"}


@law("C-TASK-01", over=FAULTS, needs=NEEDS, examples=12, source="laws.md 53: no leak")
def no_call_leaves_a_task(bench: Bench, case: Faulty) -> None:
    """After a call, whatever fault it met, no task of the client's still runs in the loop."""
    scene = bench.play(rule(case.text, case.fault), what=case.what, stream=case.stream, timeout=1.0)
    left = scene.outcome.values.get("tasks_left")
    expect(not left, f"no task left after {case.fault}", left)


@law("C-TASK-02", needs=NEEDS, source="laws.md 50")
def a_cancelled_stream_is_left(bench: Bench) -> None:
    """A stream that is cancelled ends with CancelledError, the server sees the caller go, and no task is left."""
    slow = {"kind": "inter-token", "seconds": 0.2}
    scene = bench.play(rule(TEXT, slow), stream=True, cancel_after=0.3, timeout=5.0, seen=1)
    outcome = scene.outcome
    if outcome.problem is None:
        raise Vacuous("it ended before it was cancelled")
    expect(outcome.problem.name == "CancelledError", "CancelledError", outcome.problem)
    expect(not outcome.values.get("tasks_left"), "no task left", outcome.values.get("tasks_left"))
    ended = scene.journal[-1].get("ended")
    expect(ended == "client", "an exchange that the client ended", ended)


@law("C-TASK-03", needs=NEEDS, source="laws.md 50, 53")
def a_cancelled_call_does_not_stain_the_client(bench: Bench) -> None:
    """After a call that was cancelled while it waited, the same client's next call gives its answer."""
    scene = bench.play(rule(TEXT, {"kind": "delay", "seconds": 1.0}, []), cancel_after=0.3, times=2, timeout=5.0)
    first, second = scene.outcomes
    expect(first.problem is not None and first.problem.name == "CancelledError", "CancelledError", first.problem)
    expect(second.text == TEXT, f"{TEXT!r}", second.problem)
