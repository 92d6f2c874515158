"""What a session remembers between requests. Never changed: `decide` gives the next one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from mockserver.faults import Fault
from mockserver.scripting.script import Script

NOTHING: Mapping[str, Any] = MappingProxyType({})


class State(Struct, frozen=True, gc=False):
    """`hits`: calls per rule, by its label (`Script.label`). `fired`: the faults that had an effect, by their place
    (`flaky.faults[0][1]`). `started`: `Request.received` of the session's first request, None before it. `requests`
    and `unmatched` count. `healed`: no fault is in force any more. `faults`: those of the door, for every request,
    behind all others. `named`: the named states that rules set.
    """

    hits: Mapping[str, int] = NOTHING
    fired: frozenset[str] = frozenset()
    started: float | None = None
    requests: int = 0
    unmatched: int = 0
    healed: bool = False
    faults: tuple[Fault, ...] = ()
    named: Mapping[str, str] = NOTHING


def healed(state: State) -> State:
    """The state with no fault in force any more."""
    return State(state.hits, state.fired, state.started, state.requests, state.unmatched, True, (), state.named)


def with_faults(state: State, faults: tuple[Fault, ...]) -> State:
    """The state with these faults of the door; it is no longer healed."""
    return State(state.hits, state.fired, state.started, state.requests, state.unmatched, False, faults, state.named)


def unused_rules(script: Script, state: State) -> list[str]:
    """The labels of the rules that were never called."""
    labels = [script.label(number) for number in range(len(script.rules))]
    return [label for label in labels if not state.hits.get(label)]


def unused_faults(script: Script, state: State) -> list[str]:
    """The places of the faults that never had an effect."""
    places = [f"faults[{number}] ({fault.kind})" for number, fault in enumerate(script.faults)]
    for number, rule in enumerate(script.rules):
        label = script.label(number)
        for call, faults in enumerate(rule.faults):
            places.extend(f"{label}.faults[{call}][{item}] ({fault.kind})" for item, fault in enumerate(faults))
    return [place for place in places if place not in state.fired]
