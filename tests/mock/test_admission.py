"""Keys, limits, slots and their queue, as one step per request; no clock runs here."""

from __future__ import annotations

from asking import ANSWERERS, CHAT, JSON, chat, get, header, post, reply, status

from mockserver.model.admission import Books, Pass, Served, Terms, admit, changed, leave, serve
from mockserver.model.keys import Key
from mockserver.model.latency import Latency
from mockserver.model.limits import Limits
from mockserver.plan import Plan, Wait
from mockserver.request import Request

DOCS = ANSWERERS["docs"]


def enter(terms: Terms, books: Books, request: Request, now: float = 0.0) -> tuple[Books, Served]:
    """One request from its arrival to its plan."""
    books, who = admit(terms, books, request, now)
    if isinstance(who, Plan):
        return books, Served(who)
    return serve(terms, books, who, request, DOCS.plan(request, now=now), DOCS.account(request), now)


def test_open_terms_change_nothing() -> None:
    """No key, no limit, no latency: the plan is the model's."""
    terms = Terms(DOCS.profile)
    assert terms.open
    assert not Terms(DOCS.profile, latency=Latency(slots=1)).open
    _, served = enter(terms, Books(), post(CHAT, chat()))
    assert served.plan == DOCS.plan(post(CHAT, chat()))


def test_keys_come_first() -> None:
    """A refused key takes nothing from anyone's bucket."""
    terms = Terms(DOCS.profile, keys=(Key("k"), Key("other")), limits=Limits(requests_per_minute=1))
    books, served = enter(terms, Books(), post(CHAT, chat()))
    assert (status(served.plan), books) == (401, Books())
    good = post(CHAT, chat(), headers=(*JSON, (b"authorization", b"Bearer k")))
    books, served = enter(terms, books, good)
    assert (status(served.plan), header(served.plan, b"X-RateLimit-Remaining")) == (200, b"0")
    books, served = enter(terms, books, good)
    assert (status(served.plan), header(served.plan, b"retry-after")) == (429, b"60")
    assert reply(served.plan)["error"]["code"] == "rate_limit_exceeded"
    assert header(served.plan, b"X-RateLimit-Limit") == b"1"
    assert status(enter(terms, books, good, 60.0)[1].plan) == 200
    other = post(CHAT, chat(), headers=(*JSON, (b"authorization", b"Bearer other")))
    assert status(enter(terms, books, other)[1].plan) == 200


def test_limits_of_tokens_and_of_the_day() -> None:
    """The tokens of an answer are charged; the day's limit is a quota; probes are not counted."""
    terms = Terms(DOCS.profile, limits=Limits(tokens_per_minute=10))
    books, served = enter(terms, Books(), post(CHAT, chat()))
    used = reply(served.plan)["usage"]["total_tokens"]
    books, served = enter(terms, books, post(CHAT, chat()))
    assert (status(served.plan), header(served.plan, b"retry-after")) == (429, b"%d" % (6 * (used - 10) + 6))
    terms = Terms(DOCS.profile, limits=Limits(requests_per_day=1))
    books, _ = enter(terms, Books(), get("/v1/models"))
    books, served = enter(terms, books, get("/v1/models"))
    assert reply(served.plan)["error"]["code"] == "insufficient_quota"
    after, served = enter(terms, books, get("/health"))
    assert (status(served.plan), after) == (200, books)


def test_errors_use_no_slot() -> None:
    """A bad request and a page are answered at once, with the headers of the limits."""
    terms = Terms(DOCS.profile, limits=Limits(requests_per_minute=9), latency=Latency(ttft=1, slots=1, queue=0))
    books, served = enter(terms, Books(), post(CHAT, {}))
    assert (status(served.plan), served.turn) == (400, None)
    assert header(served.plan, b"X-RateLimit-Limit") == b"9"
    assert books.load.running == 0


def test_the_queue_refuses() -> None:
    """Full: 503 (or 429) that says when to come back, with the headers of the limits; who leaves makes room."""
    terms = Terms(DOCS.profile, limits=Limits(requests_per_minute=9), latency=Latency(ttft=2.5, slots=1, queue=0))
    request = post(CHAT, chat(max_tokens=2))
    books, first = enter(terms, Books(), request)
    assert first.turn is not None
    assert isinstance(first.plan.steps[0], Wait)
    assert sum(first.waits) == 2.5
    assert (books.load.running, books.load.waiting) == (1, 0)
    books, second = enter(terms, books, request)
    assert (status(second.plan), header(second.plan, b"retry-after")) == (503, b"3")
    assert header(second.plan, b"X-RateLimit-Remaining") == b"7"
    busy = Terms(DOCS.profile, latency=Latency(ttft=2.5, slots=1, queue=0, overflow="rate_limit"))
    assert status(enter(busy, books, request)[1].plan) == 429
    books, started = leave(terms, books, first.turn.number, 1.0)
    assert (started, books.load.running) == ((), 0)
    assert status(enter(terms, books, request, 1.0)[1].plan) == 200
    assert leave(terms, Books(), 5, 1.0) == (Books(), ())


def test_who_waits_is_served_when_one_leaves() -> None:
    """In the order of arrival; other terms may let more in, and forget what was used, but not who runs."""
    terms = Terms(DOCS.profile, limits=Limits(requests_per_minute=9), latency=Latency(ttft=1, slots=1))
    request = post(CHAT, chat(max_tokens=2))
    books = Books()
    turns = []
    for _ in range(4):
        books, served = enter(terms, books, request)
        assert served.turn is not None
        turns.append(served.turn.number)
    books, started = leave(terms, books, turns[0], 0.5)
    assert started == (turns[1],)
    books, started = leave(terms, books, turns[2], 0.6)
    assert started == ()
    books, started = changed(Terms(DOCS.profile), books, 1.0)
    assert (started, books.meters, books.load.running) == ((turns[3],), {}, 2)


def test_a_known_prefix_is_cheaper() -> None:
    """The second time the same prompt comes, its first token comes sooner."""
    terms = Terms(DOCS.profile, latency=Latency(prefill_s_per_token=1.0, cached_share=0.0, itl=0.5))
    request = post(CHAT, chat("a long prompt of some words", max_tokens=1))
    books, first = enter(terms, Books(), request)
    _, second = enter(terms, books, request)
    assert isinstance(first.plan.steps[0], Wait)
    assert not isinstance(second.plan.steps[0], Wait)


def test_a_pass_without_limits_is_plain() -> None:
    """Nothing is counted and nothing is told."""
    assert admit(Terms(DOCS.profile), Books(), post(CHAT, chat()), 0.0) == (Books(), Pass("anyone"))
