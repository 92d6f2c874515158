"""The bytes of an answer as a bundle keeps them, and the first place where those of another run differ. Pure.

Laws: bytes are those that the plan sends, up to the count that was sent. What the time of day alone decides (the date,
a bucket's reset, an uptime) is made equal before anything is compared, byte for byte, so places stay right. Answers are
kept whole up to a bound; beyond it a digest tells that they differ, not where.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Literal

import msgspec

from mockserver.flow import Flow
from mockserver.lower import Framer, lower_steps
from mockserver.model.frames import SOCKET, Frames
from mockserver.plan import End, Plan, Raw
from mockserver.record.sent import LIMIT, flat
from mockserver.request import Request

LONGEST = 1 << 16
"""Bytes of an answer that is kept whole."""

KEPT = 4 << 20
"""Bytes of whole answers in one bundle; the answers after that have a digest only."""

AROUND = 24
"""Characters shown before the first difference, and behind it."""

_DATE = b"x" * 29

_MEASURED = b"\n# TYPE inferneo_"
"""In a page of metrics: it has the sums of what responses took, to the microsecond."""

_HEAD = re.compile(rb"((?:\r\ndate: |-reset: ))([^\r]+)", re.IGNORECASE)
_CREATED = re.compile(rb'("created": ?)(\d+)')
_UPTIME = re.compile(rb'("uptime(?:_s)?": ?)([\d.]+)')


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was sent to one request. `text` None: it was too long to be kept. `unlike`: why nothing is kept of it, and
    its bytes and their number may well be others when it is sent again; empty: they may not.
    """

    size: int = 0
    sha256: str = ""
    text: str | None = None
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    unlike: str = ""


def heard(data: bytes, room: int) -> Heard:
    """The answer `data` for a bundle that has `room` for so many bytes."""
    if _MEASURED in data:
        return Heard(unlike="it tells times that were measured")
    even = masked(data)
    digest = sha256(even).hexdigest()
    if len(even) > min(LONGEST, room):
        return Heard(size=len(even), sha256=digest)
    try:
        return Heard(size=len(even), sha256=digest, text=even.decode())
    except UnicodeDecodeError:
        return Heard(size=len(even), sha256=digest, text=even.decode("latin-1"), encoding="latin-1")


def sent_data(plan: Plan, request: Request, count: int) -> bytes:
    """The first `count` bytes that the plan sends to `request`, at most `LIMIT`; the date is a row of x."""
    closing = (request.header(b"connection") or b"").lower() == b"close"
    socket = request.http_version == SOCKET
    framer = Frames() if socket else Framer(request.method, request.http_version, not closing, _DATE)
    count, data = min(count, LIMIT), bytearray()
    flow = plan.steps
    if isinstance(flow, Flow) and isinstance(plan.ending, End) and flow.layout.plain and framer.chunks(flow.head):
        return (framer.head(flow.head) + flow.wire() + framer.end())[:count]  # as below, some ten times as fast
    for step in flat(lower_steps(plan.steps, framer)):
        if len(data) >= count:
            break
        if isinstance(step, Raw):
            data += step.data
    if isinstance(plan.ending, End):
        data += framer.end()
    return bytes(data[:count])


def masked(data: bytes) -> bytes:
    """With x for every character that only the time of day decides."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not data.startswith(b"HTTP/"):
        head, end, body = b"", b"", data
    if found := _CREATED.search(body):  # all events of a stream say the same: mostly this replaces hundreds at once
        body = body.replace(found[0], _even(found))
    body = _UPTIME.sub(_even, _CREATED.sub(_even, body))
    return _HEAD.sub(_even, head) + end + body


def _even(found: re.Match[bytes]) -> bytes:
    return found[1] + b"x" * len(found[2])


def first_difference(before: Heard, data: bytes, *, whole: bool = True) -> str:
    """Where the answer `data` differs from the one before, in one line; empty: nowhere, or nobody can know.

    Not `whole`: a client left, so either may be longer than the other.
    """
    now = masked(data)
    if before.unlike or sha256(now).hexdigest() == before.sha256:
        return ""
    if before.text is None:
        beyond = f"bytes: not those of before; of an answer beyond {LONGEST >> 10} KiB only a digest is kept"
        return beyond if whole else ""
    old = before.text.encode(before.encoding, "replace")
    both = min(len(old), len(now))
    place = next((at for at in range(both) if old[at] != now[at]), both)
    if place == both and not whole:
        return ""
    return f"bytes: the first difference is at byte {place}: was {_near(old, place)}, is {_near(now, place)}"


def _near(data: bytes, place: int) -> str:
    """What stands around a place, for people."""
    before, behind = data[max(0, place - AROUND) : place], data[place : place + AROUND]
    return repr((before + behind).decode("utf-8", "backslashreplace")) if behind else "the end of it"
