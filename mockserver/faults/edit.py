"""Taking plans apart and putting them together again, endless ones too.

A leaf is a step that is not a `Repeat`. A leaf's *payload* is what a reader of the body gets of it: all of a `Body`;
of `Raw` the inside of one well-formed HTTP chunk, nothing of a head or of the last chunk, else all of it. An *event*
is a leaf with a payload: in a stream one server-sent event, else the whole body. So faults that speak of events and
of body bytes mean the same above and below HTTP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from msgspec.structs import replace

from mockserver.lower import lower
from mockserver.plan import Body, Ending, Head, Headers, Plan, Raw, Repeat, Step, Wait

Leaf: TypeAlias = Wait | Head | Body | Raw
Measure: TypeAlias = Callable[[Leaf], int]
Steps: TypeAlias = tuple[Step, ...]

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(;[^\r\n]*)?\r\n")
_LENGTH = re.compile(rb"(?i)(\r\ncontent-length:[ \t]*)(\d+)(?=\r\n)")


def lowered(plan: Plan) -> Plan:
    """The plan as bytes below HTTP; one that is so already comes back as it is."""
    return lower(plan) if any(isinstance(leaf, Head | Body) for leaf in leaves(plan.steps)) else plan


def leaves(steps: Iterable[Step]) -> Iterator[Leaf]:
    """Every leaf once, however often it is repeated."""
    for step in steps:
        if isinstance(step, Repeat):
            yield from leaves(step.steps)
        else:
            yield step


def is_head(leaf: Leaf) -> bool:
    """Whether it is a head, in one piece or a piece of one."""
    if isinstance(leaf, Raw):
        return leaf.mark == "head" or (leaf.data.startswith(b"HTTP/1.") and leaf.data.endswith(b"\r\n\r\n"))
    return isinstance(leaf, Head)


def span(leaf: Leaf) -> tuple[int, int]:
    """Where in the leaf's data the payload begins and ends."""
    if isinstance(leaf, Body):
        return 0, len(leaf.data)
    if not isinstance(leaf, Raw) or is_head(leaf):
        return 0, 0
    chunk = _CHUNK.match(leaf.data)
    if chunk:
        begin, size = chunk.end(), int(chunk[1], 16)
        if leaf.data[begin + size :] == b"\r\n":
            return begin, begin + size
    return 0, len(leaf.data)


def payload(leaf: Leaf) -> bytes:
    """What a reader of the body gets of it."""
    if isinstance(leaf, Body | Raw):
        begin, end = span(leaf)
        return leaf.data[begin:end]
    return b""


def with_payload(leaf: Body | Raw, data: bytes) -> Body | Raw:
    """The leaf with another payload; a chunk's size is put right."""
    begin, end = span(leaf)
    if isinstance(leaf, Raw) and begin:
        extension = leaf.data[: begin - 2].partition(b";")
        size = b"%x" % len(data) + extension[1] + extension[2]
        return Raw(size + b"\r\n" + data + b"\r\n" if data else b"", leaf.mark)
    return replace(leaf, data=leaf.data[:begin] + data + leaf.data[end:])


def body_bytes(leaf: Leaf) -> int:
    """A measure: bytes of the body."""
    begin, end = span(leaf)
    return end - begin


def events(leaf: Leaf) -> int:
    """A measure: 1 for an event, else 0."""
    return 1 if body_bytes(leaf) else 0


def wire_bytes(leaf: Leaf) -> int:
    """A measure: bytes on the wire, once the plan is lowered."""
    return len(leaf.data) if isinstance(leaf, Body | Raw) else 0


def total(steps: Iterable[Step], measure: Measure) -> float:
    """The sum over all steps; `math.inf` for endless ones."""
    found: float = 0
    for step in steps:
        if isinstance(step, Repeat):
            once = total(step.steps, measure)
            if once and step.times != 0:
                found += math.inf if step.times is None else once * step.times
        else:
            found += measure(step)
    return found


def split(steps: Steps, amount: int, measure: Measure) -> tuple[Steps, Steps] | None:
    """The steps before and after the point where `measure` has come to `amount`; None where it never does.

    What measures nothing stays behind the point. A leaf across the point is cut in two. Repeats are unrolled no
    further than needed.
    """
    before: list[Step] = []
    rest: list[Step] = list(reversed(steps))
    while amount:
        if not rest:
            return None
        step = rest.pop()
        if isinstance(step, Repeat):
            amount -= _through(step, amount, measure, before, rest)
            continue
        size = measure(step)
        if size > amount:
            left, right = _halves(step, amount, measure)
            before.append(left)
            rest.append(right)
            break
        before.append(step)
        amount -= size
    return tuple(before), tuple(reversed(rest))


def _through(step: Repeat, amount: int, measure: Measure, before: list[Step], rest: list[Step]) -> int:
    """Go through whole rounds of `step`, then open the one that holds the point; how much was measured."""
    once = total(step.steps, measure)
    if not once:
        before.append(step)
        return 0
    whole = 0 if once == math.inf else (amount - 1) // int(once)
    if step.times is not None:
        whole = min(whole, step.times)
    if whole:
        before.append(Repeat(step.steps, whole))
    left = None if step.times is None else step.times - whole
    if left != 0:
        if left != 1:
            rest.append(Repeat(step.steps, None if left is None else left - 1))
        rest.extend(reversed(step.steps))
    return whole * int(once) if whole else 0


def _halves(leaf: Leaf, amount: int, measure: Measure) -> tuple[Step, Step]:
    assert isinstance(leaf, Body | Raw)  # only these measure more than 1
    at = amount + (span(leaf)[0] if measure is body_bytes else 0)
    return replace(leaf, data=leaf.data[:at]), replace(leaf, data=leaf.data[at:])


