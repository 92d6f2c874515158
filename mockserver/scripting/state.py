"""What a session remembers between requests. Never changed: `decide` gives the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.faults import Fault
from mockserver.scripting.script import Script

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Healed(Struct, frozen=True, gc=False):
    """What `heal` has ended: the first `faults` of the script's own, and those of the rules with these labels."""

    faults: int
    rules: frozenset[str]


class State(Struct, frozen=True, gc=False):
    """`hits`: calls per rule, by its label (`Script.label`). `fired`: the faults that had an effect, by their place
    (`flaky.faults[0][1]`). `started`: `Request.received` of the session's first request, None before it. `requests`
    and `unmatched` count. `healed`: the faults that are over, None: none is. `faults`: those of the door, for every
    request, behind all others. `named`: the named states that rules set.
    """

    hits: Mapping[str, int] = NOTHING
    fired: frozenset[str] = frozenset()
    started: float | None = None
    requests: int = 0
    unmatched: int = 0
    healed: Healed | None = None
    faults: tuple[Fault, ...] = ()
    named: Mapping[str, str] = NOTHING


def healed(script: Script, state: State) -> State:
    """The state in which every fault that there is now is over; those that are given later are not."""
    over = Healed(len(script.faults), frozenset(_faulty(script)))
    return replace(state, healed=over, faults=())


def with_faults(state: State, faults: tuple[Fault, ...]) -> State:
    """The state with these faults of the door; what was healed before stays so."""
    return replace(state, faults=faults)


def with_script(before: Script, after: Script, state: State) -> State:
    """The state under another script: what is the same in both stays healed, the faults that are new are in force."""
    over = state.healed
    if over is None:
        return state
    same = 0
    for old, new in zip(before.faults[: over.faults], after.faults, strict=False):
        if old != new:
            break
        same += 1
    rules = zip(before.rules, after.rules, strict=False)
    kept = {
        after.label(number)
        for number, (old_rule, new_rule) in enumerate(rules)
        if before.label(number) in over.rules and old_rule.faults == new_rule.faults
    }
    return replace(state, healed=Healed(same, frozenset(kept)))


def is_healed(script: Script, state: State) -> bool:
    """Whether `heal` was called and no fault has come since."""
    over = state.healed
    return (
        over is not None
        and not state.faults
        and len(script.faults) <= over.faults
        and all(label in over.rules for label in _faulty(script))
    )


def _faulty(script: Script) -> Iterator[str]:
    """The labels of the rules that have faults."""
    return (script.label(number) for number, rule in enumerate(script.rules) if any(rule.faults))


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
