"""Live progress: counts, pace and time left on a terminal, and not one byte elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from contracts.progress import Progress, left, rate

LINES = [
    {"kind": "verdict", "where": "live", "law": f"S-FRAME-0{number}", "word": word}
    for number, word in enumerate(["ok", "failed", "ok", "ok"], 1)
] + [{"kind": "verdict", "where": "recorded", "law": "S-ID-01", "word": "failed"}, {"kind": "fatal"}]


def shown(terminal: bool) -> str:
    """What a run of ten laws shows after two seconds."""
    sink = io.StringIO()
    times = iter([0.0, 2.0, 2.0])
    console = Console(file=sink, force_terminal=terminal, width=120, color_system=None)
    with Progress(10, console, lambda: next(times)) as progress:
        progress.show(LINES)
        if progress.bar is not None:
            progress.bar.refresh()
    return sink.getvalue()


def test_a_terminal_shows_pace_and_time_left() -> None:
    """Recordings are not counted: they take no time."""
    assert "4/10 laws  2.0 laws/s  3 s left  1 broken  S-FRAME-04 ok" in shown(terminal=True)


def test_no_terminal_no_word() -> None:
    """A log file stays clean."""
    assert shown(terminal=False) == ""


@pytest.mark.parametrize(
    ("judged", "seconds", "pace", "rest"),
    [
        (0, 0.0, "- laws/s", "? left"),
        (2, 1.0, "2.0 laws/s", "? left"),
        (5, 0.5, "10.0 laws/s", "10 s left"),
        (10, 100.0, "0.1 laws/s", "17 min left"),
        (200, 10.0, "20.0 laws/s", "0 s left"),
    ],
)
def test_pace(judged: int, seconds: float, pace: str, rest: str) -> None:
    """Of 110 laws."""
    assert (rate(judged, seconds), left(judged, 110, seconds)) == (pace, rest)
