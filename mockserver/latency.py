"""When each piece of a response is due: waits put into a plan. Pure: chance comes in as a generator.

Times are seconds. A streamed response waits for its first token and then before each further one; a whole response
waits as long as its stream would have taken.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from mockserver.plan import Body, Plan, Step, Wait
from mockserver.reply import Pacing


def gaps(pacing: Pacing, seed: int) -> Iterator[float]:
    """The waits of a pacing: to the first token, then between tokens, for ever."""
    rng = random.Random(pacing.seed if pacing.seed is not None else seed)
    wait = pacing.ttft
    while True:
        yield max(0.0, wait + (rng.uniform(-pacing.jitter, pacing.jitter) if pacing.jitter else 0.0))
        wait = pacing.itl


def pace(plan: Plan, waits: Iterator[float], tokens: int = 0) -> Plan:
    """The plan with its waits: before each event that holds tokens, or before the head of a whole body."""
    streamed = any(isinstance(step, Body) and step.mark for step in plan.steps)
    if not streamed:
        total = sum(next(waits) for _ in range(max(1, tokens)))
        return Plan((Wait(total), *plan.steps), plan.ending) if total > 0 else plan
    steps: list[Step] = []
    for step in plan.steps:
        if isinstance(step, Body) and ("content[" in step.mark or "tool[" in step.mark):
            wait = next(waits)
            if wait > 0:
                steps.append(Wait(wait))
        steps.append(step)
    return Plan(tuple(steps), plan.ending)
