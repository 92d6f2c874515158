"""Bytes are not what they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from msgspec.structs import replace

from mockserver.errors import ScriptError
from mockserver.plan import Body, Plan, Raw, Step
from mockserver.settings import Count, Probability, Range

from .edit import (
    Leaf,
    Measure,
    body_bytes,
    each,
    find,
    find_event,
    leaves,
    lowered,
    payload,
    resized,
    span,
    split,
    split_head,
    wire_bytes,
    with_payload,
)
from .fault import Fault, fault
from .select import PieceFault


@fault("flip", "body", offset=20, mask=1)
@dataclass(frozen=True, slots=True)
class Flip(Fault):
    """Bits are flipped: those in `mask` at byte `offset` of the body, or in each byte with the chance `rate`.

    `wire`: `offset` counts, and `rate` strikes, everything from the status line on, framing included.
    """

    offset: Count | None = None
    mask: Annotated[int, Range(1, 255)] = 1
    rate: Probability | None = None
    wire: bool = False

    def check(self) -> None:
        """One way of choosing bytes."""
        if (self.offset is None) == (self.rate is None):
            raise ScriptError("give 'offset' or 'rate'", "offset")

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other bytes, as many as before."""
        if self.wire:
            plan = lowered(plan)
        measure: Measure = wire_bytes if self.wire else body_bytes
        if self.offset is None:
            return self._at_rate(plan, rng)
        head, rest = ((), plan.steps) if self.wire else split_head(plan.steps)
        parts = split(rest, self.offset, measure)
        found = None if parts is None else find(parts[1], lambda leaf: measure(leaf) > 0, (*head, *parts[0]))
        if found is None:
            return plan
        before, piece, after = found
        at = 0 if self.wire else span(piece)[0]
        last = before[-1] if before else None
        if isinstance(last, Body | Raw) and not any(leaf is last for leaf in leaves(plan.steps)):
            # the point was inside a piece, which `split` has cut: put it together again
            before, at = before[:-1], at + len(last.data)
            piece = replace(piece, data=last.data + piece.data)
        data = bytearray(piece.data)
        data[at] ^= self.mask
        return Plan((*before, replace(piece, data=bytes(data)), *after), plan.ending)

    def _at_rate(self, plan: Plan, rng: Random) -> Plan:
        rate = self.rate or 0.0
        struck = False

        def strike(leaf: Leaf) -> Iterable[Step]:
            nonlocal struck
            if not isinstance(leaf, Body | Raw):
                return (leaf,)
            begin, end = (0, len(leaf.data)) if self.wire else span(leaf)
            places = [at for at in range(begin, end) if rng.random() < rate]
            if not places:
                return (leaf,)
            struck = True
            data = bytearray(leaf.data)
            for at in places:
                data[at] ^= self.mask
            return (replace(leaf, data=bytes(data)),)

        steps = each(plan.steps, strike)
        return Plan(steps, plan.ending) if struck else plan


@fault("bom", "body")
@dataclass(frozen=True, slots=True)
class Bom(Fault):
    """The body begins with U+FEFF, the byte order mark: EF BB BF."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Three bytes more."""
        found = find_event(plan.steps, 0)
        if found is None:
            return plan
        before, piece, after = found
        return resized(plan, (*before, with_payload(piece, b"\xef\xbb\xbf" + payload(piece)), *after))


_BAD = {
    "invalid-utf8": b"\xff",
    "overlong": b"\xc0\xaf",
    "surrogate-bytes": b"\xed\xa0\x80",
    "surrogate-escape": b"\\ud83d",
    "nul": b"\x00",
    "control": b"\x01",
    "u2028": "\u2028".encode(),
    "u0085": "\u0085".encode(),
    "vertical-tab": b"\x0b",
    "form-feed": b"\x0c",
}


@fault("bad-text", "body", event=1, form="invalid-utf8")
@dataclass(frozen=True, slots=True)
class BadText(PieceFault):
    """Bytes are put into a text of one event (or the body), behind the first `"content":"` or `"text":"`.

    `form`: the byte FF, an overlong form, half a surrogate pair as bytes or as a JSON escape, NUL, another control
    character, or one that naive readers take for a line end (U+2028, U+0085, VT, FF). Without such a text they come
    before the last `}`, else at the end.
    """

    form: Literal[
        "invalid-utf8",
        "overlong",
        "surrogate-bytes",
        "surrogate-escape",
        "nul",
        "control",
        "u2028",
        "u0085",
        "vertical-tab",
        "form-feed",
    ] = "invalid-utf8"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A few bytes more in the piece."""
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        data = payload(piece)
        ends = [data.find(key) + len(key) for key in (b'"content":"', b'"text":"') if key in data]
        at = min(ends) if ends else (data.rfind(b"}") if b"}" in data else len(data.rstrip(b"\r\n")))
        return resized(plan, (*before, with_payload(piece, data[:at] + _BAD[self.form] + data[at:]), *after))
