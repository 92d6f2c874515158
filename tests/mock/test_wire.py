"""Over real sockets, on both parsers and both event loops: the peer gets the planned bytes and the planned ending."""

from __future__ import annotations

import random
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rawpeer import DATE, STACKS, ask, connect, ended, playing, read_all, read_exactly, reset

from mockserver.lower import lower
from mockserver.plan import Body, Close, End, Ending, Head, Plan, Raw, Repeat, Stall, Step, Wait
from mockserver.request import Request
from mockserver.serving.wire import BAD_REQUEST, protocol_class

stacks = pytest.mark.parametrize(("http", "loop"), STACKS)
OK = Plan((Head(200, ((b"content-length", b"2"), DATE)), Body(b"ok")))
OK_BYTES = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok"


def draw(rng: random.Random) -> Plan:
    """Any plan: framed or raw, waits and repeats within, any ending that comes by itself."""
    steps: list[Step] = []
    if rng.random() < 0.8:
        fields = rng.choice([(DATE,), (DATE, (b"content-length", b"5")), (DATE, (b"transfer-encoding", b"chunked"))])
        steps.append(Head(rng.choice([200, 204, 299, 404, 503]), fields, rng.choice([b"", b"Well"])))
    for _ in range(rng.randrange(8)):
        data = rng.randbytes(rng.choice([0, 1, 100, 20_000]))
        choices = (Body(data), Raw(data), Wait(0.001), Repeat((Body(data), Wait(0)), 3), Repeat((), None))
        steps.append(rng.choice(choices[:-1]))
    endings: list[Ending] = [End(), Close("fin"), Close("rst"), Close("half"), Stall(0.01)]
    return Plan(tuple(steps), rng.choice(endings))


def planned_bytes(plan: Plan, method: str = "GET", version: str = "1.1", keep_alive: bool = True) -> bytes:
    """What the peer is to get: the bytes of the lowered plan, in order."""

    def flat(steps: tuple[Step, ...]) -> bytes:
        found = b""
        for step in steps:
            if isinstance(step, Raw):
                found += step.data
            elif isinstance(step, Repeat):
                found += flat(step.steps) * (step.times or 0)
        return found

    return flat(lower(plan, method=method, http_version=version, keep_alive=keep_alive).steps)


@stacks
def test_drawn_plans_arrive_byte_for_byte_with_their_ending(http: str, loop: str) -> None:
    """Law: for any plan the peer gets exactly the planned bytes, then the planned ending."""
    plans = [draw(random.Random(seed)) for seed in range(60)]

    def choose(request: Request) -> Plan:
        return plans[int(request.path[1:])]

    with playing(choose, http, loop) as server:
        for number, plan in enumerate(plans):
            with connect(server) as peer:
                peer.sendall(ask(f"/{number}", "GET", "1.1", b"", "Connection: close"))
                got, end = read_all(peer)
            assert got == planned_bytes(plan, keep_alive=False), plan
            assert end == ("rst" if plan.ending == Close("rst") else "fin"), plan
        names = [exchange.ended for exchange in ended(server, len(plans))]
    for plan, name in zip(plans, names, strict=True):
        match plan.ending:
            case End():
                assert name == "end"
            case Close(how):
                assert name == how
            case Stall():
                assert name == "stall"


@stacks
def test_a_reset_lets_every_byte_before_it_arrive(http: str, loop: str) -> None:
    """RST after n bytes, 50 peers at once: each gets all n bytes, then the reset."""

    def choose(request: Request) -> Plan:
        return Plan((Raw(b"x" * int(request.path[1:])),), Close("rst"))

    def one(size: int) -> tuple[int, str]:
        with connect(server) as peer:
            peer.sendall(ask(f"/{size}"))
            got, end = read_all(peer)
            return len(got), end

    sizes = [0, 1, 188, 65_536, 300_000] * 10
    with playing(choose, http, loop) as server, ThreadPoolExecutor(50) as pool:
        assert list(pool.map(one, sizes)) == [(size, "rst") for size in sizes]


@stacks
def test_a_slow_reader_gets_everything_before_the_cut(http: str, loop: str) -> None:
    """The transport's high-water mark is respected, and the cut waits for what the kernel still holds."""
    body = random.Random(1).randbytes(6 << 20)
    plan = Plan(tuple(Raw(body[at : at + 50_000]) for at in range(0, len(body), 50_000)), Close("rst"))
    with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
        peer.sendall(ask())
        first = read_exactly(peer, 1000)
        assert server.session().journal[0].ended == "open"
        rest, end = read_all(peer)
    assert first + rest == body
    assert end == "rst"


