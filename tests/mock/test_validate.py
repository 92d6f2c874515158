"""Requests are read alike on both ways, every complaint names its field, and nothing a client sends is a 500."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from asking import ANSWERERS, CHAT, COMPLETIONS, JSON, LLAMA, MODELS, ask, body, chat, completion, post, reply, status
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.fields import ABSENT, Field, Grammar
from mockserver.model.validate import Branch, Issue, validate
from mockserver.request import Request

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**30, -(2**63) - 1, 2**63, 1e308, 1e999, float("nan"), -0.0, 0.5, 8.0, 8.5, 129, 2.0, 2.5]),
    st.sampled_from(["", "8", "x", "true", "float", "auto", "required", "é😀", "a\x00b"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "role", "content", "function", "name", "json_schema"]), inner
        )
    ),
    max_leaves=6,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "wizard", 5]), "content": st.one_of(st.text(max_size=5), VALUES)},
        optional={"name": st.one_of(st.none(), st.just("bob"), st.just(5)), "tool_calls": VALUES},
    ),
    max_size=2,
)


@st.composite
def bodies(draw: st.DrawFn, profile: str, action: str) -> dict[str, Any]:
    """A body with fields of the grammar, some good, some odd, and now and then one that nobody knows."""
    grammar = ANSWERERS[profile].profile.grammars[action]
    names = draw(st.lists(st.sampled_from([*grammar.fields, "unheard_of"]), max_size=4, unique=True))
    found: dict[str, Any] = {name: draw(VALUES) for name in names}
    if draw(st.booleans()):
        found["model"] = MODELS[profile]
    if draw(st.booleans()):
        found["messages" if action == "chat" else "prompt"] = draw(MESSAGES) if action == "chat" else "Hello"
    return found


CASES = [(profile, action) for profile in MODELS for action in ("chat", "completion")]


@pytest.mark.parametrize(("profile", "action"), CASES)
@given(data=st.data())
def test_both_ways_agree(profile: str, action: str, data: st.DataObject) -> None:
    """What the typed decode accepts, the full reading accepts, with the same values."""
    fields = data.draw(bodies(profile, action))
    grammar = ANSWERERS[profile].profile.grammars[action]
    try:
        quick = grammar.quick(json.dumps(fields).encode())
    except msgspec.DecodeError:
        return
    if grammar.is_excluded(quick):
        return
    values, issues, refusals = validate(json.loads(json.dumps(fields)), grammar)
    assert not issues
    assert not refusals
    slow = grammar.ask(**values)
    for name in ABSENT:
        found = getattr(quick, name)
        if name == "messages":
            found = [{"role": one.role, "content": one.content} for one in found]
            assert found == [{key: one[key] for key in ("role", "content")} for one in slow.messages]
        else:
            assert found == getattr(slow, name), name


@pytest.mark.parametrize(("profile", "action"), CASES)
@given(data=st.data())
def test_any_object_is_answered(profile: str, action: str, data: st.DataObject) -> None:
    """200 or a 4xx or a 501 of the profile, always JSON with the profile's error body."""
    fields = data.draw(bodies(profile, action))
    plan = ask(CHAT if action == "chat" else COMPLETIONS, fields, profile)
    assert status(plan) == 501 or 200 <= status(plan) < 500
    if status(plan) != 200:
        document = reply(plan)
        assert document.get("detail") or document["error"]["message"]


