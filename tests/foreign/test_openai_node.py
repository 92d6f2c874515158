"""The `openai` npm package through every endpoint: another language, another HTTP stack, its own checks.

`node/package-lock.json` pins it; `npm ci` runs once in the cache directory (`$XDG_CACHE_HOME`, else `~/.cache`).
"""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mock_door import STATUS_CLASSES, TOOL, Mock, headers


def run(scripts: Path, mock: Mock, scenario: str, model: str, **more: Any) -> Any:
    """What the scenario printed. stderr must be empty: the SDK warns there of what it does not understand."""
    order = {"scenario": scenario, "base": mock.base, "model": model, "tool": TOOL, **more}
    command = ["node", "client.mjs", json.dumps(order)]
    done = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return json.loads(done.stdout)


def served(scripts: Path, mock: Mock, scenario: str, model: str, **more: Any) -> Any:
    """The same, where nothing may be raised."""
    answer = run(scripts, mock, scenario, model, **more)
    assert "raised" not in answer, answer
    return answer


def test_chat(scripts: Path, mock: Mock) -> None:
    """A text, a finish reason, usage."""
    chat = served(scripts, mock, "chat", mock.chat_model)
    assert chat["choices"][0]["message"]["content"]
    assert chat["choices"][0]["finish_reason"] == "length"
    assert chat["usage"]["completion_tokens"] == 5


def test_a_stream_joins_to_the_answer(scripts: Path, mock: Mock) -> None:
    """Same request, streamed or not: the same text; the usage chunk has no choices."""
    answer = served(scripts, mock, "chat_and_stream", mock.chat_model)
    choices = [choice for chunk in answer["chunks"] for choice in chunk["choices"]]
    assert (
        "".join(choice["delta"].get("content") or "" for choice in choices)
        == answer["whole"]["choices"][0]["message"]["content"]
    )
    assert answer["chunks"][-1]["choices"] == []
    assert answer["chunks"][-1]["usage"] == answer["whole"]["usage"]


def test_the_stream_helper(scripts: Path, mock: Mock) -> None:
    """Its accumulator builds a completion and finds nothing missing."""
    final = served(scripts, mock, "stream_helper", mock.chat_model)
    assert final["choices"][0]["message"]["role"] == "assistant"
    assert final["choices"][0]["message"]["content"]
    assert final["choices"][0]["finish_reason"] == "stop"


def test_completions(scripts: Path, mock: Mock) -> None:
    """Text, stream and a list of prompts."""
    answer = served(scripts, mock, "completions", mock.text_model)
    text = answer["whole"]["choices"][0]["text"]
    assert "".join(choice["text"] for chunk in answer["chunks"] for choice in chunk["choices"]) == text
    assert [choice["index"] for choice in answer["list"]["choices"]] == [0, 1]
    assert answer["list"]["choices"][0]["text"] == text


def test_embeddings(scripts: Path, mock: Mock) -> None:
    """base64, which this client asks for and decodes by itself, says the same as float."""
    answer = served(scripts, mock, "embeddings", mock.embedding_model)
    for packed, plain in zip(answer["packed"]["data"], answer["plain"]["data"], strict=True):
        assert packed["embedding"] == pytest.approx(plain["embedding"], abs=1e-6)
        assert math.isclose(math.hypot(*plain["embedding"]), 1.0, abs_tol=1e-3)


def test_models(scripts: Path, mock: Mock) -> None:
    """The list iterates, a model is retrieved by its id (whose slash is encoded), a stranger is a NotFoundError."""
    answer = served(scripts, mock, "models", "")
    assert answer["ids"] == mock.models()
    assert answer["got"] == answer["ids"][0]
    missing = run(scripts, mock, "missing_model", "")
    assert (missing["raised"], missing["status"]) == ("NotFoundError", 404)


def test_tools(scripts: Path, mock: Mock) -> None:
    """A call that the tool's schema takes; streamed, its parts add up to the same."""
    answer = served(scripts, mock, "tools", mock.chat_model)
    (whole,) = answer["whole"]["choices"][0]["message"]["tool_calls"]
    (streamed,) = answer["streamed"]["choices"][0]["message"]["tool_calls"]
    jsonschema.validate(json.loads(whole["function"]["arguments"]), TOOL["function"]["parameters"])
    assert streamed["function"]["arguments"] == whole["function"]["arguments"]
    assert answer["whole"]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_tool_loop_ends(scripts: Path, mock: Mock) -> None:
    """`runTools`: a scripted call, the tool's result sent back, then a text."""
    call = {"name": "weather", "arguments": {"city": "Ulm", "days": 2}}
    mock.script([{"match": {"method": "POST"}, "replies": [{"tool_calls": [call]}, {"text": "It is sunny."}]}])
    answer = served(scripts, mock, "run_tools", "gpt-4o-mini")
    assert answer == {"seen": [{"city": "Ulm", "days": 2}], "text": "It is sunny."}


def test_structured_output(scripts: Path, mock: Mock) -> None:
    """zod takes the answer that its JSON schema asked for, streamed or not."""
    answer = served(scripts, mock, "structured", mock.chat_model)
    for report in answer.values():
        assert set(report) == {"title", "score", "mood"}
        assert report["mood"] in {"good", "bad"}


@pytest.mark.parametrize(("status", "name"), STATUS_CLASSES.items())
def test_a_status_is_its_class(scripts: Path, docs_mock: Mock, status: int, name: str) -> None:
    """Each scripted status raises the documented class with the message."""
    docs_mock.fail([{"kind": "status", "status": status, "message": "no such luck"}])
    answer = run(scripts, docs_mock, "chat", "any")
    assert (answer["raised"], answer["status"]) == (name, status)
    assert "no such luck" in answer["message"]


@pytest.mark.parametrize("scenario", ["chat", "stream"])
def test_it_retries_until_it_is_served(scripts: Path, mock: Mock, scenario: str) -> None:
    """429 with Retry-After, 503, then an answer: three attempts, numbered by the client."""
    model = mock.chat_model
    before = len(mock.ended(1))
    mock.fail(
        [{"kind": "status", "status": 429, "retry_after": 0.02}],
        [{"kind": "status", "status": 503, "retry_after": 0.02}],
        [],
    )
    served(scripts, mock, scenario, model, retries=2)
    exchanges = mock.ended(before + 3)[before:]
    assert [exchange["status"] for exchange in exchanges] == [429, 503, 200]
    assert [headers(exchange)["x-stainless-retry-count"] for exchange in exchanges] == ["0", "1", "2"]
