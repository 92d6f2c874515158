"""Log probabilities: as many as tokens, joining to the text, never above zero."""

from __future__ import annotations

from typing import Any

from contracts.answers import REASONING, answer, choices, documents, piece
from contracts.domains import CHATS, PROMPTS
from contracts.exchange import Call
from contracts.law import Unjudged, Unsupported, Vacuous, expect, law
from contracts.server_laws.same import same
from contracts.target import Target

SOURCE = "laws.md 22, 23"
NEEDS = {"logprobs"}
K = 2


def probable(target: Target, call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first choice and its logprobs; a server that accepted and gave none has broken S-LOGPROB-01."""
    asked = call.with_(logprobs=K)
    found = choices(answer(target.send(asked)))
    logprobs = found[0].get("logprobs") if found else None
    if not isinstance(logprobs, dict):
        raise Vacuous("no logprobs object (S-LOGPROB-01 judges that)")
    if "tokens" not in logprobs and isinstance(logprobs.get("content"), list):
        raise Unsupported("logprobs have the form of chat answers here")
    return found[0], logprobs


def joins(tokens: list[Any], text: str) -> bool:
    """Whether the tokens join to the text, give or take what the first token's mark of a word or the last token, which
    ends an answer and is not shown, add to it."""
    said = [str(token).replace("\u2581", " ").replace("\u0120", " ") for token in tokens]
    return text.lstrip() in ("".join(said).lstrip(), "".join(said[:-1]).lstrip() if said else "")


def listed(logprobs: dict[str, Any], name: str) -> list[Any]:
    """One of the parallel lists."""
    value = logprobs.get(name)
    if not isinstance(value, list):
        raise Unjudged(f"logprobs.{name} is no list (S-LOGPROB-02 judges that)")
    return value


@law("S-LOGPROB-01", over=PROMPTS, needs=NEEDS, level="should", source="api.md, Request fields")
def logprobs_are_given_when_asked(target: Target, call: Call) -> None:
    """A text answer to logprobs=2 has a logprobs object: accepted and ignored is a silent lie."""
    for choice in choices(answer(target.send(call.with_(logprobs=K)))):
        expect(isinstance(choice.get("logprobs"), dict), "a logprobs object", choice)


@law("S-LOGPROB-02", over=PROMPTS, needs=NEEDS, source=SOURCE)
def the_lists_are_parallel(target: Target, call: Call) -> None:
    """tokens, token_logprobs, top_logprobs and text_offset have the same length."""
    _, logprobs = probable(target, call)
    names = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    sizes = {n: len(logprobs[n]) for n in names if isinstance(logprobs.get(n), list)}
    expect("tokens" in sizes and "token_logprobs" in sizes, "lists tokens and token_logprobs", logprobs)
    expect(len(set(sizes.values())) == 1, "lists of one length", sizes)


@law("S-LOGPROB-03", over=PROMPTS, needs=NEEDS, source=SOURCE)
def the_tokens_join_to_the_text(target: Target, call: Call) -> None:
    """The tokens, joined, are the text."""
    choice, logprobs = probable(target, call)
    tokens = listed(logprobs, "tokens")
    joined = "".join(map(str, tokens))
    if "bytes:" in joined or "\ufffd" in joined:
        raise Vacuous("some tokens are parts of characters")
    expect(joins(tokens, piece(choice)), f"tokens that join to {piece(choice)!r}", tokens)


@law("S-LOGPROB-04", over=PROMPTS, needs=NEEDS, source=SOURCE)
def a_logprob_is_not_above_zero(target: Target, call: Call) -> None:
    """Each log probability is a number of 0 or less (a first one may be null)."""
    _, logprobs = probable(target, call)
    for at, value in enumerate(listed(logprobs, "token_logprobs")):
        good = (value is None and at == 0) or (isinstance(value, (int, float)) and value <= 1e-6)
        expect(good, "log probabilities of 0 or less", value)


@law("S-LOGPROB-05", over=PROMPTS, needs=NEEDS, source=SOURCE)
def no_more_alternatives_than_asked(target: Target, call: Call) -> None:
    """Each place has at most as many alternatives as were asked for, plus the chosen token."""
    _, logprobs = probable(target, call)
    for place in listed(logprobs, "top_logprobs"):
        expect(place is None or len(place) <= K + 1, f"at most {K + 1} alternatives", place)


@law("S-LOGPROB-06", over=PROMPTS, needs=NEEDS, source=SOURCE)
def offsets_do_not_go_back(target: Target, call: Call) -> None:
    """The text offsets never decrease."""
    _, logprobs = probable(target, call)
    offsets = listed(logprobs, "text_offset")
    expect(
        all(isinstance(o, int) for o in offsets) and offsets == sorted(offsets), "offsets that never decrease", offsets
    )


@law("S-LOGPROB-07", over=PROMPTS, needs={"logprobs", "det"}, source="metamorphic")
def logprobs_do_not_change_the_text(target: Target, call: Call) -> None:
    """Asking for logprobs does not change the text."""
    same(target, call, call.with_(logprobs=K), "with logprobs")


@law("S-LOGPROB-08", over=PROMPTS, needs={"logprobs", "det", "stream"}, live=True, source="metamorphic")
def streamed_logprobs_join_to_whole_ones(target: Target, call: Call) -> None:
    """The tokens of the chunks' logprobs, joined, are those of the whole answer."""
    _, logprobs = probable(target, call)
    streamed: list[Any] = []
    for document in documents(target.send(call.with_(logprobs=K, stream=True))):
        for choice in choices(document):
            if isinstance(choice.get("logprobs"), dict):
                streamed += choice["logprobs"].get("tokens") or []
    if not streamed:
        raise Vacuous("the stream has no logprobs")
    expect(streamed == listed(logprobs, "tokens"), f"the tokens {logprobs['tokens']}", streamed)


@law("S-LOGPROB-09", over=CHATS, needs={"chat_logprobs"}, source="laws.md 23")
def chat_logprobs_join_to_the_message(target: Target, call: Call) -> None:
    """In a chat answer with logprobs=true the tokens of logprobs.content, joined, are the message."""
    choice = choices(answer(target.send(call.with_(logprobs=True, top_logprobs=1))))[0]
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list):
        raise Vacuous("no logprobs.content (S-LOGPROB-10 judges that)")
    tokens = [str(one.get("token")) for one in content if isinstance(one, dict)]
    joined = "".join(tokens)
    if "\ufffd" in joined or "bytes:" in joined:
        raise Vacuous("some tokens are parts of characters")
    message = choice.get("message")
    if isinstance(message, dict) and any(message.get(name) for name in REASONING):
        raise Vacuous("some tokens are reasoning, which is not in the text")
    expect(joins(tokens, piece(choice)), f"tokens that join to {piece(choice)!r}", joined)


@law("S-LOGPROB-10", over=CHATS, needs={"chat_logprobs"}, level="should", source="OpenAI's reference: logprobs")
def chat_logprobs_are_given_when_asked(target: Target, call: Call) -> None:
    """A chat answer with text to logprobs=true has logprobs.content: accepted and ignored is a silent lie."""
    for choice in choices(answer(target.send(call.with_(logprobs=True, top_logprobs=1)))):
        logprobs = choice.get("logprobs")
        given = isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list)
        expect(given or not piece(choice), "a list logprobs.content", choice)
