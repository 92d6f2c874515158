"""What was done to a session between its requests: another script, faults, healing, a released barrier.

Laws: every change that decides what a later request gets is here with the moment it was made (monotonic seconds, as the
journal's), so a bundle can put changes, arrivals and ends in one order. Bounded in number and in bytes (texts, bodies
and their like; rules that a script shares with the one before count once): what is too old goes and is counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeAlias

SIZE = 1000
"""Changes kept per session."""

BYTES = 16 << 20
"""Bytes of changes kept per session, beside the newest."""

WORD = 8
"""Bytes that anything counts at least."""

Kind: TypeAlias = Literal["load", "script", "heal", "faults", "health", "release", "clock"]


@dataclass(frozen=True, slots=True)
class Change:
    """`load`: another script, counters anew; `script`: another, counters stay (a rule was added, the seed changed).

    `value` is the script, the faults, the health, (barrier, times), or of the session's clock (time before, after,
    whether it stands). `state`: the session's behind it.
    """

    at: float
    kind: Kind
    value: Any
    state: Any = None


class History:
    """The changes of one session, the oldest first. `first` is the script it began with."""

    __slots__ = ("_bytes", "_changes", "_last", "_max_bytes", "_size", "_weights", "dropped", "first")

    def __init__(self, first: Any, size: int = SIZE, max_bytes: int = BYTES) -> None:
        self.first = first
        self.dropped = 0
        self._last = first
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0
        self._changes: deque[Change] = deque()
        self._weights: deque[int] = deque()

    def __iter__(self) -> Iterator[Change]:
        return iter(tuple(self._changes))

    def __len__(self) -> int:
        return len(self._changes)

    def note(self, kind: Kind, value: Any = None, states: tuple[Any, Any] = (None, None)) -> None:
        """The change is made now. A script that grows word by word, with no request between, is one change: `states`
        are the session's before and behind it.
        """
        changes = self._changes
        before, state = states
        if kind == "script" and before is not None and changes:
            last = changes[-1]
            if last.kind == "script" and last.state is before:
                changes[-1] = Change(last.at, kind, value, state)
                return
        if changes:
            self._weights.append(self._weigh(changes[-1]))
            self._bytes += self._weights[-1]
        changes.append(Change(time.monotonic(), kind, value, state))
        while len(changes) > self._size or (self._bytes > self._max_bytes and len(changes) > 1):
            oldest = changes.popleft()
            self._bytes -= self._weights.popleft()
            self.dropped += 1
            if oldest.kind in ("load", "script"):
                self.first = oldest.value

    def _weigh(self, change: Change) -> int:
        """The bytes that the change holds, and none before it. Not done before another follows: most never are."""
        if change.kind not in ("load", "script"):
            return weight_of(change.value)
        known, script = {id(rule) for rule in self._last.rules}, change.value
        self._last = script
        return sum(weight_of(rule) for rule in script.rules if id(rule) not in known) + weight_of(script.faults)


def weight_of(value: Any) -> int:
    """About how many bytes a value holds: those of its texts and bodies, and a word for everything else."""
    if isinstance(value, str | bytes):
        return WORD + len(value)
    if isinstance(value, Mapping):
        return WORD + sum(weight_of(key) + weight_of(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return WORD + sum(map(weight_of, value))
    if is_dataclass(value):
        return WORD + sum(weight_of(getattr(value, one.name)) for one in fields(value) if one.compare)
    return WORD
