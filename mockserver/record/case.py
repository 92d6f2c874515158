"""One call with all that a verdict weighs: what was expected, what each attempt was sent, what the user saw. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mockserver.errors import CallError
from mockserver.lower import lower
from mockserver.plan import Body, Raw, Stall
from mockserver.record.calls import Call
from mockserver.record.journal import Exchange
from mockserver.record.saw import Saw
from mockserver.record.sent import LIMIT, Sent, flat, unchunked

Passed = Callable[[float, float], float]
"""Seconds between two times of the server's monotonic clock, as the session counts them."""


def real(begin: float, end: float) -> float:
    """`Passed` where no test has moved the session's clock."""
    return end - begin


@dataclass(frozen=True, slots=True)
class Limits:
    """What is expected of the client. `patience`: seconds of silence that it may endure, and the longest Retry-After it
    must obey (30 s is the documented client's timeout). `retries`: how often at least it asks again when that is right.
    `attempts`: how many are a storm. `may_raise`: errors that are right though the answer was whole. Others than these
    raise `CallError`.
    """

    patience: float = 30.0
    retries: int = 1
    attempts: int = 10
    may_raise: type[BaseException] | tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int | float) or not self.patience >= 0:
            raise CallError(f"call(patience={self.patience!r}): patience is seconds, a number of at least 0, as 30.0")
        for name, least in (("retries", 0), ("attempts", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise CallError(f"call({name}={value!r}): {name} is a count, a whole number of at least {least}")
        kinds = self.may_raise if isinstance(self.may_raise, tuple) else (self.may_raise,)
        if not all(isinstance(one, type) and issubclass(one, BaseException) for one in kinds):
            raise CallError(
                f"call(may_raise={self.may_raise!r}): may_raise is an exception class, or a tuple of them, "
                "as may_raise=ValueError"
            )


@dataclass(frozen=True, slots=True)
class Case:
    """One call and all that is known of it, with what was sent in each attempt worked out once. `clean`: each call of
    the block ended with an answer that no fault had touched.
    """

    call: Call
    sent: tuple[Sent, ...]
    saw: Saw
    limits: Limits
    passed: Passed
    clean: bool = False

    @property
    def last(self) -> Sent:
        """What the last attempt sent."""
        return self.sent[-1]

    @property
    def exchange(self) -> Exchange:
        """The last attempt."""
        return self.call.attempts[-1]

    def retries(self) -> Iterator[tuple[int, Exchange, Sent, Exchange]]:
        """(number of the attempt from 1, the attempt, what it sent, the one after it)."""
        for number, told in enumerate(self.sent[:-1]):
            yield number + 1, self.call.attempts[number], told, self.call.attempts[number + 1]

    @property
    def ending(self) -> str:
        """How the last attempt, which was no answer, ended; the end of a sentence."""
        last = self.last
        if last.status is None:
            return "ended before a status line"
        if last.status >= 400:
            return f"was refused with {last.status}"
        if last.error:
            return f"carried an error event at event {error_at(last)} ({last.error[:60]})"
        how = {"rst": "with a reset", "fin": "with a close", "end": "in order", "stall": "in silence"}
        return f"ended {how.get(self.exchange.ended, self.exchange.ended)} before it was whole"


def error_at(told: Sent) -> int:
    """The first event of a stream that carries an error, counted from 1; 0: none does."""
    for number, event in enumerate(told.events, 1):
        value = _document(event)
        if isinstance(value, dict) and value.get("error"):
            return number
    return 0


def clean(exchange: Exchange, told: Sent, patience: float) -> bool:
    """Whether an answer gave no reason to raise: a success, whole by every sign, with something said in it, no silence
    beyond `patience`, and no fault had a hand in it but those of time.
    """
    if any(fault.group != "time" for fault in exchange.faults) or told.silence > patience:
        return False
    if not told.whole or (told.status or 500) >= 300 or exchange.ended not in ("end", "fin"):
        return False
    if told.streamed:
        return told.done and told.finished and not told.damaged and bool(told.text)
    value = _document(b"".join(step.data for step in exchange.plan.steps if isinstance(step, Body)).decode("latin-1"))
    return isinstance(value, dict) and not value.get("error") and (bool(told.text) or "choices" not in value)


def _document(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def wire_text(exchange: Exchange) -> str:
    """What came of the body, out of its chunks: what a client has that hands on all that it read."""
    data, request = bytearray(), exchange.request
    alive = (request.header(b"connection") or b"").lower() != b"close"
    lowered = lower(
        exchange.plan, method=request.method, http_version=request.http_version, keep_alive=alive, date=b"x" * 29
    )
    for step in flat(lowered.steps):
        if isinstance(step, Raw):
            data += step.data
        if len(data) >= min(exchange.sent_bytes, LIMIT):
            break
    head, _, body = bytes(data[: exchange.sent_bytes]).partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body, _ = unchunked(body)
    return body.decode("utf-8", "replace")


def retry_after(told: Sent) -> float | None:
    """Seconds that the response asks to wait: the least of what its headers say; None: nothing that means something."""
    found = []
    for name, value in told.headers:
        if name == "retry-after-ms" and _is_number(value):
            found.append(float(value) / 1000)
        elif name == "retry-after" and _is_number(value):
            found.append(float(value))
        elif name == "retry-after":
            date = told.header("date")
            try:
                now = parsedate_to_datetime(date) if date and date.count("x") < 9 else datetime.now(UTC)
                found.append((parsedate_to_datetime(value) - now).total_seconds())
            except (TypeError, ValueError):
                continue
    return max(0.0, min(found)) if found else None


def _is_number(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").replace(".", "", 1).isdigit()


def left(exchange: Exchange) -> bool:
    """Whether the client closed first, be it in a planned silence."""
    ending = exchange.plan.ending
    if exchange.ended == "stall" and isinstance(ending, Stall):
        return ending.seconds is None or exchange.seconds < ending.seconds
    return exchange.ended == "client"
