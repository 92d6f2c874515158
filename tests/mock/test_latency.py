"""Latency as arithmetic: no clock runs in these tests."""

from __future__ import annotations

import random
import re
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.latency import (
    INSTANT,
    PRESETS,
    Full,
    Latency,
    LatencyError,
    Load,
    Turn,
    cached_tokens,
    enter,
    gaps,
    pace,
    parse_latency,
)
from mockserver.plan import Body, Head, Plan, Wait
from mockserver.reply import Pacing

STREAM = Plan((Head(200), Body(b"r", "role"), Body(b"a", "content[0]"), Body(b"b", "1:content[0]"), Body(b"d", "done")))


def _enter(latency: Latency, load: Load, now: float, tokens: int = 3, prompt: int = 10, cached: int = 0) -> Any:
    return enter(latency, load, now, tokens, prompt, cached, random.Random(0))


def test_first_token_and_gaps() -> None:
    """Prefill by new tokens, cached ones cheaper; then a gap per token; `speed` divides all."""
    latency = Latency(ttft=1, prefill_s_per_token=0.1, cached_share=0.5, itl=0.2)
    assert _enter(latency, Load(), 0.0)[2] == pytest.approx((2.0, 0.2, 0.2))
    assert _enter(latency, Load(), 0.0, cached=6)[2] == pytest.approx((1.7, 0.2, 0.2))
    fast = Latency(ttft=1, itl=0.2, speed=2)
    assert _enter(fast, Load(), 0.0)[2] == pytest.approx((0.5, 0.1, 0.1))
    replayed = Latency(timings=(0.3, 0.1))
    assert _enter(replayed, Load(), 0.0)[2] == pytest.approx((0.3, 0.1, 0.1))


@given(st.sampled_from(["normal", "lognormal"]), st.floats(0.01, 0.5))
def test_jitter_keeps_the_mean(distribution: Any, jitter: float) -> None:
    """Seeded, never negative, and on average what was asked for."""
    latency = Latency(itl=0.1, jitter=jitter, distribution=distribution)
    waits = _enter(latency, Load(), 0.0, tokens=2000)[2]
    assert waits == _enter(latency, Load(), 0.0, tokens=2000)[2]
    assert min(waits) >= 0
    assert sum(waits[1:]) / 1999 == pytest.approx(0.1, rel=0.1)


def test_slots_and_queue() -> None:
    """Two run, one waits until one of them has left, the next is refused and told when; nobody overtakes who waits."""
    latency = Latency(itl=1.0, ttft=1.0, slots=2, queue=1)
    load, first, _ = _enter(latency, Load(), 0.0)
    load, _, _ = _enter(latency, load, 1.0)
    load, third, waits = _enter(latency, load, 2.0)
    assert (third.start, waits) == (None, (1.0, 1.0, 1.0))
    assert (load.running, load.waiting) == (2, 1)
    _, refused, none = _enter(latency, load, 2.0)
    assert (refused, none) == (Full(1.0), ())
    load, started = load.leave(first.number, 2.5, 2)
    assert (started, load.running, load.waiting) == ((third.number,), 2, 0)
    load, fourth, _ = _enter(latency, load, 2.5)
    assert fourth.start is None
    load, started = load.leave(fourth.number, 2.6, 2)
    assert (started, load.waiting) == ((), 0)
    assert load.leave(fourth.number, 2.7, 2) == (load, ())
    unbounded = Latency(itl=1.0, ttft=1.0, slots=1)
    for _ in range(5):
        load, turn, _ = _enter(unbounded, load, 2.0)
        assert isinstance(turn, Turn)
    assert load.fill(3.0, 4)[1] == (5, 6)
    assert load.fill(3.0, None)[0].waiting == 0


