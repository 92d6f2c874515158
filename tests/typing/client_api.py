"""Types are API: usages that type checkers check and that never run."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from inferneo import (
    AsyncInferneoClient,
    AsyncStream,
    ChatCompletionChunk,
    ChatCompletionResponse,
    CompletionChunk,
    CompletionResponse,
    Delta,
    EmbeddingResponse,
    Http,
    InferneoClient,
    InferneoError,
    InferneoTimeoutError,
    Model,
    ModelList,
    Partial,
    Retry,
    ServerInfo,
    Stream,
    Usage,
)
from inferneo.params import ChatCompletionParams, MessageParam, ToolParam
from inferneo.testing import instant_retries

messages: list[MessageParam] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
    {"role": "assistant", "content": None, "tool_calls": []},
    {"role": "tool", "content": "4", "tool_call_id": "c1"},
]
tools: list[ToolParam] = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def sync_client(client: InferneoClient, flag: bool) -> None:
    answer = client.chat.completions.create("m", [{"role": "user", "content": "Hi"}], max_tokens=5, tools=tools)
    assert_type(answer, ChatCompletionResponse)
    assert_type(answer.choices[0].message.content, str | None)
    assert_type(answer.choices[0].finish_reason, str | None)
    assert_type(answer.usage, Usage | None)
    assert_type(answer.http, Http | None)
    assert_type(answer.text, str)
    assert_type(client.chat.completions.create(model="m", messages=messages, stream=False), ChatCompletionResponse)

    chunks = client.chat.completions.create(model="m", messages=messages, stream=True)
    assert_type(chunks, Stream[ChatCompletionChunk, ChatCompletionResponse])
    for chunk in chunks:
        assert_type(chunk, ChatCompletionChunk)
        assert_type(chunk.delta, Delta)
        assert_type(chunk.choices[0].delta.content, str | None)
    assert_type(chunks.get_final_response(), ChatCompletionResponse)
    with client.chat.completions.create(model="m", messages=messages, stream=True) as inner:
        assert_type(next(inner), ChatCompletionChunk)

    either = client.chat.completions.create(model="m", messages=messages, stream=flag)
    assert_type(either, ChatCompletionResponse | Stream[ChatCompletionChunk, ChatCompletionResponse])

    text = client.completions.create("m", "p", stop=["a"], logprobs=1)
    assert_type(text, CompletionResponse)
    assert_type(text.choices[0].text, str)
    pieces = client.completions.create("m", ["p"], stream=True)
    assert_type(pieces, Stream[CompletionChunk, CompletionResponse])
    assert_type(client.completions.create("m", "p", stream=flag), CompletionResponse | Stream[CompletionChunk, CompletionResponse])  # fmt: skip  # noqa: E501

    assert_type(client.models.list(), ModelList)
    assert_type(client.models.list()[0], Model)
    assert_type(client.models.get("m"), Model)
    assert_type(client.info(), ServerInfo)
    assert_type(client.embeddings.create("m", "a"), EmbeddingResponse)
    assert_type(client.with_options(timeout=5, max_retries=0, retry=Retry(base=0.1)), InferneoClient)


def keyword_arguments_in_a_dict(client: InferneoClient) -> None:
    parameters: ChatCompletionParams = {"model": "m", "messages": messages, "max_tokens": 5}
    assert_type(client.chat.completions.create(**parameters), ChatCompletionResponse)


async def async_client(client: AsyncInferneoClient, flag: bool) -> None:
    call = client.chat.completions.create("m", messages)
    same: Coroutine[Any, Any, ChatCompletionResponse] = call
    assert_type(await same, ChatCompletionResponse)
    chunks = client.chat.completions.create("m", messages, stream=True)
    assert_type(chunks, AsyncStream[ChatCompletionChunk, ChatCompletionResponse])
    async for chunk in chunks:
        assert_type(chunk, ChatCompletionChunk)
    assert_type(
        await client.chat.completions.create("m", messages, stream=True),
        AsyncStream[ChatCompletionChunk, ChatCompletionResponse],
    )
    async with client.completions.create("m", "p", stream=True) as pieces:
        assert_type(await anext(pieces), CompletionChunk)
        assert_type(await pieces.get_final_response(), CompletionResponse)
    assert_type(await client.completions.create("m", "p", stream=flag), CompletionResponse | AsyncStream[CompletionChunk, CompletionResponse])  # fmt: skip  # noqa: E501
    assert_type(await client.models.list(), ModelList)
    assert_type(await client.info(), ServerInfo)


def errors(client: InferneoClient) -> None:
    try:
        client.info()
    except InferneoTimeoutError as error:
        assert_type(error.retryable, bool)
    except InferneoError as error:
        assert_type(error.message, str)
        assert_type(error.status_code, int | None)
        assert_type(error.partial, Partial | None)
    with instant_retries() as delays:
        assert_type(delays, list[float])
