"""Accounting: the tokens that are counted are the tokens that were used."""

from __future__ import annotations

from typing import Any

from contracts.answers import DONE, answer, documents, read, tokens
from contracts.domains import CALLS, LONGER, STREAMS, USAGE_STREAMS, WHOLE, Longer
from contracts.exchange import Call
from contracts.law import NotRecorded, Unjudged, Vacuous, expect, law
from contracts.server_laws.plain import counted, obeyed
from contracts.server_laws.shape import is_int
from contracts.target import Target

SOURCE = "api.md, REST"
NAMES = ("prompt_tokens", "completion_tokens", "total_tokens")


@law("S-USAGE-01", over=CALLS, source="laws.md 3")
def usage_adds_up(target: Target, call: Call) -> None:
    """total_tokens is prompt_tokens plus completion_tokens, wherever a usage is told."""
    usage = read(target.send(call)).usage
    if usage is None:
        raise Unjudged("no usage is told (S-USAGE-02 judges that)")
    prompt, completion, total = (tokens(usage, name) for name in NAMES)
    expect(total == prompt + completion, f"total_tokens {prompt + completion}", usage)


@law("S-USAGE-02", over=WHOLE, source=SOURCE)
def an_answer_has_a_usage(target: Target, call: Call) -> None:
    """An answer has a usage with three counts, integers of zero or more."""
    usage: Any = answer(target.send(call)).get("usage")
    expect(isinstance(usage, dict), "a usage object", usage)
    for name in NAMES:
        expect(is_int(usage.get(name)) and usage[name] >= 0, f"usage.{name} an integer of 0 or more", usage)


@law("S-USAGE-03", over=WHOLE, source="laws.md 4")
def no_more_tokens_than_allowed(target: Target, call: Call) -> None:
    """completion_tokens is at most max_tokens."""
    limit = call.document.get("max_tokens")
    if limit is None:
        raise Vacuous("the request has no max_tokens")
    used = tokens(answer(target.send(call)).get("usage"), "completion_tokens")
    expect(used <= limit, f"at most {limit} completion_tokens", used)


def full(target: Target, call: Call, used: int) -> None:
    """`Vacuous` where a larger limit changes nothing: then the model's context was full, which is `length` too."""
    try:
        longer = read(target.send(call.with_(max_tokens=call.document["max_tokens"] + 8)))
    except NotRecorded:
        return
    if longer.usage and longer.finish == "length" and tokens(longer.usage, "completion_tokens") == used:
        raise Vacuous("the context of the model is full")


@law("S-USAGE-04", over=WHOLE, source="laws.md 4")
def length_means_all_tokens_were_used(target: Target, call: Call) -> None:
    """Where finish_reason is length, completion_tokens is exactly max_tokens."""
    limit = call.document.get("max_tokens")
    reading = read(target.send(call))
    if limit is None or reading.finish != "length":
        raise Vacuous("the answer was not cut by max_tokens")
    used = tokens(reading.usage, "completion_tokens")
    if used < limit:
        full(target, call, used)
    if used > limit:
        raise Unjudged("more completion_tokens than max_tokens (S-USAGE-03 judges that)")
    expect(used == limit, f"{limit} completion_tokens with finish_reason 'length'", used)


@law("S-USAGE-05", over=USAGE_STREAMS, level="should", source="laws.md 6")
def a_stream_tells_usage_when_asked(target: Target, call: Call) -> None:
    """With include_usage a stream tells its usage."""
    expect(bool(read(target.send(call)).usage), "a chunk with usage", "none")


@law("S-USAGE-06", over=USAGE_STREAMS, source="laws.md 6")
def usage_is_told_once_and_last(target: Target, call: Call) -> None:
    """With include_usage exactly one chunk has a usage, and it is the last before [DONE].

    A usage that grows from chunk to chunk (continuous usage) was not asked for and is counted twice by callers.
    """
    said = [bool(document.get("usage")) for document in documents(target.send(call))]
    if True not in said:
        raise Vacuous("no usage is told (S-USAGE-05 judges that)")
    expect(said.count(True) == 1, "one chunk with usage", f"{said.count(True)} of {len(said)}")
    expect(said[-1], f"the usage in the last chunk before {DONE}", f"in chunk {said.index(True) + 1} of {len(said)}")


