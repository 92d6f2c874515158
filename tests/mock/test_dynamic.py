"""Replies made when the request comes, and the named states that rules set and ask for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mockserver.errors import ScriptError
from mockserver.plan import Body, Head, Plan
from mockserver.reply import Json, Reply, Text, parse_reply, reply_to_json
from mockserver.request import Request
from mockserver.scripting.decide import decide
from mockserver.scripting.dsl import chat, on, script, status, template, where
from mockserver.scripting.dynamic import Asked
from mockserver.scripting.explain import explain
from mockserver.scripting.script import Script, parse_script
from mockserver.scripting.state import State
from mockserver.scripting.view import View


def asked(text: str = "the report", number: int = 1, **fields: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    headers = ((b"x-user", b"ada"),)
    return Request("POST", "/v1/chat/completions", headers=headers, body=json.dumps(body).encode(), number=number)


def answer(request: Request, reply: Reply | None) -> Plan:
    assert isinstance(reply, Text | Json)
    said = reply.text if isinstance(reply, Text) else json.dumps(reply.json)
    return Plan((Head(200), Body(said.encode())))


def said(rules: Script, *requests: Request) -> list[str]:
    """What each request gets, one after the other in one session."""
    state, found = State(), []
    for request in requests:
        state, decision = decide(rules, state, request, answer)
        found.append(b"".join(step.data for step in decision.plan.steps if isinstance(step, Body)).decode())
    return found


def test_a_template_sees_the_request_the_seed_and_the_call() -> None:
    """All that it sees, in one line; the same again gives the same."""
    source = "{{ last }}|{{ model }}|{{ headers['x-user'] }}|{{ call }}|{{ seed }}|{{ number }}|{{ request.top_k }}"
    rules = script(on(chat()).reply({"template": source}), seed=7)
    requests = [asked(top_k=3), asked("again", 2, top_k=4)]
    assert said(rules, *requests) == ["the report|m|ada|1|7|1|3", "again|m|ada|2|7|2|4"]
    assert said(rules, *requests) == said(rules, *requests)


def test_a_template_makes_json() -> None:
    """`renders: json`: the text is the body; what is no JSON fails the test."""
    reply = {"template": '{"echo": {{ text | tojson }}}', "renders": "json"}
    assert said(script(on(chat()).reply(reply)), asked()) == ['{"echo": "the report"}']
    state, decision = decide(script(on(chat()).reply({"template": "{", "renders": "json"})), State(), asked(), answer)
    assert decision.failure is not None
    assert "the template made no JSON" in decision.failure
    assert state.hits == {"rules[0]": 1}


def test_a_template_is_in_a_sandbox() -> None:
    """It cannot reach the interpreter; what it does not know is an error, not an empty text."""
    for source in ("{{ ''.__class__.__mro__ }}", "{{ nothing }}", "{{ messages.append(1) }}"):
        _, decision = decide(script(on(chat()).reply({"template": source})), State(), asked(), answer)
        assert decision.failure is not None


def test_a_broken_template_is_refused_where_it_stands() -> None:
    """Read as a script is read: with the path."""
    with pytest.raises(ScriptError, match="bad template") as caught:
        parse_script({"rules": [{"reply": {"template": "{{"}}]})
    assert caught.value.path.startswith("$.rules[0].reply")
    assert parse_reply(reply_to_json(template("{{ text }}"))) == template("{{ text }}")


def test_a_function_answers() -> None:
    """It is given the request and gives what a script may say."""

    def echo(request: Asked) -> Any:
        return (
            f"{request.text} {request.messages[0]['role']} {request.path} {request.number}"
            if request.call == 1
            else {"json": 1}
        )

    rules = script(on(chat()).reply(echo))
    assert said(rules, asked(), asked(number=2)) == ["the report user /v1/chat/completions 1", "1"]
    assert rules.to_json()["rules"][0]["reply"]["function"].endswith("echo")
    with pytest.raises(ScriptError, match="written in Python"):
        parse_script(rules.to_json())


def test_a_function_that_fails_fails_the_test() -> None:
    """The client gets a 500, the test the sentence."""

    def broken(request: Asked) -> Any:
        raise ValueError("no such report")

    def nested(request: Asked) -> Any:
        return broken

    for function, words in ((broken, "ValueError: no such report"), (nested, "not another")):
        _, decision = decide(script(on(chat()).reply(function)), State(), asked(), answer)
        assert words in str(decision.failure)
        assert isinstance(decision.plan.steps[0], Head)
        assert decision.plan.steps[0].status == 500


def test_a_function_may_be_asynchronous() -> None:
    """The decision comes in two parts; the faults act on the second."""

    async def later(request: Asked) -> str:
        await asyncio.sleep(0)
        return "later"

    async def broken(request: Asked) -> str:
        raise ValueError("no")

    async def main() -> None:
        state, decision = decide(script(on(chat()).fail(status(503)).reply(later)), State(), asked(), answer)
        assert decision.coming is not None
        finished, fired = await decision.coming.finish()
        assert (finished.rule, [fault.kind for fault in finished.faults]) == ("rules[0]", ["status"])
        assert fired == {"rules[0].faults[0][0] (status)"}
        assert state.hits == {"rules[0]": 1}
        _, decision = decide(script(on(chat()).reply(broken)), State(), asked(), answer)
        assert decision.coming is not None
        failed, _ = await decision.coming.finish()
        assert "ValueError: no" in str(failed.failure)

    asyncio.run(main())


def test_named_states_move_a_script_on() -> None:
    """A rule asks for a state, and sets it; null is a state that is not set."""
    rules = parse_script(
        {
            "rules": [
                {"match": {"contains": "login", "state": {"user": None}}, "reply": "welcome", "set": {"user": "in"}},
                {"match": {"contains": "logout", "state": {"user": "in"}}, "reply": "bye", "set": {"user": None}},
                {"reply": "who are you?"},
            ]
        }
    )
    texts = ["logout", "login", "login", "logout", "logout"]
    assert said(rules, *(asked(text) for text in texts)) == [
        "who are you?",
        "welcome",
        "who are you?",
        "bye",
        "who are you?",
    ]
    assert parse_script(rules.to_json()) == rules
    told = explain(rules, State(named={"user": "in"}), asked("login"))
    finding = next(
        one for rule in told.rules if rule.rule == "rules[0]" for one in rule.findings if one.field == "state"
    )
    assert (finding.expected, finding.got, finding.holds) == ({"user": None}, {"user": "in"}, False)
    draft = on(chat()).sets(user="in").hold("gate").reply("x")
    assert (draft.rule.sets, draft.rule.hold) == ({"user": "in"}, "gate")


@pytest.mark.parametrize("wrong", [{"set": {"a": 1}}, {"set": ["a"]}, {"match": {"state": "a"}}])
def test_states_are_texts(wrong: dict[str, Any]) -> None:
    """Refused with the path."""
    with pytest.raises(ScriptError, match="expected") as caught:
        parse_script({"rules": [wrong]})
    assert caught.value.path.startswith("$.rules[0].")


def test_a_predicate_says_what_no_field_says() -> None:
    """Only in Python; explained by its name, combined like all matchers."""

    def odd(view: View) -> bool:
        return bool(view.document.get("seed", 0) % 2)

    rules = script(on(where(odd) & chat()).reply("odd"), on(~where(odd)).reply("even"))
    assert said(rules, asked(seed=1), asked(seed=2)) == ["odd", "even"]
    told = explain(rules, State(), asked(seed=2))
    finding = next(one for rule in told.rules for one in rule.findings if one.field == "where")
    assert (finding.got, finding.holds) == ("no", False)
    assert finding.expected.endswith("odd")
    with pytest.raises(ScriptError, match="written in Python"):
        parse_script(rules.to_json())
    assert [rule.matcher for rule in script(on(odd).reply("odd")).rules] == [where(odd)]


def test_tokens_are_counted() -> None:
    """Of all that was said, with both bounds or one; what is below or above is explained with the count."""
    rules = parse_script(
        [{"match": {"tokens": {"max": 2}}, "reply": "short"}, {"match": {"tokens": {"min": 5}}, "reply": "long"}]
    )
    assert said(rules, asked("two words"), asked("one two three four five six")) == ["short", "long"]
    told = explain(rules, State(), asked("one two three"))
    assert {(one.field, one.got, one.holds) for rule in told.rules for one in rule.findings} == {("tokens", 3, False)}
    assert parse_script(rules.to_json()) == rules
