"""A plain answer as one value: what all equal answers share, and the two things that differ.

A `Filled` is the sequence of steps `Head, Body` and compares equal to their tuple, as a `Flow` does for a stream: the
steps are made when somebody looks at them and are not kept. So an answer in the journal holds its id and its time of
creation, and what goes over the wire is one replacement away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mockserver.flow import CREATED, ID, LazySteps
from mockserver.lower import Framer
from mockserver.plan import Body, End, Ending, Head, Plan, Step

END = End()
"""The ending of every answer as it was filled; a fault puts another in its place."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an answer costs: the tokens of its prompt (and the prompt itself), and those of all its choices."""

    prompt_tokens: int
    tokens: int
    prompt: str = ""


class Blank:
    """A whole answer, holes and all, shared by all whose holes are filled by as many bytes.

    `head` tells the length of the data once they are filled. `account`: what the answer costs.
    """

    __slots__ = ("_sent", "account", "data", "head")

    def __init__(self, head: Head, data: bytes, account: Account | None) -> None:
        self.head = head
        self.data = data
        self.account = account
        self._sent: tuple[bytes, bytes, bytes, bytes] | None = None

    def wire(self, date: bytes, identity: bytes, created: bytes) -> bytes | None:
        """All bytes of the response to a POST of HTTP/1.1; None: its head ends the connection, or wants chunks.

        Date and time of creation change once a second: what they fill is kept until then.
        """
        kept = self._sent
        if kept is None or kept[0] != date or kept[1] != created:
            framer = Framer("POST", "1.1", True, date)
            block, body = framer.head(self.head), framer.body(self.data.replace(CREATED, created))
            kept = self._sent = (date, created, b"" if framer.closes or framer.chunked else block, body)
        return kept[2] + kept[3].replace(ID, identity) if kept[2] else None


class Filled(LazySteps):
    """A `Blank` with an id and a time of creation."""

    __slots__ = ("blank", "created", "identity")

    def __init__(self, blank: Blank, identity: bytes, created: bytes) -> None:
        self.blank = blank
        self.identity = identity
        self.created = created

    def plan(self, ending: Ending = END) -> Plan:
        """The plan that sends this answer."""
        return Plan(self, ending)  # type: ignore[arg-type]  # it stands for the tuple of its steps

    def wire(self, date: bytes) -> bytes | None:
        """See `Blank.wire`."""
        return self.blank.wire(date, self.identity, self.created)

    def __iter__(self) -> Iterator[Step]:
        blank = self.blank
        yield blank.head
        yield Body(blank.data.replace(ID, self.identity).replace(CREATED, self.created))

    def __len__(self) -> int:
        return 2
