"""The stream says the same in other lines: legal forms that parsers stumble over, and illegal ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from msgspec.structs import replace

from mockserver.plan import Body, Plan, Raw, Step, Wait
from mockserver.settings import Range, Seconds

from .edit import Leaf, each, each_payload, payload, resized, with_payload
from .fault import Fault, fault
from .place import PlacedFault
from .select import PieceFault
from .sse import compact, data_of, edited, is_event, with_data

_END = re.compile(rb"\r\n|\r|\n")


@fault("newlines", "sse", form="crlf")
@dataclass(frozen=True, slots=True)
class Newlines(Fault):
    """Lines end with LF, CR or CRLF, or with all three by turns (`mixed`); all of it is legal.

    `split`: with CRLF, the LF of each empty line comes in a write of its own, `gap` seconds later.
    """

    form: Literal["lf", "cr", "crlf", "mixed"] = "crlf"
    split: bool = False
    gap: Seconds = 0.0

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other line ends in every event."""
        ends = {"lf": [b"\n"], "cr": [b"\r"], "crlf": [b"\r\n"], "mixed": [b"\r", b"\r\n", b"\n"]}[
            self.form
        ]  # never CR before LF: that would be one line end
        count = 0

        def turn(_: re.Match[bytes]) -> bytes:
            nonlocal count
            count += 1
            return ends[count % len(ends)]

        def change(leaf: Leaf) -> Iterable[Step]:
            data = payload(leaf)
            if not isinstance(leaf, Body | Raw) or (not is_event(data) and not data.startswith(b":")):
                return (leaf,)
            new = _END.sub(turn, data)
            if self.split and new.endswith(b"\r\n"):
                wait = (Wait(self.gap),) if self.gap else ()
                return (with_payload(leaf, new[:-1]), *wait, replace(with_payload(leaf, new[-1:]), mark=""))
            return (with_payload(leaf, new),)

        return resized(plan, each(plan.steps, change))


_EXTRA = {
    "comment": b": a comment\n\n",
    "retry": b"retry: 10000\n\n",
    "id": b"id: 42\n",
    "event-name": b"event: message\n",
    "unknown-field": b"x-unknown: 1\n",
    "field-without-colon": b"data\n\n",
    "empty-data": b"data:\n\n",
    "empty-event": b"event: ping\n\n",
    "blank-lines": b"\n\n\n",
}


@fault("extra-line", "sse", event=1, form="comment")
@dataclass(frozen=True, slots=True)
class ExtraLine(PieceFault):
    """Before one event comes a line more (`every`: before each), which a reader must ignore (all but empty data).

    `form`: a comment, `retry:`, `id:`, `event:`, an unknown field, a field without a colon, empty data, an event
    without data, empty lines.
    """

    form: Literal[
        "comment",
        "retry",
        "id",
        "event-name",
        "unknown-field",
        "field-without-colon",
        "empty-data",
        "empty-event",
        "blank-lines",
    ] = "comment"
    every: bool = False

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The line in the same write as the event."""
        line = _EXTRA[self.form]
        if self.every:
            return resized(plan, each_payload(plan.steps, lambda data: line + data if is_event(data) else data))
        found = self.find(plan)
        if found is None or not is_event(payload(found[1])):
            return plan
        before, piece, after = found
        return resized(plan, (*before, with_payload(piece, line + payload(piece)), *after))


@fault("no-blank-line", "sse", event=1)
@dataclass(frozen=True, slots=True)
class NoBlankLine(PieceFault):
    """One event lacks the empty line behind it, so it runs into the next (`every`: all of them)."""

    every: bool = False

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """One line end less."""

        def shorter(data: bytes) -> bytes:
            return data.rstrip(b"\r\n") + b"\n" if is_event(data) else data

        if self.every:
            return resized(plan, each_payload(plan.steps, shorter))
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        return resized(plan, (*before, with_payload(piece, shorter(payload(piece))), *after))


@fault("no-space", "sse")
@dataclass(frozen=True, slots=True)
class NoSpace(Fault):
    """Every event is written `data:{...}`, without the space; legal."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A byte less in each data line."""
        return resized(plan, each_payload(plan.steps, lambda data: re.sub(rb"(?m)^data: ", b"data:", data)))


@fault("multi-line-data", "sse", event=1)
@dataclass(frozen=True, slots=True)
class MultiLineData(PieceFault):
    """The JSON of one event (`every`: of each) is spread over several `data:` lines; legal, to be joined by LF."""

    every: bool = False

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The JSON with line ends in it."""

        def spread(data: bytes) -> bytes:
            try:
                value = json.loads(data_of(data)) if is_event(data) else None
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict | list):
                return data
            return with_data(data, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))

        if self.every:
            return resized(plan, each_payload(plan.steps, spread))
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        return resized(plan, (*before, with_payload(piece, spread(payload(piece))), *after))


@fault("ndjson", "sse")
@dataclass(frozen=True, slots=True)
class Ndjson(Fault):
    """Every event is a bare line of JSON, as other APIs stream: no `data:`, no empty line; the Content-Type stays."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Only the data, and LF."""
        return resized(plan, each_payload(plan.steps, lambda data: data_of(data) + b"\n" if is_event(data) else data))


@fault("huge-event", "sse", event=1, bytes=1 << 20)
@dataclass(frozen=True, slots=True)
class HugeEvent(PieceFault):
    """One event is `bytes` bytes longer: its JSON has a key `padding` more."""

    bytes: Annotated[int, Range(1, 1 << 28)] = 8 << 20

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """More JSON in the same frame; an event that is no JSON object is left alone."""
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        new = edited(payload(piece), lambda value: value.update(padding="x" * self.bytes))
        return resized(plan, (*before, with_payload(piece, new), *after))


@fault("non-object", "sse", event=1, value="null")
@dataclass(frozen=True, slots=True)
class NonObject(PieceFault):
    """The data of one event is JSON, but no object: `value` is `null`, `[]`, `1`, `"text"` or `true`."""

    value: Literal["null", "list", "number", "text", "true"] = "null"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other data in the same frame."""
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        data = compact({"null": None, "list": [], "number": 1, "text": "text", "true": True}[self.value])
        return resized(plan, (*before, with_payload(piece, with_data(payload(piece), data)), *after))


@fault("split", "sse", inside="character", gap=0.02)
@dataclass(frozen=True, slots=True)
class Split(PlacedFault):
    """At the place one write ends and the next begins, `gap` seconds later: inside a character, `data:` or CRLF."""

    gap: Seconds = 0.01

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A wait at the place."""
        parts = self.split(plan)
        return plan if parts is None else Plan((*parts[0], Wait(self.gap), *parts[1]), plan.ending)
