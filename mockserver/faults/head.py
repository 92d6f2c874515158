"""The head of the response is wrong. All of these go below HTTP, so every server sends the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from msgspec.structs import replace

from mockserver.plan import Close, End, Ending, Plan, Raw, Step
from mockserver.settings import Count, Range

from .edit import Leaf, each, first_head, is_head, lowered, split, wire_bytes, with_head
from .fault import Fault, fault
from .status import leading_waits

FIN = Close("fin")


def change_head(plan: Plan, change: Callable[[bytes], bytes], ending: Ending | None = None) -> Plan:
    """The lowered plan with the bytes of each head changed; a plan without one comes back as it is."""
    low = lowered(plan)
    if not any(is_head(leaf) for leaf in low.steps if isinstance(leaf, Raw)):
        return plan

    def one(leaf: Leaf) -> Iterable[Step]:
        return (Raw(change(leaf.data), "head"),) if isinstance(leaf, Raw) and is_head(leaf) else (leaf,)

    return Plan(each(low.steps, one), low.ending if ending is None else ending)


def add_lines(head: bytes, lines: bytes) -> bytes:
    """The head with more lines before the empty one; a head cut short gets them at its end."""
    return head[:-2] + lines + b"\r\n" if head.endswith(b"\r\n\r\n") else head + lines


@fault("garbage-status", "head", line="HTTP/1.1 abc Nope")
@dataclass(frozen=True, slots=True)
class GarbageStatus(Fault):
    """The status line is this `line` instead; headers and body follow as they were, then FIN."""

    line: str = "HTTP/1.1 abc Nope"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another first line."""
        line = self.line.encode()
        return change_head(plan, lambda head: line + b"\r\n" + head.partition(b"\r\n")[2], FIN)


_ALERT = bytes.fromhex("15030100020228")
_GREETINGS = {
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "tls-alert": _ALERT,
    "http2": bytes.fromhex("000012040000000000000300000064000400010000000500004000"),
    "http09": b"Hello from a server that knows no headers.\n",
}


@fault("not-http", "head", form="ssh")
@dataclass(frozen=True, slots=True)
class NotHttp(Fault):
    """Instead of a response: bytes that are no HTTP/1, then FIN.

    `form`: `random` (`bytes` of them, drawn), `ssh` a banner, `tls-alert` a fatal alert, `http2` a SETTINGS frame,
    `http09` a body with no head.
    """

    form: Literal["random", "ssh", "tls-alert", "http2", "http09"] = "random"
    bytes: Annotated[int, Range(1, 1 << 24)] = 256

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The bytes, when the response was due."""
        data = _GREETINGS.get(self.form) or rng.randbytes(self.bytes)
        return Plan((*leading_waits(plan.steps), Raw(data)), FIN)


@fault("status-line-only", "head")
@dataclass(frozen=True, slots=True)
class StatusLineOnly(Fault):
    """The status line arrives, then FIN: no headers, no empty line."""

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The first line."""
        low = lowered(plan)
        head = next((leaf.data for leaf in low.steps if isinstance(leaf, Raw)), b"")
        if b"\r\n" not in head:
            return plan
        return Plan((*leading_waits(low.steps), Raw(head[: head.index(b"\r\n") + 2], "head")), FIN)


@fault("half-head", "head", after_bytes=30)
@dataclass(frozen=True, slots=True)
class HalfHead(Fault):
    """The head breaks off behind `after_bytes` bytes (None: in the middle), then FIN."""

    after_bytes: Count | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Some of the head; a head that is shorter is left alone."""
        low = lowered(plan)
        size = sum(wire_bytes(leaf) for leaf in low.steps if isinstance(leaf, Raw) and is_head(leaf))
        amount = size // 2 if self.after_bytes is None else self.after_bytes
        parts = split(low.steps, amount, wire_bytes) if amount < size else None
        return plan if parts is None else Plan(parts[0] or leading_waits(low.steps), FIN)


_BAD_LINES = {
    "no-colon": b"this line has no colon\r\n",
    "nul": b"x-nul: a\x00b\r\n",
    "obs-fold": b"x-folded: first\r\n second\r\n",
    "space-before-colon": b"x-space : value\r\n",
    "empty-name": b": value\r\n",
    "bare-cr": b"x-cr: a\rb\r\n",
    "bare-lf": b"x-lf: value\n",
    "latin-1": b"x-latin: caf\xe9\r\n",
}


@fault("bad-header", "head", form="no-colon")
@dataclass(frozen=True, slots=True)
class BadHeader(Fault):
    """One header line more, which is wrong; the rest of the response is right, then FIN.

    `form`: a line without a colon, a NUL in a value, an obsolete folded line, a space before the colon, an empty
    name, a bare CR, a bare LF as line end, Latin-1 bytes.
    """

    form: Literal[
        "no-colon", "nul", "obs-fold", "space-before-colon", "empty-name", "bare-cr", "bare-lf", "latin-1"
    ] = "no-colon"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The line before the empty one."""
        return change_head(plan, lambda head: add_lines(head, _BAD_LINES[self.form]), FIN)


@fault("duplicate-header", "head", name="content-type", value="text/html")
@dataclass(frozen=True, slots=True)
class DuplicateHeader(Fault):
    """The header `name` is there once more, with `value` (None: with the same value; not there at all: nothing)."""

    name: str = "content-type"
    value: str | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The field a second time."""
        name = self.name.encode("latin-1", "replace")
        head = first_head(plan)
        if head is None or any(byte in name + (self.value or "").encode() for byte in b"\r\n\0"):
            return plan
        values = [value for key, value in head.headers if key.lower() == name.lower()]
        more = values[:1] if self.value is None else [self.value.encode("latin-1", "replace")]
        if not more:
            return plan
        return with_head(plan, lambda one: replace(one, headers=(*one.headers, *((name, value) for value in more))))


@fault("huge-header", "head", bytes=70_000)
@dataclass(frozen=True, slots=True)
class HugeHeader(Fault):
    """One header line of `bytes` bytes more (`x-huge: aaa...`); all else is right."""

    bytes: Annotated[int, Range(1, 1 << 26)] = 70_000

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The line before the empty one."""
        line = b"x-huge: " + b"a" * max(1, self.bytes - 10) + b"\r\n"
        return change_head(plan, lambda head: add_lines(head, line))


@fault("many-headers", "head", count=200)
@dataclass(frozen=True, slots=True)
class ManyHeaders(Fault):
    """`count` header lines more (`x-many-0: 0` and so on); all else is right."""

    count: Annotated[int, Range(1, 1_000_000)] = 200

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The lines before the empty one."""
        lines = b"".join(b"x-many-%d: %d\r\n" % (number, number) for number in range(self.count))
        return change_head(plan, lambda head: add_lines(head, lines))


@fault("extra-response", "head")
@dataclass(frozen=True, slots=True)
class ExtraResponse(Fault):
    """Behind the response comes a second one that nobody asked for, on a connection that stays open."""

    body: str = '{"object":"unasked"}'

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another head and body."""
        low = lowered(plan)
        if not isinstance(low.ending, End):
            return plan
        data = self.body.encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data)
        return Plan((*low.steps, Raw(head + data)), low.ending)


@fault("body-on-204", "head")
@dataclass(frozen=True, slots=True)
class BodyOn204(Fault):
    """`204 No Content`, with a Content-Length and a body all the same; the connection stays open."""

    body: str = '{"object":"unasked"}'

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The head, and what must not follow it."""
        data = self.body.encode()
        head = b"HTTP/1.1 204 No Content\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data)
        return Plan((*leading_waits(plan.steps), Raw(head, "head"), Raw(data)), End())
