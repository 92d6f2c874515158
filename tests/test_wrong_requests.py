"""Two readings of one grammar: what the request schemas refuse, the fake refuses too, though it reads its profile."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recordings import ROOT

from mockserver import MockServer

PATHS = {
    "chat_request": "/v1/chat/completions",
    "completion_request": "/v1/completions",
    "completion_batch_request": "/v1/completions/batch",
    "embeddings_request": "/v1/embeddings",
}
MODELS = {"embeddings_request": "sentence-transformers/all-MiniLM-L6-v2"}
FILES = [path for path in sorted((ROOT / "wrong").rglob("*.json")) if path.parent.name in PATHS]
LATITUDE = {
    "chat_request/tool_arguments_object": "the arguments of a call in the history are read by nobody but the model",
    "completion_batch_request/prompts_text": "one prompt is a batch of one",
}
"""Where the fake is more lenient than the schema on purpose, and why."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A fake server with profile `docs`."""
    with MockServer(profile="docs") as server:
        yield server.url


def post(url: str, document: Any) -> tuple[int, Any]:
    """Status and JSON body of the answer."""
    data = json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_fake_refuses_a_wrong_request(path: Path, url: str) -> None:
    """A request that the schema refuses gets status 400 and an error with a message, or is listed as latitude."""
    document = json.loads(path.read_text("utf-8"))["document"]
    if isinstance(document, dict) and document.get("model") == "m":
        document["model"] = MODELS.get(path.parent.name, "meta-llama/Llama-2-7b-chat-hf")
    status, body = post(url + PATHS[path.parent.name], document)
    if f"{path.parent.name}/{path.stem}" in LATITUDE:
        assert status == 200, f"no longer latitude: {body}"
    else:
        assert status == 400, body
        assert body["error"]["message"]
