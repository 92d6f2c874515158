"""What a failing test is told: why a request was refused, why a rule never answered, what a call did wrong."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from mockserver import MockServer, Session, chat, status
from mockserver.scripting.lint import unreachable
from mockserver.scripting.script import parse_script


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def session(server: MockServer) -> Session:
    return server.new_session()


def ask(session: Session, text: str) -> int:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    try:
        with urllib.request.urlopen(f"{session.url}/v1/chat/completions", body, timeout=10) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_rule_that_can_never_answer_is_told_with_the_reason(session: Session) -> None:
    """Shadowed, contradictory, waiting for a state that nobody sets; one that only had no request has no reason."""
    session.on(chat(contains="report"), name="wide").reply("x")
    session.on(chat(contains="the report"), name="narrow").reply("y")
    session.on(chat(model="a") & chat(model="b"), name="both").reply("y")
    session.on(chat(state={"s": "t"}), name="stateful").reply("y")
    session.on(chat(contains="weather"), name="unlucky").reply("y")
    assert ask(session, "the report") == 200
    problems = session.problems()
    assert problems[0].startswith("rule 'narrow' was never called; never reached: wide is asked before and takes every")
    assert problems[1:] == [
        "rule 'both' was never called; matches nothing: 'model' cannot be 'a' and 'b'",
        "rule 'stateful' was never called; never reached: no rule sets the state 's' to 't'",
        "rule 'unlucky' was never called",
    ]
    assert f"  {problems[0]}" in session.describe().splitlines()
    assert "was never called" not in session.describe(explained=False)


def test_only_the_rules_that_are_asked_about_are_looked_at() -> None:
    """And none is guessed at."""
    script = parse_script([{"match": {}}, {"match": {"model": "a"}}, {"match": {"model": "b"}}])
    assert list(unreachable(script, [2])) == [2]
    assert list(unreachable(script, [0, 1])) == [1]
    assert unreachable(script, []) == {}


def test_a_refused_request_is_explained_where_the_test_failed(session: Session) -> None:
    """Near misses and what would have been sent, once: where the problems tell it, the description does not."""
    session.on(chat(contains="report"), name="near").reply("x")
    assert ask(session, "repart") == 404
    told = session.describe()
    assert "404 by no rule" in told
    assert "near (0 calls): contains: expected 'report', got 'repart'" in told
    assert "had it matched, rule near (call 1, reply 0) would send:" in told
    assert "near (0 calls)" not in session.describe(explained=False)
    assert "near (0 calls)" in session.problems()[0]


def test_the_verdicts_on_all_calls_are_told_whole(session: Session) -> None:
    """Asked for or not; a call without a finding, or one that is not over, is not mentioned."""
    session.on(chat()).fail(status(503), times=1).reply("x")
    with session.call("hasty") as call:
        call.run(lambda: ask(session, "a"))
        call.raised(OSError("503"))
    with session.call("fine") as call:
        call.run(ask, session, "b")
    session.call("not begun")
    with session.call("running"):
        (verdict, fine) = session.verdicts()
        assert (verdict.ids, fine.ids) == (("gave-up",), ())
        told = session.describe()
    assert f"verdict on {verdict}" in told
    assert "Ask again after a failure that may pass (429, 5xx, a lost connection) while nothing was handed out" in told
    assert "'fine'" not in told
