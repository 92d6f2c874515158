"""How long a server may take: what is slow is not wrong, and what asks for endless text may take for ever."""

from __future__ import annotations

from typing import Any

from contracts.exchange import Call, Exchange

SHORT = 64
"""A request for no more tokens than these must be answered within the target's timeout."""
WAIT = 2.0
"""Seconds that the judge waits for a server that says when to come again."""


def is_short(call: Call) -> bool:
    """Whether a request asks for a bounded, short answer: only then its silence is a fault.

    A judge's spoilt request may ask for 2^63 tokens in many ways; a server that grants them takes long and is right.
    """
    if call.method != "POST":
        return True
    document = call.document
    if not isinstance(document, dict):
        return True
    limits = [document.get(name) for name in ("max_tokens", "max_completion_tokens", "n", "best_of", "min_tokens")]
    if call.body.count(b'"max_tokens"') != 1 or document.get("ignore_eos"):
        return False
    return isinstance(limits[0], int) and limits[0] >= 1 and all(_is_small(limit) for limit in limits)


def _is_small(limit: Any) -> bool:
    return limit is None or (type(limit) is int and -1 < limit <= SHORT)


def come_again(exchange: Exchange) -> float | None:
    """Seconds after which a limited caller may come again, where a 429 says so; None for any other answer."""
    if exchange.status != 429:
        return None
    for name in ("retry-after", "x-ratelimit-reset-requests", "x-ratelimit-reset"):
        value = exchange.response.field(name)
        if value is not None:
            try:
                return max(0.0, float(value.rstrip("s")))
            except ValueError:
                return 60.0
    return None
