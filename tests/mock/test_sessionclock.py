"""A session's own time: nothing waits, nobody else notices, and what is told agrees."""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asking import LLAMA
from hypothesis import given
from hypothesis import strategies as st

from mockserver import MockServer, Session, chat, cli, status
from mockserver.errors import ScriptError
from mockserver.faults.when import When
from mockserver.request import Request
from mockserver.serving.sessionclock import JUMPS, SessionClock, change_of, moment

NOON = "2026-11-22T12:00:00Z"
SECOND = 1_795_348_800
"""`NOON` as Unix seconds."""


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def session(server: MockServer) -> Session:
    return server.new_session()


def lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def post(base: str, key: str = "") -> tuple[int, dict[str, str], Any]:
    body = json.dumps({"model": LLAMA, "messages": [{"role": "user", "content": "Hello!"}]}).encode()
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    try:
        request = urllib.request.Request(f"{base}/v1/chat/completions", body, headers)
        with urllib.request.urlopen(request, timeout=10) as found:
            return found.status, lower(found.headers), json.load(found)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, lower(error.headers), json.load(error)


def door(base: str, method: str, document: Any = None) -> tuple[int, Any]:
    data = None if method == "GET" else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{base}/_mock/clock", data, method=method), timeout=10
        ) as found:
            return found.status, json.load(found)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_empty_bucket_fills_at_once(server: MockServer, session: Session) -> None:
    """429 with Retry-After, so many seconds later 200, and nobody has waited; the session beside it is still full."""
    other = server.new_session()
    for each in (session, other):
        each.load({"limits": {"requests_per_minute": 2}})
        each.clock.freeze(at=NOON)
        assert [post(each.url)[0] for _ in range(2)] == [200, 200]
    refused, headers, _ = post(session.url)
    assert (refused, headers["retry-after"]) == (429, "30")
    assert int(headers["x-ratelimit-reset"]) == SECOND + 60
    assert post(other.url)[0] == 429
    assert session.clock.advance(int(headers["retry-after"])) == SECOND + 30
    assert post(session.url)[0] == 200
    assert [post(each.url)[0] for each in (session, other)] == [429, 429]


def test_a_clock_that_runs_may_advance(session: Session) -> None:
    """Nothing has to be frozen for it."""
    session.load({"limits": {"requests_per_day": 1}})
    assert [post(session.url)[0] for _ in range(2)] == [200, 429]
    session.clock.advance(86_400)
    assert post(session.url)[0] == 200
    assert not session.clock.frozen
    assert session.clock.now > time.time() + 86_000


def test_created_is_the_time_of_the_session(session: Session) -> None:
    """So a snapshot of an answer stays the same; forward and back."""
    session.clock.freeze(at=NOON)
    assert post(session.url)[2]["created"] == SECOND
    session.clock.set(datetime(2026, 11, 22, 11, tzinfo=UTC))
    assert post(session.url)[2]["created"] == SECOND - 3600
    assert session.clock.frozen
    assert repr(session.clock).endswith(": 2026-11-22T11:00:00+00:00, frozen>")
    assert ", seed 0, its clock at 2026-11-22T11:00:00+00:00, frozen\n" in session.describe()
    session.clock.run()
    assert SECOND - 3600 <= post(session.url)[2]["created"] < SECOND
    session.reset()
    assert post(session.url)[2]["created"] > SECOND - 86_400
    assert abs(session.clock.now - time.time()) < 60


def test_going_back_gives_nothing_back(session: Session) -> None:
    """What was used stays used, and who is to wait waits as long, by the calendar of then."""
    session.load({"limits": {"requests_per_minute": 1}})
    session.clock.freeze(at=NOON)
    assert post(session.url)[0] == 200
    session.clock.set(SECOND - 1000)
    refused, headers, _ = post(session.url)
    assert (refused, headers["retry-after"], headers["x-ratelimit-reset"]) == (429, "60", str(SECOND - 1000 + 60))
    session.clock.advance(60)
    assert post(session.url)[0] == 200


