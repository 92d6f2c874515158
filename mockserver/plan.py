"""A response is a value before it is bytes: timed steps and exactly one ending.

A plan says all that a peer will see and when. Faults rewrite plans (`plan -> plan`), `serving.play` is the only
place that turns one into bytes on a socket. The ending is a field, so "exactly one ending, no step after it" holds by
construction. Times are seconds, sizes are bytes.

The values are msgspec's structs, made in a tenth of a frozen dataclass's time: some are made for every request. Each
is made of values that were there before it, so no cycle can arise and the collector need not look at them.

Two levels share the type. Above HTTP a response is `Head` and `Body` steps, and the player frames them (Content-Length
as the head says, else chunked). Below HTTP it is `Raw` bytes, written as they are; `mockserver.lower` turns the one
into the other.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header fields in the order they are sent; names keep their case."""


class Wait(Struct, frozen=True, gc=False):
    """Nothing is sent for `seconds` after the planned (not actual) time of the step before: no deadline drifts."""

    seconds: float


class Head(Struct, frozen=True, gc=False):
    """A status line and header fields (RFC 9112, 4 and 5). `reason` empty: the standard phrase of the status.

    With neither Content-Length nor Transfer-Encoding in `headers` the player frames the body: by chunks under
    HTTP/1.1, by close under HTTP/1.0.
    """

    status: int
    headers: Headers = ()
    reason: bytes = b""


class Body(Struct, frozen=True, gc=False):
    """A piece of the body, sent in one write of its own. One server-sent event is one `Body` until a fault slices it.

    `mark` names the place in a stream: `role`, `content[i]`, `tool[i]`, `finish`, `usage`, `done`; with several
    choices the choice's index comes first (`1:content[0]`), choice 0 is unmarked. Empty: not a named place.
    """

    data: bytes
    mark: str = ""


class Raw(Struct, frozen=True, gc=False):
    """Bytes below HTTP, written as they are: no framing is added, none is checked."""

    data: bytes
    mark: str = ""


class Repeat(Struct, frozen=True, gc=False):
    """`steps` again: `times` times, or for ever (None) until the peer leaves. Endless streams without memory."""

    steps: tuple[Step, ...]
    times: int | None = None


Step: TypeAlias = Wait | Head | Body | Raw | Repeat


class End(Struct, frozen=True, gc=False):
    """The response is whole; the connection stays open for the next request, unless HTTP or the peer says otherwise."""


class Close(Struct, frozen=True, gc=False):
    """All bytes before are delivered, then the connection ends, whether or not the response was whole.

    `fin`: closed in order (FIN). `rst`: reset (SO_LINGER 0, RST). `half`: our sending side only (FIN, still reading);
    it does not exist under TLS.
    """

    how: Literal["fin", "rst", "half"] = "fin"


class Stall(Struct, frozen=True, gc=False):
    """Silence on an open connection for `seconds`, then FIN; None: until the peer leaves or the server closes."""

    seconds: float | None = None


Ending: TypeAlias = End | Close | Stall


class Plan(Struct, frozen=True, gc=False):
    """What will be sent: `steps` in order, then `ending`."""

    steps: tuple[Step, ...]
    ending: Ending = End()
