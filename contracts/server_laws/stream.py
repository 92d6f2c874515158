"""Streams: what must stay the same from chunk to chunk, and what may come only once."""

from __future__ import annotations

from typing import Any

from contracts.answers import FINISH_REASONS, choices, documents, index, piece, read
from contracts.domains import CHAT_STREAMS, QUIET_STREAMS, STREAMS
from contracts.exchange import Call
from contracts.law import Unjudged, expect, law
from contracts.target import Target

SOURCE = "api.md, Streaming"


def constant(target: Target, call: Call, key: str) -> None:
    """The value of `key` is the same in all chunks that have it, and all have it or none."""
    said = [document.get(key) for document in documents(target.send(call))]
    expect(
        all(value == said[0] for value in said),
        f"one {key} in all {len(said)} chunks",
        list(dict.fromkeys(map(str, said))),
    )


@law("S-STREAM-01", over=STREAMS, source="laws.md 9 (llama.cpp #5876)")
def the_id_is_constant(target: Target, call: Call) -> None:
    """All chunks of a stream have the same id."""
    constant(target, call, "id")


@law("S-STREAM-02", over=STREAMS, source="laws.md 9")
def created_is_constant(target: Target, call: Call) -> None:
    """All chunks of a stream have the same created."""
    constant(target, call, "created")


@law("S-STREAM-03", over=STREAMS, source="laws.md 9")
def the_model_is_constant(target: Target, call: Call) -> None:
    """All chunks of a stream name the same model."""
    constant(target, call, "model")


@law("S-STREAM-04", over=STREAMS, source="laws.md 9")
def the_object_is_constant(target: Target, call: Call) -> None:
    """All chunks of a stream have the same object."""
    constant(target, call, "object")


@law("S-STREAM-05", over=CHAT_STREAMS, source="laws.md 40")
def the_role_comes_first(target: Target, call: Call) -> None:
    """The first chunk of a choice has the role assistant.

    Readers build the message from the deltas: without a role there is no message, and a role that comes late changes
    one that was already shown.
    """
    seen: set[int] = set()
    for document in documents(target.send(call)):
        for choice in choices(document):
            if (at := index(choice)) not in seen:
                seen.add(at)
                delta = choice.get("delta") or {}
                expect(delta.get("role") == "assistant", "role 'assistant' in the first delta of a choice", choice)


@law("S-STREAM-06", over=CHAT_STREAMS, borne={"openai"}, source="laws.md 40")
def the_role_comes_once(target: Target, call: Call) -> None:
    """A choice is told its role at most once: later deltas have none, or null.

    Readers that add up the strings of deltas make "assistantassistant" of it. Two widespread servers say the role in
    every delta, so on a server that promises no more than to be compatible this is lenient.
    """
    roles: dict[int, list[Any]] = {}
    for document in documents(target.send(call)):
        for choice in choices(document):
            if (role := (choice.get("delta") or {}).get("role")) is not None:
                roles.setdefault(index(choice), []).append(role)
    expect(all(len(said) <= 1 for said in roles.values()), "the role once per choice", roles)


@law("S-STREAM-07", over=STREAMS, source="laws.md 8")
def every_choice_finishes_once(target: Target, call: Call) -> None:
    """Every choice of a stream has a finish_reason in exactly one of its chunks."""
    finishes: dict[int, list[Any]] = {}
    for document in documents(target.send(call)):
        for choice in choices(document):
            said = finishes.setdefault(index(choice), [])
            if choice.get("finish_reason"):
                said.append(choice["finish_reason"])
    expect(bool(finishes), "at least one choice", "none")
    expect(all(len(said) == 1 for said in finishes.values()), "one finish_reason for each choice", finishes)


@law("S-STREAM-08", over=STREAMS, source="laws.md 8")
def the_finish_comes_last(target: Target, call: Call) -> None:
    """After the chunk with its finish_reason a choice has no further text."""
    finished: set[int] = set()
    for document in documents(target.send(call)):
        for choice in choices(document):
            at = index(choice)
            expect(at not in finished or not piece(choice), "no text after the finish_reason", choice)
            if choice.get("finish_reason"):
                finished.add(at)


@law("S-STREAM-09", over=STREAMS, source="laws.md 8 (ollama #4357, sglang #3912)")
def a_finish_is_null_before_it_is_there(target: Target, call: Call) -> None:
    """Before its time a finish_reason is null or absent: never an empty string, never false."""
    for document in documents(target.send(call)):
        for choice in choices(document):
            said = choice.get("finish_reason")
            expect(said is None or (isinstance(said, str) and said != ""), "finish_reason null until the end", said)


@law("S-STREAM-10", over=STREAMS, source="laws.md 8")
def a_stream_says_why_it_ended(target: Target, call: Call) -> None:
    """The finish_reason of a stream is a known one."""
    for at, said in read(target.send(call)).finishes.items():
        if said is None:
            raise Unjudged("a choice does not finish (S-STREAM-07 judges that)")
        expect(said in FINISH_REASONS, f"finish_reason one of {', '.join(FINISH_REASONS)} for choice {at}", said)


@law("S-STREAM-11", over=STREAMS, source="laws.md 13")
def indexes_are_of_asked_choices(target: Target, call: Call) -> None:
    """A stream has the choices that were asked for, and no others."""
    asked = call.document.get("n") or 1
    said = {choice.get("index") for document in documents(target.send(call)) for choice in choices(document)}
    expect(said <= set(range(asked)), f"indexes {list(range(asked))} only", sorted(map(str, said)))


@law("S-STREAM-12", over=STREAMS, source="laws.md 25")
def characters_are_not_torn(target: Target, call: Call) -> None:
    """No chunk has a replacement character that the whole text lacks.

    A character of several tokens must be held back until it is whole. Torn, each half becomes U+FFFD; the joined text
    of the same request without streaming shows whether the model meant it.
    """
    streamed = read(target.send(call))
    if "\ufffd" not in "".join(streamed.texts.values()):
        return
    whole = read(target.send(call.with_(stream=..., stream_options=...)))
    expect("\ufffd" in "".join(whole.texts.values()), "no U+FFFD: the whole text has none", streamed.texts)


@law("S-STREAM-13", over=STREAMS, source="laws.md 25")
def no_chunk_has_half_a_surrogate_pair(target: Target, call: Call) -> None:
    """No chunk has a lone surrogate: `\\ud83d` in one and `\\ude00` in the next is one character torn in two."""
    for document in documents(target.send(call)):
        for choice in choices(document):
            lone = [c for c in piece(choice) if "\ud800" <= c <= "\udfff"]
            expect(not lone, "whole characters", piece(choice).encode("unicode_escape").decode())


@law("S-STREAM-14", over=QUIET_STREAMS, level="should", source="laws.md 7")
def usage_only_when_asked(target: Target, call: Call) -> None:
    """Without include_usage no chunk has a usage that is not null."""
    said = [document["usage"] for document in documents(target.send(call)) if document.get("usage")]
    expect(not said, "no usage in the chunks", said)
