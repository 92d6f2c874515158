"""When a fault is in force: which calls of its rule, until when, and how likely. All that is given must hold."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mockserver.settings import Count, Positive, Probability, Seconds, normalise


@dataclass(frozen=True, slots=True)
class When:
    """Calls count from 1 and are those that came to the fault's list (session-wide faults: the session's requests).

    `after` n: not for the first n calls. `first` n: only n calls, those that `after` leaves. `every` n: each n-th of
    these. `until`: not later than so many seconds after the session's first request. `probability` 0 to 1, drawn
    from `seed` (None: the session's seed) and the number of the call, so a run can be repeated.
    """

    first: Positive | None = None
    every: Positive | None = None
    after: Count | None = None
    until: Seconds | None = None
    probability: Probability = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        normalise(self)

    def holds(self, call: int, seconds: float) -> bool:
        """Whether call number `call`, `seconds` after the session's first request, is one of those meant."""
        counted = call - (self.after or 0)
        return (
            counted >= 1
            and (self.first is None or counted <= self.first)
            and (self.every is None or counted % self.every == 0)
            and (self.until is None or seconds <= self.until)
        )

    def drawn(self, rng: Random) -> bool:
        """Whether the dice say so; no number is drawn where `probability` is 0 or 1."""
        if self.probability >= 1:
            return True
        return self.probability > 0 and rng.random() < self.probability


ALWAYS = When()
