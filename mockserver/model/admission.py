"""What stands before the model: keys, rate limits, slots and their queue. Pure: time is a number, chance a seed.

A request is admitted or refused (`admit`), its answer is given a turn and its pace (`serve`), and the turn ends when
the response has ended or its client has left (`leave`), which starts those that waited. Probes and the pages that need
no key are let through uncounted.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mockserver.filled import Account
from mockserver.model import keys as keys_
from mockserver.model import limits as limits_
from mockserver.model.answer import with_headers
from mockserver.model.keys import Key
from mockserver.model.latency import INSTANT, Full, Latency, Load, Turn, cached_tokens, pace
from mockserver.model.latency import enter as take_turn
from mockserver.model.limits import NO_LIMITS, Limits, Meter
from mockserver.model.profile import Profile
from mockserver.model.refuse import refuse
from mockserver.plan import Head, Headers, Plan
from mockserver.request import Request

_PROMPTS = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of a session: who may ask, how much, and how fast it is answered."""

    profile: Profile
    keys: tuple[Key, ...] = ()
    limits: Limits = NO_LIMITS
    latency: Latency = INSTANT
    seed: int = 0

    @property
    def open(self) -> bool:
        """Whether nothing stands in the way, so that a caller may go round it."""
        return not self.keys and not self.limits and self.latency == INSTANT


@dataclass(frozen=True, slots=True)
class Books:
    """What was used so far: a meter per account, the turns that run or wait, the last prompts."""

    meters: Mapping[str, Meter] = field(default_factory=dict)
    load: Load = field(default_factory=Load)
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """An admitted request: its account, and the header fields that its answer carries."""

    account: str
    fields: Headers = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What is sent. `turn`: its place among those that run or wait (None: none); `waits`: those of the plan."""

    plan: Plan
    turn: Turn | None = None
    waits: tuple[float, ...] = ()


def admit(terms: Terms, books: Books, request: Request, now: float) -> tuple[Books, Pass | Plan]:
    """The pass of a request, or the refusal of one without a good key or beyond a limit. `now` is Unix seconds."""
    account = keys_.check(terms.profile, terms.keys, request, now)
    if isinstance(account, Plan):
        return books, account
    if not terms.limits or keys_.is_open(terms.profile, request):
        return books, Pass(account)
    meter, verdict = limits_.admit(books.meters.get(account) or limits_.meter(terms.limits, now), now)
    assert verdict is not None
    books = replace(books, meters={**books.meters, account: meter})
    fields = limits_.headers(terms.profile.option("limits") or {}, verdict, now)
    return books, Pass(account, fields) if verdict.ok else _limited(terms.profile, verdict, fields)


def serve(
    terms: Terms, books: Books, who: Pass, request: Request, plan: Plan, cost: Account | None, now: float
) -> tuple[Books, Served]:
    """The plan of an admitted request as a loaded server would play it; `cost` None: no model says it."""
    if cost is None or _status(plan) != 200:
        return books, Served(with_headers(plan, who.fields))
    rng = random.Random(f"{terms.seed}/{request.number}")
    cached = cached_tokens(cost.prompt, cost.prompt_tokens, books.prompts)
    load, turn, waits = take_turn(terms.latency, books.load, now, cost.tokens, cost.prompt_tokens, cached, rng)
    if isinstance(turn, Full):
        return books, Served(_overloaded(terms, turn, who.fields))
    meters = books.meters
    if who.account in meters:
        meters = {**meters, who.account: limits_.charge(meters[who.account], cost.prompt_tokens + cost.tokens)}
    books = Books(meters, load, (*books.prompts, cost.prompt)[-_PROMPTS:])
    return books, Served(with_headers(pace(plan, iter(waits), cost.tokens), who.fields), turn, waits)


def leave(terms: Terms, books: Books, number: int, now: float) -> tuple[Books, tuple[int, ...]]:
    """The books when a turn is over, whether served or left; and the numbers of those that now have its slot."""
    load, started = books.load.leave(number, now, terms.latency.slots)
    return replace(books, load=load), started


def changed(terms: Terms, books: Books, now: float) -> tuple[Books, tuple[int, ...]]:
    """The books under new terms: nothing is used up yet, but who runs goes on; and those that now have a slot."""
    load, started = books.load.fill(now, terms.latency.slots)
    return Books(load=load), started


def moved(books: Books, by: float) -> Books:
    """The books as if all in them had happened `by` seconds later (below 0: earlier)."""
    meters = {
        account: Meter({name: replace(bucket, at=bucket.at + by) for name, bucket in meter.buckets.items()})
        for account, meter in books.meters.items()
    }
    turns = tuple(turn if turn.start is None else replace(turn, start=turn.start + by) for turn in books.load.turns)
    return Books(meters, Load(turns, books.load.numbered), books.prompts)


def _status(plan: Plan) -> int:
    return next((step.status for step in plan.steps if isinstance(step, Head)), 0)


def _limited(profile: Profile, verdict: limits_.Verdict, fields: Headers) -> Plan:
    error = "quota" if verdict.name == "requests_per_day" else "rate_limit"
    wait = verdict.retry_after
    plan = refuse(profile, error, limit=verdict.limit, unit=verdict.unit, seconds=wait)
    return with_headers(plan, ((b"retry-after", b"%d" % wait), *fields))


def _overloaded(terms: Terms, full: Full, fields: Headers) -> Plan:
    wait = max(1, -int(-full.seconds // 1))
    error, slots = terms.latency.overflow, terms.latency.slots
    plan = refuse(terms.profile, error, limit=slots, unit="requests at once", seconds=wait)
    return with_headers(plan, ((b"retry-after", b"%d" % wait), *fields))
