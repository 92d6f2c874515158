"""A tokenizer of our own: stable over runs and machines, reversible, and never inside a grapheme.

`"".join(split(text)) == text`. A token is an optional leading space with at most six letters, three digits or one
other sign; any other cluster is a token of its own. It reads left to right without looking ahead, so a text cut behind
a token has the tokens before the cut: `split("".join(split(text)[:k])) == split(text)[:k]`.
"""

from __future__ import annotations

import re

from mockserver.model.grapheme import clusters

_ASCII = re.compile(r" ?(?:[A-Za-z]{1,6}|[0-9]{1,3}|[!-/:-@\[-`{-~])|\r\n|[\s\S]")
_LETTERS, _DIGITS = 6, 3
_IDEOGRAPHS = 0x2E80
"""From here on scripts write without spaces: one cluster, one token."""


def split(text: str) -> list[str]:
    """The tokens of `text` in order."""
    if text.isascii():
        return _ASCII.findall(text)
    tokens: list[str] = []
    held = ""  # the token being read: at most a space, then clusters of one class
    room = 0
    running = ""
    for cluster in clusters(text):
        kind = _kind(cluster)
        if kind == running and room:
            held += cluster
            room -= 1
            continue
        if held == " " and running == "space" and kind in {"letter", "digit", "sign"}:
            held += cluster
        else:
            if held:
                tokens.append(held)
            held = cluster
        running = kind
        room = _LETTERS - 1 if kind == "letter" else _DIGITS - 1 if kind == "digit" else 0
    tokens.append(held)
    return tokens


def _kind(cluster: str) -> str:
    first = cluster[0]
    if cluster == " ":
        return "space"
    if first.isspace() or (len(cluster) == 1 and not first.isprintable()) or cluster == "\r\n":
        return "blank"
    if first.isalpha() and first < chr(_IDEOGRAPHS):
        return "letter"
    if first.isascii() and first.isdigit():
        return "digit"
    return "sign"


def count(text: str) -> int:
    """How many tokens `text` has: what every `usage` of the fake counts."""
    return len(split(text))
