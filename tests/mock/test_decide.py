"""What a request gets, and what a session remembers of it."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import fault_lists, matches, plans

from mockserver.connection import ORDERLY
from mockserver.errors import ScriptError
from mockserver.faults import Fault, parse_fault
from mockserver.plan import Body, Close, Head, Plan
from mockserver.reply import Reply, Text
from mockserver.request import Request
from mockserver.scripting.decide import Decision, connection_plan, decide, faults_of_header
from mockserver.scripting.explain import explain
from mockserver.scripting.match import Match, Not, Where
from mockserver.scripting.match import matches as is_for
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script, parse_script
from mockserver.scripting.state import (
    State,
    healed,
    is_healed,
    unused_faults,
    unused_rules,
    with_faults,
    with_script,
)
from mockserver.scripting.view import View

CHAT = "/v1/chat/completions"
REFUSED = {"kind": "status", "status": 503}


def asked(text: str = "Hi", path: str = CHAT, model: str = "m", **fields: Any) -> Request:
    """A chat request."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return Request("POST", path, body=json.dumps(body).encode(), **fields)


def answer(request: Request, reply: Reply | None) -> Plan:
    """A model of few words: what the reply says, else `model`; the answer in two pieces."""
    said = reply.text if isinstance(reply, Text) else "model"
    return Plan((Head(200), Body(said.encode(), "content[0]"), Body(b"!", "done")))


def run(script: Any, *requests: Request, state: State | None = None) -> tuple[State, list[Decision]]:
    """The decisions for the requests, in order."""
    state, found = state or State(), []
    parsed = parse_script(script)
    for request in requests:
        state, decision = decide(parsed, state, request, answer)
        found.append(decision)
    return state, found


def said(decision: Decision) -> str:
    """What the plan says: its status where that is not 200, else its body."""
    head = decision.plan.steps[0]
    assert isinstance(head, Head)
    body = b"".join(step.data for step in decision.plan.steps if isinstance(step, Body)).decode()
    return body if head.status == 200 else str(head.status)


def test_without_rules_a_model_answers() -> None:
    """An empty script matches nothing and refuses nothing."""
    state, (decision,) = run({}, asked())
    assert said(decision) == "model!"
    assert (decision.rule, decision.reply, decision.call, decision.faults) == (None, None, 1, ())
    assert (state.requests, state.unmatched) == (1, 0)


def test_the_nth_call_takes_the_nth_reply_and_faults() -> None:
    """Then the last repeats."""
    rule = {"name": "r", "faults": [[REFUSED], []], "replies": ["A", "B", "C"]}
    state, found = run([rule], *[asked()] * 4)
    assert [said(decision) for decision in found] == ["503", "B!", "C!", "C!"]
    assert [(decision.rule, decision.reply, decision.call) for decision in found] == [
        ("r", 0, 1),
        ("r", 1, 2),
        ("r", 2, 3),
        ("r", 2, 4),
    ]
    assert [len(decision.faults) for decision in found] == [1, 0, 0, 0]
    assert state.hits == {"r": 4}


def test_behind_the_last_call_it_can_cycle_or_fail() -> None:
    """A failure is a 500 with a sentence for the test."""
    _, found = run([{"replies": ["A", "B"], "after": "cycle"}], *[asked()] * 3)
    assert [said(decision) for decision in found] == ["A!", "B!", "A!"]
    state, found = run([{"reply": "A", "after": "fail"}], asked(), asked())
    assert [said(decision) for decision in found] == ["A!", "500"]
    assert found[1].failure == "rule rules[0] was called 2 times, its script ends after 1"
    assert state.hits == {"rules[0]": 2}


def test_the_first_rule_wins_unless_another_has_priority() -> None:
    """In the order of the script, higher priority first; rules for nothing in particular come in their turn too."""
    rules: list[dict[str, Any]] = [
        {"match": {"contains": "x"}, "reply": "0"},
        {"match": {"path": CHAT, "model": "m"}, "reply": "1"},
        {"reply": "2"},
        {"match": {"model": "late"}, "reply": "3", "priority": 1},
        {"match": {"model": "late"}, "reply": "4", "priority": 1},
    ]
    requests = [asked("x"), asked("y"), asked("y", model="z"), asked("x", model="late")]
    _, found = run(rules, *requests)
    assert [said(decision) for decision in found] == ["0!", "1!", "2!", "3!"]


