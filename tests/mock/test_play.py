"""The player, with a clock and a wire of paper: deadlines, order, fullness, leaving. No sockets, no time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mockserver.errors import PlanError
from mockserver.lower import Framer, lower
from mockserver.plan import Body, Close, End, Head, Plan, Raw, Repeat, Stall, Wait
from mockserver.serving.clock import Handle
from mockserver.serving.play import TURN, Player, needs_wire, pieces, play_asgi, whole


class Planned:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback, self.off = when, callback, False

    def cancel(self) -> None:
        self.off = True


class PaperClock:
    """Time stands until `run` moves it to the next planned callback. `early`: how much too soon it calls, once each."""

    def __init__(self, early: float = 0.0) -> None:
        self.time = 100.0
        self.early = early
        self.planned: list[Planned] = []

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        self.planned.append(Planned(when - self.early, callback))
        return self.planned[-1]

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        self.planned.append(Planned(self.time, callback))
        return self.planned[-1]

    def run(self, late: float = 0.0, turns: int = 10_000) -> None:
        for _ in range(turns):
            live = [one for one in self.planned if not one.off]
            if not live:
                return
            first = min(live, key=lambda one: one.when)
            self.planned.remove(first)
            self.time = max(self.time, first.when + late)
            self.early = 0.0 if self.time >= first.when + self.early else self.early / 2
            first.callback()


class PaperWire:
    """Keeps what is written, with the times; `full` after so many bytes."""

    def __init__(self, clock: PaperClock, full: int | None = None, tls: bool = False) -> None:
        self.clock, self.full, self.tls = clock, full, tls
        self.written: list[tuple[float, bytes]] = []
        self.did: list[str] = []
        self.sent = 0
        self.paused = self.lost = self.dropped = False
        self.on_lost: Callable[[], None] | None = None
        self.on_resume: Callable[[], None] | None = None

    def send(self, data: bytes) -> None:
        self.written.append((round(self.clock.time - 100, 6), data))
        self.sent += len(data)
        if self.full is not None and self.sent >= self.full:
            self.paused = True

    def drained(self) -> None:
        self.paused = False
        assert self.full is not None
        self.full += self.full
        resume = self.on_resume
        assert resume is not None
        resume()

    def finish(self, keep_alive: bool) -> None:
        self.did.append(f"finish {keep_alive}")

    def close(self) -> None:
        self.did.append("close")

    def half_close(self) -> None:
        self.did.append("half_close")

    def reset(self) -> None:
        self.did.append("reset")

    def hold(self) -> None:
        self.did.append("hold")

    def abort(self) -> None:
        self.did.append("abort")

    def when_flushed(self, then: Callable[[], None]) -> None:
        self.did.append("flushed")
        then()

    @property
    def bytes(self) -> bytes:
        return b"".join(data for _, data in self.written)


def start(plan: Plan, **how: Any) -> tuple[Player, Any, PaperClock]:
    clock = PaperClock(how.pop("early", 0.0))
    wire: Any = PaperWire(clock, **how)
    player = Player(plan, wire, clock, Framer("GET", "1.1", True, b""))
    player.start()
    return player, wire, clock


HEAD = Head(200)
STREAM = Plan((HEAD, Wait(1), Body(b"a"), Wait(1), Body(b"b"), Wait(1), Body(b"c")))


def test_events_go_out_at_their_deadlines_one_write_each() -> None:
    """The head at once, each event at its time, the last chunk with the last event."""
    player, wire, clock = start(STREAM)
    clock.run()
    assert [(when, data[-6:]) for when, data in wire.written] == [
        (0, b"ed\r\n\r\n"),
        (1, b"1\r\na\r\n"),
        (2, b"1\r\nb\r\n"),
        (3, b"\r\n0\r\n\r\n"[-6:]),
    ]
    assert wire.did == ["finish True"]
    assert (player.ended, player.sent) == ("end", len(wire.bytes))


def test_a_late_event_does_not_delay_the_next() -> None:
    """Deadlines are absolute: every event 0.3 s late stays 0.3 s late, and the lateness is recorded."""
    player, wire, clock = start(STREAM)
    clock.run(late=0.3)
    assert [when for when, _ in wire.written] == [0, 1.3, 2.3, 3.3]
    assert player.late == pytest.approx(0.3)


def test_what_is_overdue_is_sent_at_once() -> None:
    """After a long sleep all that is due goes out together, each event in its own write."""
    _, wire, clock = start(STREAM)
    clock.time += 10
    clock.run()
    assert [when for when, _ in wire.written] == [0, 10, 10, 10]


def test_a_timer_that_fires_early_is_armed_again() -> None:
    """Nothing is sent before its deadline (uvloop fires up to 1.1 ms early)."""
    _, wire, clock = start(STREAM, early=0.001)
    clock.run()
    assert [when for when, _ in wire.written] == [0, 1, 2, 3]


def test_the_head_goes_with_what_is_right_behind_it() -> None:
    """Head, body and last chunk without waits are one write; further pieces have their own."""
    _, wire, _ = start(Plan((HEAD, Body(b"a"))))
    assert len(wire.written) == 1
    _, wire, _ = start(Plan((HEAD, Body(b"a"), Body(b""), Body(b"b"), Raw(b"c"))))
    assert [data[-1:] for _, data in wire.written] == [b"\n", b"\n", b"\n"]
    assert wire.bytes.endswith(b"1\r\na\r\n1\r\nb\r\nc0\r\n\r\n")


def test_a_full_transport_is_waited_for() -> None:
    """Nothing is written while the transport is full; then it goes on where it was."""
    player, wire, clock = start(Plan((HEAD, Repeat((Raw(b"x" * 100),), 30))), full=1000)
    clock.run()
    while player.ended == "":
        assert wire.sent < wire.full + 200
        wire.drained()
    assert wire.bytes.count(b"x") == 3000
    assert player.ended == "end"


def test_an_endless_flood_lets_others_play() -> None:
    """Without a wait and without a full transport a stream still gives the loop back after `TURN` bytes."""
    player, wire, clock = start(Plan((HEAD, Repeat((Raw(b"x" * 10_000),)))))
    assert wire.sent <= TURN + 10_000
    clock.run(turns=3)
    assert TURN < wire.sent <= 4 * (TURN + 10_000)
    assert player.ended == ""


def test_an_endless_repeat_of_nothing_is_silence() -> None:
    """It neither spins nor ends, until the peer leaves."""
    for empty in (Repeat(()), Repeat((Raw(b""), Wait(0))), Repeat((Repeat((), None),), 2)):
        player, wire, clock = start(Plan((HEAD, Body(b"a"), empty, Body(b"never"))))
        clock.run()
        assert player.ended == ""
        assert wire.bytes.endswith(b"1\r\na\r\n")
        wire.on_lost()
        assert player.ended == "client"


def test_repeats_count_and_nest() -> None:
    """A repeat is its steps so many times, also inside another, waits included."""
    _, wire, clock = start(Plan((Repeat((Raw(b"a"), Repeat((Raw(b"b"), Wait(1)), 2)), 2),), Close()))
    clock.run()
    assert wire.written == [(0, b"a"), (0, b"b"), (1, b"b"), (2, b"a"), (2, b"b"), (3, b"b")]


def test_the_endings() -> None:
    """Each ending does what it says, once, after the last byte; a reset waits until the bytes have left."""
    for ending, did, ended in (
        (End(), ["finish True"], "end"),
        (Close("fin"), ["close"], "fin"),
        (Close("half"), ["half_close"], "half"),
        (Close("rst"), ["flushed", "reset"], "rst"),
        (Stall(2), ["hold", "close"], "stall"),
        (Stall(0), ["hold", "close"], "stall"),
    ):
        player, wire, clock = start(Plan((Raw(b"x"),), ending))
        clock.run()
        assert (wire.bytes, wire.did, player.ended) == (b"x", did, ended)
        assert clock.time == (102 if ending == Stall(2) else 100)


def test_the_peer_leaves() -> None:
    """Leaving cancels what was planned: nothing is written any more; a silence ends as planned."""
    player, wire, clock = start(STREAM)
    clock.run(turns=1)
    wire.on_lost()
    clock.run()
    assert (player.ended, len(wire.written), wire.did) == ("client", 2, ["close"])
    player, wire, clock = start(Plan((HEAD,), Stall(None)))
    clock.run()
    assert player.ended == ""
    wire.on_lost()
    assert player.ended == "stall"


def test_the_server_closes() -> None:
    """What the server's end interrupts says so."""
    player, wire, _ = start(STREAM)
    wire.dropped = True
    wire.on_lost()
    assert player.ended == "server"


