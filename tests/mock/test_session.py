"""Sessions in the hands of a test, over real sockets: verdicts, barriers, keys; nothing crosses between two."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mockserver import MockServer, Session, chat, cut, stall, status
from mockserver.errors import CallError
from mockserver.record.callwatch import CallWatch
from mockserver.record.watches import told
from mockserver.request import Request
from mockserver.scripting.dynamic import Asked
from mockserver.serving.doorkeeper import OPEN, Doorkeeper, doorkeeper, is_loopback


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def session(server: MockServer) -> Session:
    return server.new_session()


def post(base: str, text: str = "the report", headers: dict[str, str] | None = None, **fields: Any) -> tuple[int, str]:
    """One chat request; status and body."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **fields}).encode()
    request = urllib.request.Request(
        f"{base}/v1/chat/completions", body, {"content-type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def said(base: str, text: str = "the report", **more: Any) -> str:
    code, body = post(base, text, **more)
    assert code == 200, body
    answer: str = json.loads(body)["choices"][0]["message"]["content"]
    return answer


def careful(base: str) -> str:
    """A client that asks again after a 429 and raises on anything else."""
    for _ in range(3):
        code, body = post(base)
        if code == 200:
            return str(json.loads(body)["choices"][0]["message"]["content"])
    raise RuntimeError(body)


def test_sixty_four_sessions_do_not_talk_across(server: MockServer) -> None:
    """Law: under load from 64 sessions each gets only its own rules, counters and journal, by prefix and by key."""
    sessions = [server.new_session(f"cross-{n}", api_key=f"key-{n}", seed=n) for n in range(64)]
    for n, one in enumerate(sessions):
        one.on(chat(contains="report")).fail(status(429), times=n % 3 + 1).reply(f"answer {n}")

    def use(n: int) -> list[tuple[int, str]]:
        by_key = {"authorization": f"Bearer key-{n}"}
        return [post(server.url if turn % 2 else sessions[n].url, f"report {n}", by_key) for turn in range(4)]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(use, range(64)))
    for n, answers in enumerate(found):
        failures = n % 3 + 1
        assert [code for code, _ in answers] == [429] * failures + [200] * (4 - failures)
        assert all(
            json.loads(body)["choices"][0]["message"]["content"] == f"answer {n}" for _, body in answers[failures:]
        )
        journal = sessions[n].journal
        assert [exchange.number for exchange in journal] == list(range(1, 5))
        assert all(f"report {n}".encode() in exchange.request.body for exchange in journal)
        assert sessions[n].problems() == []
        assert sessions[n].state["seed"] == n
        sessions[n].close()
    assert post(server.url, headers={"authorization": "Bearer key-1"})[0] == 404  # the key means nothing any more


def test_a_reset_takes_less_than_a_millisecond(session: Session) -> None:
    """A hundred resets in the server's own thread, with rules and a journal: the time of that thread, not of others."""
    session.on(chat()).reply("x")
    said(session.url)
    sessions = session._server.sessions

    def resets() -> float:
        import time

        started = time.thread_time()
        for _ in range(100):
            sessions.reset(session.name)
        return time.thread_time() - started

    assert session._server.run(resets) < 0.1
    assert (session.journal, session.script.rules) == ((), ())


def test_a_verdict_is_made_once_where_nothing_has_changed(session: Session) -> None:
    """Report, teardown and test all ask for it; another word of what the user saw makes another."""
    with session.call("a") as call:
        call.returned("x")
    first = call.verdict()
    assert call.peek() is first
    assert first.ids == ("no-request",)
    call.raised(RuntimeError("y"))
    assert call.peek() is not first
    assert "RuntimeError('y')" in str(call.verdict())


def test_the_verdict_on_real_traffic(session: Session) -> None:
    """A client that obeys is right; one that takes a part for the whole, or asks again too soon, is not."""
    session.on(chat(contains="report")).fail(status(429, retry_after=0), times=2).reply("Done.")
    with session.call("good") as call:
        assert call.run(careful, session.url) == "Done."
    assert call.attempts == 3
    assert call.verdict()
    session.on(chat(contains="cut")).fail(cut(at="content[1]", how="fin")).reply("one two three")

    def careless(base: str) -> str:
        request = urllib.request.Request(
            f"{base}/v1/chat/completions",
            json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "cut"}]}).encode(),
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            try:
                return str(response.read())
            except http.client.IncompleteRead as error:
                return error.partial.decode()

    with session.call("bad") as call:
        call.run(careless, session.url)
    assert call.verdict().ids == ("truncated-accepted",)
    with pytest.raises(AssertionError, match="Raise when a stream ends"):
        assert call.verdict(), str(call.verdict())
    assert [exchange.number for exchange in call.exchanges] == [4]


