"""Events of a stream are missing, twice, in another order, or strangers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from mockserver.plan import Body, Plan, Raw, Stall, Step
from mockserver.settings import JsonValue, Positive, Seconds

from .edit import Leaf, body_bytes, each, find, is_head, payload, resized, with_payload
from .fault import Fault, fault
from .place import PlacedFault
from .select import PieceFault
from .sse import compact, data_of, event
from .status import error_body


def is_done(leaf: Leaf) -> bool:
    """Whether it is the `[DONE]` event."""
    return isinstance(leaf, Body | Raw) and (leaf.mark == "done" or data_of(payload(leaf)).strip() == b"[DONE]")


def is_finish(leaf: Leaf) -> bool:
    """Whether it carries the finish reason of a choice."""
    return isinstance(leaf, Body | Raw) and leaf.mark.rpartition(":")[2] == "finish"


def without(plan: Plan, *unwanted: Literal["done", "finish"]) -> Plan:
    """The plan without those events; the same object where it has none."""
    wanted = {"done": is_done, "finish": is_finish}
    gone = 0

    def keep(leaf: Leaf) -> Iterable[Step]:
        nonlocal gone
        if any(wanted[name](leaf) for name in unwanted):
            gone += 1
            return ()
        return (leaf,)

    steps = each(plan.steps, keep)
    return resized(plan, steps) if gone else plan


@fault("no-done", "sse")
@dataclass(frozen=True, slots=True)
class NoDone(Fault):
    """The stream ends in order, but `[DONE]` never came; the finish reason did."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The events without it."""
        return without(plan, "done")


@fault("no-finish", "sse")
@dataclass(frozen=True, slots=True)
class NoFinish(Fault):
    """The stream ends with `[DONE]`, but no event said why it finished."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The events without it."""
        return without(plan, "finish")


@fault("no-end", "sse")
@dataclass(frozen=True, slots=True)
class NoEnd(Fault):
    """Neither a finish reason nor `[DONE]` comes; HTTP ends in order all the same."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The events without them."""
        return without(plan, "done", "finish")


@fault("duplicate", "meaning", at="content[0]", times=1)
@dataclass(frozen=True, slots=True)
class Duplicate(PieceFault):
    """One event comes `times` times more, right behind itself."""

    times: Positive = 1

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The piece again."""
        found = self.find(plan)
        if found is None:
            return plan
        before, piece, after = found
        return resized(plan, (*before, *(piece,) * min(self.times + 1, 100_000), *after))


@fault("swap", "meaning", at="content[0]")
@dataclass(frozen=True, slots=True)
class Swap(PieceFault):
    """One event and the one behind it come in the other's place; the times stay as they were."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The two pieces exchanged; the last event has none behind it and is left alone."""
        found = self.find(plan)
        other = None if found is None else find(found[2], lambda leaf: body_bytes(leaf) > 0)
        if found is None or other is None:
            return plan
        return Plan((*found[0], other[1], *other[0], found[1], *other[2]), plan.ending)


