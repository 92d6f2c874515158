"""Documents that lack a field, or have it of another type."""

from __future__ import annotations

from .edits import Doc, choice, chunk, chunks, part, whole
from .mutant import Mutant, Turn, mutant


def _as_completion(one: Doc) -> None:
    one["message"] = {"role": "assistant", "content": one.pop("text")}


def _as_text(one: Doc, at: int) -> None:
    one["text"] = one.pop("delta").get("content") or ""


def _as_delta(one: Doc, at: int) -> None:
    one["delta"] = {"content": one.pop("text")}


def _as_parts(one: Doc, at: int) -> None:
    if one["delta"].get("content"):
        one["delta"]["content"] = [{"type": "text", "text": one["delta"]["content"]}]


def _filter_first(documents: list[Doc], turn: Turn) -> list[Doc]:
    return [{**documents[0], "choices": []}, *documents]


def _numbered(document: Doc, turn: Turn) -> None:
    for at, one in enumerate(document["choices"]):
        one["index"] = at + 1


def _backwards(document: Doc, turn: Turn) -> None:
    for at, one in enumerate(reversed(document["choices"])):
        one["index"] = at


MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "no-role-in-message", "A message has no role.", choice(lambda c: c["message"].pop("role"), True), "S-SHAPE-01"
    ),
    mutant(
        "content-null",
        "A message's content is null.",
        choice(lambda c: c["message"].update(content=None), True),
        "S-SHAPE-01",
    ),
    mutant(
        "content-of-parts",
        "A message's content is a list of parts.",
        choice(lambda c: c["message"].update(content=[{"type": "text", "text": c["message"]["content"]}]), True),
        "S-SHAPE-01",
    ),
    mutant("no-choices", "A chat answer has no choices.", whole(lambda d, t: d.pop("choices"), True), "S-SHAPE-01"),
    mutant("message-for-text", "A text answer has messages.", choice(_as_completion, False), "S-SHAPE-02"),
    mutant(
        "empty-choices", "A text answer has no choice.", whole(lambda d, t: d.update(choices=[]), False), "S-SHAPE-02"
    ),
    mutant(
        "chat-object",
        "A chat answer says text_completion.",
        whole(lambda d, t: d.update(object="text_completion"), True),
        "S-SHAPE-03",
    ),
    mutant(
        "no-chat-object",
        "A chat answer does not say what it is.",
        whole(lambda d, t: d.pop("object"), True),
        "S-SHAPE-03",
    ),
    mutant(
        "text-object",
        "A text answer says completion.",
        whole(lambda d, t: d.update(object="completion"), False),
        "S-SHAPE-04",
    ),
    mutant(
        "chat-chunk-object",
        "A chat chunk says chunk.",
        chunk(lambda d, at: d.update(object="chat.chunk"), True),
        "S-SHAPE-05",
    ),
    mutant(
        "text-chunk-object",
        "A text chunk says completion.chunk.",
        chunk(lambda d, at: d.update(object="completion.chunk"), False),
        "S-SHAPE-06",
    ),
    mutant("empty-id", "An answer's id is empty.", whole(lambda d, t: d.update(id="")), "S-SHAPE-07"),
    mutant(
        "id-is-a-number",
        "An answer's id is a number.",
        whole(lambda d, t: d.update(id=hash(d["id"]) % 10**9)),
        "S-SHAPE-07",
    ),
    mutant(
        "created-is-a-float",
        "created has a fraction.",
        whole(lambda d, t: d.update(created=d["created"] + 0.5)),
        "S-SHAPE-08",
    ),
    mutant(
        "created-in-milliseconds",
        "created is in milliseconds.",
        whole(lambda d, t: d.update(created=d["created"] * 1000)),
        "S-SHAPE-08",
    ),
    mutant(
        "created-is-a-string",
        "created of a chunk is a string.",
        chunk(lambda d, at: d.update(created=str(d["created"]))),
        "S-SHAPE-08",
    ),
    mutant("no-created", "A chunk has no created.", chunk(lambda d, at: d.pop("created")), "S-SHAPE-08"),
    mutant("choices-from-one", "The choices are numbered from 1.", whole(_numbered), "S-SHAPE-09"),
    mutant("choices-backwards", "The choices are numbered from the end.", whole(_backwards), "S-SAME-09"),
    mutant(
        "no-finish-of-an-answer",
        "A chat answer does not say why it ended.",
        choice(lambda c: c.update(finish_reason=None), True),
        "S-SHAPE-10",
    ),
    mutant(
        "finish-of-its-own",
        "A text answer ends by max_tokens.",
        choice(lambda c: c.update(finish_reason="max_tokens"), False),
        "S-SHAPE-10",
    ),
    mutant(
        "another-model",
        "An answer names the file of the model.",
        whole(lambda d, t: d.update(model=f"/models/{d['model']}.gguf")),
        "S-SHAPE-11",
    ),
    mutant(
        "empty-first-chunk",
        "A stream begins with a chunk without choices (Azure).",
        chunks(_filter_first),
        "S-SHAPE-12",
    ),
    mutant(
        "no-choices-in-a-chunk",
        "The first chunk has no choices at all.",
        chunks(lambda ds, t: [{k: v for k, v in ds[0].items() if k != "choices"}, *ds]),
        "S-SHAPE-12",
    ),
    mutant("text-in-a-chat-chunk", "A chat chunk has a text and no delta.", part(_as_text, True), "S-SHAPE-13"),
    mutant("delta-of-parts", "A delta's content is a list of parts.", part(_as_parts, True), "S-SHAPE-13"),
    mutant("delta-in-a-text-chunk", "A text chunk has a delta and no text.", part(_as_delta, False), "S-SHAPE-14"),
    mutant(
        "null-text",
        "The text of the last text chunk is null.",
        part(lambda c, at: c.update(text=None) if c["finish_reason"] else None, False),
        "S-SHAPE-14",
    ),
)
