"""Plans that take no time, and what a peer is to get of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

from rawpeer import DATE

from mockserver.faults import Fault
from mockserver.lower import lower
from mockserver.plan import Close, Head, Plan, Raw, Repeat, Stall, Step, Wait


def tame(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same, in no time: waits are cut short, what is endless comes three times, heads have a known date."""
    found: list[Step] = []
    for step in steps:
        match step:
            case Wait(seconds):
                found.append(Wait(min(seconds, 0.0002)))
            case Repeat(inner, times):
                found.append(Repeat(tame(inner), 3 if times is None else min(times, 3)))
            case Head(status, headers, reason) if status >= 200 and not any(n.lower() == b"date" for n, _ in headers):
                found.append(Head(status, (*headers, DATE), reason))
            case _:
                found.append(step)
    return tuple(found)


def tamed(plan: Plan) -> Plan:
    """The plan, in no time."""
    return Plan(tame(plan.steps), Stall(0.002) if isinstance(plan.ending, Stall) else plan.ending)


def faulty(plan: Plan, faults: tuple[Fault, ...], seed: int) -> Plan:
    """The plan with all faults in it."""
    rng = Random(seed)
    for fault in faults:
        plan = fault.apply(plan, rng)
    return tamed(plan)


def planned(plan: Plan) -> tuple[bytes, str, str]:
    """What the peer is to get of a plan: the bytes, how its socket ends, and what the journal calls it."""

    def flat(steps: tuple[Step, ...]) -> bytes:
        return b"".join(
            step.data if isinstance(step, Raw) else flat(step.steps) * (step.times or 0)
            for step in steps
            if isinstance(step, Raw | Repeat)
        )

    data = flat(lower(plan, method="GET", keep_alive=False).steps)
    match plan.ending:
        case Close(how):
            return data, "rst" if how == "rst" else "fin", how
        case Stall():
            return data, "fin", "stall"
        case _:
            return data, "fin", "end"


def until(true: Callable[[], Any]) -> bool:
    """Whether it becomes true within 10 s."""
    limit = time.monotonic() + 10
    while not true():
        if time.monotonic() > limit:
            return False
        time.sleep(0.002)
    return True
