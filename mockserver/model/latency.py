"""When each piece of a response is due: waits put into a plan. Pure: chance comes in as a generator, time as a number.

Times are seconds. A streamed response waits for its first token and then before each further one; a whole response
waits as long as its stream would have taken. A `Latency` is a server under load: `slots` requests run at once, `queue`
more wait until one of them has left, the next is refused, so that a 503 comes from the queue and not from dice.

    first token = ttft + prefill_s_per_token * (new tokens + cached_share * cached tokens), then itl per token;
    both times 1 + slow_down * (how full the slots are), with jitter, divided by `speed`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain, repeat
from typing import Any, Literal

from mockserver.errors import MockError
from mockserver.flow import Flow
from mockserver.plan import Body, Plan, Step, Wait
from mockserver.reply import Pacing
from mockserver.suggest import unknown


class LatencyError(MockError, ValueError):
    """A latency was given that means nothing."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How fast a server is. `jitter` is the share by which a wait varies (the standard deviation of its factor)."""

    ttft: float = 0.0
    prefill_s_per_token: float = 0.0
    cached_share: float = 0.1
    itl: float = 0.0
    jitter: float = 0.0
    distribution: Literal["normal", "lognormal"] = "normal"
    slots: int | None = None
    queue: int | None = None
    slow_down: float = 0.0
    speed: float = 1.0
    overflow: Literal["overloaded", "rate_limit"] = "overloaded"
    timings: tuple[float, ...] = ()
    """Recorded waits, replayed instead of drawn ones; the last gap goes on."""


INSTANT = Latency()
PRESETS: Mapping[str, Latency] = {
    "instant": INSTANT,
    "laptop": Latency(0.15, 0.004, 0.1, 0.06, 0.15, "lognormal", slots=2, queue=16, slow_down=0.8),
    "a100": Latency(0.02, 0.0001, 0.1, 0.012, 0.08, "lognormal", slots=64, queue=512, slow_down=0.5),
    "overloaded": Latency(0.5, 0.002, 0.1, 0.08, 0.4, "lognormal", slots=2, queue=2, slow_down=2.0),
}


def parse_latency(value: Any) -> Latency:
    """A latency from JSON: the name of a preset, or an object (`preset` to begin with, then settings)."""
    if value is None:
        return INSTANT
    if isinstance(value, str):
        if value not in PRESETS:
            raise LatencyError(unknown("latency", value, PRESETS))
        return PRESETS[value]
    if not isinstance(value, Mapping):
        raise LatencyError(f"a latency is a name ({', '.join(PRESETS)}) or an object, not {value!r}")
    settings = dict(value)
    base = parse_latency(settings.pop("preset", None))
    known = {item.name for item in fields(Latency)}
    for name, setting in settings.items():
        if name not in known:
            raise LatencyError(unknown("setting", name, known))
        settings[name] = _checked(name, setting)
    return replace(base, **settings)


def latency_to_json(latency: Latency) -> Any:
    """The name of a preset, or the settings that differ from `instant`; `parse_latency` gives it back."""
    for name, preset in PRESETS.items():
        if latency == preset:
            return name
    changed = {item.name: getattr(latency, item.name) for item in fields(Latency)}
    found = {name: value for name, value in changed.items() if value != getattr(INSTANT, name)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def latency_schema() -> dict[str, Any]:
    """The JSON Schema of a latency."""
    number = {"type": "number", "minimum": 0}
    own: dict[str, dict[str, Any]] = {
        "preset": {"enum": list(PRESETS)},
        "distribution": {"enum": ["normal", "lognormal"]},
        "overflow": {"enum": ["overloaded", "rate_limit"]},
        "slots": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "queue": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        "timings": {"type": "array", "items": number},
        "speed": {"type": "number", "exclusiveMinimum": 0},
    }
    properties = {name: own.get(name, number) for name in ("preset", *(item.name for item in fields(Latency)))}
    settings = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"anyOf": [{"enum": list(PRESETS)}, settings]}


