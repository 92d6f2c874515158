"""Content-Encoding says one thing and the body another."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from msgspec.structs import replace

from mockserver.plan import Body, Head, Plan, Step
from mockserver.settings import Range

from .edit import (
    Leaf,
    each,
    first_head,
    flat,
    resized,
    total,
    whole_body,
    wire_bytes,
    with_body,
    with_head,
    with_headers,
)
from .fault import Fault, fault

_DECLARED = (b"content-encoding", b"gzip")


@fault("gzip", "body", form="truncated")
@dataclass(frozen=True, slots=True)
class Gzip(Fault):
    """The body is compressed, and something is wrong with it.

    `form` `corrupt`: declared, one byte in the middle flipped. `truncated`: declared, half of it. `undeclared`:
    compressed, but no Content-Encoding. `plain`: declared, but not compressed. `bomb`: declared, `bytes` of spaces
    behind the body, which compress to a thousandth. `right`: declared and right, each event flushed on its own.
    """

    form: Literal["corrupt", "truncated", "undeclared", "plain", "bomb", "right"] = "corrupt"
    bytes: Annotated[int, Range(1, 1 << 28)] = 1 << 24

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another body under another head; a body below HTTP, or an endless one, is left alone."""
        if first_head(plan) is None or total(plan.steps, wire_bytes) > 1 << 26:
            return plan
        if self.form != "undeclared":
            plan = with_head(plan, lambda one: replace(one, headers=with_headers(one.headers, _DECLARED)))
        if self.form == "plain":
            return plan
        if self.form == "right":
            return resized(plan, _each_flushed(plan))
        data = whole_body(plan) + (b" " * self.bytes if self.form == "bomb" else b"")
        packed = gzip.compress(data, mtime=0)
        if self.form == "corrupt":
            at = len(packed) // 2
            packed = packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]
        elif self.form == "truncated":
            packed = packed[: len(packed) // 2]
        return with_body(plan, packed)


def _each_flushed(plan: Plan) -> tuple[Step, ...]:
    """Each piece compressed so that it can be read when it comes; the end of the stream behind the last."""
    packer = zlib.compressobj(wbits=31)

    def pack(leaf: Leaf) -> Iterable[Step]:
        if isinstance(leaf, Body):
            return (Body(packer.compress(leaf.data) + packer.flush(zlib.Z_SYNC_FLUSH), leaf.mark),)
        return (leaf,)

    return (*each(flat(plan.steps), pack), Body(packer.flush()))


@fault("charset", "body", declared="utf-16")
@dataclass(frozen=True, slots=True)
class Charset(Fault):
    """Content-Type names the character set `declared`; the bytes are UTF-8 as before, or in `encoded` if given."""

    declared: str = "utf-16"
    encoded: Literal["utf-16", "utf-32", "latin-1", "cp1252", "shift-jis"] | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another Content-Type, perhaps another body."""
        if not self.declared.isascii() or not self.declared.isprintable():
            return plan

        def head(one: Head) -> Head:
            kind = next((value for name, value in one.headers if name.lower() == b"content-type"), b"application/json")
            value = kind.partition(b";")[0] + b"; charset=" + self.declared.encode()
            return replace(one, headers=with_headers(one.headers, (b"content-type", value)))

        plan = with_head(plan, head)
        if self.encoded is None:
            return plan
        codec = self.encoded

        def again(leaf: Leaf) -> Iterable[Step]:
            if isinstance(leaf, Body):
                text = leaf.data.decode("utf-8", "replace")
                return (replace(leaf, data=text.encode(codec, "replace")),)
            return (leaf,)

        return resized(plan, each(plan.steps, again))
