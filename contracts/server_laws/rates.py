"""Rate limits: what a server tells of its limits is true. Judged only where it tells of them."""

from __future__ import annotations

import time

from contracts.domains import WHOLE
from contracts.exchange import Call, Exchange, get
from contracts.law import Vacuous, expect, law
from contracts.target import Target

SOURCE = "api.md, Rate limits"
NEEDS = {"rate_limits"}
QUICK = 1.0
"""Seconds within which a bucket of 60 requests per minute gets back no more than one."""
FIELDS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def told(exchange: Exchange) -> dict[str, str]:
    """The fields of the limit that an answer has."""
    found = {name: exchange.response.field(name) for name in FIELDS}
    return {name: value for name, value in found.items() if value is not None}


@law("S-RATE-01", over=WHOLE, needs=NEEDS, examples=3, live=True, source=SOURCE)
def limits_are_numbers(target: Target, call: Call) -> None:
    """X-RateLimit-Limit, -Remaining and -Reset are integers, and no more remains than the limit is."""
    found = told(target.send(call))
    expect(set(found) == set(FIELDS), "all three fields", found)
    expect(all(value.isdigit() for value in found.values()), "integers", found)
    limit, remaining, _ = (int(found[name]) for name in FIELDS)
    expect(remaining <= limit, f"at most {limit} remaining", remaining)


@law("S-RATE-02", over=WHOLE, needs=NEEDS, examples=3, live=True, source=SOURCE)
def what_remains_shrinks(target: Target, call: Call) -> None:
    """Of five requests at once the last leaves less than the first.

    A window that ends between them, or a bucket that fills meanwhile, gives some back: the judge is quick, or silent.
    """
    began = time.monotonic()
    answers = [told(target.send(call)) for _ in range(5)]
    if not all(set(one) == set(FIELDS) and all(value.isdigit() for value in one.values()) for one in answers):
        raise Vacuous("the fields are not told (S-RATE-01 judges that)")
    resets = [int(one[FIELDS[2]]) for one in answers]
    if time.monotonic() - began > QUICK or max(resets) - min(resets) > 5:
        raise Vacuous("a new window began, or the server is slow")
    before, after = int(answers[0][FIELDS[1]]), int(answers[-1][FIELDS[1]])
    expect(after < before or after == 0, f"less than {before} remaining", after)


@law("S-RATE-03", needs=NEEDS, live=True, source=SOURCE)
def the_reset_is_near(target: Target) -> None:
    """X-RateLimit-Reset is in Unix seconds, not past and within a day."""
    said = told(target.send(get("/v1/models"))).get(FIELDS[2], "")
    if not said.isdigit():
        raise Vacuous("no number (S-RATE-01 judges that)")
    now = time.time()
    expect(now - 120 <= int(said) <= now + 86_520, f"seconds between {now:.0f} and a day later", said)


@law("S-RATE-04", needs=NEEDS, live=True, source="api.md: headers on every response")
def refusals_tell_them_too(target: Target) -> None:
    """A refusal of the API has the fields as well."""
    exchange = target.send(Call("POST", "/v1/completions", b"{", (("Content-Type", "application/json"),)))
    expect(set(told(exchange)) == set(FIELDS), "all three fields", exchange.response.fields)
