"""What is promised, as data: one row per figure, with what must hold and what is aimed at, and the verdict on a value.

A row's `better` says which side is good. `gated` rows are ratios of CPU time: they hold on a busy machine too, so a
build may fail by them. The rest are told, not enforced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["goal", "must", "missed", "not measured"]
Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Row:
    """One promise. `must` and `goal` are limits of the value in `unit`; `rivals` is what is known of other fakes."""

    key: str
    title: str
    unit: str
    reference: str
    must: float
    goal: float
    better: Better = "lower"
    gated: bool = False
    rivals: str = ""

    def verdict(self, value: float | None) -> Verdict:
        """Which limit `value` keeps; None was not measured."""
        if value is None:
            return "not measured"
        sign = 1 if self.better == "lower" else -1
        if sign * value <= sign * self.goal:
            return "goal"
        return "must" if sign * value <= sign * self.must else "missed"

    def limit(self, which: Literal["must", "goal"]) -> str:
        """A limit as a reader sees it: `<= 2.2x`."""
        value = self.must if which == "must" else self.goal
        return f"{'<=' if self.better == 'lower' else '>='} {shown(value, self.unit)}"


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured for a row. `value` is in the row's unit; None: not measured, `note` says why.

    `subject` and `reference` are the figures behind a ratio, in words; `rivals` the same value of other servers,
    `spread` how far the turns lay apart (0.1 is 10 %).
    """

    key: str
    value: float | None
    subject: str = ""
    reference: str = ""
    spread: float = 0.0
    note: str = ""
    rivals: dict[str, float] = field(default_factory=dict)


def shown(value: float, unit: str) -> str:
    """A value with its unit, three digits."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return digits + unit if unit in ("x", "%") else f"{digits} {unit}".rstrip()


BARE = "bare ASGI"
RAW = "raw protocol"
AIMOCK = "aimock"

SERVER: tuple[Row, ...] = (
    Row(
        "plain-cpu",
        "chat completion, reply from a rule: CPU per request",
        "x",
        BARE,
        2.2,
        1.5,
        gated=True,
        rivals="aimock 4.3, WireMock 8, llmock 25",
    ),
    Row("plain-rate", "the same: requests/s", "x", BARE, 0.45, 0.65, "higher", rivals="aimock 0.25"),
    Row("plain-rate-aimock", "the same: requests/s", "x", AIMOCK, 1.5, 2.3, "higher"),
    Row("default-cpu", "generated reply, no rule: CPU per request", "x", BARE, 4, 2.5, gated=True),
    Row(
        "events-each",
        "200 events unpaced, one write per event: events per CPU second",
        "x",
        BARE,
        0.7,
        1.3,
        "higher",
        gated=True,
        rivals="aimock 1.3 (all in one write)",
    ),
    Row(
        "events-coalesced",
        "200 events unpaced, coalesced: events per CPU second",
        "x",
        BARE,
        4,
        10,
        "higher",
        gated=True,
    ),
    Row("gap-100", "100 streams at 20 ms: gap error p99", "x", RAW, 4, 2, rivals="aimock 4 to 29"),
    Row("gap-500", "500 streams at 20 ms: gap error p99", "x", RAW, 4, 2, rivals="aimock 4 to 29"),
    Row("gap-1000", "1,000 streams at 20 ms: gap error p99", "x", RAW, 5, 2, rivals="aimock 22 ms"),
    Row("late-1000", "1,000 streams at 20 ms: lateness p99", "x", RAW, 5, 2, rivals="aimock 583 ms"),
    Row(
        "drift-1000",
        "1,000 streams at 20 ms: drift of the 100th event",
        "ms",
        "absolute",
        5,
        1,
        rivals="40 to 4,000 ms",
    ),
    Row("mean-gap-1000", "1,000 streams at 20 ms: mean gap, off by", "%", "20 ms", 0.5, 0.1),
    Row(
        "mean-gap-2000",
        "2,000 streams at 20 ms: all finish; mean gap, longer by",
        "%",
        "20 ms",
        10,
        1,
        rivals="aimock +78 %",
    ),
    Row("early", "an event before its time, on the server's clock: by at most", "ms", "absolute", 1.5, 0),
    Row("scheduled-cpu", "1,000 streams at 20 ms: CPU per event", "x", RAW, 1.6, 1.15, gated=True),
    Row("stream-memory", "memory per open stream, 500 streams", "x", BARE, 2, 1.2, rivals="aimock 9"),
    Row("idle-memory", "memory after the first answer", "x", "Starlette app", 1.6, 1.3),
    Row("start-time", "start to the first 200", "x", "Starlette app", 2, 1.3),
    Row("soak-memory", "memory after 1,000,000 requests, more by", "%", "the full journal", 10, 2),
    Row(
        "rules-index",
        "1,000 rules by model, the last matches: CPU per request",
        "x",
        "one rule",
        1.5,
        1.1,
        gated=True,
        rivals="WireMock 5 to 21",
    ),
    Row(
        "rules-scan",
        "1,000 rules by regex, the last matches: CPU per request, more by",
        "us",
        "one rule",
        1000,
        200,
        gated=True,
    ),
)

FIXTURE: tuple[Row, ...] = (
    Row("session-up", "a new session", "ms", "absolute", 2, 0.2),
    Row("session-down", "a session closed", "ms", "absolute", 20, 1),
    Row("listener-up", "a listener of its own, up", "ms", "absolute", 5, 1.5),
    Row("listener-down", "a listener of its own, down", "ms", "absolute", 20, 1, rivals="uvicorn in a thread: 200 ms"),
    Row("plugin", "the pytest plugin in a run that does not use it, more by", "ms", "bare pytest", 20, 5),
)

CONTRACTS: tuple[Row, ...] = (
    Row("contracts-full", "`inferneo-contracts run`", "s", "absolute", 180, 90),
    Row("contracts-smoke", "the same, smoke", "s", "absolute", 20, 10),
)

ROWS: dict[str, tuple[Row, ...]] = {"server": SERVER, "fixture": FIXTURE, "contracts": CONTRACTS}


def broken(rows: tuple[Row, ...], results: dict[str, Result]) -> list[str]:
    """What fails a build: a gated row that misses its must, or has no value at all."""
    problems = []
    for row in rows:
        if not row.gated:
            continue
        result = results.get(row.key)
        value = result.value if result is not None else None
        verdict = row.verdict(value)
        if verdict == "missed" and value is not None:
            problems.append(f"{row.key}: {shown(value, row.unit)}, must be {row.limit('must')} ({row.title})")
        elif verdict == "not measured":
            why = result.note if result is not None and result.note else "no result"
            problems.append(f"{row.key}: not measured ({why}), must be {row.limit('must')}")
    return problems
