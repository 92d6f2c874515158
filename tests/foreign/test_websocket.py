"""The documented WebSocket paths, spoken to with the `websockets` library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from mock_door import HELLO, Mock
from websockets.sync.client import ClientConnection, connect


@contextmanager
def socket(mock: Mock, path: str) -> Iterator[ClientConnection]:
    with connect(f"{mock.url.replace('http', 'ws', 1)}{path}", proxy=None, open_timeout=10) as connection:
        yield connection


def send(connection: ClientConnection, document: Any) -> None:
    connection.send(json.dumps(document))


def receive(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(timeout=10))


def until_finished(connection: ClientConnection) -> list[Any]:
    """The messages of one answer: the last has a finish reason (or is an error)."""
    messages = []
    while True:
        messages.append(receive(connection))
        if "error" in messages[-1] or any(choice.get("finish_reason") for choice in messages[-1]["choices"]):
            return messages


def chat(mock: Mock, **more: Any) -> dict[str, Any]:
    return {"model": mock.chat_model, "messages": HELLO, "max_tokens": 6, "temperature": 0, **more}


def test_a_chat(docs_mock: Mock) -> None:
    """Chunks as a stream has them, without `[DONE]`; each names the request; the socket then takes the next one."""
    with socket(docs_mock, "/v1/chat/completions") as connection:
        for tag in ("first", "second"):
            send(connection, chat(docs_mock, request_id=tag))
            messages = until_finished(connection)
            assert {message["object"] for message in messages} == {"chat.completion.chunk"}
            assert {message.get("request_id", tag) for message in messages} == {tag}
            assert "".join(c["delta"].get("content") or "" for m in messages for c in m["choices"])
    assert connection.close_code == 1000


def test_a_completion(docs_mock: Mock) -> None:
    """Text chunks."""
    with socket(docs_mock, "/v1/completions") as connection:
        send(connection, {"model": docs_mock.text_model, "prompt": "One", "max_tokens": 6})
        messages = until_finished(connection)
    assert "".join(choice["text"] for message in messages for choice in message["choices"])


def test_auth_and_ping_come_first(docs_mock: Mock) -> None:
    """An auth message and a ping are no requests: the answer to what follows is what it is without them."""
    with socket(docs_mock, "/v1/chat/completions?token=sk-test") as connection:
        send(connection, {"type": "auth", "api_key": "sk-test"})
        send(connection, {"type": "ping"})
        send(connection, chat(docs_mock, request_id="after"))
        messages = [receive(connection)]
        while "choices" not in messages[-1]:
            assert "error" not in messages[-1]
            messages.append(receive(connection))
    assert messages[-1]["object"] == "chat.completion.chunk"


@pytest.mark.parametrize("sent", ["{", "[]", "{}", '{"model": "nobody/knows-me", "messages": []}'])
def test_an_error_is_a_message(docs_mock: Mock, sent: str) -> None:
    """A bad request is answered by an error message; a good one on the same socket, or a new one, still works."""
    with socket(docs_mock, "/v1/chat/completions") as connection:
        connection.send(sent)
        assert receive(connection)["error"]["message"]
    with socket(docs_mock, "/v1/chat/completions") as connection:
        send(connection, chat(docs_mock))
        assert "error" not in until_finished(connection)[-1]


def test_the_protocol_ping(docs_mock: Mock) -> None:
    """A WebSocket ping is ponged."""
    with socket(docs_mock, "/v1/chat/completions") as connection:
        assert connection.ping().wait(10)