def test_mistakes_of_the_test_are_no_errors_of_the_client(session: Session) -> None:
    """An answer in place of the function, a verdict before the block is over: told, not noted."""
    with session.call("early") as call:
        with pytest.raises(TypeError, match=r"takes a function and its arguments, as call.run\(ask, prompt\); got 'x'"):
            call.run("x")  # type: ignore[arg-type] # it is the mistake
        with pytest.raises(TypeError, match=r"call.arun\(ask, prompt\); got None"):
            asyncio.run(call.arun(None))  # type: ignore[arg-type] # as above
        assert call.saw.error is None
        with pytest.raises(RuntimeError, match="on call 'early' was asked for inside its block; ask behind"):
            call.verdict()
    assert call.verdict().ids == ("no-request",)


def test_what_the_user_saw_is_noted(session: Session) -> None:
    """Values, errors, pieces; an exception that leaves the block goes on."""
    session.on(chat()).reply("x")
    with session.call() as call:
        assert list(call.watch(["a", {"choices": [{"delta": {"content": "b"}}]}, 7])) == [
            "a",
            call and {"choices": [{"delta": {"content": "b"}}]},
            7,
        ]
    assert call.saw.pieces == ("a", "b")
    assert call.saw.answered

    def broken() -> Iterator[str]:
        yield "a"
        raise ValueError("cut")

    with session.call() as call, pytest.raises(ValueError, match="cut"):
        list(call.watch(broken()))
    assert isinstance(call.saw.error, ValueError)
    with pytest.raises(KeyError), session.call() as call:
        raise KeyError("x")
    assert isinstance(call.saw.error, KeyError)
    with session.call() as call:
        assert call.run(lambda: int("x")) is None
    assert isinstance(call.saw.error, ValueError)

    async def main() -> None:
        async def pieces() -> Any:
            yield "a"

        async def value(number: int) -> int:
            return 1 // number

        async with session.call() as watched:
            assert [piece async for piece in watched.awatch(pieces())] == ["a"]
        assert watched.saw.pieces == ("a",)
        async with session.call() as watched:
            assert await watched.arun(value, 1) == 1
            assert watched.saw.value == 1
            assert await watched.arun(value, 0) is None
        assert isinstance(watched.saw.error, ZeroDivisionError)

    asyncio.run(main())