@given(st.binary(max_size=60))
@pytest.mark.parametrize("profile", sorted(MODELS))
def test_any_bytes_are_answered(profile: str, data: bytes) -> None:
    """The same for bodies that are no JSON at all."""
    plan = ANSWERERS[profile].plan(post(CHAT, data))
    assert 400 <= status(plan) < 500
    assert reply(plan)


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"NaN",
    b'{"model": "x", "prompt": NaN}',
    b'{"model": "x", "prompt": "x", "temperature": Infinity}',
    b'{"model": "x", "prompt": "\\ud800"}',
    b'{"model": "\\udfff", "prompt": "x"}',
    b'{"model": "x", "prompt": "caf\xe9"}',
    b'\xef\xbb\xbf{"model": "x", "prompt": "x"}',
    b"\xff\xfe{\x00}\x00",
    b'{"a":' * 20_000,
    b'{"model":"x","prompt":"x","foo":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"model":"x","prompt":"x","max_tokens":' + b"9" * 5_000 + b"}",
    b'{"model":"x","prompt":"x","temperature":1e999}',
    b'{"model":"x","prompt":"x","temperature":1' + b"0" * 400 + b"}",
    b'{"model":"x","prompt":"x"} trailing',
    b"{'model': 'x'}",
]


@pytest.mark.parametrize("data", BAD_BODIES, ids=lambda data: repr(data[:24]))
def test_bad_bodies_get_a_400_in_the_envelope(data: bytes) -> None:
    """Profile docs: one error object with a message and a code; the next request works."""
    plan = ANSWERERS["docs"].plan(post(COMPLETIONS, data))
    assert status(plan) == 400
    error = reply(plan)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["code"] == "invalid_request_error"
    assert len(error["message"]) < 400
    assert status(ask(COMPLETIONS, completion())) == 200


RANGES = [
    ("temperature", -0.1, 2.1, [0, 2, 0.0, 2.0, None]),
    ("top_p", -0.1, 1.1, [0, 1, 1.0, None]),
    ("frequency_penalty", -2.1, 2.1, [-2, 2, None]),
    ("presence_penalty", -2.1, 2.1, [-2, 2, None]),
    ("min_p", -0.1, 1.1, [0, 1, None]),
    ("n", 0, 129, [1, 2, None]),
    ("max_tokens", 0, -1, [1, 10**6, 10**40, 8.0, None]),
    ("top_k", 0, -2, [-1, 1, 10**9, None]),
    ("repetition_penalty", 0, -1, [0.1, 3, None]),
    ("seed", 2**63, -(2**63) - 1, [0, -5, 2**63 - 1, None]),
]


