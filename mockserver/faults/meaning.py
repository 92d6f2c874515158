"""The frames are right, the JSON is right, and what it says is not: fields that change, repeat, lie or are missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from mockserver.plan import Body, Plan, Raw, Step
from mockserver.settings import Count, JsonValue

from .edit import Leaf, Steps, body_bytes, each, find, find_event, payload, resized, with_payload
from .events import is_finish
from .fault import Fault, fault
from .select import PieceFault
from .sse import compact, data_of, edited, event, is_event

Change = Callable[[dict[str, Any]], object]


def value_of(leaf: Leaf) -> dict[str, Any]:
    """The JSON object that a piece carries; an empty one where it carries none."""
    try:
        value = json.loads(data_of(payload(leaf)))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def choices_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of an event or a body that are objects."""
    found = value.get("choices")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def change_piece(plan: Plan, found: tuple[Steps, Body | Raw, Steps] | None, change: Change) -> Plan:
    """The plan with the JSON of one piece changed in place; unchanged where there is none."""
    if found is None:
        return plan
    before, piece, after = found
    old = payload(piece)
    new = edited(old, change)
    return plan if new == old else resized(plan, (*before, with_payload(piece, new), *after))


def find_value(plan: Plan, want: Callable[[dict[str, Any]], object]) -> tuple[Steps, Body | Raw, Steps] | None:
    """The first piece whose JSON object `want` wants."""
    return find(plan.steps, lambda leaf: body_bytes(leaf) > 0 and bool(want(value_of(leaf))))


def doubled(plan: Plan, found: tuple[Steps, Body | Raw, Steps] | None, change: Change) -> Plan:
    """The plan with a changed copy of one event behind it; a body that is no stream has no events to repeat."""
    if found is None or not is_event(payload(found[1])):
        return plan
    before, piece, after = found
    copy = with_payload(piece, edited(payload(piece), change))
    return resized(plan, (*before, piece, copy, *after))


_LONG_AGO = 946684800
"""2000-01-01 in unix seconds."""


@fault("drift", "meaning", field="id", event=2)
@dataclass(frozen=True, slots=True)
class Drift(Fault):
    """From event number `event` on the `field` has another value than before (`once`: only there)."""

    field: Literal["id", "created", "model", "object", "system_fingerprint"] = "id"
    event: Count = 1
    once: bool = False

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another value in the later events; an endless rest changes with its first round."""
        start = find_event(plan.steps, self.event)
        if start is None:
            return plan
        other: Any = _LONG_AGO if self.field == "created" else f"{self.field}-{rng.randrange(1 << 32):08x}"
        before, piece, after = start
        changed = change_piece(plan, start, lambda value: value.update({self.field: other}))
        if self.once or changed is plan:
            return changed

        def late(leaf: Leaf) -> Iterable[Step]:
            if isinstance(leaf, Body | Raw) and body_bytes(leaf):
                return (with_payload(leaf, edited(payload(leaf), lambda value: value.update({self.field: other}))),)
            return (leaf,)

        return resized(plan, (*before, *each((piece, *after), late)))


@fault("choice-index", "meaning", event=1, index=7)
@dataclass(frozen=True, slots=True)
class ChoiceIndex(PieceFault):
    """The `index` of the choices in one event is `index`; None: the key is missing."""

    index: int | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other choices in the same frame."""

        def change(value: dict[str, Any]) -> None:
            for choice in choices_of(value):
                choice.pop("index", None)
                if self.index is not None:
                    choice["index"] = self.index

        return change_piece(plan, self.find(plan), change)


def _has_role(value: dict[str, Any]) -> bool:
    return any(isinstance(one.get("delta"), dict) and one["delta"].get("role") for one in choices_of(value))


@fault("role-twice", "meaning")
@dataclass(frozen=True, slots=True)
class RoleTwice(Fault):
    """The event that names the role comes twice; the second may name another `role`."""

    role: str = "assistant"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The event again behind itself."""

        def change(value: dict[str, Any]) -> None:
            for choice in choices_of(value):
                if isinstance(choice.get("delta"), dict):
                    choice["delta"]["role"] = self.role

        return doubled(plan, find_value(plan, _has_role), change)


@fault("finish-twice", "meaning", reason="length")
@dataclass(frozen=True, slots=True)
class FinishTwice(Fault):
    """The event with the finish reason comes twice; the second gives `reason`."""

    reason: str = "stop"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The event again behind itself."""

        def change(value: dict[str, Any]) -> None:
            for choice in choices_of(value):
                choice["finish_reason"] = self.reason

        found = find_value(plan, lambda value: any(one.get("finish_reason") is not None for one in choices_of(value)))
        return doubled(plan, found or find(plan.steps, is_finish), change)


