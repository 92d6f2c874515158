"""A flow is its steps: whoever looks sees the tuple, and the peer gets the same bytes at the same times."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from test_play import PaperClock, PaperWire

from mockserver.faults import kinds, parse_fault
from mockserver.flow import CREATED, ID, Flow, Layout
from mockserver.lower import Framer, lower
from mockserver.model.answer import Answerer, with_headers
from mockserver.model.latency import gaps, pace
from mockserver.model.prepared import prepare
from mockserver.plan import Body, Head, Plan, Stall, Wait
from mockserver.plan_json import plan_to_json
from mockserver.reply import Pacing, Text
from mockserver.request import Request
from mockserver.serving.clock import Clock, LoopClock
from mockserver.serving.play import Player, whole

data = st.lists(st.sampled_from([b"data: x", ID, CREATED, b"\n\n", b"\xff" * 20]), max_size=5).map(b"".join)
parts = st.lists(st.tuples(data, st.sampled_from(["", "role", "content[0]", "content[1]", "finish"])), max_size=8)
heads = st.sampled_from([Head(200), Head(200, ((b"content-length", b"70"),)), Head(204), Head(500, (), b"No")])
waits = st.none() | st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0]), min_size=8, max_size=8).map(tuple)


@st.composite
def flows(draw: st.DrawFn, coalesce: st.SearchStrategy[bool] = st.just(False)) -> Flow:  # noqa: B008  # a value
    """A flow of up to eight events."""
    drawn = tuple(draw(parts))
    timed = draw(waits)
    layout = Layout(drawn, 9, 4)
    return Flow(draw(heads), layout, b"identity9", b"1234", timed and timed[: len(drawn)], draw(coalesce))


def eager(flow: Flow) -> tuple[Any, ...]:
    """The steps, made the plain way."""
    steps: list[Any] = [flow.head]
    for number, (part, mark) in enumerate(flow.layout.parts):
        if flow.waits and flow.waits[number]:
            steps.append(Wait(flow.waits[number]))
        steps.append(Body(part.replace(ID, flow.identity).replace(CREATED, flow.created), mark))
    return tuple(steps)


@given(flows())
def test_a_flow_is_the_tuple_of_its_steps(flow: Flow) -> None:
    """Equal both ways, with the same hash, length, order, items and text."""
    steps = eager(flow)
    assert flow == steps
    assert steps == flow
    assert Plan(steps) == flow.plan()
    assert flow == Flow(flow.head, flow.layout, flow.identity, flow.created, flow.waits, True)
    assert flow != (*steps, Body(b"x"))
    assert flow != list(steps)
    assert (hash(flow), len(flow), repr(flow)) == (hash(steps), len(steps), repr(steps))
    assert tuple(flow) == steps
    assert tuple(reversed(flow)) == steps[::-1]
    assert [flow[number] for number in range(-len(steps), len(steps))] == [*steps, *steps]
    with pytest.raises(IndexError):
        flow[len(steps)]


@given(flows(), st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([None, 1, 2, -1]))
def test_slices(flow: Flow, start: int, stop: int, step: int | None) -> None:
    """A slice is the slice of the tuple."""
    assert flow[start:stop:step] == eager(flow)[start:stop:step]


def played(plan: Plan, full: int | None, **how: Any) -> tuple[list[tuple[float, bytes]], Any]:
    """What goes out, when; each time the transport is full it is drained half a second later."""
    clock = PaperClock()
    wire: Any = PaperWire(clock, full=full)
    framer = Framer(how.get("method", "POST"), how.get("version", "1.1"), True, b"")
    player = Player(plan, wire, clock, framer)
    player.start()
    for _ in range(10_000):
        clock.run(late=how.get("late", 0.0))
        if not wire.paused:
            break
        clock.time += 0.5
        wire.drained()
    return wire.written, (player.ended, player.sent, round(player.late, 6), wire.did)


@given(
    flows(),
    st.none() | st.integers(1, 200),
    st.sampled_from([0.0, 0.3, 2.0]),
    st.sampled_from(["POST", "HEAD"]),
    st.sampled_from(["1.1", "1.0"]),
)
def test_it_is_played_like_its_steps(flow: Flow, full: int | None, late: float, method: str, version: str) -> None:
    """The same writes at the same times, the same end, however full the transport and however late the clock."""
    how: dict[str, Any] = {"late": late, "method": method, "version": version}
    assert played(flow.plan(), full, **how) == played(Plan(eager(flow)), full, **how)
    assert played(flow.plan(Stall(1)), full, **how) == played(Plan(eager(flow), Stall(1)), full, **how)


@given(flows(st.just(True)), st.none() | st.integers(1, 200))
def test_coalesced_it_sends_the_same_bytes(flow: Flow, full: int | None) -> None:
    """The same bytes are there at every moment, in at most one write per moment."""
    written, (ended, sent, _, _) = played(flow.plan(), full)
    apart, _ = played(Plan(eager(flow)), None)
    assert b"".join(piece for _, piece in written) == b"".join(piece for _, piece in apart)
    assert (ended, sent) == ("end", sum(len(piece) for _, piece in apart))
    if full is None and flow.layout.plain and Framer("POST", "1.1", True, b"").chunks(flow.head):
        assert [when for when, _ in written] == sorted({when for when, _ in apart})


def test_a_long_flow_lets_others_play() -> None:
    """After two MiB it goes on in the next turn of the loop, whether it is paced or not, and loses nothing."""
    layout = Layout(((b"x" * (1 << 20), "content[0]"),) * 5, 1, 1)
    for timed in (None, (0.0,) * 5):
        flow = Flow(Head(200), layout, b"i", b"c", timed)
        clock = PaperClock()
        wire: Any = PaperWire(clock)
        player = Player(flow.plan(), wire, clock, Framer("POST", "1.1", True, b""))
        player.start()
        assert 1 << 20 < wire.sent < 4 << 20
        assert not player.ended
        clock.run()
        assert wire.bytes == played(Plan(eager(flow)), None)[0][0][1] + b"".join(
            piece for _, piece in played(Plan(eager(flow)), None)[0][1:]
        )
        assert (player.ended, player.sent) == ("end", wire.sent)


def test_the_peer_leaves() -> None:
    """In the middle of a paced flow, or before it begins: nothing more is sent, and the play has ended."""
    flow = Flow(Head(200), Layout(((b"a", ""), (b"b", "")), 1, 1), b"i", b"c", (0.0, 1.0))
    clock = PaperClock()
    wire: Any = PaperWire(clock)
    player = Player(flow.plan(), wire, clock, Framer("POST", "1.1", True, b""))
    player.start()
    sent = wire.sent
    wire.lost = True
    wire.on_lost()
    clock.run()
    assert (player.ended, wire.sent) == ("client", sent)


@given(st.booleans(), st.integers(1, 30), st.floats(0, 5), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_an_answer_is_the_same_as_before(
    stream: bool, words: int, ttft: float, itl: float, jitter: float, coalesce: bool
) -> None:
    """What a model answers, paced and with more header fields, is what pacing the steps one by one gives."""
    text = " ".join(["word"] * words)
    body = (
        b'{"model":"meta-llama/Llama-2-7b-chat-hf","stream":%b,"messages":[{"role":"user","content":"hi"}]}'
        % str(stream).lower().encode()
    )
    request = Request("POST", "/v1/chat/completions", headers=((b"content-type", b"application/json"),), body=body)
    answerer = Answerer()
    plain = answerer.plan(request, Text(text))
    plain = Plan(tuple(plain.steps), plain.ending)
    pacing = Pacing(ttft, itl, jitter, 7, coalesce)
    made = answerer.plan(request, Text(text, pacing=pacing))
    cost = answerer.account(request, Text(text))
    assert cost is not None
    assert made == pace(plain, gaps(pacing, 0), cost.tokens)
    more = ((b"x-more", b"1"),)
    assert with_headers(made, more) == with_headers(Plan(tuple(made.steps), made.ending), more)
    assert isinstance(made.steps, Flow) is stream
    if isinstance(made.steps, Flow):
        assert made.steps.coalesce is coalesce


def test_streams_of_one_schedule_share_it() -> None:
    """Ten thousand streams in the journal hold one tuple of waits."""
    made = prepare(Plan((Head(200), Body(b"a" + ID, "content[0]"), Body(b"b", "finish"))))
    first, second = (pace(made.fill(name, b"1"), iter((0.5, 0.25))).steps for name in (b"x", b"y"))
    assert isinstance(first, Flow)
    assert isinstance(second, Flow)
    assert first.waits is second.waits
    assert first.waits == (0.5, 0.0)
    assert first.layout is second.layout
    assert pace(made.fill(b"z", b"1"), iter((0.125,))).steps == (
        Head(200),
        Wait(0.125),
        Body(b"az", "content[0]"),
        Body(b"b", "finish"),
    )


def test_ids_of_other_lengths() -> None:
    """The chunks tell the length of what is in them, whatever is put in."""
    made = prepare(Plan((Head(200), Body(ID * 3 + CREATED, "role"), Body(b"end", "done"))))
    for identity, created in ((b"", b"1"), (b"a", b""), (b"a" * 40, b"1" * 12)):
        flow = made.fill(identity, created)
        assert played(flow, None) == played(Plan(tuple(flow.steps)), None)


@given(
    flows(),
    st.sampled_from(sorted(kinds())),
    st.integers(0, 3),
)
def test_faults_and_the_journal_see_no_difference(flow: Flow, kind: str, seed: int) -> None:
    """The same plan comes out of a fault, of lowering and of the journal."""
    plan, steps = flow.plan(), Plan(eager(flow))
    assert plan_to_json(plan) == plan_to_json(steps)
    assert lower(plan) == lower(steps)
    fault = parse_fault({"kind": kind, **kinds()[kind].example})
    struck = fault.apply(Plan(tuple(plan.steps)), random.Random(seed))
    assert struck == fault.apply(steps, random.Random(seed))


def test_a_flow_of_two_steps_is_not_taken_for_a_whole_response() -> None:
    """Its length is not told in its head; it goes the way of streams."""
    flow = Flow(Head(200), Layout(((b"x", ""),), 1, 1), b"i", b"c")
    assert whole(flow.plan(), Framer("POST", "1.1", True, b"")) is None
    assert replace(flow.plan(), ending=Stall()).steps == flow


def on_loop(run: Any) -> Any:
    """What `run(clock)` gives, in a loop of its own."""

    async def main() -> Any:
        return await run(LoopClock(asyncio.get_running_loop()))

    return asyncio.run(main())


def test_one_timer_serves_a_millisecond() -> None:
    """Callbacks of one slot run in the order they were planned, never early, but for those that were called off."""

    async def run(clock: Clock) -> None:
        when = clock.now() + 0.002
        done = asyncio.get_running_loop().create_future()
        ran: list[Any] = []
        for name in "abc":
            handle = clock.call_at(when, lambda name=name: ran.append((name, clock.now())))  # type: ignore[misc]  # bound now
            if name == "b":
                handle.cancel()
        clock.call_at(when + 0.001, lambda: done.set_result(None))
        await done
        assert [name for name, _ in ran] == ["a", "c"]
        assert all(at >= when for _, at in ran)

    on_loop(run)


def test_an_error_in_a_callback_does_not_take_the_others_along() -> None:
    """The loop is told of it; what else is planned for the same millisecond runs."""

    async def run(clock: Clock) -> None:
        loop = asyncio.get_running_loop()
        told: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: told.append(context))
        done = loop.create_future()
        when = clock.now() + 0.002

        def fail() -> None:
            raise RuntimeError("no")

        clock.call_at(when, fail)
        clock.call_at(when, lambda: done.set_result(None))
        await done
        assert [str(context["exception"]) for context in told] == ["no"]

    on_loop(run)


def test_what_is_far_ahead_leaves_nothing_behind() -> None:
    """A silence of an hour that is called off is no entry of the wheel."""

    async def run(clock: LoopClock) -> None:
        clock.call_at(clock.now() + 3600, threading.Event().set).cancel()
        assert clock._slots == {}

    on_loop(run)


def test_a_timer_that_comes_early_is_set_again() -> None:
    """A loop may call too soon; nothing runs before its time."""

    class Early:
        def __init__(self) -> None:
            self.calls: list[Any] = []

        def call_soon(self, callback: Any) -> None:
            raise AssertionError

        def call_at(self, when: float, callback: Any, *arguments: Any) -> None:
            self.calls.append((when, callback, arguments))

    loop: Any = Early()
    clock = LoopClock(loop)
    clock.now = lambda: 5.0
    ran: list[float] = []
    clock.call_at(5.0104, lambda: ran.append(clock.now()))
    when, callback, arguments = loop.calls.pop()
    assert when == pytest.approx(5.011)
    callback(*arguments)
    assert ran == []
    again, callback, arguments = loop.calls.pop()
    assert again == when
    clock.now = lambda: 5.011
    callback(*arguments)
    assert ran == [5.011]
