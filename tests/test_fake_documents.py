"""What the fake sends is what the schemas say, in every profile: two readings of the same documents."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from recordings import DONE, ROOT, read_events

from mockserver import MockServer

PROFILES = ["docs", "engine", "openai"]
SAY = [{"role": "user", "content": "Say hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def accepted(name: str, document: Any) -> bool:
    """Whether the schema accepts the document; raises with the first place where it does not."""
    schema = json.loads((ROOT / "schema" / f"{name}.json").read_text("utf-8"))
    jsonschema_rs.Draft202012Validator(schema).validate(document)
    return True


@pytest.fixture(scope="module", params=PROFILES)
def server(request: pytest.FixtureRequest) -> Iterator[MockServer]:
    """A fake server with each profile in turn."""
    with MockServer(profile=request.param) as server:
        yield server


@pytest.fixture
def model(server: MockServer) -> str:
    """The first model that the server lists."""
    name: str = ask(server, "/v1/models")[1]["data"][0]["id"]
    return name


def ask(server: MockServer, path: str, document: Any = None, raw: bytes | None = None) -> tuple[int, Any]:
    """Status, and the JSON body or the list of a stream's JSON events."""
    data = raw if document is None else json.dumps(document).encode()
    request = urllib.request.Request(server.url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            body: bytes = response.read()
            if response.headers.get_content_type() != "text/event-stream":
                return response.status, json.loads(body)
            return response.status, [json.loads(event) for event in read_events(body) if event != DONE]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize("more", [{}, {"n": 2}, {"tools": [TOOL], "tool_choice": "required"}, {"logprobs": True}])
def test_chat(server: MockServer, model: str, more: dict[str, Any]) -> None:
    """Answers and chunks of chat, with choices, tools and log probabilities; the request fits its schema too."""
    body = {"model": model, "messages": SAY, "max_tokens": 8, **more}
    assert accepted("chat_request", body)
    assert accepted("chat_response", ask(server, "/v1/chat/completions", body)[1])
    chunks = ask(server, "/v1/chat/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})[1]
    assert len(chunks) > 2
    assert all(accepted("chat_chunk", chunk) for chunk in chunks)


@pytest.mark.parametrize("more", [{}, {"n": 2}, {"prompt": ["Say:", "Sing:"]}, {"logprobs": 2}, {"echo": True}])
def test_completion(server: MockServer, model: str, more: dict[str, Any]) -> None:
    """Answers and chunks of text completions, with choices, several prompts and log probabilities."""
    body = {"model": model, "prompt": "Say:", "max_tokens": 8, **more}
    assert accepted("completion_request", body)
    assert accepted("completion_response", ask(server, "/v1/completions", body)[1])
    chunks = ask(server, "/v1/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})[1]
    assert len(chunks) > 2
    assert all(accepted("completion_chunk", chunk) for chunk in chunks)


def test_what_a_server_says_of_itself(server: MockServer, model: str) -> None:
    """Models, one model, health and information; what a profile does not have is an error of its dialect."""
    assert accepted("models_list", ask(server, "/v1/models")[1])
    for name, path in (("model", f"/v1/models/{model}"), ("health", "/health"), ("info", "/v1/info")):
        status, document = ask(server, path)
        assert accepted(name if status == 200 else "error", document)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(server: MockServer, encoding: str) -> None:
    """Vectors as numbers and as base64, or an error where the profile has none."""
    body = {"model": "text-embedding-3-small", "input": ["one", "two"], "encoding_format": encoding}
    models = [one["id"] for one in ask(server, "/v1/models")[1]["data"]]
    body["model"] = next((name for name in models if "embed" in name or "MiniLM" in name), models[0])
    assert accepted("embeddings_request", body)
    status, document = ask(server, "/v1/embeddings", body)
    assert accepted("embeddings_response" if status == 200 else "error", document)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"model": "m"}', b'{"model": 7, "messages": 8}'])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/nope"])
def test_errors(server: MockServer, path: str, raw: bytes) -> None:
    """Every refusal is an error of the profile's dialect."""
    status, document = ask(server, path, raw=raw)
    assert 400 <= status < 500
    assert accepted("error", document)


def test_the_journal(server: MockServer, model: str) -> None:
    """Each entry of the journal is an exchange, whole, streamed and refused."""
    body = {"model": model, "messages": SAY}
    for document in (body, {**body, "stream": True}, {}):
        ask(server, "/v1/chat/completions", document)
    exchanges = ask(server, "/_mock/journal?wait_for=3&within=5")[1]["exchanges"]
    assert len(exchanges) >= 3
    assert all(accepted("exchange", exchange) for exchange in exchanges)
