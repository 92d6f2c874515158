"""Exchanges grouped into calls: what one call of a client's user became on the wire, its attempts in order. Pure.

Laws: an `Idempotency-Key` says it; without one, attempts of a call are requests of one method, path and body, but for
the declared volatile fields of the body. An attempt follows the one before only where that one had ended and was not
answered in full: two requests that overlap are two calls, and so is the same question asked again after an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mockserver.record.journal import Exchange
from mockserver.record.sent import Sent, sent
from mockserver.request import NotJSON, Request

VOLATILE = ("metadata", "user", "request_id")
"""Fields of a body that clients change between attempts of one call; `a.b` names a field of a field."""


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of a client's user became on the wire: its attempts, the first one first."""

    attempts: tuple[Exchange, ...]

    @property
    def answered(self) -> bool:
        """Whether the last attempt was answered in full, with success."""
        return answered(self.attempts[-1])


def sent_of(exchange: Exchange) -> Sent:
    """What the peer of the exchange was really sent."""
    return sent(exchange.plan, exchange.request, exchange.sent_bytes)


def answered(exchange: Exchange) -> bool:
    """Whether the exchange was a success, in full: then what comes after it is another call."""
    told = sent_of(exchange)
    return told.status is not None and told.status < 400 and told.whole


def question(request: Request, volatile: Sequence[str] = VOLATILE) -> tuple[str, ...]:
    """What makes two requests attempts of one call."""
    key = request.header(b"idempotency-key")
    if key is not None:
        return ("key", key.decode("latin-1"))
    body = request.body.decode("latin-1")
    try:
        document = request.json() if request.body else None
    except NotJSON:
        document = None
    if isinstance(document, dict):
        for field in volatile:
            document = _without(document, field.split("."))
        body = json.dumps(document, sort_keys=True)
    return ("body", request.method, request.path, body)


def _without(document: Any, names: list[str]) -> Any:
    if not isinstance(document, dict) or names[0] not in document:
        return document
    rest = {key: value for key, value in document.items() if key != names[0]}
    return rest if len(names) == 1 else {**rest, names[0]: _without(document[names[0]], names[1:])}


def group(exchanges: Iterable[Exchange], volatile: Sequence[str] = VOLATILE) -> tuple[Call, ...]:
    """The calls, in the order of their first attempts."""
    calls: list[list[Exchange]] = []
    latest: dict[tuple[str, ...], list[list[Exchange]]] = {}
    for exchange in exchanges:
        asked = question(exchange.request, volatile)
        same = latest.setdefault(asked, [])
        for attempts in same:
            if asked[0] == "key" or _follows(exchange, attempts[-1]):
                attempts.append(exchange)
                break
        else:
            calls.append([exchange])
            same.append(calls[-1])
    return tuple(Call(tuple(attempts)) for attempts in calls)


def _follows(exchange: Exchange, before: Exchange) -> bool:
    if before.ended == "open":
        return False
    return before.started + before.seconds <= exchange.started + 0.001 and not answered(before)


class Calls:
    """The calls of a journal. `attempts` counts all requests, `len` the calls; each has its own `attempts`."""

    def __init__(self, exchanges: Sequence[Exchange], volatile: Sequence[str] = VOLATILE) -> None:
        self._exchanges = tuple(exchanges)
        self._calls = group(self._exchanges, volatile)

    @property
    def attempts(self) -> int:
        """How many requests came, retries included."""
        return len(self._exchanges)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def __getitem__(self, index: int) -> Call:
        return self._calls[index]