@stacks
def test_a_connection_is_used_again(http: str, loop: str) -> None:
    """After `End` the connection takes the next request; requests are numbered on it."""
    stream = Plan((Head(200, (DATE,)), Body(b"a"), Wait(0.002), Body(b"b")))
    with playing(lambda request: OK if request.path == "/" else stream, http, loop) as server:
        with connect(server) as peer:
            for path, plan in (("/", OK), ("/s", stream), ("/", OK), ("/s", stream)):
                peer.sendall(ask(path))
                assert read_exactly(peer, len(planned_bytes(plan))) == planned_bytes(plan)
        exchanges = ended(server, 4)
    assert {exchange.request.connection for exchange in exchanges} == {1}
    assert [exchange.request.on_connection for exchange in exchanges] == [1, 2, 3, 4]


@stacks
def test_pipelined_requests_are_answered_in_order(http: str, loop: str) -> None:
    """Four requests in one segment, the first of them slow: four responses in the order of the requests."""

    def plan(path: str) -> Plan:
        return Plan((Head(200, (DATE,)), Wait(0.02 if path == "/1" else 0), Body(path.encode())))

    with playing(lambda request: plan(request.path), http, loop) as server, connect(server) as peer:
        peer.sendall(ask("/1") + ask("/2") + ask("/3") + ask("/4", "GET", "1.1", b"", "Connection: close"))
        got, end = read_all(peer)
        wanted = b"".join(planned_bytes(plan(f"/{n}")) for n in (1, 2, 3))
    assert got == wanted + planned_bytes(plan("/4"), keep_alive=False)
    assert end == "fin"


@stacks
def test_a_close_is_a_fin_also_with_unread_requests_behind(http: str, loop: str) -> None:
    """Unread input must not turn the planned FIN into a RST that eats the bytes before it."""
    plan = Plan((Head(200, (DATE,)), Body(b"x" * 1000), Wait(0.02)), Close("fin"))
    with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
        peer.sendall(ask("/1") + ask("/2") + ask("/3", "POST", "1.1", b"y" * 100_000))
        assert read_all(peer) == (planned_bytes(plan), "fin")


@stacks
def test_half_closed_connections_still_take_what_the_peer_sends(http: str, loop: str) -> None:
    """After `half` the peer reads an end, may send on, and is not reset."""
    plan = Plan((Head(200, (DATE,)), Body(b"x")), Close("half"))
    with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
        peer.sendall(ask())
        assert read_all(peer) == (planned_bytes(Plan(plan.steps, Close())), "fin")
        for _ in range(20):
            peer.sendall(b"more" * 10_000)
        assert ended(server, 1)[0].ended == "half"


@stacks
def test_silence_lasts_until_the_peer_leaves(http: str, loop: str) -> None:
    """`Stall(None)`: the bytes, then nothing; the peer's leaving, by FIN or RST, ends the exchange."""
    plan = Plan((Head(200, (DATE,)), Body(b"x")), Stall(None))
    for leave in (socket.socket.close, reset):
        with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
            peer.sendall(ask())
            assert read_exactly(peer, 10)
            assert server.session().journal[0].ended == "open"
            leave(peer)
            assert ended(server, 1)[0].ended == "stall"


@stacks
def test_a_leaving_peer_ends_an_endless_stream(http: str, loop: str) -> None:
    """Endless bytes with and without waits; the other connections are served meanwhile; memory is not filled."""
    waits = Plan((Head(200, (DATE,)), Repeat((Body(b"data: x\n\n"), Wait(0.001)))))
    floods = Plan((Head(200, (DATE,)), Repeat((Body(b"y" * 5000),))))

    def choose(request: Request) -> Plan:
        return {"/waits": waits, "/floods": floods}.get(request.path, OK)

    with playing(choose, http, loop) as server:
        for number, path in enumerate(("/waits", "/floods")):
            with connect(server) as peer, connect(server) as other:
                peer.sendall(ask(path))
                assert read_exactly(peer, 500)
                other.sendall(ask())
                assert read_exactly(other, len(OK_BYTES)) == OK_BYTES
                peer.close()
                exchanges = ended(server, 2 * number + 2)
            assert exchanges[2 * number].ended == "client"
            assert exchanges[2 * number].sent_bytes < 50 << 20


