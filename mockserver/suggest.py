"""What the writer of a misspelt word most likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 40


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest of `known`, else the empty string."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.65)
    return f"; did you mean '{lowered[near[0]]}'?" if near else ""


def unknown(what: str, word: object, known: Iterable[str]) -> str:
    """One sentence: what is unknown, what is known, and the nearest of the known."""
    names = sorted(known)
    listed = ", ".join(names[:_LISTED]) + (f", ... ({len(names)} in all)" if len(names) > _LISTED else "")
    return f"unknown {what} {word!r}; known: {listed or 'none'}{did_you_mean(str(word), names)}"
