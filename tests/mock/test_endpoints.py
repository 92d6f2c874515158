"""Every endpoint that generates no text, and the routing around them."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import jsonschema
import pytest
from asking import ANSWERERS, CHAT, LLAMA, MODELS, ask, body, chat, events, get, header, post, reply, status
from hypothesis import given
from hypothesis import strategies as st

from mockserver import fixtures
from mockserver.model.answer import Answerer
from mockserver.model.embeddings import vector
from mockserver.model.metrics import Metrics
from mockserver.model.profile import ProfileError, compile_profile
from mockserver.model.status import Status
from mockserver.reply import parse_reply
from mockserver.request import Request

DOCS = ANSWERERS["docs"]
EMBEDDINGS = "/v1/embeddings"
MINI = "sentence-transformers/all-MiniLM-L6-v2"


def test_models() -> None:
    """List and get agree, ids with slashes work; an unknown id is the profile's 404."""
    listed = reply(DOCS.plan(get("/v1/models")))
    assert listed["object"] == "list"
    for model in listed["data"]:
        assert reply(DOCS.plan(get(f"/v1/models/{model['id']}"))) == model
        assert isinstance(model["parameters"], int)
        assert model["format"] == "safetensors"
    plan = DOCS.plan(get("/v1/models/nobody/none"))
    assert (status(plan), reply(plan)["error"]["code"]) == (404, "model_not_found")
    assert status(DOCS.plan(get("/v1/models/"))) == 404


def test_models_may_be_replaced() -> None:
    """Names or objects; a known name keeps what the profile says of it."""
    answerer = Answerer("docs", models=["a b/c%2Fd", {"id": "own", "context": 20, "parameters": 5}, LLAMA])
    assert [model["id"] for model in reply(answerer.plan(get("/v1/models")))["data"]] == ["a b/c%2Fd", "own", LLAMA]
    assert reply(answerer.plan(get("/v1/models/a b/c%2Fd")))["id"] == "a b/c%2Fd"
    assert reply(answerer.plan(get("/v1/models/own")))["parameters"] == 5
    assert reply(answerer.plan(get(f"/v1/models/{LLAMA}")))["parameters"] == 6_738_415_616
    assert status(answerer.plan(post(CHAT, chat("word " * 20, "own")))) == 400
    assert status(answerer.plan(post(CHAT, chat(model="mistralai/Mistral-7B-Instruct-v0.2")))) == 404
    with pytest.raises(ProfileError, match="a model has a text as id"):
        Answerer("docs", models=[{"name": "x"}])


def test_info() -> None:
    """The seed's four fields; models are those of the list; memory adds up."""
    info = reply(DOCS.plan(get("/v1/info"), status=Status(uptime=12.3456)))
    assert set(info) == {"version", "models", "gpu_memory", "uptime"}
    assert info["uptime"] == 12.3456
    assert info["models"] == [model["id"] for model in reply(DOCS.plan(get("/v1/models")))["data"]]
    assert info["gpu_memory"]["used"] + info["gpu_memory"]["free"] == info["gpu_memory"]["total"]


def test_health() -> None:
    """200 when well, 503 while it loads and when it is not."""
    assert (status(DOCS.plan(get("/health"))), reply(DOCS.plan(get("/health")))) == (200, {"status": "ok"})
    for state in ("loading", "unhealthy"):
        plan = DOCS.plan(get("/health"), status=Status(health=state))
        assert (status(plan), reply(plan)) == (503, {"status": state})


def test_engine_pages() -> None:
    """`/stats` and `/dashboard` are there in `engine` only."""
    stats = reply(ANSWERERS["engine"].plan(get("/stats"), status=Status(metrics=Metrics(running=2))))
    assert (stats["running"], stats["waiting"], stats["info"]["max_model_len"]) == (2, 0, 2048)
    assert header(ANSWERERS["engine"].plan(get("/dashboard")), b"content-type") == b"text/html; charset=utf-8"
    assert status(DOCS.plan(get("/stats"))) == 404


def test_unknown_paths_and_wrong_methods() -> None:
    """404 and 405 with Allow, in the envelope; OPTIONS and HEAD as the profile has it, never a 5xx."""
    plan = DOCS.plan(get("/v1/nothing"))
    assert (status(plan), reply(plan)["error"]["type"]) == (404, "invalid_request_error")
    for method, path, allow in (
        ("GET", CHAT, b"POST, OPTIONS"),
        ("DELETE", "/v1/models/x", b"GET, HEAD, OPTIONS"),
        ("PUT", "/health", b"GET, HEAD, OPTIONS"),
        ("HEAD", CHAT, b"POST, OPTIONS"),
    ):
        plan = DOCS.plan(get(path, method))
        assert (status(plan), header(plan, b"allow")) == (405, allow)
        assert (body(plan) == b"") == (method == "HEAD")
    plan = DOCS.plan(get(CHAT, "OPTIONS"))
    assert (status(plan), header(plan, b"allow"), body(plan)) == (204, b"POST, OPTIONS", b"")
    for path in ("/v1/models", f"/v1/models/{LLAMA}", "/health"):
        head, whole = DOCS.plan(get(path, "HEAD")), DOCS.plan(get(path))
        assert (status(head), body(head)) == (200, b"")
        assert header(head, b"content-length") == b"%d" % len(body(whole))