def pieces_of(base: str) -> Iterator[str]:
    """A client that streams: it asks when it is first iterated, and does not see where a stream was cut."""
    request = urllib.request.Request(
        f"{base}/v1/chat/completions",
        json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        for line in response:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""


def test_a_generator_is_watched_as_it_is_iterated(session: Session) -> None:
    """What `call.run` gives is the stream; before it has been iterated there is no answer, and that is said."""
    session.on(chat()).reply("one two three")
    with session.call("stream") as call:
        assert "".join(call.run(pieces_of, session.url) or ()) == "one two three"
    assert (call.saw.answered, "".join(call.saw.pieces)) == (True, "one two three")
    assert call.verdict().ids == ()
    with session.call("forgotten") as call:
        given = call.run(pieces_of, session.url)
    assert call.verdict().ids == ("no-request",)
    assert "what call.run gave (of type generator) was not iterated to its end there" in str(call.verdict())
    assert "as list(call.run(stream, prompt))" in str(call.verdict())
    assert given is not None
    session.load([]).on(chat()).fail(cut(at="content[1]", how="fin")).reply("one two three")
    with session.call("half") as call:
        next(iter(call.run(pieces_of, session.url) or ()))
    assert call.verdict().ids == ("unreported",)
    with session.call("cut") as call:
        "".join(call.run(pieces_of, session.url) or ())
    assert call.verdict().ids == ("truncated-accepted",)

    def raises() -> Iterator[str]:
        yield "one"
        raise ValueError("cut")

    with pytest.raises(ValueError, match="cut"), session.call("raises") as call:
        list(call.run(raises) or ())
    assert isinstance(call.saw.error, ValueError)


def test_what_is_awaited_is_for_arun_and_what_is_not_for_run(session: Session) -> None:
    """Told, not noted; asynchronous generators are watched by either."""

    async def ask() -> str:
        return "x"

    async def stream() -> Any:
        yield "a"

    async def broken() -> Any:
        yield "a"
        raise ValueError("cut")

    class Waiting:
        def __await__(self) -> Any:
            return iter(())

    async def main() -> None:
        with pytest.raises(ValueError, match="cut"):
            async with session.call("broken", judge=False) as call:
                [one async for one in call.awatch(broken())]
        assert isinstance(call.saw.error, ValueError)
        async with session.call("async", judge=False) as call:
            with pytest.raises(CallError, match=r"^Waiting has to be awaited"):
                call.run(Waiting)
            with pytest.raises(CallError, match=r"^ask has to be awaited: use await call.arun\(ask, ...\)$"):
                call.run(ask)
            with pytest.raises(CallError, match=r"^len cannot be awaited: use call.run\(len, ...\)$"):
                await call.arun(len, "x")
            assert not call.saw.told
            assert [one async for one in await call.arun(stream)] == ["a"]
            assert [one async for one in call.run(stream)] == ["a"]  # type: ignore[union-attr] # it never raises
        assert call.saw.pieces == ("a", "a")

    asyncio.run(main())


def test_what_a_call_is_given_is_checked_at_once(session: Session) -> None:
    """A name, numbers, fields and errors; no watch is made of what means nothing."""
    for wrong, said in (
        ({"patience": "3"}, r"call\(patience='3'\): patience is seconds"),
        ({"volatile": "user"}, r"call\(volatile='user'\): volatile is a list of names of fields"),
        ({"name": 3}, r"call\(3\): the name of a call is a text"),
    ):
        with pytest.raises(CallError, match=said):
            session.call(**wrong)
    assert "cannot be described" not in session.describe()
    assert session.verdicts() == ()


def test_an_error_after_a_whole_answer_is_found_and_shown(session: Session) -> None:
    """`call.run` has noted it; the report says it with the line of the user's own code, judged or not."""
    session.on(chat()).reply("Done.")

    def app() -> Any:
        found: Any = post(session.url)[1]
        return found.stripp()

    with session.call("summary") as call:
        assert call.run(app) is None
    assert call.verdict().ids == ("raised-on-success",)
    line = r"call 'summary': the user saw: AttributeError\(.*stripp.*\), raised in app, \S*test_session.py:\d+\n"
    assert re.search(line, session.describe())
    assert "verdict on call 'summary', 1 attempt: not ok" in session.describe()
    with session.call("meant", may_raise=AttributeError) as call:
        call.run(app)
    assert call.verdict().ids == ()
    with session.call("nothing") as call:
        call.run(int, "nope")
    assert call.verdict().ids == ("no-request",)
    with session.call("kept away") as call:
        session.faults({"kind": "refused"})
        call.run(lambda: (_ for _ in ()).throw(ConnectionRefusedError(111, "refused")))
    assert call.verdict().ids == ()


def test_a_call_that_nobody_judged_is_a_problem(session: Session) -> None:
    """Where something failed in it; not where it need not be judged, was, or only the test knows what came of it."""
    session.on(chat()).fail(cut(at="content[1]", how="fin")).reply("one two three")

    def careless() -> str:
        return "".join(pieces_of(session.url))

    with session.call("asked") as call:
        call.run(careless)
    assert not call.verdict()
    with session.call("let be", judge=False) as call:
        call.run(careless)
    with session.call("silent") as call:
        careless()

    def skips(call: CallWatch) -> None:
        call.run(careless)
        pytest.skip("not here")

    with pytest.raises(pytest.skip.Exception), session.call("skipped") as call:
        skips(call)
    assert session.problems() == []
    with session.call("summary") as call:
        call.run(careless)
    (problem,) = session.problems()
    assert session.problems() == [problem]
    assert problem.startswith("nobody asked for the verdict on call 'summary', 1 attempt: not ok\n  truncated-accepted")
    assert "say `assert call.verdict()` behind the block" in problem
    assert "verdict on call 'summary'" in session.describe()
    assert "verdict on call 'summary'" not in session.describe(explained=False)
    assert session.verdicts()[-1].ids == ("truncated-accepted",)
    assert session.problems() == []


def test_an_assertion_of_the_test_is_no_error_of_the_client(session: Session) -> None:
    """It leaves the block behind what was noted."""
    session.on(chat()).reply("x")
    with pytest.raises(AssertionError), session.call() as call:
        assert call.run(post, session.url) is None
    assert call.saw.answered
    with pytest.raises(CallError), session.call() as call:
        call.run("x")  # type: ignore[arg-type] # it is the mistake
    assert not call.saw.told


def test_one_call_that_cannot_be_told_does_not_hide_the_others(session: Session) -> None:
    """A report says what it can."""

    class OddError(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    class Broken:
        name = "broken"
        over = True
        saw = property(lambda self: 1 / 0)

    with session.call("odd", judge=False) as call:
        call.raised(OddError())
    lines = told([Broken(), call])  # type: ignore[list-item] # it is broken
    assert lines[0] == "call 'broken' cannot be told: ZeroDivisionError: division by zero"
    assert lines[1] == "call 'odd': the user saw: OddError"


@pytest.mark.slow
def test_a_leaked_connection_is_seen(session: Session) -> None:
    """The call is over, the response is not closed."""
    session.on(chat()).fail(stall(after_events=1)).reply("one two")
    request = urllib.request.Request(
        f"{session.url}/v1/chat/completions",
        json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode(),
    )
    with session.call("leak") as call:
        response = urllib.request.urlopen(request, timeout=5)
        call.raised(TimeoutError("gave up"))
    assert "leaked-connection" in call.verdict().ids
    response.close()


def test_assertions_show_the_near_misses(session: Session) -> None:
    """How many, what was asked for, what came instead, nearest first."""
    with pytest.raises(AssertionError, match="no request came at all"):
        session.assert_called(chat())
    session.on(chat()).reply("x")
    said(session.url, "weather")
    said(session.url, "the report")
    assert len(session.assert_called(chat(contains="report"), times=1)) == 1
    assert [one.number for one in session.requests(chat(contains="weather"))] == [1]
    with pytest.raises(AssertionError) as caught:
        session.assert_called(chat(contains="report"), times=2)
    assert "expected 2 times" in str(caught.value)
    assert "1. POST /v1/chat/completions: contains: expected 'report', got 'weather'" in str(caught.value)


def test_a_barrier_holds_until_it_is_released(session: Session) -> None:
    """Deterministic concurrency: both requests have come, none is answered, one goes, then all."""
    session.on(chat()).hold("gate").reply("x")
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(said, session.url) for _ in range(2)]
        assert [one.ended for one in session.wait_for(2, arrived=True)] == ["open", "open"]
        assert session.state["held"] == {"gate": 2}
        assert session.release("gate", times=1) == 1
        assert sorted(one.ended for one in session.wait_for(1)) == ["end", "open"]
        assert session.release("gate") == 1
        assert [answer.result() for answer in answers] == ["x", "x"]
        assert said(session.url) == "x"  # it stays open


def test_who_leaves_while_held_is_in_the_journal(session: Session) -> None:
    """The exchange ends with the peer's leaving; the barrier forgets it."""
    session.on(chat()).hold().reply("x")
    body = json.dumps({"model": "m", "messages": []}).encode()
    request = urllib.request.Request(f"{session.url}/v1/chat/completions", body)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(request, timeout=0.1)
    exchange = session.wait_for(1)[0]
    assert (exchange.ended, exchange.closed_by, exchange.sent_bytes) == ("client", "client", 0)
    assert session.state["held"] == {}


def test_asynchronous_functions_answer(session: Session) -> None:
    """The server waits for them and serves others meanwhile; an error in one fails the test."""
    gate = threading.Event()

    async def later(asked: Asked) -> str:
        await asyncio.get_running_loop().run_in_executor(None, gate.wait)
        return f"after {asked.text}"

    async def broken(asked: Asked) -> str:
        raise LookupError("nothing there")

    session.on(chat(contains="later")).reply(later)
    session.on(chat(contains="broken")).reply(broken)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(said, session.url, "later")
        session.wait_for(1, arrived=True)
        assert post(session.url, "broken")[0] == 500
        gate.set()
        assert answer.result() == "after later"
    (problem,) = session.problems()
    assert problem.startswith("rule rules[1]: the reply could not be made: LookupError: nothing there\n  raised in ")


def test_faults_of_the_session_must_be_healed(session: Session) -> None:
    """An outage that the test began and did not end is told at teardown."""
    session.on(chat()).reply("x")
    session.faults({"kind": "status", "status": 503})
    assert post(session.url)[0] == 503
    assert session.problems() == ["fault 'status' of the session is still in force; heal() when the outage is over"]
    session.heal()
    assert said(session.url) == "x"
    assert session.problems() == []


def test_faults_that_are_given_after_healing_act(session: Session) -> None:
    """By a rule's next word, by more of a script, by the door's list; what was healed stays healed."""
    broken = {"kind": "status", "status": 503}
    rule = session.load({"faults": [broken]}).on(chat(contains="first")).fail(status(500), times=2).reply("x")
    session.heal()
    assert session.state["healed"]
    assert said(session.url, "first") == "x"
    session.on(chat(contains="second")).fail(status(429, retry_after=0), times=1).reply("y")
    assert not session.state["healed"]
    assert [post(session.url, text)[0] for text in ("second", "second", "first", "first")] == [429, 200, 200, 200]
    rule.fail(status(502))
    assert post(session.url, "first")[0] == 502
    session.heal()
    session.add({"faults": [{"kind": "status", "status": 418}]})
    assert [post(session.url, text)[0] for text in ("first", "second")] == [418, 418]
    session.heal().faults({**broken, "status": 507})
    assert [post(session.url, text)[0] for text in ("first", "second")] == [507, 507]
    session.heal().faults()
    assert session.state["healed"]


def test_a_preview_is_what_comes_next(session: Session) -> None:
    """Every field, the plan, its timeline; asking changes nothing."""
    session.on(chat(contains="report"), name="r").fail(status(429, retry_after=1), times=1).reply("Done.")
    request = Request(
        "POST", "/v1/chat/completions", body=json.dumps({"messages": [{"role": "user", "content": "report"}]}).encode()
    )
    before = session.preview(request)
    assert str(before) == str(session.preview(request))
    assert "rule r (0 calls): matches <- answers" in str(before)
    assert "contains: ok" in str(before)
    assert "answered by rule r, call 1, reply 0, faults status" in str(before)
    assert "0.000 s  head" in str(before)
    assert before.to_json()["timeline"][0] == {"at": 0.0, "what": "head", "shown": "429"}
    assert post(session.url, "report")[0] == 429
    assert "call 2" in str(session.preview(request))
    session.seed(9)
    assert session.state["seed"] == 9


def test_the_door_is_kept(tmp_path: Path) -> None:
    """On the loopback everyone may; elsewhere only with the token, and without one nobody."""
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.1", "a.b")] == [
        True
    ] * 3 + [False] * 3
    assert doorkeeper("127.0.0.1", None) == OPEN
    assert OPEN.refusal({}) == ""
    assert "--admin-token" in doorkeeper("0.0.0.0", None).refusal({})
    keeper = Doorkeeper("secret")
    assert keeper.refusal({"authorization": "Bearer secret"}) == ""
    assert keeper.refusal({"x-admin-token": "secret"}) == ""
    assert "admin token" in keeper.refusal({"authorization": "Bearer guess"})
    with MockServer(admin_token="secret") as guarded:
        for method, path in (("GET", "/state"), ("DELETE", "/")):
            request = urllib.request.Request(f"{guarded.url}/_mock{path}", method=method)
            with pytest.raises(urllib.error.HTTPError, match="403") as caught:
                urllib.request.urlopen(request, timeout=5)
            caught.value.close()
            request.add_header("authorization", "Bearer secret")
            with urllib.request.urlopen(request, timeout=5) as response:
                assert response.status == 200
        assert json.loads(post(guarded.url)[1])  # the API itself is open


def test_all_of_it_in_one_event_loop() -> None:
    """`async with`: no thread but the loop's; barriers, waiting and verdicts are awaited."""

    async def main() -> None:
        threads = threading.active_count()
        async with MockServer() as server:
            session = server.new_session()
            session.on(chat()).hold().reply("x")
            reader, writer = await asyncio.open_connection(server.host, server.port)
            body = json.dumps({"model": "m", "messages": []}).encode()
            head = (
                f"POST /@{session.name}/v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            async with session.call("one") as call:
                writer.write(head.encode() + body)
                assert (await session.wait_for(1, arrived=True))[0].ended == "open"
                assert threading.active_count() == threads
                assert session.release() == 1
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
                call.returned("x")
            assert call.verdict()
            writer.close()

    asyncio.run(main())
