"""langchain-openai: what agents are built on reads streams, usage, tool calls and schemas in ways of its own."""

from __future__ import annotations

from typing import Any, Literal

import openai
import pytest
from langchain_core.messages import AIMessageChunk, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from mock_door import KEY, TOOL, Mock
from pydantic import BaseModel


class Report(BaseModel):
    """A report on something."""

    title: str
    score: int
    mood: Literal["good", "bad"]


@pytest.fixture
def chat(mock: Mock) -> ChatOpenAI:
    return ChatOpenAI(model=mock.chat_model, base_url=mock.base, api_key=KEY, max_retries=0, temperature=0)


def test_invoke(chat: ChatOpenAI) -> None:
    """A text, usage that sums up, a finish reason."""
    answer = chat.invoke("Say hello")
    assert answer.content
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata is not None
    usage = answer.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_stream(chat: ChatOpenAI) -> None:
    """The chunks add up to the message that is not streamed, usage included."""
    whole = chat.invoke("Say hello")
    parts = list(chat.stream("Say hello", stream_usage=True))
    assert len(parts) > 2
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert isinstance(total, AIMessageChunk)
    assert total.content == whole.content
    assert total.usage_metadata is not None
    assert whole.usage_metadata is not None
    assert total.usage_metadata["total_tokens"] == whole.usage_metadata["total_tokens"]


def test_batch(chat: ChatOpenAI) -> None:
    """Requests at once are each answered as they are alone."""
    questions: list[Any] = [f"question {number}" for number in range(4)]
    together = [answer.content for answer in chat.batch(questions)]
    assert together == [chat.invoke(question).content for question in questions]


def test_a_tool_round_trip(chat: ChatOpenAI) -> None:
    """A bound tool is called with parsed arguments, streamed or not; its result gets an answer."""
    bound = chat.bind_tools([TOOL], tool_choice="weather")
    call = bound.invoke("How is it in Ulm?")
    (asked,) = call.tool_calls
    assert asked["name"] == "weather"
    assert set(asked["args"]) == {"city", "days"}
    streamed: Any = None
    for part in bound.stream("How is it in Ulm?"):
        streamed = part if streamed is None else streamed + part
    assert [one["args"] for one in streamed.tool_calls] == [asked["args"]]
    result = ToolMessage("sunny", tool_call_id=asked["id"])
    assert chat.bind_tools([TOOL]).invoke([("user", "How is it in Ulm?"), call, result]).content


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(chat: ChatOpenAI, method: Literal["json_schema", "function_calling"]) -> None:
    """Both of its ways to a pydantic object."""
    assert isinstance(chat.with_structured_output(Report, method=method).invoke("Report on hello"), Report)


def test_completions(mock: Mock) -> None:
    """The older text model, several prompts at once and streamed."""
    llm = OpenAI(model=mock.text_model, base_url=mock.base, api_key=KEY, max_retries=0, temperature=0, max_tokens=8)
    result = llm.generate(["One", "Two"])
    assert [len(generations) for generations in result.generations] == [1, 1]
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["completion_tokens"] == 16
    assert "".join(llm.stream("One")) == result.generations[0][0].text


def test_embeddings(mock: Mock) -> None:
    """Documents and a query: equal texts, equal vectors."""
    embeddings = OpenAIEmbeddings(
        model=mock.embedding_model,
        base_url=mock.base,
        api_key=KEY,
        check_embedding_ctx_length=False,
    )
    first, second = embeddings.embed_documents(["robot", "other"])
    assert embeddings.embed_query("robot") == pytest.approx(first, abs=1e-6)
    assert first != second


def test_an_error_and_a_retry(mock: Mock) -> None:
    """A 401 is the SDK's class; a 429 is tried again as often as said."""
    model = mock.chat_model
    before = len(mock.ended(1))
    mock.fail(
        [{"kind": "status", "status": 429, "retry_after": 0.02}],
        [],
        [{"kind": "status", "status": 401, "retry_after": 0}],
    )
    chat = ChatOpenAI(model=model, base_url=mock.base, api_key=KEY, max_retries=1)
    assert chat.invoke("Say hello").content
    with pytest.raises(openai.AuthenticationError):
        chat.invoke("Say hello")
    assert [exchange["status"] for exchange in mock.ended(before + 3)[before:]] == [429, 200, 401]
