"""Streams are there to be read early."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.answers import documents
from contracts.domains import STREAM_NEEDS, Domain, ask, endpoints
from contracts.exchange import Call
from contracts.law import Vacuous, expect, law
from contracts.server_laws.framing import stream
from contracts.target import Target

LONG_ENOUGH = 0.3
"""Seconds that a stream takes of which it can be said when it began."""
EVENTS = 8

LONG_STREAMS: Domain[Call] = Domain(
    "a streamed call for a longer text",
    lambda target: st.sampled_from(
        [ask(target, "Tell me a story", chat=chat, max_tokens=64, stream=True) for chat in endpoints(target)]
    ),
    None,
    STREAM_NEEDS,
)


@law("S-FRAME-16", over=LONG_STREAMS, examples=2, live=True, level="should", source="api.md, Streaming")
def tokens_are_sent_as_they_are_made(target: Target, call: Call) -> None:
    """The first quarter of a longer stream is sent before 80 % of its time has gone.

    A server that generates the whole text first and then sends it in pieces has streams in name only. Judged where an
    answer takes long enough to tell, and one token takes less than half of it.
    """
    exchange = stream(target, call)
    if exchange.seconds < LONG_ENOUGH or len(documents(exchange)) < EVENTS:
        raise Vacuous("the stream is too short, or too fast, to tell")
    seen = next((at for at, size in exchange.arrivals if size > len(exchange.response.body) // 4), 0.0)
    if seen <= 0.8 * exchange.seconds:
        return
    if target.send(call.with_(max_tokens=1)).seconds > exchange.seconds / 2:
        raise Vacuous("one token takes as long: what takes time is not the text")
    early = "the first quarter of the events before 80 % of the time"
    expect(False, early, f"it came after {seen:.2f} of {exchange.seconds:.2f} s", exchange)
