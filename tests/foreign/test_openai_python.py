"""openai-python through every endpoint: what its own models and helpers parse, they parse from the mock."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any, Literal

import jsonschema
import openai
import pytest
from mock_door import HELLO, TOOL, Mock, headers
from pydantic import BaseModel


class Report(BaseModel):
    """What the structured answers are parsed into."""

    title: str
    score: int
    mood: Literal["good", "bad"]
    tags: list[str]


@pytest.fixture
def client(mock: Mock) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=mock.base, api_key="sk-test", max_retries=0) as made:
        yield made


def test_a_chat_is_answered(client: openai.OpenAI, mock: Mock) -> None:
    """One choice with a text, a true finish reason, usage that sums up, and the model that was asked."""
    chat = client.chat.completions.create(model=mock.chat_model, messages=HELLO, max_tokens=5)
    assert (chat.object, chat.model) == ("chat.completion", mock.chat_model)
    (choice,) = chat.choices
    assert (choice.index, choice.message.role, choice.finish_reason) == (0, "assistant", "length")
    assert choice.message.content
    assert chat.usage is not None
    assert chat.usage.completion_tokens == 5
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens


def test_a_stream_joins_to_the_answer(client: openai.OpenAI, mock: Mock) -> None:
    """Same request, same seed, streamed or not: the same text; one id; usage in a last chunk without choices."""
    settings: dict[str, Any] = {
        "model": mock.chat_model,
        "messages": HELLO,
        "max_tokens": 12,
        "temperature": 0,
        "seed": 4,
    }
    whole = client.chat.completions.create(**settings)
    with client.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    finishes = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert finishes == [whole.choices[0].finish_reason]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_the_stream_helper_accumulates(client: openai.OpenAI, mock: Mock) -> None:
    """`chat.completions.stream` builds the final completion from the events, and its own checks hold."""
    with client.chat.completions.stream(model=mock.chat_model, messages=HELLO, max_tokens=200) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert "content.done" in kinds
    assert (bool(final.choices[0].message.content), final.choices[0].finish_reason) == (True, "stop")


def test_several_choices(client: openai.OpenAI, mock: Mock) -> None:
    """`n=3` gives the indices 0, 1, 2, streamed or not."""
    settings: dict[str, Any] = {"model": mock.chat_model, "messages": HELLO, "n": 3, "max_tokens": 4}
    assert [choice.index for choice in client.chat.completions.create(**settings).choices] == [0, 1, 2]
    with client.chat.completions.create(**settings, stream=True) as stream:
        finished = sorted(c.index for chunk in stream for c in chunk.choices if c.finish_reason)
    assert finished == [0, 1, 2]


def test_logprobs_of_a_chat(client: openai.OpenAI, mock: Mock) -> None:
    """One entry for each token, joining to the text, each with as many alternatives as asked."""
    chat = client.chat.completions.create(
        model=mock.chat_model,
        messages=HELLO,
        max_tokens=5,
        logprobs=True,
        top_logprobs=2,
    )
    logprobs = chat.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 5
    assert "".join(entry.token for entry in logprobs.content) == chat.choices[0].message.content
    assert all(len(entry.top_logprobs) == 2 and entry.logprob <= 0 for entry in logprobs.content)


def test_completions(client: openai.OpenAI, mock: Mock) -> None:
    """A list of prompts gives a choice each; `stop` is honoured and not shown; logprobs have the tokens' arity."""
    model = mock.text_model
    done = client.completions.create(model=model, prompt=["One", "Two"], max_tokens=4, logprobs=1)
    assert done.object == "text_completion"
    assert [choice.index for choice in done.choices] == [0, 1]
    for choice in done.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.tokens is not None
        assert choice.logprobs.token_logprobs is not None
        assert len(choice.logprobs.tokens) == len(choice.logprobs.token_logprobs) == 4
        assert "".join(choice.logprobs.tokens) == choice.text
    free = client.completions.create(model=model, prompt="One", max_tokens=12, temperature=0).choices[0].text
    word = free.split()[2]
    stopped = client.completions.create(model=model, prompt="One", max_tokens=12, temperature=0, stop=word).choices[0]
    assert (stopped.text, stopped.finish_reason) == (free[: free.index(word)], "stop")
    with client.completions.create(model=model, prompt="One", max_tokens=12, temperature=0, stream=True) as stream:
        assert "".join(choice.text for chunk in stream for choice in chunk.choices) == free


def test_embeddings(client: openai.OpenAI, mock: Mock) -> None:
    """base64 (this client's default, decoded by it) and float say the same vector, of unit length."""
    model = mock.embedding_model
    packed = client.embeddings.create(model=model, input=["robot", "other", "robot"])
    plain = client.embeddings.create(model=model, input=["robot", "other", "robot"], encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1, 2]
    assert packed.data[0].embedding == packed.data[2].embedding != packed.data[1].embedding
    assert math.isclose(math.hypot(*packed.data[0].embedding), 1.0, abs_tol=1e-3)
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0


def test_models(client: openai.OpenAI, mock: Mock) -> None:
    """The list iterates; each model is retrieved by its id (its slash encoded); a stranger is not found."""
    listed = list(client.models.list())
    assert [model.id for model in listed] == mock.models()
    for model in listed:
        assert client.models.retrieve(model.id).id == model.id
        assert (model.object, bool(model.owned_by)) == ("model", True)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody/knows-me")