def test_a_peer_that_has_left_already_gets_nothing() -> None:
    """Between the request and the first byte the peer may be gone."""
    clock = PaperClock()
    wire: Any = PaperWire(clock)
    wire.lost = True
    player = Player(STREAM, wire, clock, Framer("GET", "1.1", True, b""))
    player.start()
    assert (player.ended, wire.written) == ("client", [])


def test_waiting_for_the_end() -> None:
    """`wait` returns with the play; a cancelled one drops the connection."""

    async def main() -> None:
        player, _, clock = start(STREAM)
        waiting = asyncio.create_task(player.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.run()
        await waiting
        assert player.ended == "end"
        await player.wait()
        player, wire, _ = start(STREAM)
        waiting = asyncio.create_task(player.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert wire.did == ["abort"]

    asyncio.run(main())


def test_a_half_close_under_tls_is_refused_before_a_byte() -> None:
    """TLS has no half-close; the reason is said, nothing is sent."""
    clock = PaperClock()
    wire: Any = PaperWire(clock, tls=True)
    with pytest.raises(PlanError, match="half-closes the connection, which TLS does not know; use 'fin' or 'rst'"):
        Player(Plan((HEAD,), Close("half")), wire, clock, Framer("GET", "1.1", True, b""))
    assert wire.written == []


def test_whole_is_only_for_plain_responses() -> None:
    """One head, one body, no waits, `End`: all in one; anything else is played."""
    plain = Plan((Head(200, ((b"content-length", b"1"),)), Body(b"x")))
    framer = Framer("GET", "1.1", True, b"")
    assert whole(plain, framer) == b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
    for plan in (STREAM, Plan(plain.steps, Close()), Plan((Raw(b""), Raw(b"x"))), Plan((HEAD,))):
        assert whole(plan, framer) is None


def test_plain_asgi_plays_clean_plans_and_refuses_the_rest() -> None:
    """Without a wire a plan that needs one fails loudly, before a byte, and says what it needs."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    def play(plan: Plan) -> None:
        sent.clear()
        asyncio.run(play_asgi(plan, send, PaperClock()))

    play(Plan((Head(103), Head(200, ((b"x", b"y"),)), Body(b"a"), Wait(0), Repeat((Body(b"b"),), 2))))
    assert sent[0] == {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
    assert b"".join(message["body"] for message in sent[1:]) == b"abb"
    assert [message["more_body"] for message in sent[1:]] == [True, True, True, False]
    for plan, need in (
        (Plan((HEAD,), Close("rst")), "an ending by rst"),
        (Plan((HEAD,), Stall(1)), "an ending by silence"),
        (Plan((HEAD, Repeat((Raw(b"x"),)))), "bytes below HTTP"),
    ):
        assert need in needs_wire(plan)
        with pytest.raises(PlanError, match=f"needs {need}.*mockserver.wire"):
            play(plan)
        assert sent == []
    with pytest.raises(PlanError, match="a body and no head"):
        play(Plan((Body(b"x"),)))


@pytest.mark.parametrize("status", [100, 200, 204])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_head_that_is_repeated_frames_what_follows(status: int, times: int) -> None:
    """A body behind it goes out as the repeated head says, not as the head before: what lowering the plan gives."""
    plan = Plan((Head(200), Repeat((Head(status),), times), Body(b"x")))
    played = b"".join(piece for piece in pieces(plan, Framer("POST", "1.1", True, b"")) if isinstance(piece, bytes))
    shown: list[Any] = []
    for step in lower(plan).steps:
        shown += list(step.steps) * (step.times or 0) if isinstance(step, Repeat) else [step]
    assert played == b"".join(step.data for step in shown)