def split_head(steps: Steps) -> tuple[Steps, Steps]:
    """The steps through the last head that comes before any payload, and the rest (the time to the body in it)."""
    last = 0
    for number, step in enumerate(steps):
        if isinstance(step, Repeat):
            break
        if is_head(step):
            last = number + 1
        elif body_bytes(step):
            break
    return steps[:last], steps[last:]


def find_event(steps: Steps, number: int) -> tuple[Steps, Body | Raw, Steps] | None:
    """The event `number` (from 0) with what is before and after it; None where there are fewer."""
    parts = split(steps, number, events)
    return None if parts is None else find(parts[1], lambda leaf: body_bytes(leaf) > 0, parts[0])


def find_mark(steps: Steps, mark: str) -> tuple[Steps, Body | Raw, Steps] | None:
    """The first piece with this mark, with what is before and after it; None where there is none."""
    return find(steps, lambda leaf: isinstance(leaf, Body | Raw) and leaf.mark == mark)


def find(steps: Steps, want: Callable[[Leaf], bool], before: Steps = ()) -> tuple[Steps, Body | Raw, Steps] | None:
    """The first leaf that `want` wants, with what is before (`before` first) and after it."""
    parts = split(steps, 1, lambda leaf: 1 if want(leaf) else 0)
    if parts is None or not isinstance(parts[0][-1], Body | Raw):
        return None
    return (*before, *parts[0][:-1]), parts[0][-1], parts[1]


def each(steps: Steps, change: Callable[[Leaf], Iterable[Step]]) -> Steps:
    """The steps with every leaf replaced by what `change` makes of it; repeats stay repeats."""
    found: list[Step] = []
    for step in steps:
        if isinstance(step, Repeat):
            found.append(Repeat(each(step.steps, change), step.times))
        else:
            found.extend(change(step))
    return tuple(found)


def each_payload(steps: Steps, change: Callable[[bytes], bytes]) -> Steps:
    """The steps with every event's payload changed."""

    def one(leaf: Leaf) -> Iterable[Step]:
        if isinstance(leaf, Body | Raw) and body_bytes(leaf):
            return (with_payload(leaf, change(payload(leaf))),)
        return (leaf,)

    return each(steps, one)


def first_head(plan: Plan) -> Head | None:
    """The head of the response above HTTP, past those with 1xx; None where there is none."""
    return next((leaf for leaf in leaves(plan.steps) if isinstance(leaf, Head) and leaf.status >= 200), None)


def with_head(plan: Plan, change: Callable[[Head], Head]) -> Plan:
    """The plan with each head (1xx excepted) changed; a plan below HTTP comes back as it is."""
    if first_head(plan) is None:
        return plan

    def one(leaf: Leaf) -> Iterable[Step]:
        return (change(leaf) if isinstance(leaf, Head) and leaf.status >= 200 else leaf,)

    return Plan(each(plan.steps, one), plan.ending)


def with_headers(headers: Headers, *fields: tuple[bytes, bytes], without: tuple[bytes, ...] = ()) -> Headers:
    """`headers` without those in `without` and those that `fields` name, then `fields`."""
    gone = {name.lower() for name in without} | {name.lower() for name, _ in fields}
    return (*((name, value) for name, value in headers if name.lower() not in gone), *fields)


def resized(before: Plan, steps: Steps, ending: Ending | None = None) -> Plan:
    """A plan of the new steps; a Content-Length that was true of `before` is made true of them."""
    old, new = total(before.steps, body_bytes), total(steps, body_bytes)
    ending = before.ending if ending is None else ending
    if old in (new, math.inf):
        return Plan(steps, ending)

    def one(leaf: Leaf) -> Iterable[Step]:
        if isinstance(leaf, Head):
            length = str(int(old)).encode()
            return (replace(leaf, headers=tuple(_relength(leaf.headers, length, int(new)))),)
        if isinstance(leaf, Raw) and is_head(leaf):
            data = _LENGTH.sub(lambda seen: seen[1] + (b"%d" % new if int(seen[2]) == old else seen[2]), leaf.data)
            return (Raw(data, leaf.mark),)
        return (leaf,)

    return Plan(each(steps, one), ending)


def _relength(headers: Headers, old: bytes, new: int) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers:
        yield name, b"%d" % new if name.lower() == b"content-length" and value == old else value


_MOST_LEAVES = 20_000


def flat(steps: Steps) -> tuple[Leaf, ...]:
    """All leaves in order, repeats unrolled: endless ones once, others so far that 20,000 leaves come of them."""
    found: list[Leaf] = []
    for step in steps:
        if isinstance(step, Repeat):
            once = flat(step.steps)
            if once:
                most = max(1, _MOST_LEAVES // len(once))
                found.extend(once * (1 if step.times is None else min(step.times, most)))
        else:
            found.append(step)
    return tuple(found)


def whole_body(plan: Plan) -> bytes:
    """All of the body, an endless one unrolled once."""
    return b"".join(payload(leaf) for leaf in flat(plan.steps))


def with_body(plan: Plan, data: bytes, mark: str = "") -> Plan:
    """The plan with this body, sent in one piece when its first piece was due; Content-Length stays true."""
    found: list[Step] = []
    placed = False
    for leaf in flat(plan.steps):
        if not isinstance(leaf, Body | Raw) or not body_bytes(leaf):
            if not (placed and isinstance(leaf, Wait)):
                found.append(leaf)
        elif not placed:
            placed = True
            found.append(replace(with_payload(leaf, data), mark=mark))
    return resized(plan, tuple(found) if placed else (*found, Body(data, mark)))
