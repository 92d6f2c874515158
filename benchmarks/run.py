"""One run of the command: how long, how often, and the words in which a comparison ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.machine import RefusedError
from benchmarks.rows import Result
from benchmarks.stats import median, spread

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """`turns`: how often each server is measured, in turn; `seconds`: how long a turn is; `install`: rivals too.

    `gated`: only the rows that can fail a build.
    """

    quick: bool = False
    gated: bool = False
    install: bool = False
    turns: int = 3

    @property
    def seconds(self) -> float:
        """The length of one turn under load."""
        return 1.0 if self.quick else 3.0


def alternate(measures: Mapping[str, Callable[[], T]], turns: int) -> dict[str, list[T]]:
    """Each measure once per turn, in order, so that what the machine does meanwhile hits all of them."""
    taken: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(turns):
        for name, measure in measures.items():
            taken[name].append(measure())
    return taken


def ratio(
    key: str,
    subject: list[float],
    reference: list[float],
    unit: str = "",
    scale: float = 1.0,
    rivals: Mapping[str, list[float]] | None = None,
) -> Result:
    """The median of `subject` over that of `reference`; both are told as `scale` times the value, in `unit`."""
    base = median(reference)
    return Result(
        key,
        median(subject) / base,
        f"{median(subject) * scale:,.3g} {unit}".strip(),
        f"{base * scale:,.3g} {unit}".strip(),
        spread(subject),
        rivals={name: median(values) / base for name, values in (rivals or {}).items() if values},
    )


def attempt(keys: tuple[str, ...], measure: Callable[[], list[Result]]) -> list[Result]:
    """The results of `measure`; if the machine or a server refuses, the reason stands where the figures would."""
    tell(f"measuring {', '.join(keys)}")
    try:
        return measure()
    except RefusedError as error:
        tell(f"  refused: {error}")
        return [Result(key, None, note=str(error)) for key in keys]


def tell(text: str) -> None:
    """Progress, on stderr: stdout has the tables."""
    print(text, file=sys.stderr, flush=True)
