"""Rate limits as values: token buckets that know the true time at which they have room again.

A bucket holds `capacity` and fills up evenly. Requests take one each and are refused when less than one is left; tokens
are charged as they were served, so that bucket may go below zero and the next request waits until it is above. Times
are Unix seconds. The defaults are those of the documentation, the environment and the command line change them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mockserver.errors import MockError
from mockserver.plan import Headers
from mockserver.suggest import unknown

VARIABLES = {
    "requests_per_minute": "INFERNEO_RATE_LIMIT_REQUESTS_PER_MINUTE",
    "tokens_per_minute": "INFERNEO_RATE_LIMIT_TOKENS_PER_MINUTE",
    "requests_per_day": "INFERNEO_RATE_LIMIT_REQUESTS_PER_DAY",
}
_SECONDS = {"requests_per_minute": 60.0, "tokens_per_minute": 60.0, "requests_per_day": 86_400.0}
_UNITS = {
    "requests_per_minute": "requests per minute",
    "tokens_per_minute": "tokens per minute",
    "requests_per_day": "requests per day",
}


_ROUNDING = 1e-6
"""A bucket that lacks less than this share of one request holds it: seconds are floats."""


class LimitsError(MockError, ValueError):
    """A limit was given that means nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much each account may use; None: as much as it likes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for _, limit in self.items())

    def items(self) -> tuple[tuple[str, int | None], ...]:
        """The limits by name."""
        return tuple((name, getattr(self, name)) for name in VARIABLES)


NO_LIMITS = Limits()


def parse_limits(value: Any) -> Limits:
    """Limits from JSON: an object of whole numbers above 0, or null. Raises `LimitsError`."""
    if value is None:
        return Limits()
    if not isinstance(value, Mapping):
        raise LimitsError(f"limits are an object, not {value!r}")
    for name, limit in value.items():
        if name not in VARIABLES:
            raise LimitsError(unknown("limit", name, VARIABLES))
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise LimitsError(f"{name} is a whole number above 0, or null, not {limit!r}")
    return Limits(**value)


def limits_to_json(limits: Limits) -> dict[str, int]:
    """The limits that there are; `parse_limits` gives them back."""
    return {name: limit for name, limit in limits.items() if limit is not None}


def limits_schema() -> dict[str, Any]:
    """The JSON Schema of limits."""
    limit = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    return {"type": "object", "properties": dict.fromkeys(VARIABLES, limit), "additionalProperties": False}


def limits_of_environment(environment: Mapping[str, str], base: Limits) -> Limits:
    """`base` with what the variables say; an empty one says nothing. Raises `LimitsError`."""
    found: dict[str, int] = {}
    for name, variable in VARIABLES.items():
        text = environment.get(variable, "").strip()
        if text:
            if not text.isascii() or not text.isdigit() or int(text) < 1:
                raise LimitsError(f"{variable} is a whole number above 0, not {text!r}")
            found[name] = int(text)
    return replace(base, **found)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`level` at the time `at`; it fills to `capacity` in `seconds`."""

    capacity: float
    seconds: float
    level: float
    at: float

    def now(self, now: float) -> Bucket:
        """The bucket as it is at `now`; time never runs backwards in it."""
        passed = max(0.0, now - self.at)
        level = min(self.capacity, self.level + passed * self.capacity / self.seconds)
        return Bucket(self.capacity, self.seconds, level, max(now, self.at))

    def take(self, amount: float) -> Bucket:
        """With that much less in it."""
        return replace(self, level=self.level - amount)

    def until(self, level: float) -> float:
        """The seconds until it holds `level`, 0 if it does."""
        missing = min(level, self.capacity) - self.level
        return missing * self.seconds / self.capacity if missing > _ROUNDING else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the buckets say to one request: of the tightest one the limit, what is left, and when it is full again."""

    ok: bool
    name: str
    limit: int
    remaining: int
    reset: int
    wait: float

    @property
    def unit(self) -> str:
        """What is counted, in words."""
        return _UNITS[self.name]

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the request will pass: rounded up, so at least 1 after a refusal."""
        return math.ceil(self.wait)


@dataclass(frozen=True, slots=True)
class Meter:
    """The buckets of one account, by the name of their limit."""

    buckets: Mapping[str, Bucket]


def meter(limits: Limits, now: float) -> Meter:
    """A meter on which nothing was spent yet."""
    return Meter(
        {
            name: Bucket(float(limit), _SECONDS[name], float(limit), now)
            for name, limit in limits.items()
            if limit is not None
        }
    )


def admit(meter_: Meter, now: float) -> tuple[Meter, Verdict | None]:
    """The meter after one more request, and what it says of it; None: nothing is limited. A refusal costs nothing."""
    if not meter_.buckets:
        return meter_, None
    buckets = {name: bucket.now(now) for name, bucket in meter_.buckets.items()}
    waits = {name: bucket.until(1.0) for name, bucket in buckets.items()}
    worst = max(waits, key=lambda name: waits[name])
    if waits[worst] > 0:
        return Meter(buckets), _verdict(False, worst, buckets[worst], waits[worst], now)
    after = {name: bucket.take(1.0) if name != "tokens_per_minute" else bucket for name, bucket in buckets.items()}
    tightest = min(after, key=lambda name: (name == "tokens_per_minute", after[name].level / after[name].capacity))
    return Meter(after), _verdict(True, tightest, after[tightest], 0.0, now)


def charge(meter_: Meter, tokens: int) -> Meter:
    """The meter after tokens were served."""
    bucket = meter_.buckets.get("tokens_per_minute")
    if bucket is None:
        return meter_
    return Meter({**meter_.buckets, "tokens_per_minute": bucket.take(tokens)})


def _verdict(ok: bool, name: str, bucket: Bucket, wait: float, now: float) -> Verdict:
    reset = math.ceil(now + bucket.until(bucket.capacity))
    return Verdict(ok, name, int(bucket.capacity), max(0, math.floor(bucket.level + _ROUNDING)), reset, wait)


def headers(rules: Mapping[str, Any], verdict: Verdict, now: float) -> Headers:
    """The documented header fields; the profile's `limits.headers` says which, and what each tells."""
    told = {
        "limit": verdict.limit,
        "remaining": verdict.remaining,
        "reset": verdict.reset,
        "seconds": f"{max(0.0, verdict.reset - now):.0f}s",
    }
    named = rules.get("headers", {})
    return tuple((name.encode("latin-1"), str(told[what]).encode()) for name, what in named.items())
