"""Stream objects: what they come to, how they end, and that sync and async are the same."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_cases import ANSWER, BUSY, DONE, HELLO, delta, event, plain, stream
from raw_player import Player

from inferneo import AsyncInferneoClient, ChatCompletionChunk, InferneoError, _decode
from inferneo import InferneoClient as Client
from inferneo._accumulate import Accumulator

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def chunk(document: dict[str, Any]) -> ChatCompletionChunk:
    import json

    return _decode.read(ChatCompletionChunk, json.dumps(document).encode(), None)


def final(*documents: dict[str, Any]) -> Any:
    total = Accumulator()
    for document in documents:
        total.add(chunk(document))
    return total.response(ChatCompletionChunk, None)


@given(st.lists(st.tuples(st.integers(0, 2), st.text(max_size=3)), max_size=30))
def test_text_is_joined_by_choice(pieces: list[tuple[int, str]]) -> None:
    """Whatever the order, each choice gets its own text."""
    total = Accumulator()
    for index, text in pieces:
        total.add(chunk({"choices": [{"index": index, "delta": {"content": text}}]}))
    for index in {index for index, _ in pieces}:
        assert total.partial()[index] == "".join(text for at, text in pieces if at == index)
    assert total.complete is False
    assert [choice.index for choice in total.response(ChatCompletionChunk, None).choices] == sorted(
        {index for index, _ in pieces}
    )


def test_tool_calls_are_joined() -> None:
    """By index; without one, a new id is a new call; names are not doubled."""
    answer = final(
        delta(tool_calls=[{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": '{"x":'}}]),
        delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
        delta(finish="tool_calls"),
    )
    (choice,) = answer.choices
    assert choice.message.content is None
    assert choice.finish_reason == "tool_calls"
    assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]
    answer = final(
        delta(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "1"}}]),
        delta(tool_calls=[{"function": {"arguments": "2"}}]),
        delta(tool_calls=[{"id": "b", "function": {"name": "g", "arguments": None}}]),
        delta(function_call={"name": "h", "arguments": "{"}),
        delta(function_call={"arguments": "}"}),
    )
    message = answer.choices[0].message
    assert [(call.id, call.function.arguments) for call in message.tool_calls] == [("a", "12"), ("b", None)]
    assert message.function_call.arguments == "{}"


def test_the_rest_is_joined() -> None:
    """Reasoning, refusals, log probabilities, usage, and the document's own fields."""
    answer = final(
        {"id": "c", "created": 5, "model": "m", "system_fingerprint": "p", "choices": []},
        delta("a", role="assistant", reasoning_content="r1", refusal="n1"),
        {"choices": [{"delta": {"reasoning_content": "r2", "refusal": "n2"},
                      "logprobs": {"content": [{"token": "a", "logprob": -1}]}}]},
        {"choices": [{"finish_reason": "stop", "logprobs": {"content": [{"token": "b"}]}}]},
        {"choices": [], "usage": {"total_tokens": 3}},
    )  # fmt: skip
    message = answer.choices[0].message
    assert (message.role, message.reasoning_content, message.refusal) == ("assistant", "r1r2", "n1n2")
    assert [token.token for token in answer.choices[0].logprobs.content] == ["a", "b"]
    assert (answer.id, answer.created, answer.system_fingerprint, answer.usage.total_tokens) == ("c", 5, "p", 3)


COMPLETION = [
    event(
        {"id": "c", "choices": [{"index": index, "text": text, "logprobs": {"tokens": [text]}, "finish_reason": end}]}
    )
    for index, text, end in [(0, "Hel", None), (1, "x", "length"), (0, "lo", "stop")]
]


def test_sync() -> None:
    """Iterated, advanced by hand, read to the end; a second loop is empty."""
    with Player([stream(HELLO), stream(HELLO), stream(*COMPLETION, DONE)]) as player, Client(player.url) as client:
        chunks = client.chat.completions.create("m", M, stream=True)
        assert next(chunks).text == "Hel"
        assert chunks.text == "Hel"
        assert [chunk.text for chunk in chunks] == ["lo", ""]
        assert list(chunks) == []
        answer = chunks.get_final_response()
        assert answer.choices[0].message.content == answer.text == "Hello"
        assert answer.http == chunks.http
        assert chunks.request_id is None
        assert "5 characters" in repr(chunks)
        with client.chat.completions.create("m", M, stream=True).until_done() as done:
            assert done.text == "Hello"
        text = client.completions.create("m", "p", stream=True).get_final_response()
        assert [(c.index, c.text, c.finish_reason) for c in text.choices] == [(0, "Hello", "stop"), (1, "x", "length")]
        assert text.choices[0].logprobs is not None
        assert text.choices[0].logprobs.tokens == ["Hel", "lo"]
        assert text.text == "Hello"


