"""Counters of streams: what the fake knows of a flow as a whole is what it finds by looking at every step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.filled import Account
from mockserver.flow import Flow, Layout
from mockserver.model.metrics import Metrics
from mockserver.plan import Head, Plan
from mockserver.record.journal import Exchange
from mockserver.request import Request
from mockserver.scripting.decide import Decision
from mockserver.serving.tally import Tally

parts = st.lists(
    st.tuples(st.just(b"data: x\n\n"), st.sampled_from(["role", "content[0]", "1:tool[2]", "finish"])), max_size=9
).map(tuple)
waits = st.none() | st.lists(st.sampled_from([0.0, 0.25, 1.5]), min_size=9, max_size=9).map(tuple)
endings = st.sampled_from([("end", 10_000), ("client", 40), ("client", 0)])


def counted(plan: Plan, ended: str, sent: int, times: int) -> Metrics:
    """The counters after `times` such streams, each 3 + 7 tokens and two seconds."""
    tally = Tally(lambda exchange: Account(3, 7))
    for number in range(times):
        exchange = Exchange(Request("POST", "/v1/chat/completions", number=number + 1), Decision(plan), 0.0)
        exchange.ended, exchange.sent_bytes, exchange.seconds = ended, sent, 2.0
        tally.forget(exchange)
    return tally.read(())


@given(parts, waits, endings, st.integers(1, 3))
def test_a_flow_is_counted_as_its_steps(
    drawn: tuple[tuple[bytes, str], ...], timed: tuple[float, ...] | None, ending: tuple[str, int], times: int
) -> None:
    """Tokens, first tokens, gaps and their histogram, whole or broken off."""
    flow = Flow(Head(200), Layout(drawn, 1, 1), b"i", b"1", timed and timed[: len(drawn)])
    assert counted(flow.plan(), *ending, times) == counted(Plan(tuple(flow)), *ending, times)
