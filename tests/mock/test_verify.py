"""What a failing test is told: why a request was refused, why a rule never answered, what a call did wrong."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from mockserver import MockServer, Session, chat, delay, status
from mockserver.scripting.lint import unreachable
from mockserver.scripting.script import parse_script


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def session(server: MockServer) -> Session:
    return server.new_session()


def send(session: Session, body: bytes, path: str = "/v1/chat/completions", kind: str = "application/json") -> int:
    request = urllib.request.Request(f"{session.url}{path}", body, {"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def ask(session: Session, text: str) -> int:
    return send(session, json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode())


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


GOOD = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("profile", "body", "told"),
    [
        ("docs", b"not json", "400 the body is no JSON document: Expecting value at character 0 (profile docs)"),
        ("docs", b"[]", "400 'the body' must be an object, not [] (profile docs)"),
        ("docs", b"", "400 the request has no body; send a JSON object (profile docs)"),
        ("docs", b'{"model":5}', "400 'model' must be a text, not 5 (profile docs)"),
        ("engine", b'{"model":"m"}', "422 messages: Field required (profile engine)"),
        ("docs", json.dumps({**GOOD, "max_tokens": "5"}).encode(), "400 'max_tokens' must be a whole number, not 5"),
        ("docs", json.dumps({**GOOD, "temperature": 99}).encode(), "400 'temperature' must be at most 2, not 99"),
        (
            "openai",
            json.dumps({**GOOD, "top_logprobs": 2}).encode(),
            "400 top_logprobs needs logprobs to be true (profile openai)",
        ),
    ],
)
def test_a_reply_to_what_the_server_would_refuse_is_told(
    server: MockServer, profile: str, body: bytes, told: str
) -> None:
    """A scripted reply is sent whatever was asked; the real server would say no, and so does the test's end."""
    session = server.new_session(profile=profile)
    session.on(chat(), name="greeting").reply("x")
    assert send(session, body) == 200
    (problem,) = session.problems()
    assert problem.startswith(f"request 1: the server would refuse this: {told}"), problem
    assert problem.endswith(
        "rule 'greeting' answered 200; where that is meant, mark the rule unsafe (`on(...).unsafe()`, `unsafe: true`)"
    )
    assert f"  {problem}" in session.describe().splitlines()
    assert problem not in session.describe(explained=False)


def test_what_the_server_would_take_is_no_objection(session: Session) -> None:
    """A model that is not served, unknown fields, a path that is not the server's, a request that was refused, a
    generated answer: all of them are as they should be."""
    session.on(chat(), name="chat").fail(status(503), times=1).reply("x")
    session.on({"path": "/mine"}).reply({"json": {}})
    assert send(session, b"not json") == 503
    assert send(session, json.dumps({**GOOD, "store": True, "metadata": {}}).encode()) == 200
    assert send(session, b"not json", "/mine") == 200
    assert session.problems() == []


def test_an_image_is_no_objection(server: MockServer) -> None:
    """Which model it is that is scripted, nobody knows: it may see."""
    session = server.new_session(profile="engine")
    session.on(chat()).reply("a cat")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert send(session, json.dumps({**GOOD, "messages": [{"role": "user", "content": [image]}]}).encode()) == 200
    assert session.problems() == []


def test_one_objection_for_all_requests_that_it_is_about(session: Session) -> None:
    """Each rule's own, with the first numbers; a good request in between is not named."""
    session.on(chat(), name="a").reply("x")
    for number in range(9):
        assert send(session, json.dumps(GOOD).encode() if number == 1 else b'{"model":%d}' % (number % 2)) == 200
    first, second = session.problems()
    assert first.startswith(
        "requests 1, 3, 5, 7 and 9: the server would refuse this: 400 'model' must be a text, not 0"
    )
    assert second.startswith("requests 4, 6 and 8: the server would refuse this: 400 'model' must be a text, not 1")
    for _ in range(3):
        send(session, b'{"model":0}')
    assert session.problems()[0].startswith("requests 1, 3, 5, 7, 9 and 3 more: ")