@given(st.lists(st.tuples(matches, st.integers(-1, 1)), max_size=6))
def test_the_index_agrees_with_asking_every_rule(drawn: list[tuple[Match, int]]) -> None:
    """Law: index = the slow way."""
    script = Script(rules=tuple(Rule(matcher=matcher, priority=priority) for matcher, priority in drawn))
    odd = Request("POST", CHAT, body=b'{"model": ["no", "text"], "stream": true}')
    for request in (asked("a report"), Request("GET", "/health"), asked(model="org/m"), odd):
        view = View(request)
        order = sorted(range(len(drawn)), key=lambda number: -drawn[number][1])
        slow = next((number for number in order if is_for(drawn[number][0], view)), None)
        assert script.index.first(View(request)) == slow


@pytest.mark.parametrize("path", ["/v1/models", "/v1/info", "/health"])
def test_what_clients_ask_first_is_answered_by_a_strict_script(path: str) -> None:
    """Unless a rule is for it; a POST there is no such question."""
    get = Request("GET", path)
    rules: list[dict[str, Any]] = [{"match": {"path": CHAT}, "reply": {"text": "x"}}]
    assert run(rules, get)[1][0].explanation is None
    assert said(run([*rules, {"match": {"path": path}, "reply": {"text": "mine"}}], get)[1][0]) == "mine!"
    assert (run(rules, Request("POST", path))[1][0].explanation is None) is (path == "/health")


def test_an_unmatched_request_is_told_why() -> None:
    """404 with the nearest rules first, each field expected and got; probes are answered all the same."""
    rules = [
        {"name": "far", "match": {"path": "/v1/embeddings", "model": "e", "contains": "q"}},
        {"name": "near", "match": {"path": CHAT, "contains": "report"}},
    ]
    state, (decision, probe) = run(rules, asked("repart"), Request("GET", "/health"))
    assert decision.plan.steps[0].status == 404  # type: ignore[union-attr]  # a refusal begins with its head
    body = json.loads(decision.plan.steps[1].data)  # type: ignore[union-attr]  # and then comes its body
    assert body["error"]["code"] == "no_rule_matched"
    assert "near (0 calls): contains: expected 'report', got 'repart'" in body["error"]["message"]
    assert [rule["rule"] for rule in body["explanation"]["rules"]] == ["near", "far"]
    assert body["explanation"]["rules"][0]["fields"][1] == {
        "field": "contains",
        "expected": "report",
        "got": "repart",
        "ok": False,
    }
    assert decision.explanation is not None
    assert said(probe) == "model!"
    assert (state.unmatched, state.requests) == (1, 2)
    assert said(run({"rules": rules, "strict": False}, asked("repart"))[1][0]) == "model!"
    assert "the script has none" in str(run({"strict": True}, asked())[1][0].explanation)


def test_any_request_can_be_explained() -> None:
    """A matched one too; a thousand rules make a short text."""
    script = parse_script([{"match": {"model": f"m{number}"}} for number in range(1000)])
    matched = explain(script, State(hits={"rules[7]": 2}), asked(model="m7"))
    assert str(matched) == "POST /v1/chat/completions model 'm7' 'Hi': rule rules[7] matches"
    assert str(matched.rules[0]) == "rules[7] (2 calls): matches"
    unmatched = explain(script, State(), asked())
    assert str(unmatched).endswith("... and 997 more")
    assert (len(unmatched.to_json()["rules"]), unmatched.to_json()["more_rules"]) == (20, 980)


