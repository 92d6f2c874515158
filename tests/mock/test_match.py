"""Which requests a matcher is for, and why it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from strategies import matchers

from mockserver.errors import ScriptError
from mockserver.request import Request
from mockserver.scripting.jsonpath import select
from mockserver.scripting.match import (
    AllOf,
    AnyOf,
    Finding,
    Match,
    Matcher,
    Not,
    explain_matcher,
    matcher_schema,
    matcher_to_json,
    matches,
    parse_matcher,
)
from mockserver.scripting.view import View, text_of

CHAT = "/v1/chat/completions"
BODY = {
    "model": "org/m",
    "stream": True,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "A report"}, {"type": "image_url"}, "loose"]},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "page 7"},
    ],
    "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}],
    "n": 2,
}
SCHEMA = Draft202012Validator({"$defs": {"match": matcher_schema()}, "$ref": "#/$defs/match"})


def asked(body: Any = BODY, path: str = CHAT, method: str = "POST", **fields: Any) -> View:
    """A request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return View(Request(method, path, body=data, headers=((b"x-a", b"1"), (b"x-a", b"2")), **fields))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, True),
        ({"path": CHAT}, True),
        ({"path": "/v1/chat"}, False),
        ({"path": "/v1/*"}, True),
        ({"path": "*/completions"}, True),
        ({"path": "/v2/*"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"model": "org/m"}, True),
        ({"model": "m"}, False),
        ({"stream": True}, True),
        ({"stream": False}, False),
        ({"contains": "report"}, True),
        ({"contains": "Report"}, False),
        ({"contains": "report", "role": "user"}, True),
        ({"contains": "report", "role": "system"}, False),
        ({"regex": r"page \d$"}, True),
        ({"regex": r"^page"}, False),
        ({"role": "tool"}, False),
        ({"role": "system"}, True),
        ({"turn": 2}, True),
        ({"turn": 1}, False),
        ({"tools": ["g"]}, True),
        ({"tools": ["g", "h"]}, False),
        ({"tools": []}, True),
        ({"header": {"X-A": "2"}}, True),
        ({"header": {"x-a": "3"}}, False),
        ({"header": {"x-a": True, "x-b": False}}, True),
        ({"header": {"x-b": True}}, False),
        ({"json": {"n": 2, "messages": [{"role": "system"}, {}, {"content": None}, {}]}}, True),
        ({"json": {"n": True}}, False),
        ({"json": {"messages": []}}, False),
        ({"json": {"nn": 2}}, False),
        ({"jsonpath": "$.tools"}, True),
        ({"jsonpath": "$.nothing"}, False),
        ({"jsonpath": {"$.messages[-1].content": "page 7", "$..name": "g"}}, True),
        ({"jsonpath": {"$.messages[*].role": "tool"}}, False),
        ({"nth": 3}, True),
        ({"nth": 1}, False),
        ({"connection": 5}, True),
        ({"connection": 6}, False),
        ({"any": [{"model": "m"}, {"stream": True}]}, True),
        ({"any": [{"model": "m"}, {"stream": False}]}, False),
        ({"any": []}, False),
        ({"all": [{"model": "org/m"}, {"stream": True}]}, True),
        ({"all": [{"model": "org/m"}, {"stream": False}]}, False),
        ({"all": []}, True),
        ({"not": {"model": "m"}}, True),
        ({"not": {}}, False),
        ({"path": CHAT, "not": {"model": "m"}, "any": [{"nth": 3}]}, True),
    ],
)
def test_fields(told: dict[str, Any], expected: bool) -> None:
    """Every field by itself, holding and not; the explanation agrees."""
    matcher, view = parse_matcher(told), asked(number=3, connection=5)
    assert matches(matcher, view) is expected
    assert all(finding.holds for finding in explain_matcher(matcher, view)) is expected
    SCHEMA.validate(told)


@given(matchers)
def test_every_matcher_goes_through_json(matcher: Matcher) -> None:
    """It comes back equal, the schema accepts it, and the same requests match."""
    told = json.loads(json.dumps(matcher_to_json(matcher)))
    again = parse_matcher(told)
    assert again == matcher
    SCHEMA.validate(told)
    assert matches(again, asked()) is matches(matcher, asked())


@given(matchers, matchers)
def test_the_operators_are_the_logic(one: Matcher, other: Matcher) -> None:
    """`&`, `|`, `~` are and, or, not."""
    view = asked()
    assert matches(one & other, view) is (matches(one, view) and matches(other, view))
    assert matches(one | other, view) is (matches(one, view) or matches(other, view))
    assert matches(~one, view) is not matches(one, view)


