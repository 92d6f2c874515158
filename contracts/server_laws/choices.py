"""Several choices and several prompts: each asked for is there, each answers its own."""

from __future__ import annotations

from contracts.answers import answer, choices, documents, index, read, tokens
from contracts.domains import CALLS, PROMPTS, STREAMS, WHOLE
from contracts.exchange import Call
from contracts.law import NotRecorded, Unsupported, Vacuous, expect, law
from contracts.server_laws.plain import counted, obeyed
from contracts.target import Target

SOURCE = "laws.md 13"


def many(target: Target, call: Call, n: int) -> Call:
    """The call for n choices, once it is known that the server takes it; some refuse several at temperature 0."""
    if target.live:
        several = call.with_(n=n)
        if target.send(several).status != 200:
            raise Unsupported(f"n={n} is refused at temperature {call.document.get('temperature')}")
        return several
    for exchange in target.log:
        document = exchange.call.document
        if isinstance(document, dict) and document.get("n") == n and exchange.call.with_(n=...).key() == call.key():
            return exchange.call
    raise NotRecorded("no request for several choices was recorded")


@law("S-CHOICE-01", over=WHOLE, needs={"n"}, examples=4, source=SOURCE)
def as_many_choices_as_asked(target: Target, call: Call) -> None:
    """n=2 gives two choices, numbered 0 and 1.

    A server that takes n and gives one choice tells a silent lie: its callers index into what is not there.
    """
    found = choices(answer(target.send(many(target, call, 2))))
    said = sorted(index(choice) for choice in found)
    expect(said == [0, 1], "two choices with indexes 0 and 1", said)


@law("S-CHOICE-02", over=STREAMS, needs={"n"}, examples=4, source=SOURCE)
def every_asked_choice_finishes(target: Target, call: Call) -> None:
    """A stream with n=2 has chunks of both choices, and each finishes once."""
    several = many(target, call, 2)
    if target.live and len(choices(answer(target.send(several.with_(stream=..., stream_options=...))))) < 2:
        raise Vacuous("n is ignored (S-CHOICE-01 judges that)")
    finishes: dict[int, int] = {}
    for document in documents(target.send(several)):
        for choice in choices(document):
            finishes[index(choice)] = finishes.get(index(choice), 0) + bool(choice.get("finish_reason"))
    expect(finishes == {0: 1, 1: 1}, "choices 0 and 1, each finished once", finishes)


@law("S-CHOICE-03", over=STREAMS, needs={"n", "det"}, examples=4, source="metamorphic")
def streamed_choices_join_to_whole_ones(target: Target, call: Call) -> None:
    """With n=2 and a seed, each choice of the stream joins to the same choice of the whole answer."""
    streamed = many(target, call, 2)
    a = read(target.send(streamed)).texts
    b = read(target.send(streamed.with_(stream=..., stream_options=...))).texts
    again = read(target.send(streamed.with_(stream=..., stream_options=...))).texts
    if b != again:
        raise Unsupported("several choices are not deterministic here")
    if len(b) < 2:
        raise Vacuous("n is ignored (S-CHOICE-01 judges that)")
    expect(a == b, f"the same texts streamed: {b}", a)


@law("S-CHOICE-04", over=CALLS, needs={"n"}, examples=4, source="metamorphic")
def several_choices_cost_more(target: Target, call: Call) -> None:
    """Two choices are counted: at most 2 x max_tokens, and exactly that where both end by length."""
    if call.streams:
        raise Vacuous("streamed")
    limit = call.document.get("max_tokens")
    reading = read(target.send(many(target, call, 2)))
    used = tokens(reading.usage, "completion_tokens")
    if limit is None:
        raise Vacuous("no max_tokens")
    if used > 2 * limit:
        obeyed(target, call)
        counted(target, call, more=True)
    expect(1 <= used <= 2 * limit, f"1 to {2 * limit} completion_tokens", used)
    both = len(reading.finishes) == 2 and set(reading.finishes.values()) == {"length"}
    if both and used < 2 * limit:
        counted(target, call, more=False)
    expect(not both or used == 2 * limit, f"{2 * limit} completion_tokens, as both choices end by length", used)


@law("S-CHOICE-05", over=PROMPTS, needs={"list_prompts"}, live=True, examples=4, source="api.md, Completions")
def each_prompt_has_a_choice(target: Target, call: Call) -> None:
    """A list of three prompts gives three choices, numbered by the prompt's place."""
    found = choices(answer(target.send(call.with_(prompt=[call.document["prompt"], "Say:", "Other:"]))))
    said = sorted(index(choice) for choice in found)
    expect(said == [0, 1, 2], "indexes 0, 1 and 2", said)


def all_answered(target: Target, call: Call, count: int) -> None:
    """`Vacuous` where a list of prompts does not get a choice for each: S-CHOICE-05 is the law that says so."""
    if (found := len(choices(answer(target.send(call))))) != count:
        raise Vacuous(f"{count} prompts got {found} choices (S-CHOICE-05 judges that)")


@law("S-CHOICE-06", over=PROMPTS, needs={"list_prompts", "stream"}, live=True, examples=4, source="api.md, Completions")
def each_prompt_streams_its_choice(target: Target, call: Call) -> None:
    """A list of prompts, streamed, has chunks of each prompt's choice, and each finishes once."""
    prompts = [call.document["prompt"], "Say:", "Other:"]
    all_answered(target, call.with_(prompt=prompts), 3)
    exchange = target.send(call.with_(prompt=prompts, stream=True))
    if exchange.status != 200:
        raise Unsupported(f"a streamed list of prompts was answered {exchange.status}")
    finishes = {0: 0}
    for document in documents(exchange):
        for choice in choices(document):
            finishes[index(choice)] = finishes.get(index(choice), 0) + bool(choice.get("finish_reason"))
    expect(finishes == {0: 1, 1: 1, 2: 1}, "choices 0, 1 and 2, each finished once", finishes)


@law("S-CHOICE-07", over=PROMPTS, needs={"list_prompts", "det"}, live=True, examples=4, source="metamorphic")
def prompts_are_counted_together(target: Target, call: Call) -> None:
    """The prompt_tokens of a list of prompts are the sum of what they are alone."""
    prompts = [call.document["prompt"], "Say:"]
    all_answered(target, call.with_(prompt=prompts), 2)
    alone = [tokens(read(target.send(call.with_(prompt=p))).usage, "prompt_tokens") for p in prompts]
    together = tokens(read(target.send(call.with_(prompt=prompts))).usage, "prompt_tokens")
    expect(together == sum(alone), f"{sum(alone)} prompt_tokens", together)