def test_a_full_server_is_slower() -> None:
    """By `slow_down`, in the share of its slots that are taken."""
    latency = Latency(itl=1.0, slots=2, slow_down=1.0)
    load, _, alone = _enter(latency, Load(), 0.0)
    _, _, beside = _enter(latency, load, 0.0)
    assert alone[1] == 1.0
    assert beside[1] == 1.5


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5)), max_size=30), st.integers(1, 3), st.integers(0, 3))
def test_never_more_than_the_slots(arrivals: list[tuple[float, int]], slots: int, queue: int) -> None:
    """At no moment do more run than there are slots, or wait than the queue holds."""
    latency = Latency(itl=1.0, ttft=1.0, slots=slots, queue=queue)
    now, load = 0.0, Load()
    order: list[Any] = []
    for pause, tokens in arrivals:
        now += pause
        for turn in load.turns:
            if turn.start is not None and turn.start + turn.seconds <= now:
                load, started = load.leave(turn.number, turn.start + turn.seconds, slots)
                order += started
        load, turn, _ = _enter(latency, load, now, tokens)
        if isinstance(turn, Full):
            first = min(one.start + one.seconds for one in load.turns if one.start is not None)
            assert turn.seconds == pytest.approx(max(0.0, first - now))
            assert (load.running, load.waiting) == (slots, queue)
        elif turn.start is not None:
            order.append(turn.number)
        assert load.running <= slots
        assert load.waiting <= queue
        assert not load.waiting or load.running == slots
    assert order == sorted(order)


@given(st.text(max_size=8), st.lists(st.text(alphabet="ab", max_size=8), max_size=4))
def test_cached_tokens(extra: str, seen: list[str]) -> None:
    """The share of the prompt that begins another one."""
    prompt = "ab" + extra
    longest = max((len(_common(prompt, other)) for other in seen), default=0)
    assert cached_tokens(prompt, 1000, seen) == 1000 * longest // len(prompt)
    assert cached_tokens("", 0, seen) == 0


def _common(one: str, other: str) -> str:
    size = 0
    while size < min(len(one), len(other)) and one[size] == other[size]:
        size += 1
    return one[:size]


def test_pacing_of_plans() -> None:
    """A wait before each event with tokens; a whole body waits as long as its stream."""
    paced = pace(STREAM, iter((0.5, 0.25, 9.0)))
    assert paced.steps == (
        *STREAM.steps[:2],
        Wait(0.5),
        STREAM.steps[2],
        Wait(0.25),
        STREAM.steps[3],
        STREAM.steps[4],
    )
    whole = Plan((Head(200), Body(b"x")))
    assert pace(whole, iter((0.5, 0.25, 0.25)), 3).steps == (Wait(1.0), *whole.steps)
    assert pace(whole, iter(()), 3) == whole
    assert pace(STREAM, iter(())) == STREAM


def test_pacing_of_replies() -> None:
    """`ttft`, then `itl`; jitter stays within its bounds, from the reply's seed or the session's."""
    assert list(islice(gaps(Pacing(0.5, 0.1), 0), 3)) == [0.5, 0.1, 0.1]
    drawn = list(islice(gaps(Pacing(0.5, 0.1, 0.2), 3), 50))
    assert drawn == list(islice(gaps(Pacing(0.5, 0.1, 0.2, seed=3), 9), 50))
    assert all(0 <= wait <= 0.3 for wait in drawn[1:])


def test_parsing() -> None:
    """A name, an object, an object on top of a name."""
    assert parse_latency(None) == parse_latency("instant") == INSTANT
    assert parse_latency({"preset": "a100", "speed": 2, "slots": None}).speed == 2
    assert (
        parse_latency({"timings": [1, 0.5], "distribution": "normal", "overflow": "rate_limit", "queue": 0}).queue == 0
    )
    assert set(PRESETS) == {"instant", "laptop", "a100", "overloaded"}


@pytest.mark.parametrize(
    "value",
    ["fast", 5, {"speeed": 1}, {"speed": 0}, {"itl": -1}, {"itl": True}, {"itl": float("nan")}, {"slots": 0},
     {"queue": -1}, {"slots": 1.5}, {"distribution": "uniform"}, {"timings": [-1]}, {"overflow": 5}, {"preset": "x"}],
)  # fmt: skip
def test_bad_latencies(value: Any) -> None:
    """One sentence that names the setting."""
    with pytest.raises(LatencyError):
        parse_latency(value)


def test_the_settings_are_documented() -> None:
    """docs/latency.md has a row for each, with its default."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "latency.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", text, re.MULTILINE))
    assert set(rows) == {item.name for item in fields(Latency)}
    for item in fields(Latency):
        words: dict[Any, str] = {None: "null", (): "none"}
        default = words.get(item.default, item.default)
        assert rows[item.name].strip("`") == (f"{default:g}" if isinstance(default, float) else str(default))
    assert all(f"`{preset}`" in text for preset in PRESETS)
