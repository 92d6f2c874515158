"""Streams whose chunks do not belong together, finish twice or never, or tear characters."""

from __future__ import annotations

import copy

from .edits import Doc, chunk, chunks, holder_of, part
from .mutant import Mutant, Turn, mutant


def _last_choice(documents: list[Doc]) -> int:
    """The place of the last chunk with choices."""
    return max(at for at, document in enumerate(documents) if document["choices"])


def _late_role(documents: list[Doc], turn: Turn) -> list[Doc]:
    if turn.chat and len(documents) > 2:
        for number in {one["index"] for document in documents for one in document["choices"]}:
            own = [one for document in documents for one in document["choices"] if one["index"] == number]
            own[0]["delta"].pop("role", None)
            own[-1]["delta"]["role"] = "assistant"
    return documents


def _again(documents: list[Doc], turn: Turn) -> list[Doc]:
    at = _last_choice(documents)
    return [*documents[: at + 1], copy.deepcopy(documents[at]), *documents[at + 1 :]]


def _swapped(documents: list[Doc], turn: Turn) -> list[Doc]:
    at = _last_choice(documents)
    return [*documents[: at - 1], documents[at], documents[at - 1], *documents[at + 1 :]]


def _early_finish(one: Doc, at: int) -> None:
    if not one.get("finish_reason"):
        one["finish_reason"] = ""


def _false_finish(one: Doc, at: int) -> None:
    if not one.get("finish_reason"):
        one["finish_reason"] = False


def _every_finish(one: Doc, at: int) -> None:
    one["finish_reason"] = one["finish_reason"] or "stop"


def _torn(one: Doc, at: int) -> None:
    holder, key = holder_of(one)
    if holder.get(key):
        holder[key] += "\ufffd"


def _half(one: Doc, at: int) -> None:
    holder, key = holder_of(one)
    if holder.get(key):
        holder[key] = holder[key].replace("e", "\ud83d").replace("i", "\ud83d")


def _usage_always(documents: list[Doc], turn: Turn) -> list[Doc]:
    if turn.body.get("stream_options"):
        return documents
    counts = {"prompt_tokens": 4, "completion_tokens": turn.body.get("max_tokens", 16)}
    last = documents[_last_choice(documents)]
    last["usage"] = {**counts, "total_tokens": sum(counts.values())}
    return documents


def _zeros_always(documents: list[Doc], turn: Turn) -> list[Doc]:
    if not turn.body.get("stream_options"):
        for document in documents:
            document["usage"] = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return documents


def _lost_first(documents: list[Doc], turn: Turn) -> list[Doc]:
    seen = False
    kept = []
    for document in documents:
        has = any(holder_of(one)[0].get(holder_of(one)[1]) for one in document["choices"])
        if has and not seen:
            seen = True
            continue
        kept.append(document)
    return kept


def _doubled_last(documents: list[Doc], turn: Turn) -> list[Doc]:
    with_text = [
        at for at, d in enumerate(documents) for one in d["choices"] if holder_of(one)[0].get(holder_of(one)[1])
    ]
    if not with_text:
        return documents
    at = with_text[-1]
    return [*documents[: at + 1], copy.deepcopy(documents[at]), *documents[at + 1 :]]


def _stripped(one: Doc, at: int) -> None:
    holder, key = holder_of(one)
    if isinstance(holder.get(key), str):
        holder[key] = holder[key].strip()


def _another_finish(one: Doc, at: int) -> None:
    if one.get("finish_reason"):
        one["finish_reason"] = "stop" if one["finish_reason"] == "length" else "length"


MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "id-of-each-chunk",
        "Every chunk has an id of its own (llama.cpp #5876, mockllm).",
        chunk(lambda d, at: d.update(id=f"{d['id']}{at}")),
        "S-STREAM-01",
    ),
    mutant(
        "clock-in-each-chunk",
        "created is the time of each chunk.",
        chunk(lambda d, at: d.update(created=d["created"] + at)),
        "S-STREAM-02",
    ),
    mutant(
        "model-changes",
        "Later chunks name the model without its owner.",
        chunk(lambda d, at: d.update(model=d["model"].rpartition("/")[2]) if at else None),
        "S-STREAM-03",
    ),
    mutant(
        "object-changes",
        "The first chunk calls itself a whole answer.",
        chunk(lambda d, at: d.update(object="chat.completion") if at == 0 else None, chat=True),
        "S-STREAM-04",
    ),
    mutant(
        "no-role",
        "No chunk names the role (guidellm).",
        part(lambda c, at: c["delta"].pop("role", 0), True),
        "S-STREAM-05",
    ),
    mutant("late-role", "The role comes with the last chunk.", chunks(_late_role), "S-STREAM-05"),
    mutant(
        "role-of-the-user",
        "The first chunk says role: user.",
        part(lambda c, at: c["delta"].update(role="user") if "role" in c["delta"] else None, True),
        "S-STREAM-05",
    ),
    mutant(
        "role-in-every-chunk",
        "Every chunk names the role.",
        part(lambda c, at: c["delta"].update(role="assistant"), True),
        "S-STREAM-06",
    ),
    mutant(
        "no-finish", "No chunk has a finish_reason.", part(lambda c, at: c.update(finish_reason=None)), "S-STREAM-07"
    ),
    mutant("finish-twice", "The chunk that finishes comes twice.", chunks(_again), "S-STREAM-07"),
    mutant("finish-in-every-chunk", "Every chunk has a finish_reason.", part(_every_finish), "S-STREAM-07"),
    mutant("text-behind-the-finish", "The last piece comes behind the finish_reason.", chunks(_swapped), "S-STREAM-08"),
    mutant("empty-finish", "finish_reason is empty until the end (ollama #4357).", part(_early_finish), "S-STREAM-09"),
    mutant("false-finish", "finish_reason is false until the end.", part(_false_finish), "S-STREAM-09"),
    mutant(
        "unknown-finish",
        "A stream finishes with eos_token.",
        part(lambda c, at: c.update(finish_reason="eos_token") if c["finish_reason"] else None),
        "S-STREAM-10",
    ),
    mutant("finishes-otherwise", "A stream says stop for length.", part(_another_finish), "S-SAME-01"),
    mutant(
        "index-from-one",
        "The choices of a stream are numbered from 1.",
        part(lambda c, at: c.update(index=c["index"] + 1)),
        "S-STREAM-11",
    ),
    mutant("torn-characters", "A stream has replacement characters.", part(_torn), "S-STREAM-12"),
    mutant("half-characters", "A stream has halves of surrogate pairs.", part(_half), "S-STREAM-13"),
    mutant(
        "usage-unasked", "The last chunk tells a usage that was not asked for.", chunks(_usage_always), "S-STREAM-14"
    ),
    mutant("zeros-unasked", "Every chunk tells a usage of zeros.", chunks(_zeros_always), "S-STREAM-14"),
    mutant("first-token-lost", "The first token of a stream is lost.", chunks(_lost_first), "S-SAME-01"),
    mutant("last-token-doubled", "The last token of a stream comes twice.", chunks(_doubled_last), "S-SAME-01"),
    mutant("spaces-lost", "White space at the edges of pieces is lost.", part(_stripped), "S-SAME-01"),
)