@law("S-USAGE-07", over=USAGE_STREAMS, level="should", source="laws.md 6")
def the_usage_chunk_has_no_choices(target: Target, call: Call) -> None:
    """The chunk that tells the usage has an empty list of choices."""
    for document in documents(target.send(call)):
        if document.get("usage"):
            expect(document.get("choices") == [], "choices [] in the usage chunk", document.get("choices"))


@law("S-USAGE-08", over=USAGE_STREAMS, needs={"det"}, source="laws.md 5")
def both_modes_count_the_same(target: Target, call: Call) -> None:
    """A stream counts the same tokens as the whole answer to the same request."""
    streamed = read(target.send(call))
    whole = read(target.send(call.with_(stream=..., stream_options=...)))
    if streamed.usage is None or whole.usage is None or streamed.text != whole.text:
        raise Vacuous("no usage to compare (S-USAGE-02, S-USAGE-05), or not the same text (S-SAME-01)")
    said = {name: (tokens(streamed.usage, name), tokens(whole.usage, name)) for name in NAMES}
    expect(all(a == b for a, b in said.values()), "the same counts streamed and whole", said)


@law("S-USAGE-09", over=WHOLE, source=SOURCE)
def a_prompt_has_tokens(target: Target, call: Call) -> None:
    """A request with words in it has at least one prompt token."""
    used = tokens(answer(target.send(call)).get("usage"), "prompt_tokens")
    expect(used >= 1, "at least 1 prompt token", used)


@law("S-USAGE-10", over=LONGER, source="metamorphic")
def a_limit_does_not_change_the_prompt(target: Target, pair: Longer) -> None:
    """The same prompt has the same prompt_tokens whatever max_tokens is."""
    said = [tokens(answer(target.send(call)).get("usage"), "prompt_tokens") for call in (pair.short, pair.long)]
    expect(said[0] == said[1], "the same prompt_tokens", said)


@law("S-USAGE-11", over=WHOLE, live=True, source="metamorphic")
def a_longer_prompt_is_not_cheaper(target: Target, call: Call) -> None:
    """A prompt said three times does not have fewer tokens than said once."""
    text = call.document["messages"][-1]["content"] if call.is_chat else call.document["prompt"]
    thrice = " ".join([text] * 3)
    longer = call.with_(messages=[{"role": "user", "content": thrice}]) if call.is_chat else call.with_(prompt=thrice)
    shorter = call.with_(messages=[{"role": "user", "content": text}]) if call.is_chat else call
    said = [tokens(answer(target.send(c)).get("usage"), "prompt_tokens") for c in (shorter, longer)]
    expect(said[0] <= said[1], f"at least {said[0]} prompt_tokens for the longer prompt", said[1])


@law("S-USAGE-12", over=WHOLE, source="metamorphic")
def text_costs_tokens(target: Target, call: Call) -> None:
    """An answer with text has at least one completion token, and no more bytes than its tokens could carry.

    No vocabulary has tokens of more than 128 bytes on average; a count below that says that text was not counted.
    """
    reading = read(target.send(call))
    used = tokens(reading.usage, "completion_tokens")
    size = sum(len(text.encode("utf-8", "replace")) for text in reading.texts.values())
    expect(size <= used * 128, f"at least {-(-size // 128)} completion_tokens for {size} bytes of text", used)


@law("S-USAGE-13", over=STREAMS, source="metamorphic")
def a_stream_counts_what_it_delivers(target: Target, call: Call) -> None:
    """A stream that tells its usage and stops for length used all its tokens, and never more than were allowed."""
    reading = read(target.send(call))
    limit = call.document.get("max_tokens")
    if reading.usage is None or limit is None:
        raise Vacuous("no usage is told in this stream")
    used = tokens(reading.usage, "completion_tokens")
    if used > limit:
        obeyed(target, call)
        counted(target, call, more=True)
    expect(used <= limit, f"at most {limit} completion_tokens", used)
    if reading.finish == "length" and used < limit:
        full(target, call, used)
        counted(target, call, more=False)
    expect(reading.finish != "length" or used == limit, f"{limit} completion_tokens with 'length'", used)
