"""Faults over real sockets, on both parsers and both event loops: the peer gets what the plan says, and its ending."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playable import faulty, planned, tamed, until
from rawpeer import STACKS, ask, connect, playing, read_all, reset
from strategies import fault_lists, plans, stream_plan

from mockserver import MockServer
from mockserver.faults import Fault, kinds, parse_fault
from mockserver.plan import Plan
from mockserver.request import Request
from mockserver.scripting.catalogue import example_fault
from mockserver.serving.session import Session

stacks = pytest.mark.parametrize(("http", "loop"), STACKS)
one_quick = pytest.mark.parametrize(
    ("http", "loop"), [*(pytest.param(*stack, marks=pytest.mark.slow) for stack in STACKS[:-1]), STACKS[-1]]
)
MODEL = {"model": "meta-llama/Llama-2-7b-chat-hf", "messages": [{"role": "user", "content": "1 2 3"}], "max_tokens": 12}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
ASKED: list[dict[str, Any]] = [
    {**MODEL, "stream": True},
    {**MODEL, "stream": True, "tools": TOOLS, "tool_choice": "required"},
    MODEL,
]
REQUESTS = [
    ask("/v1/chat/completions", "POST", "1.1", json.dumps(body).encode(), "Content-Type: application/json")
    for body in ASKED
]
RULES = [{"match": {"tools": ["f"]}}, {"reply": {"text": "Grüße, one two three"}}]


def got(server: MockServer, number: int) -> tuple[bytes, str]:
    """What a peer gets that asks for plan `number` and nothing after it."""
    with connect(server, 20) as peer:
        peer.sendall(ask(f"/{number}", "GET", "1.1", b"", "Connection: close"))
        return read_all(peer)


@one_quick
def test_any_faults_on_any_plan_arrive_as_planned(http: str, loop: str) -> None:
    """Law: 200 drawn pairs of a plan and a fault list, one after the other, then 50 at once: bytes and ending."""
    drawn: list[Plan] = []

    def choose(request: Request) -> Plan:
        return drawn[int(request.path[1:])]

    with playing(choose, http, loop) as server:

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(plans, fault_lists, st.integers(0, 1000))
        def one_by_one(plan: Plan, faults: tuple[Fault, ...], seed: int) -> None:
            drawn.append(faulty(plan, faults, seed))
            data, end, _ = planned(drawn[-1])
            assert got(server, len(drawn) - 1) == (data, end)

        one_by_one()
        assert len(drawn) >= 200
        alone = server.session().wait_for(len(drawn), 20)
        assert [exchange.ended for exchange in alone] == [planned(plan)[2] for plan in drawn]
        with ThreadPoolExecutor(50) as pool:
            together = list(pool.map(lambda number: got(server, number), range(len(drawn))))
    assert together == [planned(plan)[:2] for plan in drawn]


@stacks
def test_no_byte_before_a_reset_is_lost(http: str, loop: str) -> None:
    """Law: RST in 200 of 200 runs, all bytes before it delivered; again with 50 peers at once."""
    plan = tamed(stream_plan(*("é" * 400 for _ in range(20))))
    places = [80 * number for number in range(200)]
    cut = [parse_fault({"kind": "cut", "after_bytes": at, "wire": True}).apply(plan, Random(0)) for at in places]
    wanted = [planned(one)[:2] for one in cut]
    assert [(len(data), end) for data, end in wanted] == [(at, "rst") for at in places]
    with playing(lambda request: cut[int(request.path[1:])], http, loop) as server:
        assert [got(server, number) for number in range(200)] == wanted
        with ThreadPoolExecutor(50) as pool:
            assert list(pool.map(lambda number: got(server, number), range(200))) == wanted


def patient(port: int, requests: list[bytes], leave: Callable[[socket.socket], None]) -> None:
    """A peer with little patience: asks for all at once, reads what comes, leaves."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.1) as peer:
            for request in requests:
                peer.sendall(request)
            read_all(peer)
            leave(peer)
    except OSError:
        pass  # refused, black hole, reset: all is well, nothing must be left


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # one number, no paths


@pytest.mark.slow
@stacks
def test_the_whole_catalogue_leaves_nothing(http: str, loop: str) -> None:
    """Every kind's example on a port of its own, a stream and a document: then no socket, task or thread is left."""
    with MockServer(http=http, loop=loop) as server, connect(server):  # type: ignore[arg-type]  # names from STACKS
        pass  # what a loop opens once per process
    files, threads = open_files(), set(threading.enumerate())
    with MockServer(http=http, loop=loop) as server:  # type: ignore[arg-type]  # names from STACKS
        idle = server.run(lambda: len(asyncio.all_tasks()))
        sessions: list[Session] = []
        ports: list[int] = []
        for kind in kinds():
            session = server.new_session(script={"faults": [example_fault(kind)], "rules": RULES})
            sessions.append(session)
            ports.append(int(server.listener(session).rsplit(":", 1)[1]))
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda port: patient(port, REQUESTS, socket.socket.close), ports))
            list(pool.map(lambda port: patient(port, REQUESTS[::-1], reset), ports))

        def unused() -> dict[str, int]:
            """The kinds that had no effect yet; on a busy machine a peer leaves too early for some."""
            told = zip(kinds(), sessions, ports, strict=True)
            return {kind: port for kind, session, port in told if session.state["unused_faults"]}

        def again() -> bool:
            for port in unused().values():
                patient(port, REQUESTS, socket.socket.close)
            return not unused()

        assert until(again), unused()
        for kind, session in zip(kinds(), sessions, strict=True):
            if kind in DEAF:
                session.close()
        listeners = server.run(lambda: list(server._listeners.values()))
        assert len(listeners) == len(kinds()) + 1 - len(DEAF)
        assert until(lambda: not server.run(lambda: any(one._state.connections for one in listeners)))
        # This very question is a task of its own, in `idle` as well.
        assert until(lambda: server.run(lambda: len(asyncio.all_tasks())) == idle)
    played = {exchange.ended for session in sessions for exchange in session.journal}
    assert played >= {"end", "fin", "rst", "client"}
    assert "open" not in played
    assert set(threading.enumerate()) == threads
    assert open_files() <= files


DEAF = {"accept-black-hole", "no-read"}
"""Nothing is read there, so the peer's leaving is not heard before the server ends."""
