"""A refusal of a strict session shows what the nearest rule would have sent, and stays small."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import ANSWERERS, LLAMA, chat, post

from mockserver import MockServer, status
from mockserver import chat as chats
from mockserver.plan import Body, Plan, Wait
from mockserver.plan_json import plan_from_json
from mockserver.reply import Reply
from mockserver.request import Request
from mockserver.scripting.decide import decide
from mockserver.scripting.script import parse_script
from mockserver.scripting.state import State
from mockserver.scripting.would import BYTES, Would

CHAT = "/v1/chat/completions"


def answer(request: Request, reply: Reply | None) -> Plan:
    """As the docs' profile answers."""
    return ANSWERERS["docs"].plan(request, reply, seed=0, now=1_795_367_530.5)


def refused(rules: list[Any], body: Any, state: State | None = None) -> dict[str, Any]:
    """The document of the 404."""
    _, decision = decide(parse_script(rules), state or State(), post(CHAT, body), answer)
    document: dict[str, Any] = json.loads(decision.plan.steps[1].data)  # type: ignore[union-attr]  # head, then body
    explanation: dict[str, Any] = document["explanation"]
    return explanation


def test_the_plan_of_the_nearest_rule_is_shown() -> None:
    """Its next call: reply, faults, every write and when; it is what the rule sends once it matches."""
    rule = {
        "name": "near",
        "match": {"contains": "report"},
        "replies": ["one", "two three"],
        "faults": [[], [{"kind": "delay", "seconds": 0.5}]],
    }
    rules: list[Any] = [{"name": "far", "match": {"model": "m", "contains": "x"}}, rule]
    told = refused(rules, chat("repart", stream=True), State(hits={"near": 1}))
    would = told["would"]
    assert (would["rule"], would["call"], would["reply"], would["faults"]) == ("near", 2, 1, ["delay"])
    assert would["timeline"][0] == {"at": 0.5, "what": "head", "shown": "200"}
    assert would["timeline"][-1]["what"] == "end"
    assert [row["mark"] for row in would["timeline"] if "content[1]" in row.get("mark", "")] == ["content[1]"]
    matching = parse_script([{**rule, "match": {}}])
    _, decision = decide(matching, State(hits={"near": 1}), post(CHAT, chat("repart", stream=True)), answer)
    assert plan_from_json(would["plan"], "$") == decision.plan
    text = told["text"].splitlines()
    assert text[1:3] == ["rule near (1 call): no", "    contains: expected 'report', got 'repart'"]
    assert "    model: expected 'm', got 'meta-llama/Llama-2-7b-chat-hf'" in text
    assert "had it matched, rule near (call 2, reply 1, faults delay) would send:" in text
    assert "   0.500 s  head                200" in text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda asked: pytest.fail("it was called"), "a function would be asked"),
        ({"template": "{{ nothing.at.all }}"}, "could not be made"),
    ],
)
def test_what_cannot_be_said_is_told(reply: Any, words: str) -> None:
    """A user's function is not called for an explanation, and nothing that goes wrong turns the 404 into a 500."""
    told = refused([{"match": {"contains": "report"}, "reply": reply}], chat())
    assert words in json.dumps(told["would"])
    assert words in told["text"]


def test_an_answer_that_raises_is_told() -> None:
    """What cannot be rendered for this request leaves the refusal whole."""

    def raises(request: Request, reply: Reply | None) -> Plan:
        raise LookupError("no such thing")

    script = parse_script([{"match": {"contains": "report"}, "reply": "x"}])
    _, decision = decide(script, State(), post(CHAT, chat()), raises)
    assert decision.explanation is not None
    assert decision.explanation.told()[-1].endswith("its reply does not fit this request: no such thing")


def test_a_refusal_stays_small() -> None:
    """Long texts, long streams, many rules: what is left out is counted."""
    long = "word " * 20_000
    told = refused(
        [{"match": {"contains": long}, "reply": long}] + [{"match": {"model": f"m{n}"}} for n in range(50)],
        chat("x" * 100_000, stream=True),
    )
    assert len(json.dumps(told)) < 40_000
    assert told["would"]["plan"] is None
    assert told["would"]["more_rows"] > 0
    assert told["more_rules"] == 31
    assert "(100000 characters)" in json.dumps(told["rules"])
    assert told["text"].count("\nrule ") == 20
    assert "... and 31 more rules" in told["text"]
    small = Would("r", 1, Plan((Wait(1), Body(b"x" * BYTES))))
    assert small.to_json()["plan"] is not None
    assert Would("r", 1, Plan((Body(b"x" * (BYTES + 1)),))).to_json()["plan"] is None
    assert Would("r", 1, Plan((Body(b"x"),) * 9)).told(3)[-1] == "           ... 7 more"


def test_the_door_and_the_failing_test_have_it_too() -> None:
    """`explain` of an unmatched request, and the problem at teardown."""
    with MockServer() as server:
        session = server.new_session()
        session.on(chats(contains="report"), name="near").fail(status(429), times=1).reply("Done.")
        assert "rules" in str(session.preview(post(CHAT, chat())).to_json())
        told = str(session.preview(post(CHAT, chat())))
        assert "had it matched, rule near (call 1, reply 0, faults status) would send:" in told
        assert "answered by no rule" in told
        assert session.preview(post(CHAT, chat("report"))).to_json().get("would") is None
        exchange = server.run(lambda: server.app.decide(None, session.name, CHAT, scope(), json.dumps(chat()).encode()))
        assert exchange[0].status == 404
        (problem, unused) = session.problems()
        assert "  had it matched, rule near (call 1, reply 0, faults status) would send:" in problem
        assert "429" in problem
        assert "'near' was never called" in unused


def scope() -> dict[str, Any]:
    """As a server gives it to an application."""
    return {"method": "POST", "query_string": b"", "headers": [], "http_version": "1.1"}


def test_the_models_answer_stands_in_where_the_rule_has_no_reply() -> None:
    """A rule with faults alone is explained by what a model would say."""
    would = refused([{"match": {"contains": "report"}}], chat("Hi", LLAMA))["would"]
    assert (would["reply"], would["timeline"][0]["shown"]) == (None, "200")