@stacks
def test_old_and_closing_requests(http: str, loop: str) -> None:
    """HTTP/1.0 gets a body until close, `Connection: close` is obeyed and said, HEAD and 204 have no body."""
    chunked = Plan((Head(200, (DATE,)), Body(b"hello")))
    empty = Plan((Head(204, (DATE,)), Body(b"never")))
    head = b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    chunks = b"transfer-encoding: chunked\r\n"
    closes = b"connection: close\r\n"
    cases: list[tuple[Plan, str, str, tuple[str, ...], bytes]] = [
        (chunked, "GET", "1.0", (), head + closes + b"\r\nhello"),
        (chunked, "GET", "1.1", ("Connection: close",), head + chunks + closes + b"\r\n5\r\nhello\r\n0\r\n\r\n"),
        (chunked, "GET", "1.1", ("Connection: x, Close",), head + chunks + closes + b"\r\n5\r\nhello\r\n0\r\n\r\n"),
        (chunked, "HEAD", "1.1", ("Connection: close",), head + closes + b"\r\n"),
        (OK, "HEAD", "1.0", (), OK_BYTES[:-4] + closes + b"\r\n"),
        (empty, "GET", "1.0", (), head.replace(b"200 OK", b"204 No Content") + closes + b"\r\n"),
    ]
    with playing(lambda request: cases[int(request.path[1:])][0], http, loop) as server:
        for number, (_, method, version, lines, wanted) in enumerate(cases):
            with connect(server) as peer:
                peer.sendall(ask(f"/{number}", method, version, b"", *lines))
                assert read_all(peer) == (wanted, "fin")


@stacks
def test_a_head_that_says_close_closes(http: str, loop: str) -> None:
    """The plan's own `Connection: close` ends the connection after the response."""
    plan = Plan((Head(200, (DATE, (b"Connection", b"close"), (b"content-length", b"1"))), Body(b"x")))
    with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
        peer.sendall(ask())
        assert read_all(peer) == (planned_bytes(plan), "fin")


@stacks
def test_a_peer_that_expects_100_gets_it_before_it_sends(http: str, loop: str) -> None:
    """Expect: 100-continue: the 100, then the body is read, then the answer; the connection goes on."""

    def choose(request: Request) -> Plan:
        return OK if request.body == b"body!" else Plan(())

    with playing(choose, http, loop) as server, connect(server) as peer:
        for _ in range(2):
            peer.sendall(ask("/", "POST", "1.1", b"body!", "Expect: 100-continue")[:-5])
            assert read_exactly(peer, 12) == b"HTTP/1.1 100"
            while peer.recv(1) != b"\n":
                pass
            assert read_exactly(peer, 2) == b"\r\n"
            peer.sendall(b"body!")
            assert read_exactly(peer, len(OK_BYTES)) == OK_BYTES


@stacks
def test_bodies_arrive_whole(http: str, loop: str) -> None:
    """Large, chunked and dribbled request bodies; above the limit the answer is 413."""
    seen: list[bytes] = []

    def choose(request: Request) -> Plan:
        seen.append(request.body)
        return OK

    big = random.Random(2).randbytes(900_000)
    with playing(choose, http, loop, max_body=1_000_000) as server:
        with connect(server) as peer:
            peer.sendall(ask("/", "POST", "1.1", big))
            assert read_exactly(peer, len(OK_BYTES)) == OK_BYTES
            for byte in ask("/", "POST", "1.1", b"slow"):
                peer.sendall(bytes([byte]))
            assert read_exactly(peer, len(OK_BYTES)) == OK_BYTES
            peer.sendall(
                ask("/", "POST", "1.1", b"", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
            assert read_exactly(peer, len(OK_BYTES)) == OK_BYTES
        with connect(server) as peer:
            peer.sendall(ask("/", "POST", "1.1", b"z" * 1_000_001))
            assert peer.recv(12) == b"HTTP/1.1 413"
    assert seen == [big, b"slow", b"abcde"]


@stacks
def test_garbage_gets_400_and_harms_nothing(http: str, loop: str) -> None:
    """What is no HTTP is refused by the parser; the server serves on."""
    with playing(lambda request: OK, http, loop) as server:
        with connect(server) as peer:
            peer.sendall(b"\x16\x03\x01 not HTTP\r\n\r\n")
            assert read_all(peer) == (BAD_REQUEST, "fin")
        with connect(server) as peer:
            peer.sendall(ask())
            assert read_exactly(peer, len(OK_BYTES)) == OK_BYTES


@stacks
def test_fifty_streams_at_once(http: str, loop: str) -> None:
    """Concurrent streams do not mix."""

    def choose(request: Request) -> Plan:
        mark = request.path.encode()
        return Plan(
            (
                Head(200, (DATE,)),
                *(step for n in range(20) for step in (Wait(0.001), Body(mark * n + b"."))),
            )
        )

    def one(number: int) -> bool:
        with connect(server) as peer:
            peer.sendall(ask(f"/{number}"))
            wanted = planned_bytes(choose(Request("GET", f"/{number}")))
            return read_exactly(peer, len(wanted)) == wanted

    with playing(choose, http, loop) as server, ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(50)))
        assert threading.active_count() >= 2


