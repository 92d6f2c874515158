"""Limits and stop strings that do something else, and log probabilities that do not fit."""

from __future__ import annotations

import random
from typing import Any

from mockserver.plan import Plan

from .edits import (
    Doc,
    choice,
    chunks,
    document_of,
    encoded,
    event,
    holder_of,
    is_stream,
    oops,
    part,
    spread,
    status_of,
    texts,
    whole,
    with_bodies,
)
from .mutant import Mutant, Turn, mutant


def _stops(turn: Turn) -> list[str]:
    stop = turn.body.get("stop")
    return [stop] if isinstance(stop, str) else [one for one in stop or [] if isinstance(one, str)]


def _more(turn: Turn) -> Plan:
    limit = turn.body.get("max_tokens")
    return turn.asked(max_tokens=limit + 1).plan if turn.generates and type(limit) is int and limit > 0 else turn.plan


CONTEXT = 300
"""A small context: what it holds is soon exceeded."""


def _told(turn: Turn) -> Plan:
    """The plan, with the small context in the list of models."""
    plan = turn.plan
    if (turn.request.method, turn.request.path) != ("GET", "/v1/models"):
        return plan
    document = document_of(plan)
    for model in document["data"]:
        model["max_model_len"] = CONTEXT
    return with_bodies(plan, [encoded(document)])


def _too_long(turn: Turn) -> bool:
    return turn.generates and isinstance(turn.prompt, str) and len(turn.prompt.split()) > CONTEXT - 32


def _cut_prompt(turn: Turn) -> Plan:
    if not _too_long(turn):
        return _told(turn)
    end = " ".join(turn.prompt.split()[-CONTEXT + 32 :])
    return turn.asked(**({"messages": [{"role": "user", "content": end}]} if turn.chat else {"prompt": end})).plan


def _crashes_beyond(turn: Turn) -> Plan:
    little = _too_long(turn) and len(turn.prompt.split()) < 3 * CONTEXT
    return oops(500) if little else _told(turn)


def _fewer(turn: Turn) -> Plan:
    limit = turn.body.get("max_tokens")
    return turn.asked(max_tokens=limit - 1).plan if turn.generates and type(limit) is int and limit > 1 else turn.plan


def _unstopped(turn: Turn) -> Plan:
    return turn.asked(stop=...).plan if turn.generates and _stops(turn) else turn.plan


def _unstopped_stream(turn: Turn) -> Plan:
    return turn.asked(stop=...).plan if turn.streams and turn.body.get("stop") else turn.plan


def _unstopped_string(turn: Turn) -> Plan:
    return turn.asked(stop=...).plan if turn.generates and isinstance(turn.body.get("stop"), str) else turn.plan


def _first_stop(turn: Turn) -> Plan:
    stop = turn.body.get("stop")
    several = turn.generates and isinstance(stop, list) and len(stop) > 1
    return turn.asked(stop=stop[:1]).plan if several else turn.plan  # type: ignore[index]


def _with_stop(text: str, turn: Turn) -> str:
    """The text with the stop string that ended it."""
    for stop in _stops(turn):
        unstopped = document_of(turn.asked(stop=..., stream=...).plan)["choices"][0]
        full = unstopped.get("text") or (unstopped.get("message") or {}).get("content") or ""
        if full.startswith(text + stop):
            return text + stop
    return text


def _one_less(text: str, turn: Turn) -> str:
    return text[:-1] if _stops(turn) and text else text


def _no_stop(document: Doc, turn: Turn) -> None:
    for one in document["choices"]:
        if one["finish_reason"] == "stop" and _stops(turn):
            one["finish_reason"] = "length"


