"""The response comes at another speed: later, in gaps, in drops, in slices."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated

from msgspec.structs import replace

from mockserver.plan import Body, Plan, Raw, Repeat, Step, Wait
from mockserver.settings import Positive, Range, Seconds

from .edit import (
    Leaf,
    Steps,
    body_bytes,
    each,
    first_head,
    flat,
    is_head,
    lowered,
    payload,
    split_head,
    total,
    wire_bytes,
    with_payload,
)
from .fault import Fault, fault

_MOST_SLICES = 20_000
"""So many slices are made of one piece at most; what is left of it comes at once (a slice is a value in memory)."""


@fault("first-token", "time", seconds=0.3)
@dataclass(frozen=True, slots=True)
class FirstToken(Fault):
    """The head arrives in time; then nothing for `seconds` (plus up to `jitter`, drawn) before the first event."""

    seconds: Seconds
    jitter: Seconds = 0.0

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A wait behind the head."""
        head, rest = split_head(plan.steps)
        return Plan((*head, Wait(self.seconds + self.jitter * rng.random()), *rest), plan.ending)


@fault("inter-token", "time", seconds=0.05, jitter=0.02)
@dataclass(frozen=True, slots=True)
class InterToken(Fault):
    """Each event but the first comes `seconds` later than it would after the one before, give or take up to `jitter`.

    In an endless stream the gaps of one round repeat with it.
    """

    seconds: Seconds
    jitter: Seconds = 0.0

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A wait before each event."""
        seen = False

        def late(leaf: Leaf) -> Iterable[Step]:
            nonlocal seen
            if not body_bytes(leaf):
                return (leaf,)
            first, seen = not seen, True
            gap = max(0.0, self.seconds + self.jitter * (2 * rng.random() - 1))
            return (leaf,) if first else (Wait(gap), leaf)

        return Plan(each(plan.steps, late), plan.ending)


@fault("jitter", "time", seconds=0.05)
@dataclass(frozen=True, slots=True)
class Jitter(Fault):
    """Every event comes up to `seconds` later than planned, drawn anew for each; later events are pushed back."""

    seconds: Seconds

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A drawn wait before each event."""

        def late(leaf: Leaf) -> Iterable[Step]:
            return (Wait(self.seconds * rng.random()), leaf) if body_bytes(leaf) else (leaf,)

        return Plan(each(plan.steps, late), plan.ending)


