"""Live progress on a terminal: laws judged, laws per second, the last one; silent where no one watches."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Progress:
    """Follows the results while a run goes on."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, refresh_per_second=8, transient=True)
        self.started = time.monotonic()
        self.shown = -1

    def show(self, lines: list[dict[str, Any]]) -> None:
        """Shows how far the run is."""
        if not self.console.is_terminal or len(lines) == self.shown:
            return
        self.shown = len(lines)
        found = [line for line in lines if line["kind"] == "verdict"]
        seconds = time.monotonic() - self.started
        live = [line for line in found if line["where"] != "recorded"]
        red = sum(line["word"] in ("failed", "broken") for line in live)
        last = f"{found[-1]['law']} {found[-1]['word']}" if found else "starting"
        rate = len(live) / seconds if seconds else 0.0
        self.live.update(Text(f"{len(live)} laws judged, {red} broken, {rate:.1f} laws/s, {seconds:.0f} s  {last}"))

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.live.stop()
