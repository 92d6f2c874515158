"""litellm as a client, in an environment of its own (made once in the cache directory, as `tools/targets` do)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mock_door import PROFILES, STATUS_CLASSES, TOOL, Mock

HERE = Path(__file__).parent
TARGETS = HERE.parents[1] / "tools" / "targets"
PINNED = "litellm[mcp]==1.106.2"
"""Its tool calls import `mcp`."""

SCHEMA: dict[str, Any] = TOOL["function"]["parameters"]
SCENARIOS = ["chat", "stream", "text", "text_stream", "embedding", "tools", "tools_stream", "structured", "at_once"]

INSTALL = "import sys; from _install import Packages, cache_directory, install; \
print(install('litellm-client', Packages(pinned=(sys.argv[1],)), cache_directory(None)))"


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that has litellm."""
    command = [sys.executable, "-c", INSTALL, PINNED]
    done = subprocess.run(command, cwd=TARGETS, capture_output=True, text=True, check=True, timeout=900)
    return done.stdout.strip()


def ask(python: str, mock: Mock, scenarios: list[str], **more: Any) -> list[dict[str, Any]]:
    """Each scenario's line, in order. What litellm would fetch comes from its wheel; every other way out is shut."""
    order = {
        "base": mock.base,
        "chat_model": mock.chat_model,
        "text_model": mock.text_model,
        "embedding_model": mock.embedding_model,
        "tool": TOOL,
        "schema": SCHEMA,
        "scenarios": scenarios,
        **more,
    }
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
        "HF_HUB_OFFLINE": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    command = [python, str(HERE / "litellm_client.py"), json.dumps(order)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"scenario"')]


@pytest.mark.parametrize("profile", PROFILES)
def test_everything_it_asks_for(python: str, mock_url: str, profile: str) -> None:
    """Chat, text, embeddings, tools, a schema, requests at once; streamed and not say the same.

    One process for all of them, because litellm takes seconds to import.
    """
    mock = Mock(mock_url, f"litellm-{os.getpid()}-{profile}", profile)
    mock.script([])
    got = {line["scenario"]: line for line in ask(python, mock, SCENARIOS)}
    assert {name: line["message"] for name, line in got.items() if "raised" in line} == {}
    chat, stream, tools, tools_stream = (got[name]["result"] for name in ("chat", "stream", "tools", "tools_stream"))
    assert chat["choices"][0]["message"]["content"]
    assert stream["choices"][0]["message"]["content"] == chat["choices"][0]["message"]["content"]
    assert stream["choices"][0]["finish_reason"] == chat["choices"][0]["finish_reason"]
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert stream["usage"][count] == chat["usage"][count]
    assert got["text"]["result"]["choices"][0]["text"]
    joined = "".join(c["text"] or "" for chunk in got["text_stream"]["result"] for c in chunk["choices"])
    assert joined
    assert [item["index"] for item in got["embedding"]["result"]["data"]] == [0, 1]
    (call,) = tools["choices"][0]["message"]["tool_calls"]
    (streamed_call,) = tools_stream["choices"][0]["message"]["tool_calls"]
    jsonschema.validate(json.loads(call["function"]["arguments"]), SCHEMA)
    assert streamed_call["function"] == call["function"]
    jsonschema.validate(json.loads(got["structured"]["result"]["choices"][0]["message"]["content"]), SCHEMA)
    assert len(set(got["at_once"]["result"])) == 4
    mock.forget()


LITELLM_CLASSES = {
    **STATUS_CLASSES,
    403: "APIError",
    409: "APIError",
    422: "BadRequestError",
    503: "ServiceUnavailableError",
}
"""litellm's own classes bear the SDK's names, but for these."""


def test_the_class_of_each_status(python: str, docs_mock: Mock) -> None:
    """The n-th request gets the n-th status: each raises litellm's class for it, and none is tried again."""
    statuses = list(LITELLM_CLASSES)
    faults = [[{"kind": "status", "status": status, "message": "no such luck"}] for status in statuses]
    docs_mock.fail(*faults)
    got = ask(python, docs_mock, ["chat"] * len(statuses))
    assert [(line["raised"], line["status"]) for line in got] == [(LITELLM_CLASSES[s], s) for s in statuses]


def test_it_retries(python: str, docs_mock: Mock) -> None:
    """A 429, then an answer: two attempts in the journal."""
    docs_mock.fail([{"kind": "status", "status": 429, "retry_after": 0.02}], [])
    (got,) = ask(python, docs_mock, ["chat"], retries=1)
    assert "raised" not in got, got
    posts = [exchange for exchange in docs_mock.ended(1) if exchange["request"]["method"] == "POST"]
    assert [exchange["status"] for exchange in posts] == [429, 200]