@fault("insert", "meaning", after_events=2, data={"object": "stranger"})
@dataclass(frozen=True, slots=True)
class Insert(PlacedFault):
    """An event more at the place: `data: ` and `data`, any JSON; a text is put between the lines as it is."""

    data: JsonValue = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The new piece between the others."""
        data = self.data.encode() if isinstance(self.data, str) else event(compact(self.data))
        return inserted(plan, self, data)


def inserted(plan: Plan, place: PlacedFault, data: bytes, *, last: bool = False) -> Plan:
    """The plan with `data` at the place, behind the head and above or below HTTP as the plan is; `last`: then End."""
    parts = place.split(plan)
    if parts is None or not data or not any(is_head(step) for step in parts[0] if isinstance(step, Leaf)):
        return plan
    before, after = parts
    piece = framed(before, data)
    if piece is None:
        return plan
    if last:
        tail = tuple(leaf for leaf in after if isinstance(leaf, Raw) and leaf.data == b"0\r\n\r\n")
        return Plan((*before, piece, *tail), plan.ending)
    return resized(plan, (*before, piece, *after), plan.ending)


def framed(before: tuple[Step, ...], data: bytes) -> Body | Raw | None:
    """`data` as a piece that fits behind `before`."""
    raws = [step for step in before if isinstance(step, Raw)]
    if not raws:
        return Body(data)
    chunked = any(is_head(step) and b"transfer-encoding: chunked" in step.data.lower() for step in raws)
    return with_payload(Raw(b"1\r\nx\r\n"), data) if chunked else Raw(data)


@fault("error-event", "sse", after_events=2, form="error")
@dataclass(frozen=True, slots=True)
class ErrorEvent(PlacedFault):
    """In the middle of a stream that began with 200 an error comes as an event.

    `form` `error`: `data: {"error": {...}}`. `event`: the same behind a line `event: error`. `message`: a bare
    `data: {"message": ..., "code": ...}`. `detail`: `data: {"detail": ...}`. `text`: `data: {"error": "..."}`.
    `then` `end`: HTTP ends in order, without `[DONE]`. `done`: `[DONE]`, then the end. `go-on`: the stream goes on.
    """

    form: Literal["error", "event", "message", "detail", "text"] = "error"
    message: str = "the script says so"
    status: int = 500
    then: Literal["end", "done", "go-on"] = "end"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The event, and what comes behind it."""
        data = event(self._data())
        if self.form == "event":
            data = b"event: error\n" + data
        if self.then == "go-on":
            return inserted(plan, self, data)
        return inserted(plan, self, data + (event(b"[DONE]") if self.then == "done" else b""), last=True)

    def _data(self) -> bytes:
        match self.form:
            case "message":
                return compact({"message": self.message, "code": self.status})
            case "detail":
                return error_body("detail", self.status, self.message)[1]
            case "text":
                return compact({"error": self.message})
            case _:
                return error_body("error", self.status, self.message)[1]


@fault("html-event", "sse", after_events=2)
@dataclass(frozen=True, slots=True)
class HtmlEvent(PlacedFault):
    """In the middle of the stream comes a proxy's HTML page, then HTTP ends in order (`go_on`: the stream goes on)."""

    go_on: bool = False

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The page, and what comes behind it."""
        return inserted(plan, self, error_body("html", 502, "Bad Gateway")[1], last=not self.go_on)


_DONES = {
    "double": b"data: [DONE]\n\ndata: [DONE]\n\n",
    "data-after": b'data: [DONE]\n\ndata: {"object":"late"}\n\n',
    "lower": b"data: [done]\n\n",
    "no-space": b"data:[DONE]\n\n",
    "trailing-space": b"data: [DONE] \n\n",
    "quoted": b'data: "[DONE]"\n\n',
    "event": b"event: done\ndata: [DONE]\n\n",
    "no-blank-line": b"data: [DONE]\n",
}


@fault("done", "sse", form="double")
@dataclass(frozen=True, slots=True)
class Done(Fault):
    """The end marker is written another way: twice, with data behind it, in small letters, with no space before or
    one behind it, in quotes, with an event name, or without the empty line.
    """

    form: Literal["double", "data-after", "lower", "no-space", "trailing-space", "quoted", "event", "no-blank-line"] = (
        "double"
    )

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other bytes in the same place."""
        found = find(plan.steps, is_done)
        if found is None:
            return plan
        before, piece, after = found
        return resized(plan, (*before, with_payload(piece, _DONES[self.form]), *after))


@fault("hang-after-done", "sse")
@dataclass(frozen=True, slots=True)
class HangAfterDone(Fault):
    """`[DONE]` comes, but HTTP does not end: no last chunk for `seconds` (None: ever), the connection stays open."""

    seconds: Seconds | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The steps through `[DONE]`, then silence."""
        found = find(plan.steps, is_done)
        return plan if found is None else Plan((*found[0], found[1]), Stall(self.seconds))