def test_operators_do_not_nest_without_need() -> None:
    """a & b & c is one list of three."""
    a, b, c = Match(model="a"), Match(model="b"), Match(model="c")
    assert a & b & c == AllOf((a, b, c))
    assert a | b | c == AnyOf((a, b, c))
    assert ~a == Not(a)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"3", b'{"messages": 3, "tools": {}, "model": []}'])
def test_any_body_can_be_asked(body: bytes) -> None:
    """What is no chat matches no chat, and nothing raises."""
    view = asked(body)
    assert not matches(Match(contains="x"), view)
    assert not matches(Match(tools=("f",)), view)
    assert not matches(Match(json={"a": 1}), view)
    assert not matches(Match(jsonpath="$.messages[0]"), view)
    assert matches(Match(stream=False), view)
    assert explain_matcher(Match(turn=1, regex="x"), view)[0].holds is False


def test_prompts_and_inputs_are_said_by_the_user() -> None:
    """Completions and embeddings have text too."""
    assert asked({"prompt": ["a", "b"]}).lines == (("user", "a\nb"),)
    assert asked({"input": "c"}).lines == (("user", "c"),)
    assert asked({}).lines == ()
    assert asked(b"", path="/v1/models/org/m", method="GET").model == "org/m"
    assert text_of(3) == ""


def test_findings_say_expected_and_got() -> None:
    """One line each."""
    view = asked(number=2)
    fields = explain_matcher(
        Match(
            method="GET",
            path="/v1/*",
            model="m",
            header={"x-a": "9"},
            contains="zebra",
            tools=("h",),
            json={"n": 1},
            jsonpath="$.n",
            nth=2,
        ),
        view,
    )
    told = {finding.field: str(finding) for finding in fields}
    assert told["method"] == "method: expected 'GET', got 'POST'"
    assert told["path"] == "path: ok"
    assert told["header"] == "header: expected {'x-a': '9'}, got {'x-a': '2'}"
    assert told["tools"] == "tools: expected ['h'], got ['f', 'g']"
    assert told["jsonpath"] == "jsonpath: ok"
    assert explain_matcher(Not(Match()), view) == [Finding("not", {}, "it matched", False)]
    assert explain_matcher(AnyOf(()), view) == [Finding("any", [], None, False)]


@pytest.mark.parametrize(
    ("told", "path", "words"),
    [
        (3, "$", "an object of fields"),
        ({"contain": "x"}, "$.contain", "did you mean 'contains'"),
        ({"regex": "("}, "$.regex", "bad regex"),
        ({"jsonpath": "messages"}, "$.jsonpath", "begins with '$'"),
        ({"jsonpath": {"$.a[?(@)]": 1}}, "$.jsonpath", "cannot read"),
        ({"jsonpath": 3}, "$.jsonpath", "JSONPath"),
        ({"header": [1]}, "$.header", "an object of header names"),
        ({"header": {"a": 1}}, "$.header.a", "true or false"),
        ({"turn": 0}, "$.turn", ">= 1"),
        ({"any": {}}, "$.any", "a list of matches"),
        ({"any": [{}, {"modle": "x"}]}, "$.any[1].modle", "did you mean 'model'"),
        ({"not": {"stream": 1}}, "$.not.stream", "true or false"),
    ],
)
def test_what_means_nothing_is_refused(told: Any, path: str, words: str) -> None:
    """With path, value and what would be right."""
    with pytest.raises(ScriptError) as caught:
        parse_matcher(told)
    assert caught.value.path == path
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [{"a": {"b c": [1, 2]}, "d": [{"a": 3}]}]),
        ("$.a['b c'][0]", [1]),
        ('$["a"]["b c"][-1]', [2]),
        ("$.d[*].a", [3]),
        ("$.d[5]", []),
        ("$..a", [{"b c": [1, 2]}, 3]),
        ("$.*", [{"b c": [1, 2]}, [{"a": 3}]]),
        ("$..[0]", [1, {"a": 3}]),
        ("$.a.x", []),
    ],
)
def test_jsonpath(path: str, found: list[Any]) -> None:
    """Names, indexes, wildcards, descendants."""
    assert select(path, {"a": {"b c": [1, 2]}, "d": [{"a": 3}]}) == found
