"""A model that is a function: the text follows from a key, streamed or not, on every machine and day.

`speak(key, limit)` gives the first `limit` tokens of the key's text, so a shorter answer is a prefix of a longer one.
`Choice` is what one choice of a response says; `complete` applies the limit and the stop strings to a text, wherever
the text came from. The tokens of a text are those of `mockserver.model.tokenizer`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from typing import TypeAlias

from mockserver.model import words
from mockserver.model.tokenizer import split

_Phrases: TypeAlias = tuple[tuple[str, ...], ...]


@cache
def _phrases() -> tuple[_Phrases, _Phrases, _Phrases, _Phrases, _Phrases, _Phrases]:
    """Subjects, verbs, objects, places, openings and links, as tokens; made when the model first speaks."""
    openings = tuple(phrase[1].upper() + phrase[2:] for phrase in words.SUBJECTS)
    lists = (words.SUBJECTS, words.VERBS, words.OBJECTS, words.PLACES, openings, words.LINKS)
    made = [tuple(tuple(split(phrase)) for phrase in phrases) for phrases in lists]
    return made[0], made[1], made[2], made[3], made[4], made[5]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool: `pieces` joined are the arguments, a JSON text."""

    id: str
    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What one choice says: `pieces` joined are its text, one piece per chunk, None where it says nothing at all.

    `tokens` is what was generated for it, which is more than `pieces` where a stop string was taken away.
    """

    pieces: Sequence[str] | None
    finish: str
    tokens: int
    calls: tuple[Call, ...] = ()

    @property
    def text(self) -> str:
        """The text as a response that is not streamed has it."""
        return "".join(self.pieces or ())


def speak(key: bytes, limit: int, endless: bool = False) -> tuple[list[str], bool]:
    """At most `limit` tokens of the text of `key`, and whether the text ended by itself before the limit.

    Two to five sentences; `endless` goes on until the limit, as a model does whose end of sequence is ignored.
    """
    digest = blake2b(key).digest()
    sentences = 2 + (digest[63] & 3)
    subjects, verbs, objects, places, openings, links = _phrases()
    tokens: list[str] = []
    linked = False
    at = said = 0
    while True:
        if at == 60:
            digest, at = blake2b(digest).digest(), 0
        a, b, c, d, e = digest[at : at + 5]
        at += 5
        if linked:
            tokens += links[a >> 6]
            tokens += subjects[a & 31]
        elif tokens:
            first, *rest = openings[a & 31]
            tokens.append(" " + first)
            tokens += rest
        else:
            tokens += openings[a & 31]
        tokens += verbs[b & 31]
        tokens += objects[c & 31]
        if d & 32:
            tokens += places[d & 31]
        said += 1
        last = said >= sentences and not endless
        sign = "." if last else words.ENDINGS[e & 7]
        linked = sign != "."
        tokens.append(sign)
        if len(tokens) >= limit:
            ended = last and len(tokens) < limit
            del tokens[limit:]
            return tokens, ended
        if last:
            return tokens, True


def complete(
    pieces: list[str], ended: bool, limit: int, stops: Sequence[str] = (), end_token: int = 0, finish: str = ""
) -> Choice:
    """The choice that says `pieces` under a limit of tokens and stop strings.

    A stop string ends the generation with the token that completes it, and is never shown, nor is what follows it.
    `end_token` 1 counts the end of the sequence as a token, as some servers do. `finish`: the reason of a text that
    ended by itself (default `stop`).
    """
    if len(pieces) >= limit:  # no room is left for the end of the sequence
        pieces, ended = pieces[:limit], False
    if stops:
        text = "".join(pieces)
        hits = [(at + len(stop), at) for stop in stops if stop and (at := text.find(stop)) >= 0]
        if hits:
            end, start = min(hits)
            return Choice(_keep(pieces, start), "stop", _tokens_until(pieces, end))
    if not ended:
        return Choice(pieces, finish or "length", len(pieces))
    return Choice(pieces, finish or "stop", len(pieces) + end_token)


def _keep(pieces: list[str], size: int) -> list[str]:
    """The pieces of the first `size` characters; the last may be cut."""
    count = _tokens_until(pieces, size)
    shown = pieces[:count]
    if shown:
        shown[-1] = shown[-1][: len(shown[-1]) - (len("".join(shown)) - size)]
    return shown


def _tokens_until(pieces: list[str], size: int) -> int:
    """How many pieces it takes to reach `size` characters, which the pieces hold."""
    ends = list(accumulate(map(len, pieces)))
    return bisect_left(ends, size) + 1 if size else 0