@pytest.mark.parametrize(("name", "low", "high", "good"), RANGES)
def test_ranges(name: str, low: float, high: float, good: list[Any]) -> None:
    """Outside is a 400 that names the field and the value, the borders are inside, null is absent."""
    for make, path in ((chat, CHAT), (completion, COMPLETIONS)):
        wrong: tuple[Any, ...] = (low, high, "x", [1], {}, True, "1")
        for value in wrong:
            plan = ask(path, make(**{name: value}))
            assert status(plan) == 400, (name, value)
            assert reply(plan)["error"]["param"] == name
            assert name in reply(plan)["error"]["message"]
        for value in good:
            assert status(ask(path, make(**{name: value}))) == 200, (name, value)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": LLAMA}, "messages"),
        ({"messages": [{"role": "user", "content": "x"}]}, "model"),
        (chat() | {"messages": []}, "messages"),
        (chat() | {"messages": "x"}, "messages"),
        (chat() | {"messages": ["x"]}, "messages[0]"),
        (chat() | {"messages": [{"content": "x"}]}, "messages[0].role"),
        (chat() | {"messages": [{"role": "user"}]}, "messages[0].content"),
        (chat() | {"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        (chat() | {"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        (chat([{"type": "text"}]), "messages[0].content[0].text"),
        (chat([{"type": "text", "text": 5}]), "messages[0].content[0].text"),
        (chat([{"type": "smell", "text": "x"}]), "messages[0].content[0].type"),
        (chat([{"text": "x"}]), "messages[0].content[0].type"),
        (chat(["x"]), "messages[0].content[0]"),
        (chat([{"type": "image_url", "image_url": {}}]), "messages[0].content[0].image_url.url"),
        (chat(stop=5), "stop"),
        (chat(stop=[5]), "stop[0]"),
        (chat(stream="yes"), "stream"),
        (chat(logit_bias={"5": 101}), "logit_bias.5"),
        (chat(logit_bias={"5": -101}), "logit_bias.5"),
        (chat(logit_bias={"5": "x"}), "logit_bias.5"),
        (chat(logit_bias=[]), "logit_bias"),
        (chat(stream_options=True), "stream_options"),
        (chat(stream_options={"include_usage": 1}), "stream_options.include_usage"),
        (chat(response_format="json"), "response_format"),
        (chat(response_format={"type": "xml"}), "response_format.type"),
        (chat(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (chat(response_format={"type": "json_schema", "json_schema": 5}), "response_format.json_schema"),
        (
            chat(response_format={"type": "json_schema", "json_schema": {"schema": 5}}),
            "response_format.json_schema.schema",
        ),
        (chat(tools={}), "tools"),
        (chat(tools=[5]), "tools[0]"),
        (chat(tools=[{"type": "x"}]), "tools[0].type"),
        (chat(tools=[{"type": "function"}]), "tools[0].function"),
        (chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
        (chat(tools=[{"type": "function", "function": {"name": ""}}]), "tools[0].function.name"),
        (
            chat(tools=[{"type": "function", "function": {"name": "f", "parameters": 5}}]),
            "tools[0].function.parameters",
        ),
        (chat(tools=[{"type": "function", "function": {"name": "f"}}] * 129), "tools"),
        (chat(tool_choice="maybe"), "tool_choice"),
        (chat(tool_choice={"type": "x"}), "tool_choice.type"),
        (chat(tool_choice={"type": "function", "function": {}}), "tool_choice.function.name"),
        (chat(tool_choice="required"), "tool_choice"),
        (chat(top_logprobs=2), "top_logprobs"),
        (chat(user=5), "user"),
        (chat(logprobs="x"), "logprobs"),
    ],
)
def test_complaints_name_the_place(fields: dict[str, Any], param: str) -> None:
    """Profile docs: `param` is the path of the field that is wrong."""
    plan = ask(CHAT, fields)
    assert status(plan) == 400
    assert reply(plan)["error"]["param"] == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (completion([]), "prompt"),
        (completion(["x", 5]), "prompt[1]"),
        (completion([[1], []]), "prompt[0]"),
        (completion({}), "prompt"),
        (completion([True]), "prompt[0]"),
        (completion(["x"] * 2049), "prompt"),
        (completion(logprobs=6), "logprobs"),
        (completion(best_of=1, n=2), "best_of"),
        (completion(best_of=2, stream=True), "best_of"),
        (completion("word " * 9000), "prompt"),
    ],
)
def test_complaints_about_completions(fields: dict[str, Any], param: str) -> None:
    """The same for text completions."""
    plan = ask(COMPLETIONS, fields)
    assert status(plan) == 400
    assert reply(plan)["error"]["param"] == param


def _post(kind: bytes | None, *more: tuple[bytes, bytes]) -> Request:
    headers = (*(((b"content-type", kind),) if kind is not None else ()), *more)
    return Request("POST", CHAT, headers=headers, body=json.dumps(chat()).encode())


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (b"application/json", 200),
        (b"application/json; charset=utf-8", 200),
        (b"APPLICATION/JSON", 200),
        (b"application/vnd.api+json", 200),
        (None, 200),
        (b"text/plain", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"", 415),
        (b"\xff", 415),
    ],
)
def test_content_types(kind: bytes | None, code: int) -> None:
    """JSON is read, anything else is refused in the envelope."""
    plan = ANSWERERS["docs"].plan(_post(kind))
    assert status(plan) == code
    assert ("error" in reply(plan)) == (code != 200)


