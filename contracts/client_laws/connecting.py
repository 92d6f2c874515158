"""Connecting: what happens before there is a response, on a listener that does nothing but that."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.adapters.base import Outcome, Task
from contracts.bench import Bench
from contracts.domains import Domain
from contracts.law import expect, law
from contracts.listener import TEXT, Behaviour, Listener

SOURCE = "laws.md 45, 46, 53; faults.md, Listener and connection"
ENDS: tuple[Behaviour, ...] = ("reset", "close", "swallow")
ENDINGS: Domain[tuple[Behaviour, bool]] = Domain(
    "a connection that ends before a response", lambda bench: st.tuples(st.sampled_from(ENDS), st.booleans())
)


def do(bench: Bench, listener: Listener, **task: object) -> list[Outcome]:
    """The task at the listener."""
    asked: dict[str, object] = {"timeout": 1.0, **task}
    return bench.subject.do(Task(listener.url, **asked))  # type: ignore[arg-type] # the fields are those of Task


@law("C-CONN-01", over=ENDINGS, examples=6, source=SOURCE)
def a_lost_connection_is_a_connection_error(bench: Bench, case: tuple[Behaviour, bool]) -> None:
    """A connection that is reset, or closed, before a response is an error of connection of the client's own."""
    how, stream = case
    with Listener(how) as listener:
        outcome = do(bench, listener, stream=stream)[0]
    expect(outcome.problem is not None, f"an error for {how}", outcome.text)
    kind = outcome.problem.kind if outcome.problem else None
    expect(kind in ("connection", "protocol"), f"an error of connection for {how}", outcome.problem)


@law("C-CONN-02", over=ENDINGS, needs={"retries"}, examples=4, source="laws.md 47")
def a_lost_connection_is_tried_again(bench: Bench, case: tuple[Behaviour, bool]) -> None:
    """Where the first connection is lost before a response, the retry on a second one gives the answer."""
    how, _ = case
    with Listener(how, "answer") as listener:
        outcome = do(bench, listener, max_retries=2)[0]
        count = listener.connections
    expect(outcome.text == TEXT, f"{TEXT!r} after one connection that ended by {how}", outcome.problem)
    expect(count == 2, "two connections", count)


@law("C-CONN-03", over=Domain("the mode", lambda bench: st.booleans()), examples=2, source="laws.md 46")
def a_black_hole_times_out(bench: Bench, stream: bool) -> None:
    """A connection that is accepted and never read is a timeout, in about the time that was set."""
    with Listener("hold") as listener:
        outcome = do(bench, listener, stream=stream, timeout=0.3)[0]
    expect(outcome.problem is not None and outcome.problem.kind == "timeout", "a timeout", outcome.problem)
    expect(outcome.seconds < 3.0, "an end within 3 s of a timeout of 0.3 s", f"{outcome.seconds:.2f} s")


@law("C-CONN-04", source="laws.md 53; RFC 9112, 9.3.1")
def a_closed_idle_connection_is_replaced(bench: Bench) -> None:
    """A kept connection that the server has closed does not fail the next call."""
    with Listener("answer-then-close") as listener:
        outcomes = do(bench, listener, times=3, pause=0.05, max_retries=1)
    said = [outcome.text or outcome.problem for outcome in outcomes]
    expect(said == [TEXT] * 3, f"{TEXT!r} three times", said)


@law("C-CONN-05", source="laws.md 53")
def a_lost_connection_does_not_stain_the_client(bench: Bench) -> None:
    """After a connection that was reset the same client's next call gives its answer."""
    with Listener("reset", "answer") as listener:
        outcomes = do(bench, listener, times=2)
    expect(outcomes[0].problem is not None, "an error", outcomes[0].text)
    expect(outcomes[1].text == TEXT, f"{TEXT!r}", outcomes[1].problem)
