"""What was done to a session between its requests: another script, faults, healing, a released barrier.

Laws: every change that decides what a later request gets is here with the moment it was made (monotonic seconds, as the
journal's), so a bundle can put changes, arrivals and ends in one order. Bounded: what is too old goes and is counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

SIZE = 1000
"""Changes kept per session."""

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

    __slots__ = ("_changes", "dropped", "first")

    def __init__(self, first: Any) -> None:
        self.first = first
        self.dropped = 0
        self._changes: deque[Change] = deque()

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
        changes.append(Change(time.monotonic(), kind, value, state))
        if len(changes) > SIZE:
            oldest = changes.popleft()
            self.dropped += 1
            if oldest.kind in ("load", "script"):
                self.first = oldest.value