def test_what_was_never_used_is_known() -> None:
    """Rules without a call, faults without an effect (in force, but with nothing to do, is no effect)."""
    script = parse_script(
        {
            "rules": [
                {"name": "used", "faults": [["cut", {"kind": "drop", "at": "usage"}], [REFUSED]]},
                {"match": {"model": "never"}},
            ],
            "faults": [{"kind": "delay", "seconds": 1, "when": {"after": 5}}],
        }
    )
    state, _ = run(script, asked())
    assert unused_rules(script, state) == ["rules[1]"]
    assert unused_faults(script, state) == [
        "faults[0] (delay)",
        "used.faults[0][1] (drop)",
        "used.faults[1][0] (status)",
    ]
    assert unused_faults(script, run(script, asked(), asked())[0])[1:] == ["used.faults[0][1] (drop)"]


def test_faults_come_from_four_places_in_order() -> None:
    """The rule's, the script's, the door's, the request's own."""
    script = parse_script(
        {"rules": [{"faults": [[{"kind": "drop", "at": "done"}]]}], "faults": [{"kind": "headers", "set": {"a": "b"}}]}
    )
    door = with_faults(State(), (parse_fault({"kind": "delay", "seconds": 1}),))
    _, decision = decide(script, door, asked(), answer, (parse_fault("cut"),))
    assert [one.kind for one in decision.faults] == ["drop", "headers", "delay", "cut"]
    assert decision.plan.ending == Close("rst")


def test_a_healed_session_has_no_faults() -> None:
    """The plan is the very plan of the model; nothing is healed by arming nothing."""
    script = parse_script({"rules": [{"faults": [["cut"]], "reply": "A"}], "faults": ["stall"]})
    state = healed(script, with_faults(State(), (parse_fault("cut"),)))
    state, decision = decide(script, state, asked(), answer)
    assert decision.plan == answer(asked(), Text("A"))
    assert decision.faults == ()
    assert connection_plan(parse_script({"faults": ["accept-reset"]}), state) is ORDERLY
    assert is_healed(script, with_faults(state, ()))


def test_faults_that_come_after_healing_act() -> None:
    """Those of the door, of the script and of rules, new ones and those of a rule that is made anew; no other does."""
    old = parse_script({"rules": [{"name": "a", "faults": [["cut"]]}, {"name": "b"}], "faults": ["stall"]})
    state = healed(old, State())

    def kinds(script: Script, state: State) -> list[str]:
        return [one.kind for one in decide(script, state, asked(), answer)[1].faults]

    assert kinds(old, with_faults(state, (parse_fault({"kind": "delay", "seconds": 1}),))) == ["delay"]
    new = {"faults": [{"kind": "headers", "set": {"a": "b"}}], "rules": [{"faults": [["cut"]]}]}
    more = old.adding(parse_script(new))
    added = with_script(old, more, state)
    assert kinds(more, added) == ["headers"]
    assert not is_healed(more, added)
    assert is_healed(more, healed(more, added))
    again = old.with_rule(0, parse_script({"rules": [{"name": "c", "faults": [["garbage-status"]]}]}).rules[0])
    assert kinds(again, with_script(old, again, state)) == ["garbage-status"]
    renamed = old.with_rule(0, replace(old.rules[0], name="z"))
    assert kinds(renamed, with_script(old, renamed, state)) == []
    other = replace(old, faults=(parse_fault("cut"), *old.faults))
    assert kinds(other, with_script(old, other, state)) == ["cut", "stall"]
    assert with_script(old, more, State()) == State()
    resets = parse_script({"faults": ["stall", "accept-reset"]})
    assert connection_plan(resets, with_script(parse_script({"faults": ["stall"]}), resets, state)) is not ORDERLY


@given(fault_lists, plans, st.integers(0, 5))
def test_chance_depends_on_seed_rule_and_call_only(many: tuple[Fault, ...], plan: Plan, others: int) -> None:
    """Requests to other rules, and the order they come in, change nothing of a rule's plans."""
    rules = (Rule(name="own", matcher=Match(model="own"), faults=(many,)), Rule(name="other"))
    script, quiet, busy = Script(rules=rules, seed=5), State(), State()
    for _ in range(others):
        busy, _ = decide(script, busy, asked(model="x"), lambda *_: plan)
    for _ in range(2):
        quiet, one = decide(script, quiet, asked(model="own"), lambda *_: plan)
        busy, other = decide(script, busy, asked(model="own"), lambda *_: plan)
        assert one.plan == other.plan