@fault("finish-reason", "meaning", reason="")
@dataclass(frozen=True, slots=True)
class FinishReason(Fault):
    """The finish reason is `reason`: any text, `""`, or null."""

    reason: str | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another value in the event (or body) that has one."""

        def change(value: dict[str, Any]) -> None:
            for choice in choices_of(value):
                if choice.get("finish_reason") is not None:
                    choice["finish_reason"] = self.reason

        found = find_value(plan, lambda value: any(one.get("finish_reason") is not None for one in choices_of(value)))
        return change_piece(plan, found, change)


@fault("bad-usage", "meaning", form="wrong-sum")
@dataclass(frozen=True, slots=True)
class BadUsage(Fault):
    """The usage is not what it must be; where a response has none, nothing changes.

    `form` `wrong-sum`: the total is not the sum. `negative`: -1 tokens. `text`: numbers as texts. `null`: null.
    `missing`: no usage. `twice`: the event with it comes again, with other numbers. `with-choices`: its event has a
    choice too.
    """

    form: Literal["wrong-sum", "negative", "text", "null", "missing", "twice", "with-choices"] = "wrong-sum"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other usage in the same frame."""
        found = find_value(plan, lambda value: isinstance(value.get("usage"), dict))
        if self.form == "twice":
            return doubled(plan, found, _more_usage)
        return change_piece(plan, found, self._change)

    def _change(self, value: dict[str, Any]) -> None:
        usage = value["usage"]
        match self.form:
            case "wrong-sum":
                usage["total_tokens"] = int(usage.get("total_tokens") or 0) + 1
            case "negative":
                value["usage"] = dict.fromkeys(usage, -1)
            case "text":
                value["usage"] = {key: str(number) for key, number in usage.items()}
            case "null":
                value["usage"] = None
            case "missing":
                del value["usage"]
            case _:
                value["choices"] = [*choices_of(value), {"index": 0, "delta": {"content": ""}, "finish_reason": None}]


def _more_usage(value: dict[str, Any]) -> None:
    usage = value["usage"]
    value["usage"] = {key: number + 1 if isinstance(number, int) else number for key, number in usage.items()}


def _tool_deltas(value: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for choice in choices_of(value):
        for holder in (choice.get("delta"), choice.get("message")):
            calls = holder.get("tool_calls") if isinstance(holder, dict) else None
            found.extend(call for call in (calls if isinstance(calls, list) else []) if isinstance(call, dict))
    return found


def _arguments(call: dict[str, Any]) -> str:
    function = call.get("function")
    found = function.get("arguments") if isinstance(function, dict) else None
    return found if isinstance(found, str) else ""


@fault("tool-arguments", "meaning", form="broken")
@dataclass(frozen=True, slots=True)
class ToolArguments(Fault):
    """The arguments of the first tool call that has some come wrong; without one nothing changes.

    `form` `split`: one character per event (legal). `out-of-order`: their halves are exchanged. `broken`: the second
    half is missing. `object`: JSON itself, not its text. `no-index`, `no-id`, `no-name`: the call lacks that key.
    """

    form: Literal["split", "out-of-order", "broken", "object", "no-index", "no-id", "no-name"] = "broken"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other tool calls in the same frame, or the same in more frames."""
        key = {"no-id": "id", "no-index": "index"}.get(self.form)
        if key:
            found = find_value(plan, lambda value: any(key in call for call in _tool_deltas(value)))
        elif self.form == "no-name":
            found = find_value(plan, lambda value: any("function" in call for call in _tool_deltas(value)))
        else:
            found = find_value(plan, lambda value: any(_arguments(call) for call in _tool_deltas(value)))
        if self.form == "split":
            return _split_arguments(plan, found)
        return change_piece(plan, found, self._change)

    def _change(self, value: dict[str, Any]) -> None:
        for call in _tool_deltas(value):
            text = _arguments(call)
            half = len(text) // 2
            match self.form:
                case "out-of-order" if text:
                    call["function"]["arguments"] = text[half:] + text[:half]
                case "broken" if text:
                    call["function"]["arguments"] = text[:half]
                case "object" if text:
                    call["function"]["arguments"] = {"not": "a text"}
                case "no-index" | "no-id":
                    call.pop(self.form.removeprefix("no-"), None)
                case "no-name" if isinstance(call.get("function"), dict):
                    call["function"].pop("name", None)


def _split_arguments(plan: Plan, found: tuple[Steps, Body | Raw, Steps] | None) -> Plan:
    if found is None or not is_event(payload(found[1])):
        return plan
    before, piece, after = found
    text = next(_arguments(call) for call in _tool_deltas(value_of(piece)) if _arguments(call))[:10_000]
    pieces: list[Body | Raw] = []
    for number, letter in enumerate(text):

        def change(value: dict[str, Any], letter: str = letter, number: int = number) -> None:
            for call in _tool_deltas(value):
                if _arguments(call):
                    call["function"]["arguments"] = letter
                    for key in ("id", "type") if number else ():
                        call.pop(key, None)
                    if number:
                        call["function"].pop("name", None)

        pieces.append(with_payload(piece, edited(payload(piece), change)))
    return resized(plan, (*before, *pieces, *after))


@fault("replace", "content", event=1, data={"object": "stranger"})
@dataclass(frozen=True, slots=True)
class Replace(PieceFault):
    """The data of one event (or the body) is `data` instead: any JSON; a text is put in as it is."""

    data: JsonValue = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other data in the same frame."""
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        data = self.data.encode() if isinstance(self.data, str) else compact(self.data)
        new = event(data) if is_event(payload(piece)) else data
        return resized(plan, (*before, with_payload(piece, new), *after))