def test_async() -> None:
    """The same; awaited first, or iterated at once; a plain call is a coroutine that `gather` takes."""

    async def main(url: str) -> None:
        async with AsyncInferneoClient(url) as client:
            create = client.chat.completions.create
            chunks = create(model="m", messages=M, stream=True)
            assert chunks.http is None
            assert chunks.text == ""
            assert [chunk.text async for chunk in chunks] == ["Hel", "lo", ""]
            assert [chunk async for chunk in chunks] == []
            chunks = await create("m", M, stream=True)
            assert (await anext(chunks)).text == "Hel"
            assert [chunk.text async for chunk in chunks] == ["lo", ""]
            answer = await chunks.get_final_response()
            assert answer.text == "Hello"
            assert chunks.request_id is None
            assert "done" in repr(chunks)
            async with create("m", M, stream=True) as chunks:
                assert (await chunks.until_done()).text == "Hello"
            chunks = create("m", M, stream=True)
            await chunks.close()
            with pytest.raises(InferneoError, match="closed"):
                await anext(chunks)
            text = await client.completions.create("m", "p", stream=True).get_final_response()
            assert [c.text for c in text.choices] == ["Hello", "x"]
            answers = await asyncio.gather(*[create("m", M) for _ in range(3)])
            assert [answer.text for answer in answers] == ["Hello"] * 3
            assert "AsyncInferneoClient" in repr(client)
            assert client.base_url == url
            assert not client.closed

    attempts = [stream(HELLO)] * 3 + [stream(*COMPLETION, DONE), plain(200, ANSWER)]
    with Player(attempts) as player:
        asyncio.run(main(player.url))


def test_failed_async_stream_stays_failed() -> None:
    """An error at opening is raised, and iterating afterwards says that there is nothing."""

    async def main(url: str) -> None:
        async with AsyncInferneoClient(url, max_retries=0) as client:
            chunks = client.chat.completions.create("m", M, stream=True)
            with pytest.raises(InferneoError, match="slow down"):
                await chunks
            with pytest.raises(InferneoError, match="closed"):
                await anext(chunks)

    with Player([plain(429, BUSY)]) as player:
        asyncio.run(main(player.url))


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    """One line per attempt; no key, no prompt, no query, no body."""
    caplog.set_level(logging.DEBUG, "inferneo")
    secret = [{"role": "user", "content": "the secret prompt"}]
    attempts = [plain(503, BUSY, "retry-after-ms: 1", "X-Request-Id: r1"), plain(200, ANSWER)]
    with Player(attempts) as player, Client(player.url, "sk-secret-key", default_query={"token": "secret"}) as client:
        client.chat.completions.create("m", secret)
    lines = [record.getMessage() for record in caplog.records if record.name == "inferneo"]
    assert len(lines) == 2
    assert lines[0].startswith("POST /v1/chat/completions 503 attempt=1 ")
    assert lines[0].endswith(" ms request_id=r1")
    assert lines[1].startswith("POST /v1/chat/completions 200 attempt=2 ")
    assert "secret" not in caplog.text
    with Client("http://127.0.0.1:1", max_retries=0) as client, pytest.raises(InferneoError):
        client.models.list()
    assert "GET /v1/models failed attempt=1" in caplog.text


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=60,
    )


def test_inferneo_log() -> None:
    """`INFERNEO_LOG=info` shows the lines on stderr, once, however many clients there are."""
    code = (
        "from inferneo import InferneoClient, InferneoError\n"
        "for _ in range(2):\n"
        "    try: InferneoClient('http://127.0.0.1:1', max_retries=0).models.list()\n"
        "    except InferneoError: pass\n"
    )
    assert run(code, INFERNEO_LOG="info").stderr.count("GET /v1/models failed") == 2
    assert run(code, INFERNEO_LOG="").stderr == ""


def test_import_is_light() -> None:
    """`import inferneo` loads none of its libraries; a client loads its HTTP library at the first request."""
    code = (
        "import sys, inferneo; print([m for m in ('httpx', 'httpx2', 'msgspec', 'ssl', 'asyncio') if m in sys.modules])"
    )
    assert run(code).stdout.strip() == "[]"
    code = (
        "import sys; from inferneo import InferneoClient; InferneoClient();"
        "print([m for m in ('httpx', 'httpx2', 'httpcore', 'httpcore2', 'anyio', 'websockets') if m in sys.modules])"
    )
    assert run(code).stdout.strip() == "[]"
