"""Python words and JSON are one vocabulary."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.errors import ScriptError
from mockserver.reply import ToolCall
from mockserver.scripting import dsl
from mockserver.scripting.dsl import RuleDraft, chat, completion, fault, on, request
from mockserver.scripting.rule import Rule, parse_rule
from mockserver.scripting.script import parse_script

LIMIT = dsl.status(429, retry_after=0.2)
CUT = dsl.cut(after_events=1)
LIMITED = {"kind": "status", "status": 429, "retry_after": 0.2}
BROKEN = {"kind": "cut", "after_events": 1}


@pytest.mark.parametrize(
    ("draft", "faults", "replies"),
    [
        (on(chat()), [], []),
        (on(chat()).reply("A"), [], ["A"]),
        (on(chat()).reply("A").reply("B"), [], ["A", "B"]),
        (on(chat()).fail(LIMIT, times=2).reply("A"), [[LIMITED], [LIMITED], []], ["A"]),
        (on(chat()).fail(LIMIT, times=1).fail(CUT, times=1).reply("A"), [[LIMITED], [BROKEN], []], ["A"]),
        (on(chat()).fail(LIMIT, CUT, times=1), [[LIMITED, BROKEN], []], []),
        (on(chat()).fail(CUT), [[BROKEN]], []),
        (on(chat()).fail(CUT).reply("A"), [[BROKEN]], ["A"]),
        (on(chat()).reply("A").fail(CUT), [[], [BROKEN]], ["A"]),
        (on(chat()).reply("A").fail(CUT, times=2).reply("B"), [[], [BROKEN], [BROKEN], []], ["A", "B"]),
        (on(chat()).reply("A").fail(CUT, times=1), [[], [BROKEN], []], ["A"]),
        (on(chat()).fail(CUT, times=1).after("fail"), [[BROKEN]], []),
        (on(chat()).reply("A").reply("A").after("fail"), [], ["A", "A"]),
    ],
)
def test_a_rule_is_its_calls_in_order(draft: RuleDraft, faults: list[Any], replies: list[str]) -> None:
    """`fail` covers the next calls, `reply` answers them and one more, the last repeats."""
    told = {"match": {"method": "POST", "path": "/v1/chat/completions"}, "faults": faults, "replies": replies}
    assert draft.rule == parse_rule({**told, "after": draft.rule.after})
    assert parse_rule(json.loads(json.dumps(draft.rule.to_json()))) == draft.rule


def test_each_word_is_in_force_at_once() -> None:
    """Every step publishes the rule as it stands."""
    published: list[Rule] = []
    draft = on(chat(), published.append).fail(LIMIT, times=1).reply("A").named("x").first()
    assert [(len(rule.faults), len(rule.replies), rule.name, rule.priority) for rule in published] == [
        (0, 0, None, 0),
        (2, 0, None, 0),
        (2, 1, None, 0),
        (2, 1, "x", 0),
        (2, 1, "x", 1),
    ]
    assert draft.rule == published[-1]


def test_every_word_makes_a_value_of_json() -> None:
    """Matchers, replies and faults built in Python are those that JSON builds."""
    made = dsl.script(
        on(chat(contains="a") | ~completion(stream=True) & request(nth=2)).reply(dsl.error(503, "no", code="x")),
        on(dsl.embeddings()).reply(dsl.embedding((0.5, 1.0))),
        on(dsl.models()).reply(dsl.json({"a": 1}, 201)).named("models"),
        on().reply(dsl.tool_calls(("f", {"a": 1}), ToolCall("g"), text="so")),
        on(request(path="/x*")).reply(dsl.raw(b"\xff")).reply(dsl.fixture("f")).reply(dsl.choices((dsl.text("a"),))),
        Rule(faults=((fault("stall", after_events=1), dsl.delay(1), dsl.stall()),)),
        seed=7,
        strict=False,
    )
    assert made.rules[0].matcher == parse_script(made.to_json()).rules[0].matcher
    assert parse_script(json.loads(json.dumps(made.to_json()))) == made
    assert (made.seed, made.is_strict) == (7, False)


UNTYPED: Any = on
"""For mistakes that a type checker would tell before."""


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: on().fail(), "at least one fault"),
        (lambda: on().fail(CUT, times=0), "times >= 1"),
        (lambda: UNTYPED().fail(CUT, times="2"), r"times >= 1; got 1 fault, times='2'"),
        (lambda: on().fail(CUT, times=True), "times=True"),
        (
            lambda: UNTYPED().fail(dsl.error(503)),
            r"fail\(\) takes faults, and Error\(.* is a reply: write fail\(status\(503\)\)",
        ),
        (lambda: UNTYPED().fail(dsl.text("x")), r"is a reply: write fail\(a fault\)"),
        (lambda: UNTYPED().reply(dsl.status(429)), r"reply\(\) takes a reply, and Status\(.* is a fault: write fail"),
        (lambda: UNTYPED().named(3), "name: expected a text, got 3"),
        (lambda: UNTYPED().hold(3), "hold: expected a text, got 3"),
        (lambda: UNTYPED().first("x"), "priority: expected a whole number, got 'x'"),
        (lambda: UNTYPED().after("never"), "after: unknown value 'never'; known: cycle, fail, repeat-last"),
        (lambda: UNTYPED().unsafe("no"), "unsafe: expected true or false, got 'no'"),
        (lambda: on().fail(CUT).fail(CUT), "holds for ever"),
        (lambda: on().fail("cutt"), "did you mean 'cut'"),
        (lambda: on().reply({"txet": "a"}), "did you mean 'text'"),
        (lambda: fault("cut", hwo="fin"), "did you mean 'how'"),
        (lambda: chat(regex="("), "bad regex"),
    ],
)
def test_what_means_nothing_is_refused(write: Any, words: str) -> None:
    """Where it is written, not when a request comes."""
    with pytest.raises(ScriptError, match=words):
        write()


@pytest.mark.parametrize("word", ["chat", "completion", "embeddings", "models"])
def test_forgotten_parentheses_are_refused_at_once(word: str) -> None:
    """The function itself would be taken for a predicate."""
    with pytest.raises(ScriptError, match=rf"did you mean {word}\(\)\?"):
        on(getattr(dsl, word))
    with pytest.raises(ScriptError, match="forget the parentheses"):
        on(request)


def test_an_unknown_keyword_is_told_as_in_json() -> None:
    """Python's words and JSON's keys are refused with one sentence; callers may catch either error."""
    for error in (ScriptError, TypeError):
        with pytest.raises(error, match=r"unknown key 'contain'; known: .*; did you mean 'contains'\?"):
            chat(contain="x")
        with pytest.raises(error, match=r"unknown key 'retry_afer'; .*; did you mean 'retry_after'\?"):
            dsl.status(429, retry_afer=1)  # type: ignore[call-arg]  # the mistake is what is tested
