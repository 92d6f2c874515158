"""A number and what it counts, as people write it: `1 request`, `2 requests`, `0 requests`. Pure."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 request`, `2 requests`, `0 requests`; `plural` where an `s` does not make it."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