@stacks
def test_what_comes_behind_a_closing_request_is_dropped(http: str, loop: str) -> None:
    """After `Connection: close` a further request in the same segment gets no answer."""
    with playing(lambda request: OK, http, loop) as server, connect(server) as peer:
        peer.sendall(ask("/1", "GET", "1.1", b"", "Connection: close") + ask("/2"))
        assert read_all(peer) == (planned_bytes(OK, keep_alive=False), "fin")
        assert [exchange.request.path for exchange in server.session().journal] == ["/1"]


@stacks
def test_a_silent_connection_drops_what_it_cannot_send(http: str, loop: str) -> None:
    """A half-closed connection with a full buffer reads on; when the peer reads, all bytes arrive, then FIN."""
    body = b"x" * (8 << 20)
    plan = Plan((Raw(body),), Close("half"))
    with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
        peer.sendall(ask())
        first = read_exactly(peer, 1)
        peer.sendall(b"more")
        rest, end = read_all(peer)
        assert (len(first + rest), end) == (len(body), "fin")


@stacks
def test_garbage_in_the_middle_of_a_response_does_not_disturb_it(http: str, loop: str) -> None:
    """The response goes on byte for byte; the 400 comes behind it, then the connection is closed."""
    plan = Plan((Head(200, (DATE,)), Body(b"a"), Wait(0.03), Body(b"b")))
    with playing(lambda request: plan, http, loop) as server, connect(server) as peer:
        peer.sendall(ask())
        first = read_exactly(peer, 20)
        peer.sendall(b"\x00garbage\r\n\r\n")
        rest, end = read_all(peer)
        assert first + rest == planned_bytes(plan) + BAD_REQUEST
        assert end == "fin"


def test_a_plan_that_cannot_be_rendered_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A broken value in a plan is logged with its path; the peer is not left waiting, the server serves on."""
    broken = Plan((Head(200, ((b"x", None),)), Body(b"")))  # type: ignore[arg-type]  # wrong on purpose
    with playing(lambda request: broken if request.path == "/b" else OK, "httptools") as server:
        with connect(server) as peer:
            peer.sendall(ask("/b"))
            assert read_all(peer)[0] == b""
        with connect(server) as peer:
            peer.sendall(ask())
            assert read_exactly(peer, len(OK_BYTES)) == OK_BYTES
    assert "the answer to /b failed" in caplog.text


def test_h11_stands_in_where_httptools_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` takes what is installed."""
    assert protocol_class("auto") is protocol_class("httptools")
    monkeypatch.setitem(sys.modules, "httptools", None)
    assert protocol_class("auto") is protocol_class("h11")


def test_a_cut_where_the_kernel_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems than Linux the transport's own buffer is all that is waited for."""
    monkeypatch.setattr("mockserver.serving.wire.sys.platform", "darwin")
    with playing(lambda request: Plan((Raw(b"x" * 1000),), Close("rst"))) as server, connect(server) as peer:
        peer.sendall(ask())
        assert read_all(peer) == (b"x" * 1000, "rst")


def test_an_unknown_parser_is_refused() -> None:
    """The error names what is known."""
    with pytest.raises(ValueError, match="unknown HTTP parser 'h2'; known: auto, h11, httptools"):
        protocol_class("h2")
