"""Slips that can be read and do not do what was meant: a method, a header, a place that no request or answer has. Pure.

Law: what is told is sure to be so for the ordinary client; another client, or another answer, may be meant, so each is
a warning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from mockserver.model.tokenizer import split
from mockserver.reply import Text
from mockserver.scripting.match import Match
from mockserver.scripting.rule import Rule
from mockserver.suggest import did_you_mean

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

HEADERS = (
    *("accept", "accept-encoding", "accept-language", "api-key", "authorization", "cache-control", "connection"),
    *("content-encoding", "content-length", "content-type", "cookie", "expect", "host", "idempotency-key", "origin"),
    *("openai-organization", "openai-project", "referer", "traceparent", "transfer-encoding", "user-agent"),
    *("x-api-key", "x-forwarded-for", "x-inferneo-fault", "x-request-id", "x-stainless-retry-count"),
)
"""Header fields that clients of such servers send."""

NEAR = 0.88
"""How alike a misspelt header is to the one that is meant; `x-request-ip` is another."""

_CONTENT = re.compile(r"content\[(\d+)\]")


def slips(match: Match) -> Iterator[tuple[str, str]]:
    """Which key of a match, and what is odd about it."""
    if match.method is not None and match.method not in METHODS:
        near = did_you_mean(match.method, METHODS) or f"; known: {', '.join(METHODS)}"
        yield "method", f"no client sends the method {match.method!r}{near}"
    for name in match.header or {}:
        if name.lower() not in HEADERS:
            for near in difflib.get_close_matches(name.lower(), HEADERS, n=1, cutoff=NEAR):
                yield "header", f"the header {name!r} is like {near!r}, which clients send; did you mean {near!r}?"


def missed_places(rule: Rule) -> Iterator[tuple[str, str]]:
    """Which fault of a rule strikes at a piece that the text it is for does not have, and what it has.

    Only the first fault of a list: those behind it may find another answer than the one that is written.
    """
    for position in range(rule.calls):
        number, index = rule.fault_index(position), rule.reply_index(position)
        if number is None or index is None or not rule.faults[number]:
            continue
        reply, at = rule.replies[index], getattr(rule.faults[number][0], "at", None)
        seen = _CONTENT.fullmatch(at) if isinstance(at, str) else None
        if seen is None or not isinstance(reply, Text):
            continue
        pieces = len(split(reply.text))
        if int(seen[1]) >= pieces:
            has = (
                "no content at all" if not pieces else "content[0]" if pieces == 1 else f"content[0] to [{pieces - 1}]"
            )
            where = f"faults[{number}][0].at"
            yield where, f"the reply {_short(reply.text)} has no place {at!r}; it has {has}, so nothing is changed"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
