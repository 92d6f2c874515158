"""Live progress on a terminal: laws judged of all, laws per second, time left, how many are broken, the last one.

Nothing is written where no one watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

UNTIMED = 3
"""Fewer verdicts than these say nothing of the time left."""


class Progress:
    """Follows the results while a run goes on; `total` laws are to be judged."""

    def __init__(self, total: int, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True)
        self.total = total
        self.clock = clock
        self.started = clock()
        self.bar: Bar | None = None
        self.task = TaskID(0)

    def show(self, lines: list[dict[str, Any]]) -> None:
        """Shows how far the run is."""
        if self.bar is None:
            return
        judged = [line for line in lines if line["kind"] == "verdict" and line["where"] != "recorded"]
        red = sum(line["word"] in ("failed", "broken") for line in judged)
        last = f"{judged[-1]['law']} {judged[-1]['word']}" if judged else "starting"
        self.bar.update(
            self.task,
            completed=len(judged),
            rate=rate(len(judged), self.clock() - self.started),
            left=left(len(judged), self.total, self.clock() - self.started),
            red=f"[bold red]{red} broken[/]" if red else "0 broken",
            last=last,
        )

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            columns = (
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn(
                    "laws  {task.fields[rate]}  {task.fields[left]}  {task.fields[red]}  [dim]{task.fields[last]}"
                ),
            )
            self.bar = Bar(*columns, console=self.console, transient=True, refresh_per_second=8)
            self.task = self.bar.add_task("", total=self.total, rate="", left="", red="", last="starting")
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()


def rate(judged: int, seconds: float) -> str:
    """Laws per second so far."""
    return f"{judged / seconds:.1f} laws/s" if judged and seconds > 0 else "- laws/s"


def left(judged: int, total: int, seconds: float) -> str:
    """The time left, if the rest takes as long as what was judged."""
    if judged < UNTIMED:
        return "? left"
    rest = max(0, total - judged) * seconds / judged
    return f"{rest:.0f} s left" if rest < 100 else f"{rest / 60:.0f} min left"