@fault("dribble", "time", pieces=5, seconds=1.0)
@dataclass(frozen=True, slots=True)
class Dribble(Fault):
    """The body comes in `pieces` of about the same size, evenly over `seconds`, wherever that cuts events.

    An endless body is left alone.
    """

    pieces: Annotated[int, Range(1, _MOST_SLICES)]
    seconds: Seconds

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The body cut anew."""
        size = total(plan.steps, body_bytes)
        if not 0 < size <= 1 << 24:
            return plan
        piece, gap = -(-int(size) // self.pieces), self.seconds / self.pieces
        steps: list[Step] = []
        room = 0
        for leaf in flat(plan.steps):
            data = payload(leaf)
            if not isinstance(leaf, Body | Raw) or not data:
                if not (isinstance(leaf, Wait) and room):
                    steps.append(leaf)
                continue
            at = 0
            while at < len(data):
                if room == 0:
                    steps.append(Wait(gap))
                    room = piece
                steps.append(with_payload(leaf, data[at : at + room]))
                at, room = at + room, max(0, room - (len(data) - at))
        return Plan(tuple(steps), plan.ending)


@fault("bandwidth", "time", bytes_per_second=2000)
@dataclass(frozen=True, slots=True)
class Bandwidth(Fault):
    """No more than `bytes_per_second` arrive, head and framing included, in twenty steps a second where that helps."""

    bytes_per_second: Positive

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Slices of 0.05 seconds."""
        size = max(1, self.bytes_per_second // 20)

        def slow(leaf: Leaf) -> Iterable[Step]:
            if not wire_bytes(leaf):
                return (leaf,)
            slices = sliced(leaf, max(size, -(-wire_bytes(leaf) // _MOST_SLICES)))
            return (step for part in slices for step in (part, Wait(wire_bytes(part) / self.bytes_per_second)))

        plan = lowered(plan)
        return Plan(each(plan.steps, slow), plan.ending)


@fault("slice", "time", bytes=1)
@dataclass(frozen=True, slots=True)
class Slice(Fault):
    """Everything, head and framing included, is written in slices of `bytes`, each in a write of its own.

    `gap` seconds lie between two; 0: as fast as they go. Of one piece at most 20,000 slices are made.
    """

    bytes: Positive = 1
    gap: Seconds = 0.0

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Many small steps."""
        plan = lowered(plan)
        return Plan(each(plan.steps, lambda leaf: gapped(sliced(leaf, self.bytes), self.gap)), plan.ending)


@fault("slow-head", "time", gap=0.01)
@dataclass(frozen=True, slots=True)
class SlowHead(Fault):
    """The status line and the headers come byte by byte, `gap` seconds apart; the body as planned."""

    gap: Seconds = 0.01

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The head in slices of 1."""
        plan = lowered(plan)

        def slow(leaf: Leaf) -> Iterable[Step]:
            return gapped(sliced(leaf, 1), self.gap) if is_head(leaf) else (leaf,)

        return Plan(each(plan.steps, slow), plan.ending)


def is_stream(plan: Plan) -> bool:
    """Whether the head above HTTP says that events come."""
    head = first_head(plan)
    fields = () if head is None else head.headers
    return any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in fields)


@fault("heartbeat", "time", seconds=0.1, times=3)
@dataclass(frozen=True, slots=True)
class Heartbeat(Fault):
    """Behind the head only comment lines come, one each `seconds`: `times` of them before the response goes on.

    `times` None: for ever, so a read time limit never strikes and only a limit on the whole call ends it. A response
    that is no event stream is left alone.
    """

    seconds: Seconds
    times: Positive | None = None
    comment: str = "keep-alive"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Comments before the first event."""
        head, rest = split_head(plan.steps)
        lines = "".join(f": {line}\n" for line in self.comment.splitlines() or [""])
        beat = Repeat((Wait(self.seconds), Body(lines.encode() + b"\n")), self.times)
        if not is_stream(plan):
            return plan
        return Plan((*head, beat, *(rest if self.times is not None else ())), plan.ending)


@fault("one-flush", "sse")
@dataclass(frozen=True, slots=True)
class OneFlush(Fault):
    """The whole body comes in one write, when its last piece was due: what a buffering proxy makes of a stream."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """All events in one body; an endless one is left alone."""
        if total(plan.steps, body_bytes) > 1 << 24:
            return plan
        pieces = [leaf for leaf in flat(plan.steps) if body_bytes(leaf)]
        if len(pieces) < 2 or not all(isinstance(leaf, Body) for leaf in pieces):
            return plan
        steps = [leaf for leaf in flat(plan.steps) if not body_bytes(leaf)]
        last = max((number for number, leaf in enumerate(steps) if not isinstance(leaf, Raw)), default=-1) + 1
        return Plan((*steps[:last], Body(b"".join(map(payload, pieces))), *steps[last:]), plan.ending)


def sliced(leaf: Leaf, size: int) -> tuple[Leaf, ...]:
    """The leaf in pieces of `size` bytes; behind the 20,000th the rest in one."""
    if not isinstance(leaf, Body | Raw) or len(leaf.data) <= size:
        return (leaf,)
    end = min(len(leaf.data), size * (_MOST_SLICES - 1))
    cuts = [*range(0, end, size), *([end] if end < len(leaf.data) else []), len(leaf.data)]
    pairs = itertools.pairwise(cuts)
    mark = leaf.mark or ("head" if is_head(leaf) else "")
    return tuple(replace(leaf, data=leaf.data[begin:stop], mark=mark) for begin, stop in pairs)


def gapped(steps: Steps, gap: float) -> Steps:
    """The steps with a wait between each two."""
    if not gap:
        return steps
    return tuple(step for number, one in enumerate(steps) for step in ((Wait(gap), one) if number else (one,)))
