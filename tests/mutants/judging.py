"""Judges a mutant: all server laws, few examples, one seed, in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType

from contracts.adapters.base import Subject
from contracts.bench import Bench
from contracts.connect import connect
from contracts.judge import Effort, Verdict, judge
from contracts.law import Law, laws
from contracts.mock import Door
from contracts.options import Options, in_order

from .mutant import Change, Mutant, WrongServer
from .relay import Relay
from .wrong_client import WrongClient, WrongSubject

SEED = 1
KNOWN = frozenset({"C-FAULT-08"})
"""A SHOULD that our own client does not keep yet: red on the right one, it tells nothing of a wrong one."""


FEW = Effort(SEED, 0.3, 20.0, 0.0)
NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Found:
    """What the judge found: the red laws with their reasons, those that could not be judged, and the time it took."""

    red: dict[str, str]
    broken: dict[str, str]
    seconds: float


def scaled(effort: Effort, tries: float) -> Effort:
    """The effort with so many times its examples."""
    return replace(effort, examples=effort.examples * tries)


def is_red(law: Law, verdict: Verdict) -> bool:
    """Whether a law was broken, whatever its level; what was seen once and never again is not."""
    if verdict.word == "failed":
        return True
    return verdict.word == "lenient" and law.level == "should" and not verdict.reason.startswith("seen once")


def judged(wrong: Mutant) -> Found:
    """The verdict of all laws that the mutant lets be asked."""
    chosen = [law for law in laws("server") if not wrong.judged or law.id.startswith(wrong.judged)]
    return judge_server(wrong.change, chosen, FEW, wrong.key, dict.fromkeys(wrong.red, wrong.tries), wrong.relay)


def judge_server(
    change: Change,
    chosen: list[Law],
    effort: Effort,
    key: str = "",
    tries: Mapping[str, float] = NOTHING,
    relay: type[Relay] | None = None,
) -> Found:
    """The verdict of these laws on the fake with that change; `tries` scales the number of examples by law."""
    started = time.monotonic()
    red, broken = {}, {}
    with ExitStack() as stack:
        server = stack.enter_context(WrongServer(change))
        url = stack.enter_context(relay(server.port)).url if relay else server.url
        target = connect(url, Options(profile="docs", api_key=key))
        target.timeout = 5.0
        for law in in_order(chosen):
            verdict = judge(law, target, scaled(effort, tries.get(law.id, 1.0)))
            if is_red(law, verdict):
                red[law.id] = verdict.reason
            elif verdict.word == "broken":
                broken[law.id] = verdict.reason
    return Found(red, broken, time.monotonic() - started)


def judged_client(wrong: WrongClient, door: Door) -> Found:
    """The verdict of all client laws on a wrong client."""
    return judge_client(WrongSubject(wrong), door, FEW, dict.fromkeys(wrong.red, wrong.tries))


def judge_client(subject: Subject, door: Door, effort: Effort, tries: Mapping[str, float] = NOTHING) -> Found:
    """The verdict of all client laws."""
    started = time.monotonic()
    red, broken = {}, {}
    bench = Bench(subject, door)
    for law in laws("client"):
        if law.id in KNOWN:
            continue
        verdict = judge(law, bench, scaled(effort, tries.get(law.id, 1.0)))
        if is_red(law, verdict):
            red[law.id] = verdict.reason
        elif verdict.word == "broken":
            broken[law.id] = verdict.reason
    return Found(red, broken, time.monotonic() - started)