def test_a_fault_until_is_over_when_the_time_has_come(session: Session) -> None:
    """`until` counts the session's seconds, on requests and in previews."""
    session.on(chat()).fail(status(503, when=When(until=60))).reply("Done.")
    asked = Request("POST", "/v1/chat/completions", body=b'{"messages": []}')
    session.clock.freeze()
    assert post(session.url)[0] == 503
    session.clock.advance(60)
    assert post(session.url)[0] == 503
    assert [fault.kind for fault in session.preview(asked).decision.faults] == ["status"]
    session.clock.advance(0.5)
    assert not session.preview(asked).decision.faults
    assert post(session.url)[0] == 200


def test_previews_know_the_time_without_a_clock(session: Session) -> None:
    """The door's request comes now, not at the beginning of time."""
    session.on(chat()).fail(status(503, when=When(until=0))).reply("Done.")
    asked = Request("POST", "/v1/chat/completions", body=b'{"messages": []}')
    assert session.preview(asked).decision.faults
    post(session.url)
    assert not session.preview(asked).decision.faults


def test_faults_of_connections_end_too(server: MockServer, session: Session) -> None:
    """The port of a session that refuses for an hour is open again after one, with no waiting."""
    url = server.listener(session)
    assert post(url)[0] == 200
    session.faults({"kind": "refused", "when": {"until": 3600}})
    with pytest.raises(urllib.error.URLError):
        post(url)
    session.clock.advance(3601)
    assert post(url)[0] == 200


def test_keys_expire_when_the_time_has_come(session: Session) -> None:
    """A key that is good for another hour is not after two."""
    session.load({"api_keys": ["sk-one@2026-11-22T13:00:00Z"]})
    session.clock.freeze(at=NOON)
    assert post(session.url, "sk-one")[0] == 200
    session.clock.advance(7200)
    assert post(session.url, "sk-one")[0] == 401


def test_a_client_may_sleep_by_the_clock(session: Session) -> None:
    """The verdict counts the seconds that the test let pass, and only those."""

    def ask(sleep: Callable[[float], object]) -> int:
        found, headers, _ = post(session.url)
        if found == 429:
            sleep(float(headers["retry-after"]))
            found, _, _ = post(session.url)
        return found

    for frozen in (False, True):
        session.load([]).on(chat()).fail(status(429, retry_after=20), times=1).reply("Done.")
        if frozen:
            session.clock.freeze()
        with session.call() as call:
            call.run(ask, session.clock.advance)
        assert call.verdict().check().attempts == 2
        session.load([]).on(chat()).fail(status(429, retry_after=20), times=1).reply("Done.")
        with session.call() as call:
            call.run(ask, lambda seconds: session.clock.advance(seconds / 2))
        assert call.verdict().ids == ("ignored-retry-after",)


def test_a_verdict_outlives_its_session(server: MockServer) -> None:
    """Seconds that the test let pass are counted when the session has gone, and asking does not make it anew."""
    session = server.new_session()
    session.on(chat()).fail(status(429, retry_after=20), times=1).reply("Done.")
    with session.call() as call:
        assert post(session.url)[0] == 429
        session.clock.advance(20)
        call.returned(post(session.url)[2])
    session.close()
    assert "ignored-retry-after" not in call.verdict().ids
    assert session.name not in server.sessions


def test_nobody_pays_for_a_clock_that_nobody_touched(session: Session) -> None:
    """Asking makes none; a request is decided on by the brain itself until a test changes the time."""
    assert session.clock.now > SECOND - 86_400
    assert door(session.url, "GET")[1]["frozen"] is False
    assert session.brain.clock is None
    assert session.core.decide == session.brain.decide
    session.clock.advance(0)
    assert session.core.decide != session.brain.decide
    session.reset()
    assert session.core.decide == session.brain.decide