def test_other_origins() -> None:
    """A browser is let in, and only a browser is told."""
    origin = ((b"origin", b"https://example.com"),)
    plan = DOCS.plan(get(CHAT, "OPTIONS", origin))
    assert header(plan, b"access-control-allow-origin") == b"*"
    assert header(plan, b"access-control-allow-methods") == b"GET, POST, OPTIONS"
    assert header(DOCS.plan(get("/v1/models", headers=origin)), b"access-control-allow-origin") == b"*"
    assert header(DOCS.plan(get("/v1/models")), b"access-control-allow-origin") is None
    data = {**DOCS.profile.data, "cors": {**DOCS.profile.data["cors"], "origin": ["https://example.com"]}}
    some = Answerer(compile_profile(data))
    plan = some.plan(get("/v1/models", headers=origin))
    assert header(plan, b"access-control-allow-origin") == b"https://example.com"
    other = ((b"origin", b"https://example.org"),)
    assert header(some.plan(get("/v1/models", headers=other)), b"access-control-allow-origin") is None


@pytest.mark.parametrize("profile", sorted(MODELS))
def test_openapi(profile: str) -> None:
    """All routes with the schemas of `fixtures/schema`; every reference leads somewhere."""
    answerer = ANSWERERS[profile]
    document = reply(answerer.plan(get("/openapi.json")))
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {*answerer.profile.routes, *(r.path for _, r in answerer.profile.prefixes)}
    for ref in _refs(document):
        found: Any = document
        for part in ref.removeprefix("#/").split("/"):
            found = found[part]
        assert isinstance(found, dict)
    plan = answerer.plan(get("/docs"))
    assert header(plan, b"content-type") == b"text/html; charset=utf-8"
    page = body(plan).decode()
    for path, methods in document["paths"].items():
        assert all(f"<code>{method.upper()} {path}<" in page for method in methods if method != "parameters")
    assert "<td><code>max_tokens</code><td>integer or null &gt;= 1<td>" in page
    assert "<script" not in page
    assert ("WebSocket" in page) == bool(answerer.profile.option("sockets"))


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for item in value.values() for ref in _refs(item)]
    return [ref for item in value for ref in _refs(item)] if isinstance(value, list) else []


def _schema(name: str) -> Any:
    return json.loads((fixtures.path() / "schema" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("profile", sorted(MODELS))
def test_answers_are_valid_by_the_schemas(profile: str) -> None:
    """The schemas that judge real servers accept the mock."""
    answerer, model = ANSWERERS[profile], MODELS[profile]
    cases = [("models_list", answerer.plan(get("/v1/models"))), ("health", answerer.plan(get("/health")))]
    cases.append(("chat_response", ask(CHAT, chat(model=model), profile)))
    cases.append(("completion_response", ask("/v1/completions", {"model": model, "prompt": "x"}, profile)))
    cases += [("error", answerer.plan(get("/nothing"))), ("error", ask(CHAT, {}, profile))]
    if profile == "docs":
        cases += [("info", answerer.plan(get("/v1/info"))), ("model", answerer.plan(get(f"/v1/models/{LLAMA}")))]
    if profile != "engine":
        embedding_model = MINI if profile == "docs" else "text-embedding-3-small"
        cases.append(("embeddings_response", ask(EMBEDDINGS, {"model": embedding_model, "input": "x"}, profile)))
    for name, plan in cases:
        assert list(jsonschema.Draft202012Validator(_schema(name)).iter_errors(reply(plan))) == [], name
    for chunk in events(ask(CHAT, chat(model=model, stream=True), profile))[:-1]:
        assert list(jsonschema.Draft202012Validator(_schema("chat_chunk")).iter_errors(chunk)) == []


def _embed(**fields: Any) -> Any:
    return reply(ask(EMBEDDINGS, {"model": MINI, **fields}))


def test_embeddings() -> None:
    """Unit length, equal inputs equal, `float` and `base64` say the same, tokens counted."""
    answer = _embed(input=["a robot", "a robot", "another thing"])
    first, second, third = (item["embedding"] for item in answer["data"])
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert first == second != third
    assert len(first) == 384
    assert math.isclose(math.hypot(*first), 1, abs_tol=1e-5)
    assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    coded = _embed(input="a robot", encoding_format="base64")["data"][0]["embedding"]
    assert list(struct.unpack("<384f", base64.b64decode(coded))) == first
    assert _embed(input="a robot")["data"][0]["embedding"] == first
    assert len(_embed(input=[1, 2, 3])["data"]) == 1
    assert len(_embed(input=[[1, 2], [3]])["data"]) == 2
    assert len(_embed(input="x", dimensions=10)["data"][0]["embedding"]) == 10


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "dimensions": 385}, "dimensions"),
        ({"input": "word " * 9000}, "input"),
    ],
)
def test_bad_embeddings(fields: dict[str, Any], param: str) -> None:
    """The place is named."""
    plan = ask(EMBEDDINGS, {"model": MINI, **fields})
    assert (status(plan), reply(plan)["error"]["param"]) == (400, param)
    assert status(ask(EMBEDDINGS, {"model": "nobody", "input": "x"})) == 404