def _checked(name: str, value: Any) -> Any:
    if name == "distribution" and value in ("normal", "lognormal"):
        return value
    if name == "overflow" and value in ("overloaded", "rate_limit"):
        return value
    if name == "timings" and isinstance(value, list) and all(_is_number(one) and one >= 0 for one in value):
        return tuple(float(one) for one in value)
    if name in ("slots", "queue"):
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= (name == "slots")):
            return value
        raise LatencyError(f"{name} is a whole number of at least {int(name == 'slots')}, or null, not {value!r}")
    if name in ("distribution", "overflow", "timings") or not _is_number(value) or value < 0:
        raise LatencyError(
            f"{name} is {value!r}; numbers are seconds or shares of at least 0, see inferneo-mock docs latency"
        )
    if name == "speed" and value == 0:
        raise LatencyError("speed is 0; it must be above 0 (2 is twice as fast)")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Turn:
    """One request that has a slot since `start`, or (None) waits for one; it is to take `seconds` from then on."""

    number: int
    start: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """Who runs and who waits, in the order they came. A turn is over when it leaves, whatever was planned for it."""

    turns: tuple[Turn, ...] = ()
    numbered: int = 0

    @property
    def running(self) -> int:
        """How many requests have a slot."""
        return sum(turn.start is not None for turn in self.turns)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(turn.start is None for turn in self.turns)

    def leave(self, number: int, now: float, slots: int | None) -> tuple[Load, tuple[int, ...]]:
        """The load when a client was served, or has left; and the numbers of those that got a slot by it."""
        return Load(tuple(turn for turn in self.turns if turn.number != number), self.numbered).fill(now, slots)

    def fill(self, now: float, slots: int | None) -> tuple[Load, tuple[int, ...]]:
        """The load with no free slot while somebody waits; and the numbers of those that got one."""
        free = len(self.turns) if slots is None else slots - self.running
        turns, started = [], []
        for turn in self.turns:
            if turn.start is None and free > 0:
                free -= 1
                started.append(turn.number)
                turn = replace(turn, start=now)
            turns.append(turn)
        return (Load(tuple(turns), self.numbered), tuple(started)) if started else (self, ())


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room, not even to wait; `seconds` until there will be, if all goes as planned."""

    seconds: float


def enter(
    latency: Latency, load: Load, now: float, tokens: int, prompt_tokens: int, cached: int, rng: random.Random
) -> tuple[Load, Turn | Full, tuple[float, ...]]:
    """The load with one more request, its turn, and its waits from its start: to the first token, then between."""
    running = load.running
    free = latency.slots is None or running < latency.slots
    if not free and latency.queue is not None and load.waiting >= latency.queue:
        ends = [turn.start + turn.seconds for turn in load.turns if turn.start is not None]
        return load, Full(max(0.0, min(ends) - now)), ()
    beside = running if free else running - 1  # who waits begins when another has left
    filled = 0.0 if latency.slots is None else beside / latency.slots
    waits = tuple(_waits(latency, tokens, prompt_tokens, cached, 1 + latency.slow_down * filled, rng))
    turn = Turn(load.numbered + 1, now if free else None, sum(waits))
    return Load((*load.turns, turn), turn.number), turn, waits


def _waits(
    latency: Latency, tokens: int, prompt_tokens: int, cached: int, factor: float, rng: random.Random
) -> Iterator[float]:
    first = latency.ttft + latency.prefill_s_per_token * (prompt_tokens - cached + latency.cached_share * cached)
    for number in range(max(1, tokens)):
        if latency.timings:
            wait = latency.timings[min(number, len(latency.timings) - 1)]
        else:
            wait = (first if number == 0 else latency.itl) * factor * _vary(latency, rng)
        yield wait / latency.speed


def _vary(latency: Latency, rng: random.Random) -> float:
    """A factor of mean 1; a normal one is cut at 0."""
    if not latency.jitter:
        return 1.0
    if latency.distribution == "normal":
        return max(0.0, rng.gauss(1.0, latency.jitter))
    sigma = math.sqrt(math.log1p(latency.jitter**2))
    return rng.lognormvariate(-sigma * sigma / 2, sigma)


def cached_tokens(prompt: str, tokens: int, seen: Sequence[str]) -> int:
    """How many tokens of a prompt were seen before at the beginning of another: what a prefix cache keeps."""
    longest = 0
    for other in seen:
        size = min(len(prompt), len(other))
        if size > longest and prompt[: longest + 1] == other[: longest + 1]:
            low, high = longest, size
            while low < high:
                middle = (low + high + 1) // 2
                if prompt.startswith(other[:middle]):
                    low = middle
                else:
                    high = middle - 1
            longest = low
    return tokens * longest // len(prompt) if prompt else 0


def gaps(pacing: Pacing, seed: int) -> Iterator[float]:
    """The waits of a scripted pacing: to the first token, then between tokens, for ever."""
    if not pacing.jitter:
        return chain((pacing.ttft,), repeat(pacing.itl))
    return _jittered(pacing, random.Random(pacing.seed if pacing.seed is not None else seed))


def _jittered(pacing: Pacing, rng: random.Random) -> Iterator[float]:
    wait = pacing.ttft
    while True:
        yield max(0.0, wait + rng.uniform(-pacing.jitter, pacing.jitter))
        wait = pacing.itl


def pace(plan: Plan, waits: Iterator[float], tokens: int = 1) -> Plan:
    """The plan with its waits: before each event that holds tokens, or, for a whole body, all before the head."""
    flow = plan.steps
    if isinstance(flow, Flow) and flow.waits is None and flow.layout.marked:
        return flow.paced(flow.layout.timed(waits)).plan(plan.ending)
    if not any(isinstance(step, Body) and step.mark for step in plan.steps):
        total = sum(wait for wait, _ in zip(waits, range(max(1, tokens)), strict=False))
        return Plan((Wait(total), *plan.steps), plan.ending) if total > 0 else plan
    steps: list[Step] = []
    for step in plan.steps:
        if isinstance(step, Body) and ("content[" in step.mark or "tool[" in step.mark):
            wait = next(waits, 0.0)
            if wait > 0:
                steps.append(Wait(wait))
        steps.append(step)
    return Plan(tuple(steps), plan.ending)
