"""openai-python against errors: the class it documents for each status, and its retries counted by the journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from mock_door import HELLO, STATUS_CLASSES, Mock, headers


@pytest.fixture
def client(mock: Mock) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=mock.base, api_key="sk-test", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, model: str, **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=HELLO, max_tokens=4, **more)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("status", "name"), STATUS_CLASSES.items())
def test_a_status_is_its_class(client: openai.OpenAI, mock: Mock, status: int, name: str, stream: bool) -> None:
    """Each scripted status raises the documented class, with the message and no retry."""
    mock.fail([{"kind": "status", "status": status, "message": "no such luck"}])
    with pytest.raises(getattr(openai, name)) as raised:
        ask(client, "any", stream=stream)
    assert raised.value.status_code == status
    assert "no such luck" in str(raised.value)
    assert len(mock.ended(1)) == 1


def test_an_unknown_model(client: openai.OpenAI, mock: Mock) -> None:
    """404 with the documented code."""
    with pytest.raises(openai.NotFoundError) as raised:
        ask(client, "nobody/knows-me")
    assert raised.value.code == "model_not_found"


@pytest.mark.parametrize(("field", "value"), [("temperature", 9), ("top_p", 2), ("n", 0), ("presence_penalty", -5)])
def test_a_value_out_of_range(client: openai.OpenAI, mock: Mock, field: str, value: float) -> None:
    """400 whose `param` names the field; the next request works."""
    model = mock.chat_model
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, model, **{field: value})
    assert raised.value.param == field
    assert ask(client, model).choices[0].message.content


def test_an_error_inside_a_stream(client: openai.OpenAI, mock: Mock) -> None:
    """An error event after a 200 is raised as `APIError` with its message."""
    event = 'data: {"error":{"message":"lost the thread","type":"server_error","code":"server_error"}}\n\n'
    raw = {"raw": event, "status": 200, "headers": {"content-type": "text/event-stream"}}
    mock.script([{"match": {"method": "POST"}, "reply": raw}])
    with pytest.raises(openai.APIError, match="lost the thread"), ask(client, "any", stream=True) as stream:
        list(stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_it_retries_until_it_is_served(mock: Mock, stream: bool) -> None:
    """429 with Retry-After, 503, then an answer: three attempts, numbered by the client, and none too many."""
    model = mock.chat_model
    before = len(mock.ended(1))
    mock.fail(
        [{"kind": "status", "status": 429, "retry_after": 0.02}],
        [{"kind": "status", "status": 503, "retry_after": 0.02}],
        [],
    )
    with openai.OpenAI(base_url=mock.base, api_key="sk-test", max_retries=2) as client:
        answer = ask(client, model, stream=stream)
        assert list(answer) if stream else answer.choices[0].message.content
    exchanges = mock.ended(before + 3)[before:]
    assert [exchange["status"] for exchange in exchanges] == [429, 503, 200]
    assert [headers(exchange)["x-stainless-retry-count"] for exchange in exchanges] == ["0", "1", "2"]


def test_it_gives_up(mock: Mock) -> None:
    """503 for ever with two retries: three attempts, then the class of the last answer."""
    mock.fail([{"kind": "status", "status": 503, "retry_after": 0.02}])
    client = openai.OpenAI(base_url=mock.base, api_key="sk-test", max_retries=2)
    with client, pytest.raises(openai.InternalServerError):
        ask(client, "any")
    assert len(mock.ended(3)) == 3


def test_it_waits_as_told(mock: Mock) -> None:
    """A Retry-After of one second is waited for: the delay between the attempts is at least that."""
    model = mock.chat_model
    mock.fail([{"kind": "status", "status": 429, "retry_after": 1}], [])
    begun = time.monotonic()
    with openai.OpenAI(base_url=mock.base, api_key="sk-test", max_retries=1) as client:
        assert ask(client, model).choices
    assert time.monotonic() - begun >= 1.0


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_lost_connection_is_tried_again(mock: Mock, how: str) -> None:
    """A connection that ends before the answer is a connection error, retried like one."""
    model = mock.chat_model
    before = len(mock.ended(1))
    mock.fail([{"kind": "cut", "after_bytes": 0, "wire": True, "how": how}], [])
    with openai.OpenAI(base_url=mock.base, api_key="sk-test", max_retries=1) as client:
        assert ask(client, model).choices
    assert [exchange["ended"] for exchange in mock.ended(before + 2)[before:]] == [how, "end"]