def test_coercions() -> None:
    """`engine` takes texts and truths for numbers, `docs` takes neither."""
    for fields in (
        {"temperature": True},
        {"temperature": "0.5"},
        {"max_tokens": "8"},
        {"max_tokens": True},
        {"stream": 0},
    ):
        assert status(ask(CHAT, chat(model="chain", **fields), "engine")) == 200
        assert status(ask(CHAT, chat(**fields))) == 400
    refused: tuple[dict[str, Any], ...] = (
        {"temperature": "x"},
        {"max_tokens": "8.5"},
        {"stream": 2},
        {"stream": "x"},
        {"stream": [1]},
    )
    for wrong in refused:
        assert status(ask(CHAT, chat(model="chain", **wrong), "engine")) == 422


def test_content_encodings() -> None:
    """A compressed body is refused before it is read."""
    plan = ANSWERERS["docs"].plan(_post(b"application/json", (b"content-encoding", b"gzip")))
    assert status(plan) == 415
    assert "gzip" in reply(plan)["error"]["message"]
    assert status(ANSWERERS["docs"].plan(_post(b"application/json", (b"content-encoding", b"identity")))) == 200


def test_huge_bodies() -> None:
    """More than the profile's limit is a 413 wherever the body was read."""
    plan = ANSWERERS["docs"].plan(post(CHAT, b" " * (10_485_760 + 1)))
    assert status(plan) == 413
    assert "10485760" in reply(plan)["error"]["message"]


def test_a_profile_may_refuse_unknown_fields() -> None:
    """`docs` lets them pass, `openai` names the first."""
    assert status(ask(CHAT, chat(unheard_of=1))) == 200
    plan = ask(CHAT, chat(model="gpt-4o-mini", unheard_of=1), "openai")
    assert (status(plan), reply(plan)["error"]["param"]) == (400, "unheard_of")


def test_messages_without_content() -> None:
    """An assistant that called tools said nothing."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "5", "tool_call_id": "c"},
    ]
    assert status(ask(CHAT, chat() | {"messages": messages})) == 200


@pytest.mark.parametrize("profile", sorted(MODELS))
def test_required_fields_are_never_null(profile: str) -> None:
    """Null is no value, on either way."""
    answerer = ANSWERERS[profile]
    for path, action in ((CHAT, "chat"), (COMPLETIONS, "completion"), ("/v1/embeddings", "embedding")):
        for item in answerer.profile.grammars[action].fields.values() if action in answerer.profile.grammars else ():
            good = {"model": MODELS[profile], "prompt": "x", "input": "x", "messages": chat()["messages"]}
            fields = {name: good[name] for name in good if name in answerer.profile.grammars[action].fields}
            assert status(answerer.plan(post(path, fields))) == 200
            if item.required:
                assert status(answerer.plan(post(path, {**fields, item.name: None}))) in (400, 422)


def test_a_required_field_that_only_the_long_way_can_judge() -> None:
    """It is judged there."""
    grammar = Grammar({"x": Field("x", "object", required=True)})
    for value in (b'{"x": null}', b'{"x": ""}', b'{"x": {}}'):
        with pytest.raises(msgspec.ValidationError):
            grammar.quick(value)
    assert validate({"x": {}}, grammar) == ({"x": {}}, [], [])


def test_long_values_are_not_thrown_back() -> None:
    """A message shows the beginning of what was sent, no more."""
    plan = ask(CHAT, chat(stop={"x" * 10_000: 1}))
    assert len(body(plan)) < 400


def test_the_place_of_an_issue() -> None:
    """Alternatives of a type are no part of the path."""
    assert Issue("x", ("a", 0, "b", Branch("str")), 1).param == "a[0].b"
    assert Issue("x", (Branch("str"), 0), 1).param == "[0]"


def test_headers_do_not_hide_a_body() -> None:
    """The last content type counts, as a list of one."""
    assert status(ANSWERERS["docs"].plan(post(CHAT, chat(), headers=(*JSON, (b"x", b"y"))))) == 200
