"""The retry policy against a table; the grammar of Retry-After; the backoff's bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferneo import InferneoError, Retry
from inferneo._headers import Headers
from inferneo._retry import instant_retries, retry_after, skip_sleep, with_max_retries

RETRIED = {408, 409, 429, 500, 502, 503, 504, 529}


def headers(**pairs: str) -> Headers:
    return Headers((name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in pairs.items())


@pytest.mark.parametrize("status", range(200, 600))
def test_statuses(status: int) -> None:
    """Exactly the listed ones, unless `x-should-retry` says otherwise."""
    policy = Retry()
    assert policy.wants(status, headers(), None, None) is (status in RETRIED)
    assert policy.wants(status, headers(x_should_retry="true"), None, None)
    assert not policy.wants(status, headers(x_should_retry=" FALSE "), None, None)
    assert policy.wants(status, headers(x_should_retry="maybe"), None, None) is (status in RETRIED)
    assert not policy.wants(status, headers(), "insufficient_quota", None)
    assert not policy.wants(status, headers(), None, "insufficient_quota")


DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
LATER = "Wed, 21 Oct 2015 07:28:05 GMT"


@pytest.mark.parametrize(
    ("given_headers", "expected"),
    [
        ({}, None),
        ({"retry_after": "1"}, 1.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after": " 2 "}, 2.0),
        ({"retry_after_ms": "50"}, 0.05),
        ({"retry_after_ms": "0.5"}, 0.0005),
        ({"retry_after_ms": "50", "retry_after": "9"}, 0.05),
        ({"retry_after_ms": "x", "retry_after": "9"}, 9.0),
        ({"retry_after": LATER, "date": DATE}, 5.0),
        ({"retry_after": DATE, "date": DATE}, 0.0),
        ({"retry_after": DATE, "date": LATER}, None),
        ({"retry_after": "Wed, 21 Oct 2015 09:28:05 +0200", "date": DATE}, 5.0),
        ({"retry_after": DATE}, None),
        ({"retry_after": LATER, "date": "garbage"}, None),
        *[
            ({"retry_after": text}, None)
            for text in ["-1", "nan", "inf", "1_0", "1e3", "", "soon", "0x1", "+1", "1,5", "1.", ".5", "\xb2",
                         "Wed, 99 Oct 2015 07:28:00 GMT", "2015-10-21", "Wed, 21 Oct 99999999999 07:28:00 GMT"]
        ],
    ],
)  # fmt: skip
def test_grammar(given_headers: dict[str, str], expected: float | None) -> None:
    """What is not by the grammar asks for nothing; a date counts against the reply's own `Date`."""
    assert retry_after(headers(**given_headers), lambda: 1e10) == expected


def test_date_without_date_counts_from_now() -> None:
    """1445412485 is the second that the header names."""
    assert retry_after(headers(retry_after=LATER), lambda: 1445412480.0) == 5.0


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff(retries: int, drawn: float) -> None:
    """In [d/2, d], d = 0.5 s doubling to 8 s."""
    delay = Retry(random=lambda: drawn).backoff(retries)
    whole = min(8.0, 0.5 * 2 ** min(retries, 10))
    assert whole / 2 <= delay <= whole


def test_wrong_policies_cannot_be_built() -> None:
    """Each names the setting and the value."""
    wrong: dict[str, Any]
    for wrong in ({"max_retries": -1}, {"max_retries": 1.5}, {"max_retries": True}, {"base": -1}, {"cap": "8"}):
        with pytest.raises(InferneoError, match=next(iter(wrong))):
            Retry(**wrong)


def test_other_number_of_retries() -> None:
    """The same value when nothing changes."""
    policy = Retry(base=0.1)
    assert with_max_retries(policy, None) is policy
    assert with_max_retries(policy, 3) is policy
    assert with_max_retries(policy, 1) == Retry(base=0.1, max_retries=1, clock=policy.clock)


def test_instant() -> None:
    """Within the block no retry sleeps, and the delays are told."""
    assert not skip_sleep(1)
    with instant_retries() as delays:
        assert skip_sleep(2)
    assert delays == [2]
    assert not skip_sleep(3)
