"""Tokens that are miscounted, and choices that are lost."""

from __future__ import annotations

from typing import Any

from .edits import Doc, chunks, holder_of, part, usage, whole
from .mutant import Mutant, Turn, mutant


def _sum(document: Doc, turn: Turn) -> None:
    document["usage"]["total_tokens"] += 1


def _sums(documents: list[Doc], turn: Turn) -> list[Doc]:
    for document in documents:
        if document.get("usage"):
            document["usage"]["total_tokens"] = document["usage"]["completion_tokens"]
    return documents


def _set(counts: Doc, **values: Any) -> None:
    counts.update(values)


def _no_usage_chunk(documents: list[Doc], turn: Turn) -> list[Doc]:
    return [document for document in documents if not document.get("usage")]


def _growing(documents: list[Doc], turn: Turn) -> list[Doc]:
    told = next((document["usage"] for document in documents if document.get("usage")), None)
    for at, document in enumerate(documents):
        if told and not document.get("usage"):
            document["usage"] = {**told, "completion_tokens": at, "total_tokens": told["prompt_tokens"] + at}
    return documents


def _usage_first(documents: list[Doc], turn: Turn) -> list[Doc]:
    return sorted(documents, key=lambda document: not document.get("usage"))


def _with_choices(documents: list[Doc], turn: Turn) -> list[Doc]:
    for document in documents:
        if document.get("usage"):
            empty: Doc = {"delta": {}} if turn.chat else {"text": ""}
            document["choices"] = [{"index": 0, **empty, "finish_reason": None}]
    return documents


def _streamed(**more: int) -> Any:
    def edit(documents: list[Doc], turn: Turn) -> list[Doc]:
        for document in documents:
            if document.get("usage"):
                for name, value in more.items():
                    document["usage"][name] += value
                    document["usage"]["total_tokens"] += value
        return documents

    return chunks(edit)


def _few(document: Doc, turn: Turn) -> None:
    if turn.body.get("n") == 2:
        document["usage"]["completion_tokens"] *= 7
        document["usage"]["total_tokens"] = sum(list(document["usage"].values())[:2])


def _of_one(document: Doc, turn: Turn) -> None:
    if turn.body.get("n") == 2:
        document["usage"]["completion_tokens"] //= 2
        document["usage"]["total_tokens"] = sum(list(document["usage"].values())[:2])


def _one_choice(document: Doc, turn: Turn) -> None:
    if turn.body.get("n") == 2:
        document["choices"] = document["choices"][:1]


def _one_streamed(documents: list[Doc], turn: Turn) -> list[Doc]:
    if turn.body.get("n") != 2:
        return documents
    return [d for d in documents if not d["choices"] or d["choices"][0]["index"] == 0]


def _second_unfinished(documents: list[Doc], turn: Turn) -> list[Doc]:
    return [d for d in documents if not any(c["index"] == 1 and c["finish_reason"] for c in d["choices"])]


def _second_shouts(one: Doc, at: int) -> None:
    holder, key = holder_of(one)
    if one["index"] == 1 and holder.get(key):
        holder[key] = holder[key].upper()


def _prompts(turn: Turn) -> list[Any]:
    prompt = turn.body.get("prompt")
    return prompt if isinstance(prompt, list) and prompt and isinstance(prompt[0], str) else []


def _first_prompt(document: Doc, turn: Turn) -> None:
    if _prompts(turn):
        document["choices"] = document["choices"][:1]


def _first_prompt_streamed(documents: list[Doc], turn: Turn) -> list[Doc]:
    if not _prompts(turn):
        return documents
    return [d for d in documents if not d["choices"] or d["choices"][0]["index"] == 0]


def _last_prompt_counted(document: Doc, turn: Turn) -> None:
    if prompts := _prompts(turn):
        counts = document["usage"]
        counts["prompt_tokens"] = max(1, counts["prompt_tokens"] // len(prompts) - 1)
        counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]


def _reversed_prompts(document: Doc, turn: Turn) -> None:
    if _prompts(turn):
        for one, other in zip(document["choices"], [c["text"] for c in reversed(document["choices"])], strict=True):
            one["text"] = other


def _full(counts: Doc, turn: Turn) -> bool:
    return bool(counts["completion_tokens"] >= turn.body.get("max_tokens", 16))


