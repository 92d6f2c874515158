"""The answers of the fake: what a stream says is what the whole response says, for every profile."""

from __future__ import annotations

from typing import Any

import pytest
from asking import (
    ANSWERERS,
    CHAT,
    COMPLETIONS,
    MODELS,
    ask,
    chat,
    completion,
    events,
    get,
    marks,
    post,
    reply,
    status,
)

from mockserver.model.frames import SOCKET
from mockserver.reply import Error, ErrorBody, Text
from mockserver.request import Request

DOCS = ANSWERERS["docs"]

PROFILES = sorted(MODELS)


@pytest.mark.parametrize("profile", PROFILES)
def test_chat_stream_joins_to_the_message(profile: str) -> None:
    """The deltas of a stream, joined, are the message of the response that is not streamed."""
    fields = chat("Tell me a story", MODELS[profile], max_tokens=20)
    whole = reply(ask(CHAT, fields, profile))
    plan = ask(CHAT, {**fields, "stream": True}, profile)
    *chunks, done = events(plan)
    assert done == "[DONE]"
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["length"]
    assert marks(plan) == ["role", *(f"content[{i}]" for i in range(20)), "finish", "done"]
    assert whole["usage"]["completion_tokens"] == 20


@pytest.mark.parametrize("profile", PROFILES)
def test_completion_stream_joins_to_the_text(profile: str) -> None:
    """The same for text completions."""
    fields = completion("Once upon a time", MODELS[profile], max_tokens=9)
    whole = reply(ask(COMPLETIONS, fields, profile))
    *chunks, _ = events(ask(COMPLETIONS, {**fields, "stream": True}, profile))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["choices"][0]["text"]
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}


def test_unknown_model() -> None:
    """A model that is not there is a 404 that names it, streamed or not."""
    for stream in (False, True):
        plan = ask(CHAT, chat(model="nobody/nothing", stream=stream))
        assert status(plan) == 404
        assert reply(plan)["error"]["code"] == "model_not_found"
        assert "nobody/nothing" in reply(plan)["error"]["message"]


def test_the_account_is_the_usage() -> None:
    """Of generated answers, of scripted ones, and of nothing else."""
    for fields in (chat(), chat(n=3), chat(stream=True)):
        usage: Any = reply(DOCS.plan(post(CHAT, {**fields, "stream": False})))["usage"]
        account = DOCS.account(post(CHAT, fields))
        assert account is not None
        assert (account.prompt_tokens, account.tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    request = post(CHAT, chat(), headers=())
    assert DOCS.account(request) == DOCS.account(post(CHAT, chat()))
    scripted = DOCS.account(request, Text("a b c"))
    assert scripted is not None
    assert scripted.tokens == 3
    assert DOCS.account(request, Error(ErrorBody())) is None
    message = Request("POST", "/ws", body=b'{"content":"Hello!"}', http_version=SOCKET)
    assert DOCS.account(message) == DOCS.account(
        Request("POST", CHAT, body=post(CHAT, chat()).body, http_version=SOCKET)
    )
    assert DOCS.account(message, Text("a b c")) is not None
    assert DOCS.account(get("/health")) is None
    assert DOCS.account(get("/nothing")) is None
    assert DOCS.account(post(CHAT, {})) is None