def test_the_door_has_the_clock(session: Session) -> None:
    """GET shows it, PUT changes it, a mistake is told and changes nothing."""
    assert door(session.url, "PUT", {"freeze": NOON}) == (
        200,
        {"now": SECOND, "at": "2026-11-22T12:00:00+00:00", "frozen": True},
    )
    assert door(session.url, "PUT", {"advance": 1.5})[1]["now"] == SECOND + 1.5
    assert door(session.url, "PUT", {"set": SECOND})[1]["now"] == SECOND
    for wrong, words in (
        ({"advanc": 1}, "did you mean 'advance'"),
        ({"advance": -1}, "seconds from 0, not -1"),
        ({"advance": "soon"}, "not 'soon'"),
        ({"advance": 1e12}, "from 1970 to 9999"),
        ({"set": "soon"}, "write it as 2026-12-31T23:59:59Z"),
        ({"set": True}, "not True"),
        ({"freeze": -5}, "from 1970"),
        ({"run": False}, "expected true"),
        ({}, "one of"),
        ([], "one of"),
    ):
        code, told = door(session.url, "PUT", wrong)
        assert (code, words in told["error"]["message"]) == (400, True), told
    assert door(session.url, "GET")[1] == {"now": SECOND, "at": "2026-11-22T12:00:00+00:00", "frozen": True}
    assert door(session.url, "PUT", {"run": True})[1]["frozen"] is False
    assert door(session.url, "PUT", {"freeze": -5})[0] == 400
    assert door(session.url, "GET")[1]["frozen"] is False


def test_the_command_line_has_the_clock(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """`ctl clock`; the server and the session may be named behind the action too."""

    def ctl(*words: str) -> Any:
        assert cli.main(["ctl", "clock", "--url", session.url, *words]) == 0
        return json.loads(capsys.readouterr().out)

    assert ctl()["frozen"] is False
    assert ctl("--freeze", NOON)["now"] == SECOND
    assert ctl("--advance", "30")["now"] == SECOND + 30
    assert ctl("--set", str(SECOND))["at"] == "2026-11-22T12:00:00+00:00"
    assert ctl("--run")["frozen"] is False
    assert ctl("--freeze")["frozen"] is True
    with pytest.raises(SystemExit):
        ctl("--set", "soon")
    assert "write it as" in capsys.readouterr().err


def test_moments_are_read_as_they_are_written() -> None:
    """Numbers, texts, datetimes; without a zone it is UTC."""
    assert [moment(one) for one in (SECOND, NOON, "2026-11-22T13:00:00+01:00", NOON[:-1])] == [SECOND] * 4
    bad: tuple[Any, ...] = (None, math.nan, [], "x")
    for wrong in bad:
        with pytest.raises(ScriptError):
            moment(wrong)
    with pytest.raises(ScriptError, match="advance"):
        change_of({"go": 1})


@given(
    st.lists(
        st.tuples(st.sampled_from(["advance", "set", "freeze", "run", "wait"]), st.floats(0, 1e6)),
        max_size=20,
    )
)
def test_time_passes_once(steps: list[tuple[str, float]]) -> None:
    """Session seconds never run backwards; forward, calendar and seconds agree; `passed` knows real and given ones."""
    real = [1000.0]
    clock = SessionClock(lambda: real[0] + 5e8, lambda: real[0])
    given = 0.0
    for what, number in steps:
        time_before, before, stood = clock.time(), clock.elapsed(real[0]), clock.frozen
        match what:
            case "advance":
                clock.advance(number)
            case "set":
                clock.set(5e8 + number)
            case "freeze":
                clock.freeze()
            case "run":
                clock.run()
            case _:
                real[0] += number
        by, elapsed = clock.time() - time_before, clock.elapsed(real[0]) - before
        assert elapsed == pytest.approx(max(0.0, by), abs=1e-4)
        assert what != "wait" or by == pytest.approx(0.0 if stood else number, abs=1e-4)
        assert what not in ("freeze", "run") or by == pytest.approx(0, abs=1e-4)
        given += max(0.0, by) if what != "wait" else 0.0
    assert clock.passed(1000.0, real[0]) == pytest.approx(real[0] - 1000 + given, abs=1e-2)


def test_only_so_many_jumps_are_remembered() -> None:
    """A server that runs for a year does not grow by them."""
    clock = SessionClock(lambda: 5e8, lambda: 1.0)
    for _ in range(JUMPS + 10):
        clock.advance(1)
    assert clock.passed(1.0, 1.0) == JUMPS