MUTANTS: tuple[Mutant, ...] = (
    mutant("sum-one-too-many", "total_tokens is one too many.", whole(_sum), "S-USAGE-01"),
    mutant("sum-without-prompt", "In a stream total_tokens leaves the prompt out.", chunks(_sums), "S-USAGE-01"),
    mutant("no-usage", "A chat answer has no usage.", whole(lambda d, t: d.pop("usage"), True), "S-USAGE-02"),
    mutant(
        "usage-of-strings",
        "The counts are strings.",
        whole(lambda d, t: d.update(usage={k: str(v) for k, v in d["usage"].items()})),
        "S-USAGE-02",
    ),
    mutant(
        "negative-count",
        "prompt_tokens is -1: not counted.",
        usage(lambda u, t: _set(u, prompt_tokens=-1)),
        "S-USAGE-02",
    ),
    mutant(
        "end-is-counted",
        "The token that ends a text is counted beyond max_tokens.",
        usage(lambda u, t: _set(u, completion_tokens=u["completion_tokens"] + 1)),
        "S-USAGE-03",
    ),
    mutant(
        "one-not-counted",
        "The first token is not counted.",
        usage(lambda u, t: _set(u, completion_tokens=max(1, u["completion_tokens"] - 1))),
        "S-USAGE-04",
    ),
    mutant(
        "usage-refused-in-silence",
        "include_usage is taken and ignored (fakellm).",
        chunks(_no_usage_chunk),
        "S-USAGE-05",
    ),
    mutant("usage-grows", "With include_usage every chunk has the usage so far.", chunks(_growing), "S-USAGE-06"),
    mutant("usage-first", "The usage is told before the text.", chunks(_usage_first), "S-USAGE-06"),
    mutant(
        "usage-with-choices", "The usage comes in a chunk with choices (litellm).", chunks(_with_choices), "S-USAGE-07"
    ),
    mutant(
        "stream-counts-more-prompt",
        "A stream counts three tokens more for its prompt.",
        _streamed(prompt_tokens=3),
        "S-USAGE-08",
    ),
    mutant(
        "stream-counts-more",
        "A stream counts more tokens than were allowed.",
        _streamed(completion_tokens=1),
        "S-USAGE-13",
    ),
    mutant("no-prompt-tokens", "A prompt has no tokens.", usage(lambda u, t: _set(u, prompt_tokens=0)), "S-USAGE-09"),
    mutant(
        "limit-counted-as-prompt",
        "max_tokens is counted with the prompt.",
        usage(lambda u, t: _set(u, prompt_tokens=u["prompt_tokens"] + t.body.get("max_tokens", 16))),
        "S-USAGE-10",
    ),
    mutant(
        "long-prompts-are-cheap",
        "The more words a prompt has, the fewer are counted.",
        usage(lambda u, t: _set(u, prompt_tokens=max(1, 900 - u["prompt_tokens"]))),
        "S-USAGE-11",
    ),
    mutant(
        "text-for-nothing",
        "completion_tokens is always 0.",
        usage(lambda u, t: _set(u, completion_tokens=0)),
        "S-USAGE-12",
    ),
    mutant(
        "n-ignored",
        "n is taken and ignored.",
        lambda turn: turn.asked(n=1).plan if turn.body.get("n") == 2 else turn.plan,
        "S-CHOICE-01",
    ),
    mutant("one-of-two", "n=2 gives one choice.", whole(_one_choice), "S-CHOICE-01"),
    mutant("one-of-two-streamed", "n=2, streamed, has chunks of one choice.", chunks(_one_streamed), "S-CHOICE-02"),
    mutant(
        "second-never-finishes",
        "The second choice of a stream never finishes.",
        chunks(_second_unfinished),
        "S-CHOICE-02",
    ),
    mutant(
        "second-choice-streamed-otherwise",
        "The second choice of a stream has another text.",
        part(_second_shouts),
        "S-CHOICE-03",
    ),
    mutant("choices-cost-much", "Two choices are counted seven times.", whole(_few), "S-CHOICE-04"),
    mutant("one-choice-counted", "Of two choices one is counted.", whole(_of_one), "S-CHOICE-04"),
    mutant("one-prompt-answered", "Of a list of prompts the first is answered.", whole(_first_prompt), "S-CHOICE-05"),
    mutant(
        "one-prompt-streamed",
        "Of a list of prompts, streamed, the first is answered.",
        chunks(_first_prompt_streamed),
        "S-CHOICE-06",
    ),
    mutant(
        "one-prompt-counted", "Of a list of prompts not all are counted.", whole(_last_prompt_counted), "S-CHOICE-07"
    ),
    mutant("prompts-reversed", "A list of prompts is answered from its end.", whole(_reversed_prompts), "S-SAME-09"),
)
