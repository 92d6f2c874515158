"""Where in a response a fault strikes: a point between two bytes.

```
Wait  | Head |       role event | content[0] | content[1] | finish | done | last chunk
  start      after_events: 0    1            2            ^ at: finish           end
```
`after_events` n: behind the n-th event (0: behind the head). `after_bytes` n: behind the n-th byte of the body; with
`wire` behind the n-th byte of all that is sent, from the status line on, framing included. `at`: just before the first
piece with this mark; `start` is before the status line, `end` behind the whole response. `inside` then goes on to the
next place inside a UTF-8 character (after its first byte), inside `data:` (after `dat`) or between CR and LF.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec.structs import replace

from mockserver.errors import ScriptError
from mockserver.plan import Plan, Wait
from mockserver.settings import Count

from .edit import (
    Leaf,
    Steps,
    body_bytes,
    events,
    find,
    find_mark,
    lowered,
    payload,
    span,
    split,
    split_head,
    wire_bytes,
)
from .fault import Fault
from .mark import Place

Inside: TypeAlias = Literal["character", "data", "newline"]

_SPOTS = {
    "character": re.compile(rb"[\xc2-\xf4](?=[\x80-\xbf])"),
    "data": re.compile(rb"dat(?=a:)"),
    "newline": re.compile(rb"\r(?=\n)"),
}


@dataclass(frozen=True, slots=True)
class PlacedFault(Fault):
    """The settings of every fault that strikes at a place."""

    after_events: Count | None = None
    after_bytes: Count | None = None
    wire: bool = False
    at: Place | None = None
    inside: Inside | None = None

    def check(self) -> None:
        """At most one place."""
        given = [name for name in ("after_events", "after_bytes", "at") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ScriptError(f"one place is enough, got {' and '.join(given)}", given[1])
        if self.wire and self.after_bytes is None:
            raise ScriptError("'wire' says how 'after_bytes' counts; give 'after_bytes'", "wire")

    def split(self, plan: Plan) -> tuple[Steps, Steps] | None:
        """The steps before and after the place; None where the plan has no such place."""
        parts = self._split(plan)
        return parts if parts is None or self.inside is None else _inside(parts, _SPOTS[self.inside])

    def _split(self, plan: Plan) -> tuple[Steps, Steps] | None:
        if self.at == "end":
            return lowered(plan).steps, ()
        if self.at == "start" or (self.wire and self.after_bytes == 0):
            return _start(plan.steps)
        if self.at is not None:
            found = find_mark(plan.steps, self.at)
            return None if found is None else (found[0], (found[1], *found[2]))
        if self.wire:
            return split(lowered(plan).steps, self.after_bytes or 0, wire_bytes)
        head, rest = split_head(plan.steps)
        measure = events if self.after_bytes is None else body_bytes
        parts = split(rest, (self.after_bytes if self.after_events is None else self.after_events) or 0, measure)
        return None if parts is None else ((*head, *parts[0]), parts[1])


def _start(steps: Steps) -> tuple[Steps, Steps]:
    first = next((number for number, step in enumerate(steps) if not isinstance(step, Wait)), len(steps))
    return steps[:first], steps[first:]


def _inside(parts: tuple[Steps, Steps], spot: re.Pattern[bytes]) -> tuple[Steps, Steps] | None:
    def want(leaf: Leaf) -> bool:
        return spot.search(payload(leaf)) is not None

    found = find(parts[1], want, parts[0])
    if found is None:
        return None
    before, leaf, after = found
    seen = spot.search(payload(leaf))
    at = span(leaf)[0] + (seen.end() if seen else 0)
    left, right = (replace(leaf, data=data) for data in (leaf.data[:at], leaf.data[at:]))
    return (*before, left), (right, *after)