def _always_stop(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.generates or status_of(plan) != 200:
        return plan
    if not is_stream(plan):
        document = document_of(plan)
        for one in document["choices"]:
            one["finish_reason"] = "stop"
        return with_bodies(plan, [encoded(document)])
    documents, others = spread(turn, plan)
    for one in (c for d in documents for c in d["choices"] if c["finish_reason"]):
        one["finish_reason"] = "stop"
    return with_bodies(plan, [*map(event, documents), *others])


def _stop_when_given(document: Doc, turn: Turn) -> None:
    for one in document["choices"]:
        if _stops(turn) and "\u2603" in str(turn.body["stop"]):
            one["finish_reason"] = "stop"


def _refuses(name: str, *values: Any) -> Any:
    """A change that refuses these values of a field."""

    def change(turn: Turn) -> Plan:
        value = turn.body.get(name)
        wrong = turn.generates and type(value) in (int, float) and value in values
        return oops(400, f"{name} is out of range", name) if wrong else turn.plan

    return change


def _letters(documents: list[Doc], turn: Turn) -> list[Doc]:
    found = []
    for document in documents:
        texts_of = [holder_of(one) for one in document["choices"]]
        if len(texts_of) == 1 and len(texts_of[0][0].get(texts_of[0][1]) or "") > 1:
            for letter in texts_of[0][0][texts_of[0][1]]:
                one = document["choices"][0]
                told = {"delta": {**one["delta"], "content": letter}} if "delta" in one else {"text": letter}
                found.append({**document, "choices": [{**one, **told}]})
        else:
            found.append(document)
    return found


def _huge(turn: Turn) -> Plan:
    limit = turn.body.get("max_tokens")
    return oops(500, "out of memory") if turn.generates and type(limit) is int and limit == 100_000 else turn.plan


def _of_limit(text: str, turn: Turn) -> str:
    return text.upper() if turn.body.get("max_tokens", 16) % 2 else text


def _logprobs(edit: Any) -> Any:
    def each(one: Doc) -> None:
        if isinstance(one.get("logprobs"), dict) and "tokens" in one["logprobs"]:
            edit(one["logprobs"])

    return choice(each, False)


def _positive(logprobs: Doc) -> None:
    logprobs["token_logprobs"] = [-value if value else value for value in logprobs["token_logprobs"]]


def _null_later(logprobs: Doc) -> None:
    logprobs["token_logprobs"][-1:] = [None]
    if len(logprobs["tokens"]) == 1:
        logprobs["token_logprobs"] = ["-inf"]


def _many(logprobs: Doc) -> None:
    logprobs["top_logprobs"] = [{**one, **{f" {n}": -9.0 for n in range(8)}} for one in logprobs["top_logprobs"]]


def _back(logprobs: Doc) -> None:
    logprobs["text_offset"] = list(reversed(logprobs["text_offset"]))


def _shouted(text: str, turn: Turn) -> str:
    return text.upper() if turn.body.get("logprobs") and turn.body.get("echo") is None else text


def _stream_tokens(one: Doc, at: int) -> None:
    if isinstance(one.get("logprobs"), dict) and one["logprobs"].get("tokens"):
        one["logprobs"]["tokens"] = [token.strip() + "_" for token in one["logprobs"]["tokens"]]


def _chat_tokens(one: Doc) -> None:
    for place in ((one.get("logprobs") or {}).get("content")) or []:
        place["token"] = place["token"].strip()


def _seeds(text: str, turn: Turn) -> str:
    return f"{text} {random.random()}" if turn.body.get("temperature") == 1 and "seed" in turn.body else text


MUTANTS: tuple[Mutant, ...] = (
    mutant("one-token-more", "max_tokens is off by one.", _more, "S-USAGE-03"),
    mutant("one-token-fewer", "max_tokens is off by one, the other way.", _fewer, "S-USAGE-04"),
    mutant("prompt-cut-in-silence", "Of a prompt beyond the context only the end is read.", _cut_prompt, "S-LIMIT-16"),
    mutant("crashes-beyond-context", "A prompt a little beyond the context is a 500.", _crashes_beyond, "S-LIMIT-16"),
    mutant("depends-on-the-limit", "Another max_tokens gives another text.", texts(_of_limit), "S-LIMIT-01"),
    mutant("always-stop", "finish_reason is always stop.", _always_stop, "S-LIMIT-02"),
    mutant("one-token-refused", "max_tokens 1 is refused.", _refuses("max_tokens", 1), "S-LIMIT-03"),
    mutant("stop-ignored", "Stop strings are taken and ignored.", _unstopped, "S-LIMIT-04"),
    mutant("stop-included", "The stop string is part of the text.", texts(_with_stop), "S-LIMIT-04"),
    mutant("stops-too-early", "One character too many is cut before a stop string.", texts(_one_less), "S-LIMIT-05"),
    mutant("stop-called-length", "A text that a stop string ended says length.", whole(_no_stop), "S-LIMIT-06"),
    mutant("stream-does-not-stop", "A stream ignores stop strings.", _unstopped_stream, "S-LIMIT-07"),
    mutant(
        "stop-as-list-only", "A single stop string is ignored, a list of one is not.", _unstopped_string, "S-LIMIT-08"
    ),
    mutant("first-stop-only", "Of several stop strings only the first is looked for.", _first_stop, "S-LIMIT-09"),
    mutant(
        "no-stops-stop",
        "An empty list of stop strings stops at once.",
        texts(lambda text, t: "" if t.body.get("stop") == [] else text, "whole"),
        "S-LIMIT-10",
    ),
    mutant(
        "any-stop-is-a-reason",
        "finish_reason is stop wherever stop strings were given.",
        whole(_stop_when_given),
        "S-LIMIT-11",
    ),
    mutant("two-is-too-hot", "temperature 2 is refused.", _refuses("temperature", 2), "S-LIMIT-12"),
    mutant("top-p-below-one", "top_p 1 is refused.", _refuses("top_p", 1), "S-LIMIT-12"),
    mutant(
        "penalties-inside-two",
        "presence_penalty 2 and -2 are refused.",
        _refuses("presence_penalty", -2.0, 2.0),
        "S-LIMIT-12",
        tries=6.0,
    ),
    mutant("huge-limit", "A huge max_tokens is a 500.", _huge, "S-LIMIT-13"),
    mutant("letter-by-letter", "A stream sends letters and calls them tokens.", chunks(_letters), "S-LIMIT-14"),
    mutant(
        "no-logprobs",
        "logprobs is taken and ignored.",
        choice(lambda c: c.update(logprobs=None), False),
        "S-LOGPROB-01",
    ),
    mutant(
        "short-lists", "text_offset has one place fewer.", _logprobs(lambda p: p["text_offset"].pop()), "S-LOGPROB-02"
    ),
    mutant(
        "no-token-logprobs",
        "There are tokens without log probabilities.",
        _logprobs(lambda p: p.pop("token_logprobs")),
        "S-LOGPROB-02",
    ),
    mutant(
        "tokens-without-spaces",
        "The tokens of logprobs have lost their spaces.",
        _logprobs(lambda p: p.update(tokens=[token.strip() for token in p["tokens"]])),
        "S-LOGPROB-03",
    ),
    mutant("positive-logprobs", "The log probabilities have lost their sign.", _logprobs(_positive), "S-LOGPROB-04"),
    mutant("null-logprob", "The last log probability is null.", _logprobs(_null_later), "S-LOGPROB-04"),
    mutant("many-alternatives", "Ten alternatives are given whatever was asked for.", _logprobs(_many), "S-LOGPROB-05"),
    mutant("offsets-backwards", "The offsets go back.", _logprobs(_back), "S-LOGPROB-06"),
    mutant("logprobs-change-the-text", "With logprobs the text is another.", texts(_shouted, "whole"), "S-LOGPROB-07"),
    mutant(
        "other-tokens-streamed", "A stream's logprobs name other tokens.", part(_stream_tokens, False), "S-LOGPROB-08"
    ),
    mutant(
        "chat-tokens-without-spaces",
        "The tokens of a chat's logprobs have lost their spaces.",
        choice(_chat_tokens, True),
        "S-LOGPROB-09",
    ),
    mutant("seed-ignored", "A seed is taken and ignored.", texts(_seeds), "S-SAME-10"),
    mutant(
        "newer-limit-ignored",
        "max_completion_tokens is taken and ignored.",
        lambda t: t.asked(max_completion_tokens=...).plan if "max_completion_tokens" in t.body else t.plan,
        "S-LIMIT-15",
    ),
    mutant(
        "no-chat-logprobs",
        "logprobs of a chat are taken and ignored.",
        choice(lambda c: c.update(logprobs=None), True),
        "S-LOGPROB-10",
    ),
)
