"""Health after abuse: whatever was refused, abandoned or half sent, the server still serves everyone else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from hypothesis import strategies as st

from contracts.answers import read
from contracts.bad import SPOILT, SPOILT_SHORT, Bad
from contracts.capabilities import gauge
from contracts.domains import CHAT, STREAMS, TEXT, WHOLE, Domain, ask, endpoints
from contracts.exchange import JSON, Call, get
from contracts.law import Breach, Unsupported, Vacuous, expect, law
from contracts.patience import is_short
from contracts.server_laws.same import steady
from contracts.target import Target
from contracts.wire import Connection, NoAnswer

SOURCE = "laws.md 30, 50, 51 (vLLM: 200 abandoned requests, then one served within 5 s)"
WITHIN = 5.0
QUICK = 0.2
"""A server that needs more seconds for a few tokens computes them: there, several requests may have to wait for one."""
LONG = (100_000, 2_000, 200)
"""Very long answers, the longest first: where a server refuses one, the next is asked for."""
LEAVE = 0.5
"""A caller waits so many seconds for a long answer, and three times as long as a short one takes, before it goes."""
GENERATES = frozenset({"generate"})
ONE = Domain("nothing drawn", lambda target: st.just(0), None, GENERATES)


def plain(target: Target) -> Call:
    """A short request that a sound server answers at once."""
    return ask(target, "Say hello", chat=endpoints(target)[0], max_tokens=4)


def large(target: Target) -> Call:
    """A prompt of a hundred kilobytes: less than what many servers refuse by its size, more than many can take."""
    return ask(target, "word " * 20_000, chat=endpoints(target)[0], max_tokens=1)


def usual(target: Target) -> float:
    """How long the plain request takes now, the best of three, in seconds."""
    return min(target.send(plain(target)).seconds for _ in range(3))


def still_serves(target: Target, after: str, usually: float = 0.0, begun: int = 0) -> None:
    """One plain request is answered 200 within `WITHIN` seconds, or ten times its usual time on a slow server.

    `begun`: requests that the server may have begun to answer before it saw that they were abandoned; a server that
    answers one at a time needs the time of a short request for each of them.
    """
    limit = WITHIN + (10 + 1.5 * begun) * usually
    started = time.monotonic()
    try:
        exchange = target.send(plain(target), limit)
    except NoAnswer as error:
        raise Breach(f"an answer within {limit:.0f} s after {after}", str(error)) from error
    expect(exchange.status == 200, f"status 200 after {after}", exchange.status)
    expect(time.monotonic() - started <= limit, f"an answer within {limit:.0f} s after {after}", "it took longer")


@law("S-HEALTH-01", over=SPOILT, examples=15, live=True, source=SOURCE)
def a_bad_request_hurts_only_itself(target: Target, bad: Bad) -> None:
    """After a bad request, whatever was wrong with it, the next good one is served.

    A request for 2^53 choices that the server begins to make is such a one: the judge leaves it after a while.
    """
    usually = usual(target)
    try:
        target.send(bad.call)
    except NoAnswer as error:
        if error.how != "timeout" or is_short(bad.call):
            raise
    still_serves(target, f"a bad request ({bad.what})", usually)


@law("S-HEALTH-02", over=SPOILT_SHORT, examples=15, live=True, source="RFC 9112, 9.3")
def a_refusal_keeps_the_connection_in_step(target: Target, bad: Bad) -> None:
    """After a refusal the same connection serves the next request, or has said that it closes.

    A server that refuses without reading the body reads the rest of it as the next request.
    """
    good = plain(target)
    with target.connect() as connection:
        connection.send(target.encode(bad.call), bad.call)
        first = target.keep(connection.response(bad.call))
        if first.closes:
            return
        connection.send(target.encode(good), good)
        try:
            second = target.keep(connection.response(good))
        except NoAnswer as error:
            expect(error.how in ("fin", "reset"), "an answer or a closed connection", str(error))
            return
        expect(second.status == 200, f"status 200 after a refusal ({bad.what})", second.status)


@law("S-HEALTH-03", over=ONE, needs={"stream"}, live=True, examples=1, source=SOURCE)
def abandoned_streams_free_their_place(target: Target, _: int) -> None:
    """After thirty streams that were abandoned at once a request is served in time."""
    usually = usual(target)
    call = ask(target, "Tell me a long story", chat=endpoints(target)[0], max_tokens=200, stream=True)
    for number in range(30):
        stream = target.open(call)
        stream.close(abruptly=number % 2 == 0)
    still_serves(target, "30 abandoned streams", usually, 30)


@law("S-HEALTH-04", over=ONE, needs={"stream"}, live=True, examples=1, source=SOURCE)
def streams_left_in_the_middle_free_their_place(target: Target, _: int) -> None:
    """After twenty streams that were left after their first event a request is served in time."""
    usually = usual(target)
    call = ask(target, "Tell me a long story", chat=endpoints(target)[0], max_tokens=200, stream=True)
    for number in range(20):
        with target.open(call) as stream:
            next(stream.events(), None)
            stream.close(abruptly=number % 2 == 0)
    still_serves(target, "20 streams left after an event", usually, 20)


@law("S-HEALTH-05", over=ONE, live=True, examples=1, source=SOURCE)
def half_requests_are_forgotten(target: Target, _: int) -> None:
    """After twenty requests whose body never came, and that were closed, a request is served in time."""
    usually = usual(target)
    data = target.encode(plain(target))
    for at in (10, len(data) // 2, len(data) - 1, data.index(b"\r\n\r\n") + 4):
        for _number in range(5):
            with target.connect() as connection:
                connection.send(data[:at])
    still_serves(target, "20 half requests", usually, 20)


@law("S-HEALTH-06", over=ONE, live=True, examples=1, source=SOURCE)
def slow_callers_do_not_block_others(target: Target, _: int) -> None:
    """While twenty connections hold a half-sent request open, another caller is served in time."""
    usually = usual(target)
    data = target.encode(plain(target))
    held = [target.connect() for _number in range(20)]
    try:
        for number, connection in enumerate(held):
            connection.send(data[: 5 + number * 7])
        still_serves(target, "20 half requests held open", usually)
    finally:
        for connection in held:
            connection.close()


@law("S-HEALTH-07", over=ONE, needs={"gauge"}, live=True, examples=1, source="laws.md 51")
def the_gauge_returns(target: Target, _: int) -> None:
    """The number of requests in flight, where the server tells it, goes back to what it was after abandoned streams."""
    before = gauge(target)
    call = ask(target, "Tell me a long story", chat=endpoints(target)[0], max_tokens=100)
    for number in range(6):
        with target.open(call.with_(stream=True) if target.can("stream")[0] else call) as stream:
            stream.close(abruptly=number % 2 == 0)
    deadline = time.monotonic() + WITHIN + 10 * usual(target)
    after = gauge(target)
    while after != before and time.monotonic() < deadline:
        time.sleep(0.05)
        after = gauge(target)
    if before is None or after is None:
        raise Vacuous("the server no longer tells it")
    expect(after <= before, f"{before} requests in flight, as before", after)


@law("S-HEALTH-14", over=ONE, needs={"gauge", "stream"}, live=True, examples=1, source="laws.md 51")
def the_gauge_returns_after_any_abuse(target: Target, _: int) -> None:
    """The number of requests in flight goes back also after refused requests and streams left in the middle."""
    before = gauge(target)
    call = ask(target, "Tell me a long story", chat=endpoints(target)[0], max_tokens=64, stream=True)
    for number in range(5):
        target.send(Call("POST", call.path, b'{"model":', (JSON,)))
        target.send(call.with_(model="nope/none", max_tokens=1))
        with target.open(call) as stream:
            next(stream.events(), None)
            stream.close(abruptly=number % 2 == 0)
    deadline = time.monotonic() + WITHIN + 20 * usual(target)
    after = gauge(target)
    while after is not None and before is not None and after > before and time.monotonic() < deadline:
        time.sleep(0.05)
        after = gauge(target)
    if before is None or after is None:
        raise Vacuous("the server no longer tells it")
    expect(after <= before, f"{before} requests in flight, as before", after)


@law("S-HEALTH-15", over=ONE, needs={"stream"}, live=True, examples=1, source="one caller never holds up the others")
def unread_streams_do_not_block_others(target: Target, _: int) -> None:
    """While eight streams are open that nobody reads, another caller is served in time."""
    usually = usual(target)
    call = ask(target, "Tell me a story", chat=endpoints(target)[0], max_tokens=16, stream=True)
    held = [target.open(call) for _number in range(8)]
    try:
        still_serves(target, "eight streams that nobody reads", usually, 40)
    finally:
        for stream in held:
            stream.close()


@law(
    "S-HEALTH-16",
    over=ONE,
    live=True,
    examples=1,
    source="laws.md 50 (the test of vLLM, a compatible server: 200 requests that timed out, then one within 5 s)",
)
def an_abandoned_long_answer_frees_its_place(target: Target, _: int) -> None:
    """After a request for a very long answer, not streamed, whose caller has gone, another is served in time.

    A server that generates for nobody keeps all others waiting: one caller's time-out, or one mistake in max_tokens,
    then stops the service. That holds whatever a profile promises; one that works on it beside others keeps the law.
    """
    usually = usual(target)
    for limit in LONG:
        call = ask(target, "Tell me a long story", chat=endpoints(target)[0], max_tokens=limit)
        target.sent.append(call)
        with Connection(target.place, LEAVE + 3 * usually) as connection:
            connection.send(target.encode(call), call)
            try:
                status = target.keep(connection.response(call)).status
            except NoAnswer as error:
                if error.how != "timeout":
                    raise
                break
        if status == 200:
            raise Vacuous("a long answer comes at once")
    else:
        raise Vacuous("long answers are refused")
    target.silent = target.silent or call
    still_serves(target, f"a request for {limit} tokens whose caller has gone", usually, 1)


@law("S-HEALTH-08", over=STREAMS, live=True, examples=4, source="one client's request never breaks another's stream")
def another_s_bad_request_does_not_break_a_stream(target: Target, call: Call) -> None:
    """While a stream is open, bad requests on other connections leave it as it was."""
    alone = target.send(call)
    with target.open(call) as stream:
        for body in (b"{", b"[]", b'{"model": 5}', b"\xff"):
            target.send(Call("POST", call.path, body, (JSON,)))
        broken = target.keep(stream.rest())
    expect(broken.status == alone.status, f"status {alone.status}", broken.status)
    expect(broken.response.complete == alone.response.complete, "a stream that is whole", broken.ended)
    if target.can("det")[0] and target.can("load")[0]:
        if read(broken).texts != read(alone).texts:
            steady(target, call, read(alone))
        expect(read(broken).texts == read(alone).texts, f"the same text {read(alone).texts}", read(broken).texts)


@law("S-HEALTH-09", over=ONE, live=True, examples=1, source="a large request does not freeze the others")
def a_large_request_does_not_freeze_others(target: Target, _: int) -> None:
    """While a request of a megabyte is being read and refused, or answered, another caller is served in time.

    A slow server that answers one request at a time need not serve another's text meanwhile, but it still lists its
    models: only the generation may wait, not the whole server.
    """
    usually = usual(target)
    big = ask(target, "word " * 200_000, chat=endpoints(target)[0], max_tokens=1)
    with ThreadPoolExecutor(1) as pool, target.connect() as connection:
        sent = pool.submit(connection.send, target.encode(big))
        if usually < QUICK:
            still_serves(target, "the beginning of a large request", usually)
        try:
            target.send(get("/v1/models"), WITHIN + 10 * usually)
        except NoAnswer as error:
            raise Breach("the list of models while a large request is worked on", str(error)) from error
        sent.result()
        try:
            status = target.keep(connection.response(big)).status
        except NoAnswer as error:
            if error.how == "timeout" and usually >= QUICK:
                raise Vacuous("so large a prompt takes longer than the judge waits") from None
            expect(error.how in ("fin", "reset"), "an answer or a closed connection", str(error))
            return
    expect(status < 500, "200 or a 4xx for a large request", status)
    try:
        status = target.send(large(target)).status
    except NoAnswer as error:
        if error.how != "timeout":
            raise
        return
    expect(status < 500, "200 or a 4xx for a prompt of a hundred kilobytes", status)


@law("S-HEALTH-10", over=WHOLE, live=True, examples=2, source="laws.md 38")
def a_server_does_not_wear_out(target: Target, call: Call) -> None:
    """The same request forty times gives the same status each time."""
    statuses = {target.send(call).status for _number in range(40)}
    expect(len(statuses) == 1, "one status", sorted(statuses))


@law("S-HEALTH-11", over=ONE, live=True, examples=1, source="RFC 9112, 9.3.2", level="should")
def pipelined_requests_are_answered_in_order(target: Target, _: int) -> None:
    """Three requests sent at once on one connection are answered in their order, or the connection is closed."""
    calls = [get("/v1/models"), plain(target), get("/v1/no/such/path")]
    kinds = [target.send(call).status for call in calls]
    with target.connect() as connection:
        connection.send(b"".join(target.encode(call) for call in calls))
        got = []
        for call in calls:
            try:
                got.append(target.keep(connection.response(call)).status)
            except NoAnswer as error:
                if error.how in ("fin", "reset"):
                    raise Unsupported("the server does not take pipelined requests") from None
                raise
    expect(got == kinds, f"statuses {kinds}", got)


@law("S-HEALTH-12", over=ONE, live=True, examples=1, source="RFC 9112, 2.2 and 3")
def garbage_is_no_disaster(target: Target, _: int) -> None:
    """Bytes that are no HTTP are answered by a 400, or by closing; the server serves on."""
    for data in (
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 64 + b"\r\n\r\n",
    ):
        with Connection(target.place, 3.0) as connection:
            connection.send(data)
            try:
                exchange = connection.response(get("/"))
            except NoAnswer:
                continue
            expect(exchange.status < 600, "a status", exchange.status)
            expect(exchange.status != 200 or data.startswith(b"GET"), f"no 200 for {data[:20]!r}", exchange.status)
    still_serves(target, "bytes that are no HTTP")


@law("S-HEALTH-13", over=ONE, live=True, examples=1, source="RFC 9112, 6.3 and 8")
def a_bad_length_is_refused(target: Target, _: int) -> None:
    """A Content-Length that is no number, is negative, or is told twice differently is refused or closed on."""
    path = CHAT if endpoints(target)[0] else TEXT
    for lengths in (("abc",), ("-5",), ("5", "6")):
        head = f"POST {target.place.prefix}{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += "".join(f"Content-Length: {length}\r\n" for length in lengths) + "\r\n"
        with Connection(target.place, 3.0) as connection:
            connection.send(head.encode() + b'{"a":1}')
            try:
                status = connection.response(get(path)).status
            except NoAnswer:
                continue
        expect(status >= 400, f"a 4xx for Content-Length {lengths}", status)
    still_serves(target, "bad lengths")
