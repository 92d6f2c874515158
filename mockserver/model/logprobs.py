"""How sure the model was of each token: invented, but in the right shape and always the same.

Law: as many numbers as tokens, all at most 0, the tokens joined are the text, and at most `k` alternatives (at least
the token itself), the token first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from mockserver.model.ask import Ask
from mockserver.model.model import Choice
from mockserver.model.words import VERBS


def wanted(ask: Ask, chat: bool) -> int | None:
    """How many alternatives per token were asked for; None: no logprobs at all."""
    asked = ask.logprobs
    if asked is None or asked is False:
        return None
    if chat and asked is True:
        return ask.top_logprobs or 0
    return int(asked)


def giver(
    choices: Sequence[Choice], keys: Sequence[bytes], k: int, chat: bool
) -> Callable[[int, int, int], dict[str, Any]]:
    """The logprobs of the pieces `start` to `end` of choice `number`, as the endpoint shapes them."""

    def give(number: int, start: int, end: int) -> dict[str, Any]:
        pieces = list(choices[number].pieces or ())
        key = keys[number] if number < len(keys) else b""
        rows = [_row(key, at, pieces[at], k) for at in range(start, end)]
        return _chat(rows, k) if chat else _completion(rows, len("".join(pieces[:start])))

    return give


def _row(key: bytes, at: int, piece: str, k: int) -> list[tuple[str, float]]:
    """The token and its alternatives with their logprobs, the likeliest first."""
    digest = blake2b(key[-64:] + b"\0%d" % at, digest_size=32).digest()
    row = [(piece, -round(digest[0] / 300, 6))]
    others = [verb for verb in VERBS if verb != piece]
    for number in range(1, k):
        row.append((others[(digest[1] + number) % len(others)], row[-1][1] - round(0.5 + digest[number + 1] / 128, 6)))
    return row


def _completion(rows: list[list[tuple[str, float]]], offset: int) -> dict[str, Any]:
    offsets = []
    for row in rows:
        offsets.append(offset)
        offset += len(row[0][0])
    return {
        "tokens": [row[0][0] for row in rows],
        "token_logprobs": [row[0][1] for row in rows],
        "top_logprobs": [dict(row) for row in rows],
        "text_offset": offsets,
    }


def _chat(rows: list[list[tuple[str, float]]], k: int) -> dict[str, Any]:
    def one(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    content = [{**one(*row[0]), "top_logprobs": [one(*other) for other in row[:k]]} for row in rows]
    return {"content": content, "refusal": None}
