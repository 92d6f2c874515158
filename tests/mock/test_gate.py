"""The gate before the model: keys, limits, queue, and counters that agree with what was served."""

from __future__ import annotations

from typing import Any

from asking import ANSWERERS, CHAT, JSON, chat, get, header, post, reply, status

from mockserver.gate import Entered, Gate, GateState, enter, leave
from mockserver.keys import Key
from mockserver.latency import Latency
from mockserver.limits import Limits
from mockserver.plan import Wait
from mockserver.reply import Error, ErrorBody, Text
from mockserver.request import Request

DOCS = ANSWERERS["docs"]


def _enter(gate: Gate, state: GateState, request: Request, now: float = 0.0) -> tuple[GateState, Entered]:
    return enter(
        gate, state, request, now, lambda: DOCS.plan(request, now=now), lambda: DOCS.account(request)
    )


def test_an_open_gate_changes_nothing() -> None:
    """No key, no limit, no latency: the plan is the model's."""
    gate = Gate(DOCS.profile)
    assert gate.open
    _, entered = _enter(gate, GateState(), post(CHAT, chat()))
    assert entered.plan == DOCS.plan(post(CHAT, chat()))


def test_keys_come_first() -> None:
    """A refused key takes nothing from anyone's bucket."""
    gate = Gate(DOCS.profile, keys=(Key("k"),), limits=Limits(requests_per_minute=1))
    state, entered = _enter(gate, GateState(), post(CHAT, chat()))
    assert status(entered.plan) == 401
    assert state == GateState()
    good = post(CHAT, chat(), headers=(*JSON, (b"authorization", b"Bearer k")))
    state, entered = _enter(gate, state, good)
    assert (status(entered.plan), header(entered.plan, b"X-RateLimit-Remaining")) == (200, b"0")
    state, entered = _enter(gate, state, good)
    assert (status(entered.plan), header(entered.plan, b"retry-after")) == (429, b"60")
    assert reply(entered.plan)["error"]["code"] == "rate_limit_exceeded"
    assert header(entered.plan, b"X-RateLimit-Limit") == b"1"
    assert status(_enter(gate, state, good, 60.0)[1].plan) == 200


def test_limits_of_tokens_and_of_the_day() -> None:
    """The tokens of an answer are charged; the day's limit is a quota."""
    gate = Gate(DOCS.profile, limits=Limits(tokens_per_minute=10))
    state, entered = _enter(gate, GateState(), post(CHAT, chat()))
    used = reply(entered.plan)["usage"]["total_tokens"]
    state, entered = _enter(gate, state, post(CHAT, chat()))
    assert (status(entered.plan), header(entered.plan, b"retry-after")) == (429, b"%d" % (6 * (used - 10) + 6))
    gate = Gate(DOCS.profile, limits=Limits(requests_per_day=1))
    state, _ = _enter(gate, GateState(), get("/v1/models"))
    _, entered = _enter(gate, state, get("/v1/models"))
    assert reply(entered.plan)["error"]["code"] == "insufficient_quota"


def test_errors_use_no_slot() -> None:
    """A bad request and a page are answered at once, with the headers of the limits."""
    gate = Gate(DOCS.profile, limits=Limits(requests_per_minute=9), latency=Latency(ttft=1, slots=1, queue=0))
    state, entered = _enter(gate, GateState(), post(CHAT, {}))
    assert (status(entered.plan), entered.turn) == (400, None)
    assert header(entered.plan, b"X-RateLimit-Limit") == b"9"
    assert leave(state, entered.turn, 1.0, None, 0, 0.0) == state


def test_the_queue_refuses() -> None:
    """Full: 503 (or 429) that says when to come back; who leaves makes room; counters follow."""
    gate = Gate(DOCS.profile, latency=Latency(ttft=2.5, slots=1, queue=0))
    request = post(CHAT, chat(max_tokens=2))
    state, first = _enter(gate, GateState(), request)
    assert isinstance(first.plan.steps[0], Wait)
    assert (state.metrics.running, state.metrics.waiting) == (1, 0)
    state, second = _enter(gate, state, request)
    assert (status(second.plan), header(second.plan, b"retry-after")) == (503, b"3")
    busy = Gate(DOCS.profile, latency=Latency(ttft=2.5, slots=1, queue=0, overflow="rate_limit"))
    assert status(_enter(busy, state, request)[1].plan) == 429
    state = leave(state, first.turn, 1.0, DOCS.account(request), 2, 1.0)
    assert (state.metrics.running, state.metrics.finished, state.metrics.generation_tokens) == (0, 1, 2)
    assert state.metrics.prompt_tokens == reply(DOCS.plan(request))["usage"]["prompt_tokens"]
    assert status(_enter(gate, state, request, 1.0)[1].plan) == 200
    state = leave(state, None, 1.0, None, 0, 0.0)
    assert leave(GateState(), 5, 1.0, None, 0, 0.0).metrics.finished == 0


def test_a_known_prefix_is_cheaper() -> None:
    """The second time the same prompt comes, its first token comes sooner."""
    gate = Gate(DOCS.profile, latency=Latency(prefill_s_per_token=1.0, cached_share=0.0, itl=0.5))
    request = post(CHAT, chat("a long prompt of some words", max_tokens=1))
    state, first = _enter(gate, GateState(), request)
    _, second = _enter(gate, state, request)
    assert isinstance(first.plan.steps[0], Wait)
    assert not isinstance(second.plan.steps[0], Wait)


def test_the_account_is_the_usage() -> None:
    """Of generated answers, of scripted ones, and of nothing else."""
    for fields in (chat(), chat(n=3), chat(stream=True)):
        usage: Any = reply(DOCS.plan(post(CHAT, {**fields, "stream": False})))["usage"]
        account = DOCS.account(post(CHAT, fields))
        assert account is not None
        assert (account.prompt_tokens, account.tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    request = post(CHAT, chat(), headers=())
    assert DOCS.account(request) == DOCS.account(post(CHAT, chat()))
    scripted = DOCS.account(request, Text("a b c"))
    assert scripted is not None
    assert scripted.tokens == 3
    assert DOCS.account(request, Error(ErrorBody())) is None
    assert DOCS.account(get("/health")) is None
    assert DOCS.account(get("/nothing")) is None
    assert DOCS.account(post(CHAT, {})) is None
