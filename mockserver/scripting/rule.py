"""One rule of a script: which requests, what they get, and what goes wrong with it, call by call.

The n-th call of a rule takes its n-th reply and its n-th list of faults. Behind the last, `after` says: the last
again (`repeat-last`), from the first again (`cycle`), or a 500 that fails the test (`fail`). No reply: the answer of a
model. Where one list is shorter than the other its last repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

from mockserver.errors import ScriptError
from mockserver.faults import Fault, fault_definitions, parse_fault, parse_faults
from mockserver.reply import Reply, parse_reply, reply_schema, reply_to_json
from mockserver.scripting.match import EVERYTHING, Matcher, matcher_schema, matcher_to_json, parse_matcher
from mockserver.settings import (
    Codec,
    JsonValue,
    Key,
    Setting,
    child,
    dump_object,
    object_schema,
    parse_object,
    settings_of,
    wrong,
)

After = Literal["repeat-last", "cycle", "fail"]
FaultLists = tuple[tuple[Fault, ...], ...]
Turn = tuple[int | None, int | None]


def parse_fault_lists(value: Any, path: str = "$") -> FaultLists:
    """A list of fault lists; a fault in the place of a list is a list of one."""
    if not isinstance(value, list | tuple):
        raise wrong("a list of fault lists, one for each call", value, path)
    return tuple(parse_faults(item, child(path, number)) for number, item in enumerate(value))


def fault_reference() -> dict[str, Any]:
    """Where a script's schema keeps the schema of a fault."""
    return {"$ref": "#/$defs/fault"}


def _fault_list_schema() -> dict[str, Any]:
    return {"type": "array", "items": {"anyOf": [fault_reference(), {"type": "array", "items": fault_reference()}]}}


FAULT = Codec(parse_fault, lambda value: value.to_json() if isinstance(value, Fault) else value, fault_reference)
_MATCHER = Codec(
    parse_matcher,
    lambda value: value if isinstance(value, Mapping) else matcher_to_json(value),
    lambda: {"$ref": "#/$defs/match"},
)
_REPLY = Codec(parse_reply, reply_to_json, lambda: {"$ref": "#/$defs/reply"})
_FAULT_LISTS = Codec(
    parse_fault_lists, lambda lists: [[FAULT.dump(one) for one in many] for many in lists], _fault_list_schema
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is unique in its script, or None. The rule with the highest `priority` is asked first, then in order.

    `hold`: the name of a barrier; the response waits there until it is released. `set`: named states of the session
    and their values from now on (null: unset), which `match: {state: {...}}` asks for. `unsafe`: it may answer requests
    that a real server would refuse, and answer what breaks the schema; neither fails a test or is told by `lint`.
    """

    name: str | None = None
    matcher: Annotated[Annotated[Matcher, _MATCHER], Key("match")] = EVERYTHING
    faults: Annotated[FaultLists, _FAULT_LISTS] = ()
    replies: tuple[Annotated[Reply, _REPLY], ...] = ()
    after: After = "repeat-last"
    priority: int = 0
    hold: str | None = None
    sets: Annotated[JsonValue, Key("set")] = None
    unsafe: bool = False
    _turns: list[Turn] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a name that is no text, an unknown `after`, states that are no texts."""
        for setting in _plain_settings():
            setting.codec.parse(getattr(self, setting.name), setting.key)
        if self.sets is not None:
            if not isinstance(self.sets, Mapping):
                raise wrong("an object of states and their values", self.sets, "set")
            for name, value in self.sets.items():
                if value is not None and not isinstance(value, str):
                    raise wrong("a text, or null to unset it", value, child("set", str(name)))

    @property
    def calls(self) -> int:
        """How many calls the lists speak of."""
        return max(len(self.replies), len(self.faults))

    def turn(self, call: int) -> Turn | None:
        """Which reply and which fault list call number `call` (from 1) takes, from 0; None: it fails.

        Either is None where there is none: a model answers, nothing goes wrong.
        """
        turns = self._turns
        if not turns:
            last = range(max(1, self.calls))
            # In one step: servers in several threads may share the rule.
            turns[:] = [(self.reply_index(position), self.fault_index(position)) for position in last]
        if call <= len(turns):
            return turns[call - 1]
        position = self.position(call)
        return None if position is None else turns[position]

    def position(self, call: int) -> int | None:
        """Which entry of the lists call number `call` (from 1) takes, from 0; None: it fails."""
        last = max(0, self.calls - 1)
        if call - 1 <= last:
            return call - 1
        match self.after:
            case "repeat-last":
                return last
            case "cycle":
                return (call - 1) % (last + 1)
            case "fail":
                return None

    def reply_index(self, position: int) -> int | None:
        """Which reply; None: there is none, a model answers."""
        return min(position, len(self.replies) - 1) if self.replies else None

    def fault_index(self, position: int) -> int | None:
        """Which fault list; None: there is none."""
        return min(position, len(self.faults) - 1) if self.faults else None

    def to_json(self) -> dict[str, Any]:
        """`parse_rule` gives it back."""
        found: dict[str, Any] = dump_object(self)
        if len(self.replies) == 1:
            found["reply"] = found.pop("replies")[0]
        return found


@cache
def _plain_settings() -> tuple[Setting, ...]:
    """The settings of a rule that its words in Python give as they are."""
    plain = ("name", "after", "priority", "hold", "unsafe")
    return tuple(setting for setting in settings_of(Rule) if setting.name in plain)


def parse_rule(value: Any, path: str = "$") -> Rule:
    """A rule from JSON; `reply` is short for a list of one. Raises `ScriptError` with the path."""
    if isinstance(value, Mapping) and "reply" in value:
        if "replies" in value:
            raise ScriptError("give 'reply' or 'replies', not both", child(path, "reply"))
        reply = parse_reply(value["reply"], child(path, "reply"))
        value = {key: item for key, item in value.items() if key != "reply"} | {"replies": [reply]}
    return parse_object(Rule, value, path, known=("reply",))


def rule_schema() -> dict[str, Any]:
    """The JSON Schema of a rule; `definitions` belong beside it."""
    found = object_schema(Rule)
    return {**found, "properties": {**found["properties"], "reply": {"$ref": "#/$defs/reply"}}}


def definitions() -> dict[str, Any]:
    """The `$defs` of a script's schema."""
    return {"rule": rule_schema(), "match": matcher_schema(), "reply": reply_schema(), **fault_definitions()}
