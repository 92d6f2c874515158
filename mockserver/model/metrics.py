"""What the server has done so far: counters as one frozen value, and the Prometheus text of them.

The names are the engine's (`inferneo_*`), with histograms of the time to the first token and between tokens added.
Times are seconds, as served; `text` gives the engine's milliseconds where its names say so.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WINDOW = 512
"""How many of the last values the percentiles are taken of."""


@dataclass(frozen=True, slots=True)
class Series:
    """A histogram of seconds, and the last values for the percentiles."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    total: float = 0.0
    last: tuple[float, ...] = ()

    def add(self, values: Sequence[float]) -> Series:
        """The series with more values."""
        if not values:
            return self
        counts = list(self.counts)
        for value in values:
            counts[bisect_left(BUCKETS, value)] += 1
        return Series(tuple(counts), self.total + sum(values), (*self.last, *values)[-WINDOW:])

    def percentile(self, share: float) -> float:
        """The value below which that share of the last values lies; 0 where there are none."""
        values = sorted(self.last)
        return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)] if values else 0.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counters since the start, gauges of now (`running`, `waiting`), and three series of seconds."""

    running: int = 0
    waiting: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    finished: int = 0
    preempted: int = 0
    seconds: float = 0.0
    ttft: Series = Series()
    gaps: Series = Series()
    whole: Series = Series()

    def served(
        self, *, prompt_tokens: int, tokens: int, ttft: float, gaps: Sequence[float] = (), seconds: float = 0.0
    ) -> Metrics:
        """After one more request was served to its end."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + prompt_tokens,
            generation_tokens=self.generation_tokens + tokens,
            finished=self.finished + 1,
            seconds=self.seconds + seconds,
            ttft=self.ttft.add([ttft]),
            gaps=self.gaps.add(gaps),
            whole=self.whole.add([seconds]),
        )

    def load(self, running: int, waiting: int) -> Metrics:
        """With other gauges."""
        return replace(self, running=running, waiting=waiting)

    def totals(self) -> dict[str, int]:
        """The counters, as `/stats` lists them."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "generation_tokens": self.generation_tokens,
            "finished_requests": self.finished,
            "preemptions": self.preempted,
        }

    def text(self) -> str:
        """The Prometheus text format, version 0.0.4."""
        speed = self.generation_tokens / self.seconds if self.seconds else 0.0
        processed = self.prompt_tokens + self.generation_tokens
        gauges: list[tuple[str, str, float]] = [
            ("running_requests", "Requests currently decoding", self.running),
            ("waiting_requests", "Requests queued for admission", self.waiting),
            ("kv_cache_usage_ratio", "Fraction of KV-cache blocks in use", 0.0),
            ("generation_tokens_per_second", "Output tokens per second (rolling window)", speed),
            ("effective_batch_size", "Mean output tokens per step (effective decode batch)", float(self.running)),
            (
                "prefill_token_fraction",
                "Fraction of processed tokens that were prefill",
                self.prompt_tokens / processed if processed else 0.0,
            ),
            ("preemptions_per_second", "Request preemptions per second (rolling window)", 0.0),
        ]
        for name, label, series in (
            ("ttft", "TTFT", self.ttft),
            ("tpot", "TPOT", self.gaps),
            ("e2e", "E2E", self.whole),
        ):
            for share in (50, 99):
                value = round(series.percentile(share / 100) * 1000, 3)
                gauges.append((f"{name}_ms_p{share}", f"{label} p{share} in milliseconds (rolling window)", value))
        counters = [
            ("generation_tokens_total", "Output tokens generated since start", self.generation_tokens),
            ("prompt_tokens_total", "Prompt tokens processed since start", self.prompt_tokens),
            ("finished_requests_total", "Requests completed since start", self.finished),
            ("preemptions_total", "Request preemptions since start", self.preempted),
        ]
        lines: list[str] = []
        for name, about, value in gauges:
            lines += [f"# HELP inferneo_{name} {about}", f"# TYPE inferneo_{name} gauge", f"inferneo_{name} {value}"]
        for name, about, value in counters:
            lines += [f"# HELP inferneo_{name} {about}", f"# TYPE inferneo_{name} counter", f"inferneo_{name} {value}"]
        lines += _histogram("time_to_first_token_seconds", "Time to first token in seconds", self.ttft)
        lines += _histogram("inter_token_seconds", "Time between tokens in seconds", self.gaps)
        return "\n".join(lines) + "\n"


def _histogram(name: str, about: str, series: Series) -> list[str]:
    lines = [f"# HELP inferneo_{name} {about}", f"# TYPE inferneo_{name} histogram"]
    below = 0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), series.counts, strict=True):
        below += count
        lines.append(f'inferneo_{name}_bucket{{le="{bound}"}} {below}')
    return [*lines, f"inferneo_{name}_sum {series.total:.6f}", f"inferneo_{name}_count {below}"]