@given(st.text(max_size=30).filter(str.isprintable), st.integers(1, 20))
def test_vectors_have_unit_length(text: str, size: int) -> None:
    """Whatever the text and the number of dimensions."""
    assert math.isclose(math.hypot(*vector(text, size)), 1, abs_tol=1e-5)


def test_texts_that_share_words_are_near() -> None:
    """So a search in a test finds what it should."""

    def near(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vector(one, 256), vector(other, 256), strict=True))

    assert near("the green parrot sings", "a green parrot sang") > near("the green parrot sings", "income tax in 1987")


def test_messages_of_a_socket() -> None:
    """One JSON message per chunk, no end mark; `request_id` comes back in each, in errors too."""
    fields = {**chat(max_tokens=3), "request_id": "r-1"}
    plan = DOCS.messages(post(CHAT, fields), now=5.0)
    messages = [json.loads(step.data) for step in plan.steps[1:]]  # type: ignore[union-attr]  # bodies
    assert [message["object"] for message in messages] == ["chat.completion.chunk"] * 5
    assert {message["request_id"] for message in messages} == {"r-1"}
    assert messages[-1]["choices"][0]["finish_reason"] == "length"
    bad = DOCS.messages(post(CHAT, {"request_id": 7, "model": LLAMA}))
    assert status(bad) == 400
    assert reply(bad)["request_id"] == 7
    assert "request_id" not in reply(DOCS.messages(post(CHAT, b'{"request_id": [}')))
    assert "request_id" not in reply(DOCS.messages(post(CHAT, {"request_id": None})))
    text = DOCS.messages(Request("GET", "/v1/completions", body=json.dumps({"model": LLAMA, "prompt": "x"}).encode()))
    assert len(text.steps) == 18


def test_the_older_socket() -> None:
    """`{"content": ...}` there and back; the model may be left out."""
    plan = DOCS.messages(Request("GET", "/ws", body=b'{"content": "Hello!", "max_tokens": 2, "request_id": 1}'))
    first, second, last = (json.loads(step.data) for step in plan.steps[1:])  # type: ignore[union-attr]  # bodies
    assert last == {"content": "", "finish_reason": "length", "request_id": 1}
    whole = reply(ask(CHAT, chat(max_tokens=2)))["choices"][0]["message"]["content"]
    assert first["content"] + second["content"] == whole
    scripted = DOCS.messages(Request("GET", "/ws", body=b'{"content": "x"}'), parse_reply("Done"))
    assert [json.loads(step.data)["content"] for step in scripted.steps[1:]] == ["Done", ""]  # type: ignore[union-attr]
    for message in (b"{", b"[]", b"{}", b'{"content": 5}'):
        assert status(DOCS.messages(Request("GET", "/ws", body=message))) == 400
    named = DOCS.messages(Request("GET", "/ws", body=b'{"content": "x", "model": "nobody"}'))
    assert status(named) == 404


def test_request_ids() -> None:
    """A profile may name every answer in a header field."""
    ids = {header(ask(CHAT, chat(model="gpt-4o-mini"), "openai", number=n), b"x-request-id") for n in (1, 2)}
    assert len(ids) == 2
    assert header(ANSWERERS["openai"].plan(get("/nothing")), b"x-request-id") is not None
    assert header(ask(CHAT, chat()), b"x-request-id") is None


def test_refusals_for_the_server() -> None:
    """Errors that are decided elsewhere wear the same body; an unknown name is a bad request."""
    assert status(DOCS.refuse("too_large", limit=5)) == 413
    assert reply(DOCS.refuse("too_large", limit=5))["error"]["message"] == "the body is larger than 5 bytes"
    assert status(DOCS.refuse("no_such_error")) == 400
    plan = ANSWERERS["engine"].refuse("server_error", message="x")
    assert (status(plan), body(plan)) == (500, b"Internal Server Error")
