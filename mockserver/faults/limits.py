"""The server refuses for a reason of its own: too fast, not ready, no key any more, too much to do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from random import Random
from typing import Any

from msgspec.structs import replace

from mockserver.errors import ScriptError
from mockserver.plan import Head, Headers, Plan
from mockserver.settings import Count, Positive, Seconds

from .delay import Delay
from .edit import with_head, with_headers
from .fault import Fault, fault
from .sse import compact
from .status import RetryAfter, number_text, replaced, retry_after_fields


def refusal(plan: Plan, status: int, message: str, code: str, fields: Headers) -> Plan:
    """An error in the documented envelope instead of the answer."""
    value: Any = {"error": {"message": message, "type": code, "param": None, "code": code}}
    data = compact(value)
    own = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)))
    return replaced(plan, Head(status, (*own, *fields)), data)


@fault("rate-limit", "api", retry_after=0.2, retry_after_ms=200)
@dataclass(frozen=True, slots=True)
class RateLimit(Fault):
    """429 `rate_limit_exceeded`, with as many of the headers that servers send as are given.

    `retry_after`: seconds (`retry-after`; any number, text such as an HTTP date or `date+5`, or a list: one header
    each).
    `retry_after_ms`: `retry-after-ms`, any text or number. `should_retry`: `x-should-retry`. `limit`, `remaining`,
    `reset` (unix seconds): `x-ratelimit-...`.
    """

    retry_after: RetryAfter = None
    retry_after_ms: RetryAfter = None
    should_retry: bool | None = None
    limit: Count | None = None
    remaining: Count | None = None
    reset: Count | None = None
    message: str = "Rate limit exceeded"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        found = list(retry_after_fields(self.retry_after))
        found.extend((b"retry-after-ms", value) for _, value in retry_after_fields(self.retry_after_ms))
        if self.should_retry is not None:
            found.append((b"x-should-retry", b"true" if self.should_retry else b"false"))
        found.extend(_limit_fields(self.limit, self.remaining, self.reset))
        return refusal(plan, 429, self.message, "rate_limit_exceeded", tuple(found))


def _limit_fields(limit: int | None, remaining: int | None, reset: int | None) -> Headers:
    named = ((b"limit", limit), (b"remaining", remaining), (b"reset", reset))
    return tuple((b"x-ratelimit-" + name, b"%d" % value) for name, value in named if value is not None)


@fault("rate-limit-headers", "api", limit=60, remaining=0, reset=1700000000)
@dataclass(frozen=True, slots=True)
class RateLimitHeaders(Fault):
    """The answer is right and has `x-ratelimit-limit`, `-remaining` and `-reset` (unix seconds), as many as given."""

    limit: Count | None = None
    remaining: Count | None = None
    reset: Count | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another head."""
        fields = _limit_fields(self.limit, self.remaining, self.reset)

        def head(one: Head) -> Head:
            return replace(one, headers=with_headers(one.headers, *fields))

        return with_head(plan, head)


@fault("loading", "api", seconds=2.0, retry_after=1)
@dataclass(frozen=True, slots=True)
class Loading(Fault):
    """503 `model_loading` until `seconds` after the session's first request; from then on the server is ready."""

    seconds: Seconds
    retry_after: RetryAfter = None

    def check(self) -> None:
        """`seconds` is `when.until`."""
        if self.when.until is None:
            object.__setattr__(self, "when", dataclasses.replace(self.when, until=self.seconds))
        if self.when.until != self.seconds:
            raise ScriptError(f"'seconds' is 'when.until'; got {self.seconds} and {self.when.until}", "seconds")

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        fields = retry_after_fields(self.retry_after)
        return refusal(plan, 503, "The model is loading", "model_loading", fields)


@fault("key-expired", "api", calls=3)
@dataclass(frozen=True, slots=True)
class KeyExpired(Fault):
    """401 `invalid_api_key` behind the first `calls` calls, for ever."""

    calls: Count

    def check(self) -> None:
        """`calls` is `when.after`."""
        if self.when.after is None:
            object.__setattr__(self, "when", dataclasses.replace(self.when, after=self.calls))
        if self.when.after != self.calls:
            raise ScriptError(f"'calls' is 'when.after'; got {self.calls} and {self.when.after}", "calls")

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        fields = ((b"www-authenticate", b"Bearer"),)
        return refusal(plan, 401, "The API key has expired", "invalid_api_key", fields)


@fault("overload", "api", queue=12, seconds=0.2, retry_after=1)
@dataclass(frozen=True, slots=True)
class Overload(Fault):
    """503 `server_overloaded` after `seconds` in the queue; the message says how long it is, `x-queue-depth` too.

    These are set. A server that slows down and refuses as more requests are open at once is the script's `latency`
    (`overloaded`, or `slots`, `queue` and `slow_down` of one's own; inferneo-mock docs latency).
    """

    queue: Positive = 100
    seconds: Seconds = 0.0
    retry_after: RetryAfter = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response, late."""
        depth = number_text(self.queue)
        fields = ((b"x-queue-depth", depth.encode()), *retry_after_fields(self.retry_after))
        refused = refusal(plan, 503, f"{depth} requests are waiting", "server_overloaded", fields)
        return Delay(self.seconds).rewrite(refused, rng) if self.seconds else refused
