"""Limits: max_tokens and stop do what they say, in both modes, and are never a reason for anything else."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from contracts.answers import answer, documents, read, reasons
from contracts.domains import CALLS, CHATS, LONGER, WHOLE, Domain, Longer, ask, endpoints
from contracts.exchange import Call
from contracts.law import Unsupported, Vacuous, expect, law
from contracts.server_laws.plain import counted, obeyed, served
from contracts.server_laws.same import accepted, same, steady
from contracts.target import Target
from contracts.wire import NoAnswer

DET = {"det"}
STOP = {"det", "stop"}


@law("S-LIMIT-01", over=LONGER, needs=DET, source="laws.md 18")
def a_shorter_answer_is_a_prefix(target: Target, pair: Longer) -> None:
    """The text with max_tokens k is the beginning of the text with a larger max_tokens."""
    short, long = read(target.send(pair.short)), read(target.send(pair.long))
    beginning = short.text.rstrip("\ufffd")
    if not long.text.startswith(beginning):
        steady(target, pair.short, short)
        steady(target, pair.long, long)
        obeyed(target, pair.short)
    expect(long.text.startswith(beginning), f"a text that begins with {short.text!r}", long.text)


@law("S-LIMIT-02", over=LONGER, needs=DET, source="laws.md 4")
def a_cut_answer_says_so(target: Target, pair: Longer) -> None:
    """An answer that a larger max_tokens would have continued has finish_reason length."""
    short, long = read(target.send(pair.short)), read(target.send(pair.long))
    if len(long.text) <= len(short.text) or not long.text.startswith(short.text):
        raise Vacuous("the larger limit gave no longer text")
    if short.finish != "length":
        steady(target, pair.short, short)
    expect(short.finish == "length", "finish_reason 'length'", short.finish)


@law("S-LIMIT-03", over=CALLS, examples=5, source="laws.md 32")
def one_token_may_be_asked(target: Target, call: Call) -> None:
    """max_tokens 1 is accepted, and gives at most one token."""
    exchange = target.send(call.with_(max_tokens=1))
    if exchange.status != 200:
        served(target, call.with_(max_tokens=16))
    expect(exchange.status == 200, "status 200 for max_tokens 1", exchange.status)
    usage = read(exchange).usage
    used = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if used is not None and used > 1:
        obeyed(target, call)
        counted(target, call.with_(max_tokens=1), more=True)
    expect(used is None or used <= 1, "at most 1 completion_token", usage)


def _most_text(target: Target) -> st.SearchStrategy[Call]:
    def call(chat: bool, text: str) -> Call:
        return ask(target, text, chat=chat, max_tokens=24)

    return st.builds(
        call, st.sampled_from(endpoints(target)), st.sampled_from(("Say hello", "Tell me a story", "café 😀"))
    )


@dataclass(frozen=True, slots=True)
class Stopped:
    """A call, and where in its text to choose a stop string: `at` and `size` are taken modulo what there is."""

    call: Call
    at: int
    size: int

    def choose(self, text: str) -> str:
        """A stop string that occurs in the text, not only white space."""
        if not text:
            raise Vacuous("there is no text to stop in")
        start = self.at % len(text)
        blank = len(text[start:]) - len(text[start:].lstrip())
        stop = text[start : start + max(1 + self.size % 6, blank + 1)]
        if not stop.strip() or "\ufffd" in stop:
            raise Vacuous("no stop string of visible characters here")
        return stop


STOPPED = Domain(
    "a call and a piece of its text to stop at",
    lambda target: st.builds(Stopped, _most_text(target), st.integers(0, 60), st.integers(0, 5)),
    None,
    frozenset({"generate"}),
)


def stopping(target: Target, case: Stopped) -> tuple[str, str, Call]:
    """The whole text, a stop string out of it, and the call with that stop."""
    exchange = target.send(case.call)
    if reasons(exchange):
        raise Vacuous("the stop string may come in the reasoning, which is not in the text")
    first = read(exchange)
    stop = case.choose(first.text)
    return first.text, stop, case.call.with_(stop=stop)


@law("S-LIMIT-04", over=STOPPED, needs={"stop"}, source="laws.md 15")
def a_stop_string_is_not_in_the_text(target: Target, case: Stopped) -> None:
    """No stop string occurs in the answer, whole or streamed."""
    _, stop, call = stopping(target, case)
    for one in (call, call.with_(stream=True)):
        text = read(target.send(one)).text
        expect(stop not in text, f"a text without the stop string {stop!r}", text)


@law("S-LIMIT-05", over=STOPPED, needs=STOP, source="laws.md 17")
def a_stopped_text_is_the_text_before_the_stop(target: Target, case: Stopped) -> None:
    """With stop the text is what comes before the stop string in the text without it."""
    text, stop, call = stopping(target, case)
    stopped = read(target.send(call))
    if stop in stopped.text:
        raise Vacuous("the stop string is in the text (S-LIMIT-04 judges that)")
    wanted = text[: text.index(stop)]
    if stopped.text.rstrip() != wanted.rstrip():
        steady(target, case.call, read(target.send(case.call)))
        steady(target, call, stopped)
    expect(stopped.text.rstrip() == wanted.rstrip(), f"{wanted!r} before {stop!r}", stopped.text)


@law("S-LIMIT-06", over=STOPPED, needs=STOP, source="laws.md 15")
def a_stop_says_stop(target: Target, case: Stopped) -> None:
    """Where a stop string ended the text, finish_reason is stop."""
    text, stop, call = stopping(target, case)
    stopped = read(target.send(call))
    if len(stopped.text) >= len(text):
        raise Vacuous("the stop string did not end the text (S-LIMIT-05 judges that)")
    if text.index(stop) + len(stop) >= len(text):
        raise Vacuous("the limit and the stop string end the text at the same token")
    expect(stopped.finish == "stop", f"finish_reason 'stop' at {stop!r}", stopped.finish)


@law("S-LIMIT-07", over=STOPPED, needs={"det", "stop", "stream"}, source="laws.md 15")
def a_stop_is_not_leaked_by_a_stream(target: Target, case: Stopped) -> None:
    """A stream with stop joins to the text before it, also where the stop string spans several chunks."""
    _, _, call = stopping(target, case)
    same(target, call, call.with_(stream=True), "streamed")


@law("S-LIMIT-08", over=STOPPED, needs=STOP, source="laws.md 16")
def one_stop_is_a_list_of_one(target: Target, case: Stopped) -> None:
    """stop="x" gives what stop=["x"] gives."""
    _, stop, call = stopping(target, case)
    same(target, call, call.with_(stop=[stop]), "with a list of one stop")


@law("S-LIMIT-09", over=STOPPED, needs=STOP, source="metamorphic")
def the_first_stop_wins(target: Target, case: Stopped) -> None:
    """Of several stop strings the one that comes first in the text ends it, in whatever order they are given."""
    text, stop, call = stopping(target, case)
    never = "\u2603\u2603 never"
    if never in text:
        raise Vacuous("the text has the string that never comes")
    for stops in ([never, stop], [stop, never]):
        same(target, call, call.with_(stop=stops), f"with stops {stops}")


@law("S-LIMIT-10", over=WHOLE, needs=STOP, source="laws.md 16")
def no_stops_are_no_stop(target: Target, call: Call) -> None:
    """An empty list of stop strings gives what leaving stop out gives."""
    empty = call.with_(stop=[])
    accepted(target, empty)
    same(target, call, empty, "with stop=[]")


@law("S-LIMIT-11", over=WHOLE, needs=STOP, live=True, source="laws.md 15")
def a_stop_that_never_comes_changes_nothing(target: Target, call: Call) -> None:
    """A stop string that does not occur changes neither the text nor the finish_reason."""
    same(target, call, call.with_(stop="\u2603\u2603 never"), "with a stop that never comes")


BOUNDARIES = (
    ("temperature", 0),
    ("temperature", 0.0),
    ("temperature", 1),
    ("temperature", 2.0),
    ("top_p", 1),
    ("top_p", 1.0),
    ("top_p", 0.01),
    ("presence_penalty", 0),
    ("frequency_penalty", 0),
    ("presence_penalty", -2.0),
    ("presence_penalty", 2.0),
    ("frequency_penalty", -2.0),
    ("frequency_penalty", 2.0),
)


def _boundaries(target: Target) -> st.SearchStrategy[tuple[Call, str, object]]:
    pairs = st.sampled_from(BOUNDARIES)
    return st.builds(lambda call, pair: (call.with_(**{pair[0]: pair[1]}), *pair), WHOLE.draw(target), pairs)


@law(
    "S-LIMIT-12",
    over=Domain("a call with a value at the edge of its range", _boundaries, None, WHOLE.needs),
    examples=20,
    source="laws.md 32; api.md, Request fields",
)
def edges_are_inside(target: Target, case: tuple[Call, str, object]) -> None:
    """The edges of the documented ranges are accepted: temperature 0 and 2, top_p 1, penalties -2 and 2."""
    call, name, value = case
    exchange = target.send(call)
    if exchange.status != 200:
        served(target, call.with_(**{name: ...}))
    expect(
        exchange.status == 200, f"status 200 for {name}={value}", f"{exchange.status} {exchange.response.body[:200]!r}"
    )


@law("S-LIMIT-13", over=WHOLE, live=True, examples=2, source="metamorphic")
def a_huge_limit_is_no_disaster(target: Target, call: Call) -> None:
    """A max_tokens beyond every context is refused by a 4xx, or the answer ends by itself; never a 5xx."""
    if "\u2028" in str(call.document):
        raise Unsupported("one prompt is enough")
    try:
        exchange = target.send(call.with_(max_tokens=100_000))
    except NoAnswer as error:
        if error.how == "timeout":
            raise Vacuous("so many tokens take longer than the judge waits") from None
        raise
    if exchange.status >= 500:
        served(target, call)
    expect(exchange.status < 500, "200 or a 4xx for max_tokens 100000", exchange.status)
    if exchange.status == 200 and exchange.ended != "timeout":
        answer(exchange)


@law("S-LIMIT-14", over=CALLS, needs=DET, borne={"openai"}, source="laws.md 4")
def no_text_beyond_the_limit(target: Target, call: Call) -> None:
    """A stream has no more text chunks than tokens that were allowed, give or take the role and the end.

    One token may be held back, but one token never makes two chunks with text. A server that says nowhere what a chunk
    is may cut its text as it likes, so where no more is promised than to be compatible this is lenient.
    """
    if not call.streams:
        raise Vacuous("not streamed")
    limit = call.document.get("max_tokens")
    found = [c for d in documents(target.send(call)) for c in d.get("choices") or [] if isinstance(c, dict)]
    said = [c for c in found if c.get("text") or (c.get("delta") or {}).get("content")]
    if limit is None:
        raise Vacuous("no max_tokens")
    if len(said) > limit + 1:
        obeyed(target, call)
    expect(len(said) <= limit + 1, f"at most {limit} chunks with text", len(said))


@law(
    "S-LIMIT-15",
    over=CHATS,
    needs={"max_completion_tokens"},
    examples=4,
    live=True,
    borne={"openai"},
    source="OpenAI's reference: max_completion_tokens replaces max_tokens",
)
def the_newer_name_of_the_limit_is_a_limit(target: Target, call: Call) -> None:
    """max_completion_tokens 1, where it is accepted, gives at most one token, as max_tokens does.

    New clients send only this name: accepted and ignored it is an answer without any limit. A server that is older than
    the name ignores it as any unknown field, so where no more is promised than to be compatible this is lenient.
    """
    reading = read(target.send(call.with_(max_tokens=..., max_completion_tokens=1)))
    used = reading.usage.get("completion_tokens") if isinstance(reading.usage, dict) else None
    if used is not None and used > 1:
        obeyed(target, call)
        counted(target, call.with_(max_tokens=1), more=True)
    expect(used is None or used <= 1, "at most 1 completion_token", reading.usage)
