"""Chunked framing is wrong (RFC 9112, 7.1). A body with a Content-Length is chunked first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from msgspec.structs import replace

from mockserver.plan import Close, End, Head, Headers, Plan, Raw, Step
from mockserver.settings import Count, Range

from .edit import Leaf, each, find_event, first_head, lowered, payload, with_head, with_headers, with_payload
from .fault import Fault, fault

_LAST = b"0\r\n\r\n"
_SIZE = re.compile(rb"\A[0-9A-Fa-f]+")


def chunked(plan: Plan) -> Plan:
    """The plan below HTTP with a chunked body; one that is below HTTP already is left as it is."""
    if first_head(plan) is None:
        return lowered(plan)
    gone = (b"content-length", b"transfer-encoding")

    def head(one: Head) -> Head:
        return replace(one, headers=with_headers(one.headers, without=gone))

    return lowered(with_head(plan, head))


def change_chunk(plan: Plan, number: int, change: Callable[[bytes], bytes]) -> Plan:
    """The plan with the bytes of one chunk changed, then FIN; unchanged where there is no such chunk."""
    low = chunked(plan)
    found = find_event(low.steps, number)
    if found is None or not isinstance(found[1], Raw) or not _SIZE.match(found[1].data):
        return plan
    piece = replace(found[1], data=change(found[1].data))
    return Plan((*found[0], piece, *found[2]), Close("fin") if isinstance(low.ending, End) else low.ending)


def is_last(leaf: Leaf) -> bool:
    """Whether it is the last chunk."""
    return isinstance(leaf, Raw) and leaf.data == _LAST


def change_last(plan: Plan, last: bytes) -> Plan | None:
    """The chunked plan with something else for its last chunk; None where it has none."""
    low = chunked(plan)
    if not any(is_last(leaf) for leaf in low.steps if isinstance(leaf, Raw)):
        return None

    def one(leaf: Leaf) -> Iterable[Step]:
        return ((Raw(last),) if last else ()) if is_last(leaf) else (leaf,)

    return Plan(each(low.steps, one), low.ending)


@fault("bad-chunk-size", "body", event=1)
@dataclass(frozen=True, slots=True)
class BadChunkSize(Fault):
    """The size of the chunk that carries event number `event` is `size`, which is no number; later chunks are right."""

    event: Count = 0
    size: str = "ZZ"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another size line."""
        size = self.size.encode()
        return change_chunk(plan, self.event, lambda data: _SIZE.sub(lambda _: size, data))


@fault("chunk-mismatch", "body", event=1, by=-3)
@dataclass(frozen=True, slots=True)
class ChunkMismatch(Fault):
    """The chunk that carries event number `event` says it has `by` bytes more (or fewer) than it has."""

    event: Count = 0
    by: int = -1

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another size."""

        def lie(data: bytes) -> bytes:
            return _SIZE.sub(lambda seen: b"%x" % max(1, int(seen[0], 16) + self.by), data)

        return change_chunk(plan, self.event, lie)


@fault("no-last-chunk", "body", how="fin")
@dataclass(frozen=True, slots=True)
class NoLastChunk(Fault):
    """All of the body arrives, then the connection ends where the last chunk (`0`) should be."""

    how: Literal["fin", "rst"] = "fin"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The chunks but the last."""
        changed = change_last(plan, b"")
        return plan if changed is None else Plan(changed.steps, Close(self.how))


@fault("chunk-extension", "body", bytes=20_000)
@dataclass(frozen=True, slots=True)
class ChunkExtension(Fault):
    """The chunk of event number `event` has an extension of `bytes` bytes; legal, and too long for many."""

    event: Count = 0
    bytes: Annotated[int, Range(1, 1 << 26)] = 20_000

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """A longer size line."""
        extension = b";x=" + b"a" * max(0, self.bytes - 3)
        changed = change_chunk(plan, self.event, lambda data: _SIZE.sub(lambda seen: seen[0] + extension, data))
        return plan if changed is plan else Plan(changed.steps, chunked(plan).ending)


@fault("trailers", "body", headers={"x-trailer": "late", "content-type": "text/html"})
@dataclass(frozen=True, slots=True)
class Trailers(Fault):
    """Behind the last chunk come trailer fields; legal, and they must not be taken for headers."""

    headers: Headers = ((b"x-trailer", b"late"),)

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Fields behind the 0."""
        fields = b"".join(b"%b: %b\r\n" % field for field in self.headers)
        changed = change_last(plan, b"0\r\n" + fields + b"\r\n")
        return plan if changed is None else changed


@fault("split-chunks", "body", bytes=7)
@dataclass(frozen=True, slots=True)
class SplitChunks(Fault):
    """Chunks have nothing to do with events: the body is framed anew in chunks of `bytes`, events across them."""

    bytes: Annotated[int, Range(1, 1 << 26)] = 7

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Each event in several chunks."""
        low = chunked(plan)

        def cut(leaf: Leaf) -> Iterable[Step]:
            data = payload(leaf)
            if not isinstance(leaf, Raw) or not _SIZE.match(leaf.data) or len(data) in (0, len(leaf.data)):
                return (leaf,)
            step = max(self.bytes, -(-len(data) // 20_000))
            return (with_payload(leaf, data[at : at + step]) for at in range(0, len(data), step))

        return Plan(each(low.steps, cut), low.ending)
