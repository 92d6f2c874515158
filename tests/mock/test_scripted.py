"""Scripted replies in the shapes of a profile, whatever the request says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import (
    ANSWERERS,
    CHAT,
    COMPLETIONS,
    LLAMA,
    MODELS,
    body,
    chat,
    completion,
    events,
    get,
    head,
    header,
    marks,
    post,
    reply,
    status,
)

from mockserver.errors import ScriptError
from mockserver.model import recorded
from mockserver.plan import Body, Plan, Wait
from mockserver.reply import parse_reply
from mockserver.request import Request

DOCS = ANSWERERS["docs"]


def _plan(answer: Any, fields: Any = None, path: str = CHAT, profile: str = "docs", **settings: Any) -> Plan:
    fields = chat() if fields is None else fields
    return ANSWERERS[profile].plan(post(path, fields), parse_reply(answer), now=5.0, **settings)


@pytest.mark.parametrize("profile", sorted(MODELS))
def test_texts(profile: str) -> None:
    """Chat and completion, streamed or not, in the shapes of the profile; an unknown model does not matter."""
    for stream in (False, True):
        plan = _plan("Done. Now 😀?", chat(model="m", stream=stream), profile=profile)
        if stream:
            deltas = [chunk["choices"][0]["delta"].get("content") or "" for chunk in events(plan)[:-1]]
            assert "".join(deltas) == "Done. Now 😀?"
            assert marks(plan) == ["role", *(f"content[{i}]" for i in range(5)), "finish", "done"]
        else:
            answer = reply(plan)
            assert answer["choices"][0]["message"]["content"] == "Done. Now 😀?"
            assert answer["choices"][0]["finish_reason"] == "stop"
            assert answer["usage"]["completion_tokens"] == 5 + (profile == "engine")
            assert answer["model"] == "m"
    assert reply(_plan("x", completion(), COMPLETIONS, profile))["choices"][0]["text"] == "x"


def test_limits_of_a_text() -> None:
    """`max_tokens` and `stop` of the request cut a text that names no reason; a default of the profile does not."""
    text = "one two three four five"
    cut = reply(_plan(text, chat(max_tokens=2)))["choices"][0]
    assert (cut["message"]["content"], cut["finish_reason"]) == ("one two", "length")
    stopped = reply(_plan(text, chat(stop=" three")))["choices"][0]
    assert (stopped["message"]["content"], stopped["finish_reason"]) == ("one two", "stop")
    many = " ".join(["word"] * 50)
    assert reply(_plan(many, completion(), COMPLETIONS))["choices"][0]["text"] == many
    named = reply(_plan({"text": text, "finish_reason": "content_filter"}, chat(max_tokens=2)))["choices"][0]
    assert (named["message"]["content"], named["finish_reason"]) == (text, "content_filter")
    assert reply(_plan({"text": ""}))["choices"][0]["message"]["content"] == ""


def test_several_choices() -> None:
    """`n` repeats a text; `choices` are as they are, whatever `n`."""
    assert [c["message"]["content"] for c in reply(_plan("x", chat(n=2)))["choices"]] == ["x", "x"]
    both = reply(_plan({"choices": ["a", {"text": "b", "finish_reason": "length"}]}, chat(n=5)))["choices"]
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in both] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


def test_tool_calls() -> None:
    """Arguments are a JSON text; a text is sent as it is; ids are made or given; words may stand before."""
    calls: list[dict[str, Any]] = [
        {"name": "f", "arguments": {"é": 1}},
        {"name": "g", "arguments": "{broken", "id": "call_mine"},
    ]
    answer = reply(_plan({"tool_calls": calls, "text": "Let me see."}))["choices"][0]
    first, second = answer["message"]["tool_calls"]
    assert answer["message"]["content"] == "Let me see."
    assert answer["finish_reason"] == "tool_calls"
    assert first["function"] == {"name": "f", "arguments": '{"é":1}'}
    assert first["id"].startswith("call_")
    assert len(first["id"]) > 20
    assert (second["id"], second["function"]["arguments"]) == ("call_mine", "{broken")
    *chunks, _ = events(_plan({"tool_calls": calls}, chat(stream=True)))
    deltas = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    for number, call in enumerate(calls):
        mine = [delta for delta in deltas if delta["index"] == number]
        assert "id" in mine[0]
        assert not any("id" in delta for delta in mine[1:])
        text = call["arguments"] if isinstance(call["arguments"], str) else '{"é":1}'
        assert "".join(delta["function"]["arguments"] for delta in mine) == text


def test_errors() -> None:
    """The profile's body; a type that is not given follows from the status."""
    answer = _plan({"error": {"status": 429, "message": "slow down", "code": "rate_limit_exceeded"}})
    assert status(answer) == 429
    assert reply(answer)["error"] == {
        "message": "slow down",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    for code, kind in ((400, "invalid_request_error"), (401, "authentication_error"), (503, "server_error")):
        assert reply(_plan({"error": {"status": code}}))["error"]["type"] == kind
    assert reply(_plan({"error": {"status": 429, "message": "x"}}, profile="engine")) == {"detail": "x"}


def test_json_and_raw_bytes() -> None:
    """Exactly this, with this status; only `raw` sends no header of ours."""
    plan = _plan({"json": {"a": [1, None]}, "status": 418, "headers": {"X-A": "1", "Content-Type": "text/json"}})
    assert (status(plan), body(plan)) == (418, b'{"a":[1,null]}')
    assert header(plan, b"x-a") == b"1"
    assert [value for name, value in head(plan).headers if name.lower() == b"content-type"] == [b"text/json"]
    raw = _plan({"raw": {"base64": "AAE="}, "status": 502})
    assert (status(raw), body(raw), head(raw).headers) == (502, b"\0\1", ((b"content-length", b"2"),))
    framed = _plan({"raw": "abc", "headers": {"Content-Length": "99"}})
    assert head(framed).headers == ((b"Content-Length", b"99"),)
    assert len(_plan({"raw": ""}).steps) == 1


def test_embeddings() -> None:
    """Every input gets the vector, in the encoding that was asked for."""
    fields = {"model": LLAMA, "input": ["a", "b"]}
    answer = reply(_plan({"embedding": [0.5, 1], "headers": {"X-A": "1"}}, fields, "/v1/embeddings"))
    assert [item["embedding"] for item in answer["data"]] == [[0.5, 1.0], [0.5, 1.0]]
    assert reply(_plan({"embedding": []}, fields, "/v1/embeddings"))["data"][0]["embedding"] == [1.0]
    coded = reply(_plan({"embedding": [0.5]}, {**fields, "encoding_format": "base64"}, "/v1/embeddings"))
    assert coded["data"][0]["embedding"] == "AAAAPw=="
    assert len(reply(_plan({"embedding": [1]}, {"model": "m", "input": "x"}, CHAT, "engine"))["data"]) == 1


def test_requests_that_mean_little() -> None:
    """A script answers all the same: bad JSON, odd fields, unknown paths, no body."""
    for data in (b"{", b"[]", b'{"stream": "x", "stop": {}, "n": 0, "messages": 5}', b'{"messages": [{}, 5]}', b"\xff"):
        assert reply(_plan("x", data))["choices"][0]["message"]["content"] == "x"
    lenient = _plan("x", b'{"messages": [{"role": "user", "content": "a"}], "stream": true, "n": "x"}')
    assert events(lenient)[-1] == "[DONE]"
    assert reply(_plan("x", completion(), "/v2/complete"))["choices"][0]["text"] == "x"
    assert reply(_plan("x", chat(), "/v2/answer"))["choices"][0]["message"]["content"] == "x"
    assert reply(DOCS.plan(get("/v1/models"), parse_reply("x")))["choices"][0]["text"] == "x"


def test_pacing() -> None:
    """Waits stand before the tokens, or before a whole body."""
    paced = {"text": "a b", "pacing": {"ttft": 0.5, "itl": 0.25}}
    plan = _plan(paced, chat(stream=True))
    assert [step.seconds for step in plan.steps if isinstance(step, Wait)] == [0.5, 0.25]
    plan = _plan(paced)
    assert plan.steps[0] == Wait(0.75)
    jittered = {"text": "a b", "pacing": {"ttft": 0.5, "jitter": 0.5}}
    assert _plan(jittered, seed=1) == _plan(jittered, seed=1) != _plan(jittered, seed=2)


def test_headers_of_a_reply() -> None:
    """They replace ours of the same name."""
    plan = _plan({"text": "x", "headers": {"Content-Type": "application/x", "X-A": "1"}}, chat(stream=True))
    assert [value for name, value in head(plan).headers if name.lower() == b"content-type"] == [b"application/x"]


def test_a_remembered_reply_is_the_same() -> None:
    """The second time from memory, with another id; another reply under the same request is another answer."""
    answer = parse_reply("x")
    first = DOCS.plan(post(CHAT, chat("again"), 1), answer)
    second = DOCS.plan(post(CHAT, chat("again"), 2), answer)
    assert reply(first) | {"id": ""} == reply(second) | {"id": ""}
    assert reply(first)["id"] != reply(second)["id"]
    assert reply(DOCS.plan(post(CHAT, chat("again"), 3), parse_reply("y")))["choices"][0]["message"]["content"] == "y"
    for number in range(1100):  # the memory is bounded
        DOCS.plan(post(CHAT, chat(str(number), max_tokens=1)))
    assert reply(DOCS.plan(post(CHAT, chat("again"), 1), answer)) == reply(first)


def test_sockets() -> None:
    """A scripted answer for a WebSocket is streamed; an error is one message."""
    plan = DOCS.messages(
        post(CHAT, {**chat(), "request_id": "r"}), parse_reply({"text": "a b", "pacing": {"ttft": 0.5}})
    )
    bodies = [json.loads(step.data) for step in plan.steps if isinstance(step, Body)]
    assert {message["request_id"] for message in bodies} == {"r"}
    assert any(isinstance(step, Wait) for step in plan.steps)
    assert status(DOCS.messages(post(CHAT, {}), parse_reply({"error": {"status": 503}}))) == 503
    recording = DOCS.messages(post(CHAT, {}), parse_reply({"fixture": "slow_story"}))
    assert isinstance(recording.steps[2], Wait)


@pytest.mark.parametrize("name", recorded.names())
def test_every_fixture_can_be_sent(name: str) -> None:
    """Each reply and each recorded exchange that has a response."""
    if name.endswith("/short_body"):
        with pytest.raises(ScriptError, match="no response"):
            recorded.find(name)
        return
    plan = _plan({"fixture": name, "headers": {"X-A": "1"}})
    assert header(plan, b"x-a") == b"1"
    assert 200 <= status(plan) < 600
    assert _plan({"fixture": name}, chat(stream=True)).steps


def test_recorded_streams_have_marks() -> None:
    """So that faults can aim at them; the bytes are those of the recording."""
    plan = _plan({"fixture": "engine-0.1.0/chat_stream"})
    assert marks(plan) == ["role", *(f"content[{i}]" for i in range(7)), "finish", "done"]
    assert b"The" in body(plan)
    assert header(plan, b"server") is None
    paced = _plan({"fixture": "engine-0.1.0/chat_stream", "pacing": {"itl": 0.5}})
    assert sum(isinstance(step, Wait) for step in paced.steps) == 6
    usage = _plan({"fixture": "guidellm-mock-0.8.1/chat_stream_usage"})
    assert "usage" in marks(usage)


def test_unknown_fixtures() -> None:
    """The near names are told."""
    with pytest.raises(ScriptError, match="did you mean 'greeting'"):
        _plan({"fixture": "greetings"})


def test_a_fixture_that_is_only_a_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No chains of names."""
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "loop.json").write_text('{"fixture": "loop"}')
    monkeypatch.setattr("mockserver.fixtures.path", lambda: tmp_path)
    with pytest.raises(ScriptError, match="only the name of another"):
        recorded.find("loop")


def test_the_path_says_what_is_meant() -> None:
    """A GET without a body still gets a completion."""
    assert reply(DOCS.plan(Request("GET", "/anything"), parse_reply("x")))["object"] == "text_completion"
