"""Leaking: what is said to one caller is never said to another, beside it or after it has gone.

Other laws compare texts, and so are silent on servers whose texts differ for good reasons. Here each prompt has a mark
of its own, which no right server says to anyone else, and a choice that ends twice has swallowed another's end: both
are seen on any server. Texts are compared as well, where the server has shown just before that it repeats itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from contracts.domains import STREAM_NEEDS, Domain, ask, endpoints
from contracts.exchange import Call, Exchange
from contracts.law import Breach, Unjudged, Vacuous, expect, law
from contracts.server_laws.heard import Heard, at_rest, heard
from contracts.server_laws.isolation import at_once
from contracts.target import Target
from contracts.wire import NoAnswer

SOURCE = "laws.md 20, 21"
LONG = 120
"""Tokens of a stream that is still being made when its caller goes."""
ROUNDS = 2
AFTER = 3
"""So many streams are asked for after a caller has gone: what it left may come out late."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A caller: where it asks, whether for a stream, and the number of its mark."""

    chat: bool
    streams: bool
    number: int

    @property
    def mark(self) -> str:
        """A word that is in no other's prompt and in no book."""
        return f"QZ{self.number}VX"

    def call(self, target: Target, limit: int) -> Call:
        """A request with the mark in it."""
        extra = {"stream": True} if self.streams else {}
        return ask(target, f"{self.mark} is my word. Tell me of {self.mark}", chat=self.chat, max_tokens=limit, **extra)


def _marked(streams: st.SearchStrategy[bool]) -> Domain[Marked]:
    def draw(target: Target) -> st.SearchStrategy[Marked]:
        return st.builds(Marked, st.sampled_from(endpoints(target)), streams, st.integers(10_000, 99_999))

    return Domain("a caller with a mark", draw, None, STREAM_NEEDS)


GOING = _marked(st.just(True))
ONE = _marked(st.sampled_from((True, True, False)))
CALLERS: Domain[list[Marked]] = Domain(
    "several callers with marks",
    lambda target: st.lists(ONE.draw(target), min_size=3, max_size=4, unique_by=lambda one: one.number),
    None,
    STREAM_NEEDS,
)


def foreign(exchange: Exchange, before: Heard, marks: list[str], when: str) -> Heard:
    """What came; a breach where it holds another's mark, ends more often than alone, or cannot be read at all."""
    try:
        now = heard(exchange)
    except Unjudged:
        raise Breach(f"an answer that can be read {when}, as alone", exchange.response.body[:300]) from None
    said = [mark for mark in marks if mark in now.text]
    expect(not said, f"nothing of {', '.join(said)}, which only another caller has said, {when}", now.text)
    if before.ends <= 1:
        expect(now.ends <= 1, f"one finish_reason {when}, as alone", f"{now.ends}, in {now.text!r}")
    return now


def leaves_something(target: Target, going: Marked) -> None:
    """Twice: a caller goes in the middle of its stream, then another asks. Raises `Breach` where it gets what is not
    its own, and where its text is another, both times, though it was the same three times just before.
    """
    call = ask(target, "Say hello", chat=going.chat, max_tokens=8, stream=True)
    exact = target.can("repeatable")[0] and target.can("load")[0]
    changed: list[tuple[Heard, Heard]] = []
    for number in range(ROUNDS):
        before, steady = at_rest(target, call)
        with target.open(going.call(target, LONG)) as stream:
            next(stream.events(), None)
            stream.close(abruptly=number % 2 == 0)
        for _ in range(AFTER):
            exchange = target.send(call)
            if exchange.status != 200:
                raise Unjudged(f"after an abandoned stream status {exchange.status} (S-HEALTH-04 judges that)")
            now = foreign(exchange, before, [going.mark], "after another's stream was abandoned")
            if now.text != before.text and steady:
                changed.append((before, now))
                break
    if exact and len(changed) == ROUNDS:
        before, now = changed[-1]
        raise Breach(f"{before.text!r}, as before another's stream was abandoned", now.text)


@law("S-ALONE-06", over=GOING, live=True, examples=2, source=f"{SOURCE}; one caller's words are nobody else's")
def nobody_gets_what_another_left(target: Target, going: Marked) -> None:
    """What was being said to a caller who went away is said to nobody else: the next stream is only its own.

    A server that keeps one queue of tokens for all hands the rest of an abandoned answer, and its end, to whoever asks
    next. The judge leaves a long stream, then asks for a short one that it knows.
    """
    try:
        leaves_something(target, going)
    except NoAnswer as error:
        if error.how != "timeout":
            raise
        raise Vacuous("after an abandoned stream no answer comes in time (S-HEALTH-04 judges that)") from error


@law("S-ALONE-07", over=CALLERS, live=True, examples=4, source=f"{SOURCE}; k tagged requests at once")
def nobody_gets_what_is_another_s(target: Target, callers: list[Marked]) -> None:
    """Of several callers at once, each with a mark in its prompt, none is told another's, and each ends once.

    This needs no server that says the same twice: no right answer holds a word that only another caller knows.
    """
    calls = [one.call(target, 24) for one in callers]
    alone = [heard(target.send(call)) for call in calls]
    if any(one.ends > 1 for one in alone):  # or what others have left comes out
        alone = [at_rest(target, call)[0] for call in calls]
    for one, before, exchange in zip(callers, alone, at_once(target, calls), strict=True):
        if exchange.status == 200:
            others = [other.mark for other in callers if other is not one]
            foreign(exchange, before, others, f"among {len(calls)} requests at once")
