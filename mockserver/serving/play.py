"""A plan becomes bytes on a connection: the only place with both time and sockets.

Laws: the deadlines of a response are absolute, counted from its start, so a late event never delays the next; nothing
is sent before its deadline; what is late is sent at once. Every piece of a body is a write of its own, except that a
head goes out with the piece right behind it, and the last chunk with the piece before it; of a coalesced flow all that
is due at once goes out together. A transport that is full is waited for. The peer's leaving ends the play at once.
Before a cut all bytes before it have left the host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from mockserver.errors import PlanError
from mockserver.flow import Flow
from mockserver.lower import LAST_CHUNK, Framer, lower_steps
from mockserver.plan import Body, Close, End, Head, Plan, Raw, Repeat, Stall, Step, Wait
from mockserver.serving.clock import Clock, Handle
from mockserver.serving.wire import EXTENSION, Wire

TURN = 2 << 20
"""How much a stream may send in one turn of the loop, in bytes; each piece counts 1 KiB more. Others play too."""

FOREVER = float("inf")

_NONE: Iterator[bytes | float] = iter(())


def whole(plan: Plan, framer: Framer) -> bytes | None:
    """All bytes of a plain response (one head, one body, no waits, ended in order), else None."""
    steps = plan.steps
    if type(steps) is tuple and len(steps) == 2 and type(plan.ending) is End:
        head, body = steps
        if type(head) is Head and type(body) is Body:
            return framer.head(head) + framer.body(body.data) + framer.end()
    return None


def pieces(plan: Plan, framer: Framer) -> Iterator[bytes | float]:
    """What is written, and the seconds between, in order."""
    held = b""
    joins = chunked = False
    for step in plan.steps:
        kind = type(step)
        if kind is Body or kind is Raw:
            data: bytes = step.data  # type: ignore[union-attr]  # told by kind
            if not data:
                continue
            if kind is Body:
                data = b"%x\r\n%b\r\n" % (len(data), data) if chunked else framer.body(data)
            if joins:
                held += data
                joins = False
                continue
            if held:
                yield held
            held = data
        else:
            if held:
                yield held
            held = b""
            joins = False
            if kind is Wait:
                yield float(step.seconds)  # type: ignore[union-attr]  # told by kind
            elif kind is Head:
                held = framer.head(step)  # type: ignore[arg-type]  # told by kind
                joins = True
                chunked = framer.chunked
            else:
                yield from _repeat(step, framer)  # type: ignore[arg-type]  # told by kind
                chunked = framer.chunked
    if type(plan.ending) is End:
        held += framer.end()
    if held:
        yield held


def _repeat(repeat: Repeat, framer: Framer) -> Iterator[bytes | float]:
    steps = lower_steps(repeat.steps, framer)
    if repeat.times is not None:
        for _ in range(repeat.times):
            yield from _lowered(steps)
    elif not _moves(steps):
        yield FOREVER
    else:
        while True:
            yield from _lowered(steps)


def _lowered(steps: tuple[Step, ...]) -> Iterator[bytes | float]:
    for step in steps:
        if isinstance(step, Raw):
            yield step.data
        elif isinstance(step, Wait):
            yield float(step.seconds)
        elif isinstance(step, Repeat):
            inner = step.steps
            rounds = 0
            if step.times is None and not _moves(inner):
                yield FOREVER
            while step.times is None or rounds < step.times:
                yield from _lowered(inner)
                rounds += 1


def _moves(steps: tuple[Step, ...]) -> bool:
    """Whether a round of `steps` sends a byte or takes time (an endless round of nothing would never yield)."""
    return any(
        (isinstance(step, Raw) and step.data)
        or (isinstance(step, Wait) and step.seconds > 0)
        or (isinstance(step, Repeat) and step.times != 0 and _moves(step.steps))
        for step in steps
    )


class Player:
    """Plays one plan on one wire, by callbacks: no task wakes up per event.

    `ended` is empty while it plays, then `end`, `fin`, `rst`, `half`, `stall` as planned, `client` when the peer left
    before, `server` when the server closed before. `late` is the greatest lateness of a write, in seconds, `sent` the
    bytes that went out. `tell` is called once, when the play has ended.
    """

    __slots__ = (
        "_at",
        "_bytes",
        "_clock",
        "_due",
        "_ending",
        "_flow",
        "_framer",
        "_future",
        "_pieces",
        "_planned",
        "_stalling",
        "_tell",
        "_timer",
        "ended",
        "late",
        "sent",
        "wire",
    )

    def __init__(
        self, plan: Plan, wire: Wire, clock: Clock, framer: Framer, tell: Callable[[Player], None] | None = None
    ) -> None:
        if type(plan.ending) is Close and plan.ending.how == "half" and wire.tls:
            raise PlanError("this plan half-closes the connection, which TLS does not know; use 'fin' or 'rst'")
        self.wire = wire
        self.ended = ""
        self.late = 0.0
        self.sent = 0
        self._tell = tell
        self._clock = clock
        self._ending = plan.ending
        self._framer = framer
        steps = plan.steps
        self._flow: Flow | None = None
        self._bytes = b""
        self._pieces: Iterator[bytes | float] = _NONE
        if isinstance(steps, Flow) and steps.layout.plain and type(plan.ending) is End and framer.chunks(steps.head):
            self._flow = steps
            self._bytes = framer.head(steps.head)
        else:
            self._pieces = pieces(plan, framer)
        self._at = 0
        self._planned = False
        self._due = 0.0
        self._timer: Handle | None = None
        self._future: asyncio.Future[None] | None = None
        self._stalling = False

    def start(self) -> None:
        """Send what is due now and plan the rest."""
        wire = self.wire
        self._due = self._clock.now()
        if wire.lost:
            self._lost()
            return
        wire.on_lost = self._lost
        run = self._run
        if self._flow is not None:
            run = self._stream if self._flow.waits is None else self._stream_paced
        if wire.paused:
            wire.on_resume = run
        else:
            run()

    async def wait(self) -> None:
        """Return when the play has ended."""
        if not self.ended:
            self._future = asyncio.get_running_loop().create_future()
            try:
                await self._future
            finally:
                if not self.ended:
                    self.wire.abort()

    def _run(self) -> None:
        wire = self.wire
        write = wire.send
        wire.on_resume = None
        until = self.sent + TURN
        for piece in self._pieces:
            if type(piece) is bytes:
                write(piece)
                self.sent += len(piece)
                if wire.paused:
                    wire.on_resume = self._run
                    return
                until -= 1024
            else:
                self._due += piece  # type: ignore[operator]  # told by its type
                if not self._is_due():
                    return
                until -= 1024
            if self.sent > until:
                self._timer = self._clock.call_soon(self._run)
                return
        self._timer = None
        self._finish()

    def _stream(self) -> None:
        """Send a flow as fast as it goes: slices of what is filled in one go."""
        flow, wire = self._flow, self.wire
        assert flow is not None
        write = wire.send
        wire.on_resume = None
        ends = flow.layout.joined[1]
        at, last = self._at, len(ends) - 1
        if not at:
            self._bytes = b"".join((self._bytes, flow.wire(), self._framer.end()))
            if flow.coalesce:
                at = last
        data = self._bytes
        before = len(data) - ends[last] - len(LAST_CHUNK)
        start = self.sent
        sent, until = start, start + TURN
        while at <= last:
            end = ends[at] + before if at < last else len(data)
            write(data[sent:end])
            sent = end
            at += 1
            until -= 1024
            if wire.paused or sent > until:
                self._at, self.sent = at, sent
                if wire.paused:
                    wire.on_resume = self._stream
                else:
                    self._timer = self._clock.call_soon(self._stream)
                return
        self.sent = sent
        self._timer = None
        self._finish()

    def _stream_paced(self) -> None:
        """Send those events of a flow that are due, and plan the next."""
        flow, wire = self._flow, self.wire
        assert flow is not None
        assert flow.waits is not None
        wire.on_resume = None
        waits, coalesce, held = flow.waits, flow.coalesce, self._bytes
        at, count = self._at, len(flow.waits)
        until = self.sent + TURN
        while at < count:
            if waits[at] > 0:
                if not self._planned:
                    self._planned = True
                    self._due += waits[at]
                late = self._clock.now() - self._due
                if held and (late < 0 or not coalesce):
                    wire.send(held)
                    self.sent += len(held)
                    held = b""
                if late < 0:
                    self._at, self._bytes = at, b""
                    self._timer = self._clock.call_at(self._due, self._stream_paced)
                    return
                self._planned = False
                if late > self.late:
                    self.late = late
            piece = flow.chunk(at)
            at += 1
            if held:
                piece = held + piece
                held = b""
            if at == count:
                piece += self._framer.end()
            elif coalesce:
                held = piece
                continue
            wire.send(piece)
            self.sent += len(piece)
            until -= 1024
            if wire.paused or self.sent > until:
                self._at, self._bytes = at, b""
                if wire.paused:
                    wire.on_resume = self._stream_paced
                else:
                    self._timer = self._clock.call_soon(self._stream_paced)
                return
        self._timer = None
        self._finish()

    def _is_due(self) -> bool:
        early = self._due - self._clock.now()
        if early > 0:
            self._timer = self._clock.call_at(self._due, self._wake) if self._due < FOREVER else None
            return False
        if -early > self.late:
            self.late = -early
        return True

    def _wake(self) -> None:
        if self._is_due():
            if self._stalling:
                self.wire.close()
                self._end("stall")
            else:
                self._run()

    def _finish(self) -> None:
        ending, wire = self._ending, self.wire
        if type(ending) is End:
            self._end("end")
            wire.finish(not self._framer.closes)
        elif type(ending) is Stall:
            wire.hold()
            self._stalling = True
            if ending.seconds is not None:
                self._due = max(self._due, self._clock.now()) + ending.seconds
                self._wake()
        elif type(ending) is Close:
            if ending.how == "rst":
                wire.when_flushed(self._reset)
            elif ending.how == "half":
                wire.half_close()
                self._end("half")
            else:
                wire.close()
                self._end("fin")

    def _reset(self) -> None:
        if not self.ended:
            self.wire.reset()
            self._end("rst")

    def _lost(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wire = self.wire
        if not wire.dropped:
            wire.close()
        self._end("stall" if self._stalling else "server" if wire.dropped else "client")

    def _end(self, ended: str) -> None:
        self.ended = ended
        if self._tell is not None:
            self._tell(self)
        self._pieces, self._flow, self._bytes = _NONE, None, b""
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)


def needs_wire(plan: Plan) -> str:
    """What of `plan` cannot be had without `mockserver.serving.wire`; empty: plain ASGI can play it."""

    def first(steps: tuple[Step, ...]) -> str:
        for step in steps:
            if isinstance(step, Raw):
                return "bytes below HTTP (Raw)"
            if isinstance(step, Repeat) and (inner := first(step.steps)):
                return inner
        return ""

    if isinstance(plan.ending, Close):
        return f"an ending by {plan.ending.how} (Close)"
    if isinstance(plan.ending, Stall):
        return "an ending by silence (Stall)"
    return first(plan.steps)


async def play_asgi(plan: Plan, send: Callable[[dict[str, Any]], Awaitable[None]], clock: Clock) -> None:
    """Play a clean plan on a transport that has no wire (in-process ASGI, another server).

    Raises `PlanError`, before a byte is sent, when the plan needs more.
    """
    if need := needs_wire(plan):
        raise PlanError(
            f"the plan needs {need}, and this transport has no {EXTENSION!r} extension; "
            "serve the app with `MockServer` or `inferneo-mock serve`"
        )
    due = clock.now()
    started = False

    async def run(steps: tuple[Step, ...]) -> None:
        nonlocal due, started
        for step in steps:
            if isinstance(step, Wait):
                due += step.seconds
                await asyncio.sleep(max(0.0, due - clock.now()))
            elif isinstance(step, Head):
                if step.status >= 200:
                    started = True
                    await send({"type": "http.response.start", "status": step.status, "headers": list(step.headers)})
            elif isinstance(step, Body):
                if not started:
                    raise PlanError("the plan has a body and no head")
                await send({"type": "http.response.body", "body": step.data, "more_body": True})
            elif isinstance(step, Repeat):
                rounds = 0
                while step.times is None or rounds < step.times:
                    await run(step.steps)
                    rounds += 1

    await run(plan.steps)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
