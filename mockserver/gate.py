"""What stands before the model: keys, rate limits, the queue; and what counts behind it. One pure step per request.

`enter` takes the state of a session and gives the next one with the plan that will be sent: a refusal in the words of
the profile, or the answer, paced as a loaded server would pace it, with the documented headers. `leave` ends a turn.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mockserver import keys as keys_
from mockserver import limits as limits_
from mockserver.answer import with_headers
from mockserver.keys import Key
from mockserver.latency import INSTANT, Full, Latency, Load, cached_tokens, pace
from mockserver.latency import enter as take_turn
from mockserver.limits import NO_LIMITS, Limits, Meter
from mockserver.metrics import Metrics
from mockserver.plan import Head, Headers, Plan
from mockserver.prepared import Account
from mockserver.profile import Profile
from mockserver.refuse import refuse
from mockserver.request import Request

_PROMPTS = 64


@dataclass(frozen=True, slots=True)
class Gate:
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
class GateState:
    """What was used so far: a meter per account, the turns that run, the counters, the last prompts."""

    meters: Mapping[str, Meter] = field(default_factory=dict)
    load: Load = field(default_factory=Load)
    metrics: Metrics = field(default_factory=Metrics)
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of a request: its plan, and the number of its turn (None: it was not served by the model)."""

    plan: Plan
    turn: int | None = None


def enter(
    gate: Gate,
    state: GateState,
    request: Request,
    now: float,
    answer: Callable[[], Plan],
    account: Callable[[], Account | None],
) -> tuple[GateState, Entered]:
    """One request through the gate. `now` is Unix seconds; `account` says what the answer costs, None: nothing."""
    who = keys_.check(gate.profile, gate.keys, request, now)
    if isinstance(who, Plan):
        return state, Entered(who)
    cost = account()
    fields: Headers = ()
    meter, verdict = limits_.admit(state.meters.get(who) or limits_.meter(gate.limits, now), now)
    if verdict is not None:
        state = replace(state, meters={**state.meters, who: meter})
        fields = limits_.headers(gate.profile.option("limits") or {}, verdict, now)
        if not verdict.ok:
            return state, Entered(_limited(gate.profile, verdict, fields))
    plan = answer()
    if cost is None or _status(plan) != 200:
        return state, Entered(with_headers(plan, fields))
    rng = random.Random(f"{gate.seed}/{request.number}")
    cached = cached_tokens(cost.prompt, cost.prompt_tokens, state.prompts)
    load, turn, waits = take_turn(gate.latency, state.load, now, cost.tokens, cost.prompt_tokens, cached, rng)
    if isinstance(turn, Full):
        return replace(state, load=load), Entered(_overloaded(gate, turn))
    if gate.limits:
        charged = limits_.charge(state.meters[who], cost.prompt_tokens + cost.tokens)
        state = replace(state, meters={**state.meters, who: charged})
    prompts = (*state.prompts, cost.prompt)[-_PROMPTS:]
    metrics = state.metrics.load(load.running(now), load.waiting(now))
    plan = with_headers(pace(plan, iter(waits), cost.tokens), fields)
    return replace(state, load=load, prompts=prompts, metrics=metrics), Entered(plan, turn.number)


def leave(state: GateState, turn: int | None, now: float, cost: Account | None, sent: int, seconds: float) -> GateState:
    """The state when a response has ended: `sent` tokens were served in `seconds`, whether or not that was all."""
    if turn is None:
        return state
    load = state.load.leave(turn).at(now)
    metrics = state.metrics
    if cost is not None:
        gap = seconds / sent if sent else 0.0
        gaps = [gap] * max(0, sent - 1)
        metrics = metrics.served(prompt_tokens=cost.prompt_tokens, tokens=sent, ttft=gap, gaps=gaps, seconds=seconds)
    return replace(state, load=load, metrics=metrics.load(load.running(now), load.waiting(now)))


def _status(plan: Plan) -> int:
    return next((step.status for step in plan.steps if isinstance(step, Head)), 0)


def _limited(profile: Profile, verdict: limits_.Verdict, fields: Headers) -> Plan:
    error = "quota" if verdict.name == "requests_per_day" else "rate_limit"
    wait = verdict.retry_after
    plan = refuse(profile, error, limit=verdict.limit, unit=verdict.unit, seconds=wait)
    return with_headers(plan, ((b"retry-after", b"%d" % wait), *fields))


def _overloaded(gate: Gate, full: Full) -> Plan:
    wait = max(1, -int(-full.seconds // 1))
    plan = refuse(gate.profile, gate.latency.overflow, limit=gate.latency.slots, unit="requests at once", seconds=wait)
    return with_headers(plan, ((b"retry-after", b"%d" % wait),))
