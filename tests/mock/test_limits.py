"""Token buckets: what they promise is true, and what is told on the wire is what they hold."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ANSWERERS
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.limits import (
    NO_LIMITS,
    Limits,
    LimitsError,
    Meter,
    admit,
    charge,
    headers,
    limits_of_environment,
    meter,
    parse_limits,
)

RULES = ANSWERERS["docs"].profile.option("limits")


@given(st.integers(1, 5), st.lists(st.floats(0, 30), max_size=30))
def test_retry_after_is_true(limit: int, pauses: list[float]) -> None:
    """After a refusal: a moment before the promised time it is still refused, at it (to the second) it passes."""
    now, held = 1000.0, meter(Limits(requests_per_minute=limit), 1000.0)
    for pause in pauses:
        now += pause
        held, verdict = admit(held, now)
        assert verdict is not None
        assert 0 <= verdict.remaining <= limit
        if not verdict.ok:
            assert verdict.wait > 0
            assert verdict.retry_after >= verdict.wait
            again = admit(held, now + verdict.retry_after)[1]
            assert again is not None
            assert again.ok
            if verdict.wait > 0.1:
                early = admit(held, now + verdict.wait * 0.999)[1]
                assert early is not None
                assert not early.ok


def test_requests_per_minute() -> None:
    """So many at once, then one by one; a refusal costs nothing."""
    held = meter(Limits(requests_per_minute=2), 0.0)
    seen = []
    for now in (0.0, 0.0, 0.0, 0.0, 30.0, 30.0):
        held, verdict = admit(held, now)
        assert verdict is not None
        seen.append((verdict.ok, verdict.remaining, verdict.retry_after, verdict.reset))
    assert seen == [
        (True, 1, 0, 30),
        (True, 0, 0, 60),
        (False, 0, 30, 60),
        (False, 0, 30, 60),
        (True, 0, 0, 90),
        (False, 0, 30, 90),
    ]


def test_tokens_per_minute() -> None:
    """Tokens are charged as served; below one token, the next request waits."""
    held, verdict = admit(meter(Limits(tokens_per_minute=60), 0.0), 0.0)
    assert verdict is not None
    assert (verdict.ok, verdict.unit, verdict.remaining) == (True, "tokens per minute", 60)
    held = charge(held, 100)
    held, verdict = admit(held, 0.0)
    assert verdict is not None
    assert (verdict.ok, verdict.retry_after, verdict.remaining) == (False, 41, 0)
    assert admit(held, 41.0)[1].ok  # type: ignore[union-attr]  # there is a limit
    unlimited = meter(Limits(requests_per_day=1), 0.0)
    assert charge(unlimited, 5) == unlimited


def test_the_tightest_limit_speaks() -> None:
    """The day's limit is told when it is the nearer one."""
    held = meter(Limits(requests_per_minute=100, tokens_per_minute=10, requests_per_day=2), 0.0)
    held, verdict = admit(held, 0.0)
    assert verdict is not None
    assert (verdict.name, verdict.limit, verdict.remaining) == ("requests_per_day", 2, 1)
    held, _ = admit(held, 0.0)
    _, verdict = admit(held, 0.0)
    assert verdict is not None
    assert (verdict.ok, verdict.name, verdict.retry_after) == (False, "requests_per_day", 43_200)


def test_headers() -> None:
    """The documented fields; time does not run backwards in a bucket."""
    held, verdict = admit(meter(Limits(requests_per_minute=60), 100.0), 100.0)
    assert verdict is not None
    assert dict(headers(RULES, verdict, 100.0)) == {
        b"X-RateLimit-Limit": b"60",
        b"X-RateLimit-Remaining": b"59",
        b"X-RateLimit-Reset": b"101",
    }
    openai = dict(headers(ANSWERERS["openai"].profile.option("limits"), verdict, 100.0))
    assert openai[b"x-ratelimit-reset-requests"] == b"1s"
    assert admit(held, 50.0)[1].remaining == 58  # type: ignore[union-attr]  # there is a limit


def test_no_limits() -> None:
    """Nothing is said of what is not limited."""
    assert not NO_LIMITS
    assert admit(meter(NO_LIMITS, 0.0), 0.0) == (Meter({}), None)


@pytest.mark.parametrize(
    "value",
    ["x", {"requests": 5}, {"requests_per_minute": 0}, {"requests_per_minute": True}, {"tokens_per_minute": 1.5}],
)
def test_bad_limits(value: Any) -> None:
    """One sentence."""
    with pytest.raises(LimitsError):
        parse_limits(value)


def test_parsing() -> None:
    """JSON and the documented variables."""
    assert parse_limits(None) == NO_LIMITS
    limits = parse_limits({"requests_per_minute": 5, "requests_per_day": None})
    assert limits == Limits(requests_per_minute=5)
    environment = {"INFERNEO_RATE_LIMIT_TOKENS_PER_MINUTE": "7", "INFERNEO_RATE_LIMIT_REQUESTS_PER_DAY": ""}
    assert limits_of_environment(environment, limits) == Limits(5, 7)
    for text in ("x", "0", "-1", "²"):
        with pytest.raises(LimitsError, match="INFERNEO_RATE_LIMIT_REQUESTS_PER_DAY"):
            limits_of_environment({"INFERNEO_RATE_LIMIT_REQUESTS_PER_DAY": text}, limits)
