"""The context: a prompt that does not fit is refused, not cut behind its sender's back."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.answers import read, tokens
from contracts.capabilities import context
from contracts.domains import Domain, ask, endpoints
from contracts.exchange import Exchange
from contracts.law import Unsupported, Vacuous, expect, law
from contracts.target import Target
from contracts.wire import NoAnswer

MOST = 40_000
"""A longer context is not filled: where a server accepted the prompt, it would compute for minutes."""
FEW = 40
"""So many words, and twice as many, tell how many tokens a word is."""
SAME = 0.01
"""Two prompts of which so small a part of the context is the difference count as one."""
KINDS = Domain("chat, or text", lambda target: st.sampled_from(endpoints(target)), None, frozenset({"generate"}))


def said(target: Target, chat: bool, words: int) -> Exchange:
    """The answer to a prompt of so many words. `Vacuous` where none comes in time."""
    try:
        return target.send(ask(target, "word " * words, chat=chat, max_tokens=1))
    except NoAnswer as error:
        if error.how == "timeout":
            raise Vacuous("so long a prompt takes longer than the judge waits") from None
        raise


def counted(exchange: Exchange) -> int:
    """Its prompt_tokens; `Unjudged` where there are none."""
    return tokens(read(exchange).usage, "prompt_tokens")


@law(
    "S-LIMIT-16",
    over=KINDS,
    needs={"generate", "context"},
    examples=2,
    live=True,
    source="engine-wire.md; OpenAI's reference: context_length_exceeded",
)
def a_prompt_beyond_the_context_is_refused(target: Target, chat: bool) -> None:
    """A prompt that is a little longer than the context that the server tells is a 4xx, never a 5xx or a cut prompt.

    A server that keeps the end of a prompt, or its beginning, and answers that, gives an answer to another question. It
    is known by its own count: two prompts that are both too long, and one longer by half, count the same.
    """
    limit = context(target)
    if limit is None or limit > MOST:
        raise Unsupported("no context is told" if limit is None else f"a context of {limit} tokens is not filled")
    few, more = (counted(said(target, chat, words)) for words in (FEW, 2 * FEW))
    if more <= few:
        raise Vacuous("prompt_tokens do not grow with the prompt (S-USAGE-11 judges that)")
    each = (more - few) / FEW
    over = limit + max(16, limit // 50)
    sizes = [round((size - few) / each) + FEW for size in (over, limit + limit // 2)]
    first = said(target, chat, sizes[0])
    wanted = f"a 4xx for a prompt of about {over} tokens, where the context is {limit}"
    expect(first.status < 500 or first.status == 501, wanted, f"{first.status} {first.response.body[:160]!r}")
    if first.status != 200 or counted(first) > limit:
        return
    second = said(target, chat, sizes[1])
    if second.status != 200 or (count := counted(second)) > limit or count - counted(first) > limit * SAME:
        return
    expect(False, wanted, f"200; {counted(first)} prompt_tokens, and {count} for one of about {limit + limit // 2}")