def test_when_until_counts_from_the_first_request() -> None:
    """`Request.received` is the clock."""
    script = {"faults": [{"kind": "loading", "seconds": 2}]}
    _, found = run(script, *(asked(received=100.0 + second) for second in (0, 1, 2, 3)))
    assert [said(decision) for decision in found] == ["503", "503", "503", "model!"]


def test_a_key_expires() -> None:
    """Behind n calls, for ever."""
    _, found = run({"faults": [{"kind": "key-expired", "calls": 2}]}, *[asked()] * 4)
    assert [said(decision) for decision in found] == ["model!", "model!", "401", "401"]


def test_connections_are_judged_before_their_requests() -> None:
    """`when` counts connections there, and the requests of a connection are told the same."""
    script = parse_script({"faults": [{"kind": "accept-reset", "when": {"first": 2}}, "idle-close"]})
    plans_of = [connection_plan(script, State(), number, 0.0).on_accept for number in (1, 2, 3)]
    assert plans_of == ["reset", "reset", "none"]
    for number in (1, 3):
        _, decision = decide(script, State(), asked(connection=number), answer)
        assert decision.connection == connection_plan(script, State(), number, 0.0)
    half = parse_script({"faults": [{"kind": "accept-close", "when": {"probability": 0.5}}]})
    closed = {number for number in range(100) if connection_plan(half, State(), number).on_accept == "close"}
    assert 30 < len(closed) < 70
    assert closed == {number for number in range(100) if connection_plan(half, State(), number).on_accept == "close"}


@pytest.mark.parametrize(
    ("value", "kinds"),
    [(None, []), (b'{"kind":"cut"}', ["cut"]), (b'["cut",{"kind":"bom"}]', ["cut", "bom"]), (b'"bom"', ["bom"])],
)
def test_a_request_can_bring_its_faults(value: bytes | None, kinds: list[str]) -> None:
    """In the header X-Inferneo-Fault."""
    request = Request("GET", "/", headers=() if value is None else ((b"x-inferneo-fault", value),))
    assert [one.kind for one in faults_of_header(request)] == kinds


@pytest.mark.parametrize("value", [b"{", b'{"kind":"cutt"}', b"\xff"])
def test_a_request_with_bad_faults_is_refused(value: bytes) -> None:
    """As a user's mistake."""
    with pytest.raises(ScriptError, match=r"no JSON|did you mean"):
        faults_of_header(Request("GET", "/", headers=((b"x-inferneo-fault", value),)))


def test_probability_is_drawn_per_call() -> None:
    """About half of many calls, and always the same half."""
    rule = {"faults": [[{"kind": "status", "status": 503, "when": {"probability": 0.5}}]]}
    hits = [said(decision) == "503" for decision in run([rule], *[asked()] * 100)[1]]
    assert 30 < sum(hits) < 70
    assert hits == [said(decision) == "503" for decision in run([rule], *[asked()] * 100)[1]]
    assert hits != [said(decision) == "503" for decision in run({"rules": [rule], "seed": 1}, *[asked()] * 100)[1]]
    assert parse_fault("cut").apply(answer(asked(), None), Random(0)).ending == Close("rst")


def test_a_predicate_that_raises_is_a_failure_that_names_its_rule() -> None:
    def broken(view: View) -> object:
        return view.document.nothing

    rules = (Rule(matcher=Match(path="/other")), Rule(matcher=Where(broken)), Rule(matcher=Not(Where(broken))))
    script = Script(rules=rules)
    state, decision = decide(script, State(), asked(), answer)
    assert decision.failure is not None
    assert decision.failure.startswith("the predicate of rules[1] raised AttributeError: ")
    assert isinstance(head := decision.plan.steps[0], Head)
    assert head.status == 500
    assert (state.requests, dict(state.hits)) == (1, {})
    told = explain(script, state, asked())
    assert told.rule is None
    assert str(told).count("raised AttributeError") == 2
