"""From HTTP down to bytes: a plan of heads and bodies becomes a plan of `Raw` steps. Pure.

Laws: the bytes depend on the plan, the request's method and version, and the date, on nothing else, so both parsers and
both event loops send the same. Lowering a lowered plan changes nothing. A head that says how its body is framed
(Content-Length or Transfer-Encoding) is believed, right or wrong; else the body goes out in chunks under HTTP/1.1, and
until close under HTTP/1.0 (RFC 9112, 6.3). Answers to HEAD and the statuses 1xx, 204 and 304 have no body: their `Body`
steps are left out (a body there is a fault, and faults use `Raw`). `Body` steps with no head before them go out bare.
The value `date+N` of `retry-after` (`date-N`) is the HTTP date N seconds after (before) the response's own date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import assert_never

from mockserver.plan import Body, End, Head, Headers, Plan, Raw, Repeat, Step, Wait

LAST_CHUNK = b"0\r\n\r\n"

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_BARE, _LENGTH, _CHUNKED, _NOTHING = range(4)
_CACHE_SIZE = 1024

_EPOCH = b"Thu, 01 Jan 1970 00:00:00 GMT"
_RELATIVE = re.compile(rb"date([+-]\d{1,9})")
_RETRY_AFTER = re.compile(rb"(?i)(\r\nretry-after: )date([+-]\d{1,9})(?=\r\n)")
_DATE = re.compile(rb"(?i)\r\ndate: ([^\r]*)\r\n")

_Rendered = tuple[bytes, bool, bool, bool, bool, bool]
"""Status line and fields, without the empty line; has a length, is chunked, has a date, says `connection: close`, has a
date that counts from another."""

_cache: dict[tuple[int, bytes, Headers], _Rendered] = {}


def _render(head: Head) -> _Rendered:
    key = (head.status, head.reason, head.headers)
    rendered = _cache.get(key)
    if rendered is not None:
        return rendered
    reason = head.reason or _PHRASES.get(head.status, b"")
    lines = [b"HTTP/1.1 %d %b\r\n" % (head.status, reason)]
    length = chunked = dated = closes = relative = False
    for name, value in head.headers:
        lines.append(b"%b: %b\r\n" % (name, value))
        field = name.lower()
        if field == b"content-length":
            length = True
        elif field == b"transfer-encoding":
            chunked = chunked or b"chunked" in value.lower()
        elif field == b"date":
            dated = True
        elif field == b"connection":
            closes = closes or b"close" in [token.strip() for token in value.lower().split(b",")]
        elif field == b"retry-after":
            relative = relative or _RELATIVE.fullmatch(value) is not None
    rendered = (b"".join(lines), length, chunked, dated, closes, relative)
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    _cache[key] = rendered
    return rendered


def _dated(block: bytes, date: bytes) -> bytes:
    """`date+N` in `retry-after` as an HTTP date (RFC 9110, 10.2.3), counted from the head's own date, else `date`.

    A head with neither (a plan that a fault has lowered) counts from the epoch.
    """
    own = _DATE.search(block)
    begin = _moment(own[1] if own else date) or _moment(_EPOCH)
    assert begin is not None

    def absolute(seen: re.Match[bytes]) -> bytes:
        try:
            moment = begin + timedelta(seconds=int(seen[2]))
        except OverflowError:
            moment = begin
        return seen[1] + format_datetime(moment, usegmt=True).encode()

    return _RETRY_AFTER.sub(absolute, block)


def _moment(date: bytes) -> datetime | None:
    try:
        found = parsedate_to_datetime(date.decode("latin-1"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class Framer:
    """Turns the steps of one response into bytes, in order.

    `date` is the value of the `date` field for heads without one; empty: none is added. `closes` is true once a head
    was sent after which the connection ends: it says `connection: close`, the peer does not keep it, or the body's end
    is the connection's end.
    """

    __slots__ = ("_bodyless", "_date", "_keep_alive", "_mode", "_old", "closes")

    def __init__(self, method: str, http_version: str, keep_alive: bool, date: bytes) -> None:
        self._bodyless = method == "HEAD"
        self._old = http_version in ("1.0", "0.9")
        self._keep_alive = keep_alive and not self._old
        self._date = date
        self._mode = _BARE
        self.closes = not self._keep_alive

    def head(self, head: Head) -> bytes:
        """The bytes of `head` (and before them the last chunk of a response that was still open)."""
        before = self.end()
        block, length, chunked, dated, closes, relative = _render(head)
        if relative:
            block = _dated(block, self._date)
        status = head.status
        if 100 <= status < 200:
            return before + block + b"\r\n"
        mode = self._mode = self._framing(status, length, chunked)
        if mode == _BARE:
            self.closes = True
        elif mode == _CHUNKED and not chunked:
            block += b"transfer-encoding: chunked\r\n"
        if closes:
            self.closes = True
        elif self.closes:
            block += b"connection: close\r\n"
        if not dated and self._date:
            return b"%b%bdate: %b\r\n\r\n" % (before, block, self._date)
        return before + block + b"\r\n"

    def _framing(self, status: int, length: bool, chunked: bool) -> int:
        if self._bodyless or status in (204, 304):
            return _NOTHING
        if chunked:
            return _CHUNKED
        if length:
            return _LENGTH
        return _BARE if self._old else _CHUNKED

    def chunks(self, head: Head) -> bool:
        """Whether the body behind `head` will go out in chunks."""
        _, length, chunked, *_ = _render(head)
        return head.status >= 200 and self._framing(head.status, length, chunked) == _CHUNKED

    @property
    def chunked(self) -> bool:
        """Whether the body that is open goes out in chunks."""
        return self._mode == _CHUNKED

    def body(self, data: bytes) -> bytes:
        """`data` as it goes out; empty where nothing does (an empty chunk would end the body)."""
        mode = self._mode
        if mode == _CHUNKED:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return b"" if mode == _NOTHING else data

    def end(self) -> bytes:
        """What closes the body of the response: the last chunk, or nothing."""
        if self._mode == _CHUNKED:
            self._mode = _BARE
            return LAST_CHUNK
        return b""


def lower(
    plan: Plan, *, method: str = "POST", http_version: str = "1.1", keep_alive: bool = True, date: bytes = b""
) -> Plan:
    """`plan` as `Raw` bytes and waits; marks stay on the bytes they named. See the module for the laws.

    A plan that is already below HTTP comes back equal. The player adds the date, so a plan lowered before (by a fault
    that counts bytes from the status line on) has one only if `date` was given.
    """
    framer = Framer(method, http_version, keep_alive, date)
    steps = lower_steps(plan.steps, framer)
    if isinstance(plan.ending, End) and (last := framer.end()):
        steps = (*steps, Raw(last))
    return Plan(steps, plan.ending)


def lower_steps(steps: Iterable[Step], framer: Framer) -> tuple[Step, ...]:
    """`steps` as `Raw`, `Wait` and `Repeat` of those; a `Repeat` is lowered once: each round sends the same."""
    lowered: list[Step] = []
    for step in steps:
        match step:
            case Wait() | Raw():
                lowered.append(step)
            case Head():
                lowered.append(Raw(framer.head(step)))
            case Body(data, mark):
                if framed := framer.body(data):
                    lowered.append(Raw(framed, mark))
            case Repeat(inner, times):
                lowered.append(Repeat(lower_steps(inner, framer), times))
            case _:
                assert_never(step)
    return tuple(lowered)
