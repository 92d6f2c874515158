"""The steps of a stream as one value: what all streams of an answer share, and the two things that differ.

A `Flow` is the sequence of steps `Head, [Wait,] Body, [Wait,] Body, ...` and compares equal to their tuple. The steps
are made when somebody looks at them (a fault, the journal's page) and are not kept; the player sends it without making
any. So an open stream, or one in the journal, holds its id and its time of creation, and nothing per event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import overload

from mockserver.plan import Body, End, Ending, Head, Plan, Step, Wait

ID, CREATED = b"\0", b"\1"
_END = End()


class Layout:
    """The events of an answer, holes and all, shared by all flows whose holes are filled by as many bytes.

    `parts` are the data and marks, as given. The rest is made when it is first asked for, in chunks of HTTP/1.1 that
    tell how long the data are once they are filled. `plain`: there are parts, and none is empty (a chunk that is would
    end the body), so that chunk by chunk is what goes out. `marked`: some part has a mark.
    """

    __slots__ = ("_chunks", "_joined", "_sizes", "_timed", "_wire", "marked", "parts", "plain")

    def __init__(self, parts: tuple[tuple[bytes, str], ...], identity: int, created: int) -> None:
        self.parts = parts
        self.plain = bool(parts) and all(data for data, _ in parts)
        self.marked = any(mark for _, mark in parts)
        self._sizes = (identity, created)
        self._chunks: tuple[bytes, ...] | None = None
        self._joined: tuple[bytes, tuple[int, ...]] | None = None
        self._timed: tuple[float, ...] = ()
        self._wire = (b"", b"")

    def timed(self, waits: Iterator[float]) -> tuple[float, ...]:
        """The waits before the parts: the next of `waits` before one that holds tokens, else 0.

        Streams mostly follow the same schedule: the last one is kept, so that they share it.
        """
        timed = tuple([next(waits, 0.0) if "content[" in mark or "tool[" in mark else 0.0 for _, mark in self.parts])
        if timed != self._timed:
            self._timed = timed
        return self._timed

    @property
    def chunks(self) -> tuple[bytes, ...]:
        """Each event in its chunk, not yet filled."""
        if self._chunks is None:
            self._chunks = tuple([chunk for chunk, _ in self._laid()])
        return self._chunks

    @property
    def joined(self) -> tuple[bytes, tuple[int, ...]]:
        """All chunks, not yet filled, and where each ends once they are."""
        if self._joined is None:
            laid = self._laid()
            self._joined = b"".join([chunk for chunk, _ in laid]), tuple(accumulate([length for _, length in laid]))
        return self._joined

    def wire(self, identity: bytes, created: bytes) -> bytes:
        """All chunks, filled. The time of creation changes once a second: what it fills is kept until then."""
        kept, data = self._wire
        if kept != created or not data:
            data = self.joined[0].replace(CREATED, created)
            self._wire = created, data
        return data.replace(ID, identity)

    def _laid(self) -> list[tuple[bytes, int]]:
        """The chunks, and how long each is once it is filled."""
        more, later = self._sizes[0] - 1, self._sizes[1] - 1
        laid = []
        for data, _ in self.parts:
            size = len(data) + data.count(ID) * more + data.count(CREATED) * later
            length = b"%x\r\n" % size
            laid.append((b"%b%b\r\n" % (length, data), len(length) + size + 2))
        return laid


class LazySteps(Sequence[Step]):
    """Steps that are made when somebody looks at them, and not kept. They are equal to their tuple."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, LazySteps | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


class Flow(LazySteps):
    """`waits`: seconds before each event, None: none at all. `coalesce`: those that are due at once share a write."""

    __slots__ = ("coalesce", "created", "head", "identity", "layout", "waits")

    def __init__(
        self,
        head: Head,
        layout: Layout,
        identity: bytes,
        created: bytes,
        waits: tuple[float, ...] | None = None,
        coalesce: bool = False,
    ) -> None:
        self.head = head
        self.layout = layout
        self.identity = identity
        self.created = created
        self.waits = waits
        self.coalesce = coalesce

    def plan(self, ending: Ending = _END) -> Plan:
        """The plan that sends this flow."""
        return Plan(self, ending)  # type: ignore[arg-type]  # a flow stands for the tuple of its steps

    def with_head(self, head: Head) -> Flow:
        """The same events behind another head."""
        return Flow(head, self.layout, self.identity, self.created, self.waits, self.coalesce)

    def paced(self, waits: tuple[float, ...]) -> Flow:
        """The same events, each `waits` seconds (0: none) after the one before."""
        return Flow(self.head, self.layout, self.identity, self.created, waits, self.coalesce)

    def coalesced(self) -> Flow:
        """The same events; those that are due at once share a write."""
        return Flow(self.head, self.layout, self.identity, self.created, self.waits, True)

    def wire(self) -> bytes:
        """All events in chunks of HTTP/1.1."""
        return self.layout.wire(self.identity, self.created)

    def chunk(self, number: int) -> bytes:
        """One event in its chunk."""
        return self.layout.chunks[number].replace(ID, self.identity).replace(CREATED, self.created)

    def __iter__(self) -> Iterator[Step]:
        yield self.head
        identity, created = self.identity, self.created
        for number, (data, mark) in enumerate(self.layout.parts):
            if self.waits is not None and self.waits[number] > 0:
                yield Wait(self.waits[number])
            yield Body(data.replace(ID, identity).replace(CREATED, created), mark)

    def __len__(self) -> int:
        return 1 + len(self.layout.parts) + sum(wait > 0 for wait in self.waits or ())