def test_not_more_requests_are_looked_at_than_the_bound(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal requests are looked at once, so only different ones count; what was not looked at is told."""
    monkeypatch.setattr("mockserver.record.objection.CHECKED", 2)
    session.on(chat()).reply("x")
    for body in (b"1", b"1", b"2", b"3", b"4", b"1"):
        assert send(session, body) == 200
    assert [one.split(":")[0] for one in session.problems()] == [
        "requests 1, 2 and 6",
        "request 3",
        "only the first 2 different requests were looked at; 2 more were not",
    ]


def test_what_the_model_has_answered_is_not_looked_at_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read when it came; it takes no place of the bound."""
    monkeypatch.setattr("mockserver.record.objection.CHECKED", 1)
    session.on(chat(model="meta-llama/Llama-2-7b-chat-hf"))
    session.on(chat()).reply("x")
    for number in range(2):
        body = {**GOOD, "model": "meta-llama/Llama-2-7b-chat-hf", "seed": number, "max_tokens": 1}
        assert send(session, json.dumps(body).encode()) == 200
    assert send(session, b"{}") == 200
    assert [one.split(":")[0] for one in session.problems()] == ["request 3"]


def test_what_was_unsafe_when_it_answered_is_not_asked_about(session: Session) -> None:
    """Whatever script came after: it is no excuse, and takes none away."""
    for first, last in (([{"unsafe": True, "reply": "x"}], []), ({"unsafe": True, "rules": [{"reply": "x"}]}, [])):
        session.load(first)
        assert send(session, b"no") == 200
        session.load(last)
        assert session.problems() == []
    session.load([{"reply": "x"}])
    assert send(session, b"no") == 200
    session.load({"unsafe": True, "rules": []})
    assert [one.split(":")[0] for one in session.problems()] == ["request 3"]


def test_a_fault_and_an_asynchronous_function_excuse_nothing_and_take_no_excuse(session: Session) -> None:
    """The mark is noted on each way to an answer."""

    async def reply(view: object) -> str:
        return "x"

    session.on(chat(), name="a").unsafe().fail(delay(seconds=0.001), times=1).reply(reply)
    assert send(session, b"no") == 200
    assert send(session, b"no") == 200
    assert not any("would refuse" in one for one in session.problems())
    session.on(chat(), name="b", priority=1).fail(delay(seconds=0.001)).reply(reply)
    assert send(session, b"no") == 200
    assert [one.split(":")[0] for one in session.problems() if "would refuse" in one] == ["request 3"]


def test_what_is_marked_unsafe_is_not_asked_about(server: MockServer) -> None:
    """A rule, a script, a session."""
    session = server.new_session()
    session.on(chat(contains="a"), name="a").unsafe().reply("x")
    session.on(chat(), name="b").reply("x")
    bad = {"model": 5, "messages": [{"role": "user", "content": "a"}]}
    assert send(session, json.dumps(bad).encode()) == 200
    assert session.problems() == ["rule 'b' was never called"]
    for session in (
        server.new_session(unsafe=True, script=[{"reply": "x"}]),
        server.new_session(script={"unsafe": True, "rules": [{"reply": "x"}]}),
        server.new_session(script=[{"unsafe": True, "reply": "x"}]),
    ):
        assert send(session, b"no") == 200
        assert session.problems() == []
        assert session.script.to_json() == parse_script(session.script.to_json()).to_json()


def test_a_report_tells_when_each_request_came_and_what_the_client_was_told_to_do(session: Session) -> None:
    """From the first request on, so a Retry-After that is not kept is seen."""
    session.on(chat()).fail(status(429, retry_after=7), times=1).reply("x")
    assert (ask(session, "a"), ask(session, "b")) == (429, 200)
    first, second = (one for one in session.describe().splitlines() if " on connection " in one)
    assert re.match(
        r"  1\. POST .* on connection \d+ at 0\.000 s: 429 by .*, faults status, retry-after: 7, \d+ b", first
    )
    assert re.match(r"  2\. POST .* on connection \d+ at \d+\.\d{3} s: 200 by rule 'rules\[0\]', \d+ bytes", second)
    later = session.journal[1].started - session.journal[0].started
    assert f" at {later:.3f} s:" in second


def test_a_refusal_is_told_to_its_useful_end(server: MockServer) -> None:
    """Which models there are stands behind the one that there is not."""
    session = server.new_session()
    assert ask(session, "hello") == 404
    assert "error: The model 'm' does not exist; served: meta-llama/Llama-2-7b-chat-hf, " in session.describe()