def test_a_tool_is_called(client: openai.OpenAI, mock: Mock) -> None:
    """`tool_choice: required`: a call whose arguments are a JSON string that the tool's schema takes."""
    chat = client.chat.completions.create(
        model=mock.chat_model,
        messages=HELLO,
        tools=[TOOL],
        tool_choice="required",
    )
    (choice,) = chat.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert call.id
    assert call.function.name == "weather"
    jsonschema.validate(json.loads(call.function.arguments), TOOL["function"]["parameters"])


def test_a_streamed_tool_call_adds_up(client: openai.OpenAI, mock: Mock) -> None:
    """The helper's parts join to the answer that is not streamed; id and name come once."""
    settings: dict[str, Any] = {
        "model": mock.chat_model, "messages": HELLO, "temperature": 0, "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    }  # fmt: skip
    whole = client.chat.completions.create(**settings).choices[0].message.tool_calls
    with client.chat.completions.create(**settings, stream=True) as stream:
        deltas = [call for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert whole
    assert {delta.index for delta in deltas} == {0}
    assert [delta.function.name for delta in deltas if delta.function and delta.function.name] == ["weather"]
    assert len([delta.id for delta in deltas if delta.id]) == 1
    arguments = "".join(delta.function.arguments or "" for delta in deltas if delta.function)
    assert whole[0].type == "function"
    assert arguments == whole[0].function.arguments
    with client.chat.completions.stream(**settings) as helper:
        helper.until_done()
        final = helper.get_final_completion().choices[0].message.tool_calls
    assert final
    assert final[0].function.arguments == arguments


def test_the_answer_to_a_tool_message(client: openai.OpenAI, mock: Mock) -> None:
    """The second turn of a tool call: assistant message with null content, then the tool's result."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm","days":1}'}}
    messages: Any = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    chat = client.chat.completions.create(model=mock.chat_model, messages=messages, tools=[TOOL], max_tokens=40)
    assert chat.choices[0].message.content


def test_structured_output_parses(client: openai.OpenAI, mock: Mock) -> None:
    """`parse` makes the answer an instance of the pydantic model whose JSON schema was sent; so does its stream."""
    settings: dict[str, Any] = {"model": mock.chat_model, "messages": HELLO, "response_format": Report}
    parsed = client.chat.completions.parse(**settings).choices[0].message.parsed
    assert isinstance(parsed, Report)
    with client.chat.completions.stream(**settings) as stream:
        stream.until_done()
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Report)


def test_json_object(client: openai.OpenAI, mock: Mock) -> None:
    """`response_format: json_object` gives a text that is a JSON object."""
    settings: dict[str, Any] = {"model": mock.chat_model, "messages": [{"role": "user", "content": "Give me JSON"}]}
    chat = client.chat.completions.create(**settings, response_format={"type": "json_object"})
    assert isinstance(json.loads(chat.choices[0].message.content or ""), dict)


def test_text_parts_are_one_text(client: openai.OpenAI, mock: Mock) -> None:
    """A content of typed parts is answered as their joined text is."""
    ask: dict[str, Any] = {"model": mock.chat_model, "temperature": 0, "max_tokens": 8}
    parts: Any = [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello"}]
    by_parts = client.chat.completions.create(**ask, messages=[{"role": "user", "content": parts}])
    assert (
        by_parts.choices[0].message.content
        == client.chat.completions.create(**ask, messages=HELLO).choices[0].message.content
    )


def test_raw_response(client: openai.OpenAI, mock: Mock) -> None:
    """The raw view shows status and headers, and parses to the same."""
    raw = client.chat.completions.with_raw_response.create(model=mock.chat_model, messages=HELLO, max_tokens=3)
    assert raw.http_response.status_code == 200
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.parse().choices[0].message.content


def test_async_requests_at_once(mock: Mock) -> None:
    """Eight streams of one async client, each tagged: each gets its own answer, the journal knows all eight."""

    async def ask(client: openai.AsyncOpenAI, model: str, tag: int) -> str:
        messages: Any = [{"role": "user", "content": f"tag {tag}"}]
        stream = await client.chat.completions.create(model=model, messages=messages, stream=True, max_tokens=8)
        return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

    async def run(model: str) -> list[str]:
        async with openai.AsyncOpenAI(base_url=mock.base, api_key="sk-test", max_retries=0) as client:
            return await asyncio.gather(*(ask(client, model, tag) for tag in range(8)))

    model = mock.chat_model
    before = len(mock.ended(1))
    together = asyncio.run(run(model))
    alone = [asyncio.run(_one(mock, model, tag)) for tag in range(8)]
    assert together == alone
    exchanges = mock.ended(before + 16)
    assert {exchange["ended"] for exchange in exchanges} == {"end"}
    assert all(headers(exchange)["authorization"] == "Bearer sk-test" for exchange in exchanges[before:])


async def _one(mock: Mock, model: str, tag: int) -> str:
    async with openai.AsyncOpenAI(base_url=mock.base, api_key="sk-test", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": f"tag {tag}"}]
        chat = await client.chat.completions.create(model=model, messages=messages, max_tokens=8)
        return chat.choices[0].message.content or ""
