"""What all servers are asked and what the references answer: the same size and shape, whoever answers.

The text is 200 words of at most six letters: 200 tokens for the fake server, 200 pieces for anyone who splits at words.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

MODEL = "meta-llama/Llama-2-7b-chat-hf"
PATH = "/v1/chat/completions"
EVENTS = 200
GAP = 0.02
"""Seconds between the events of a paced stream."""

ANSWER = "The quick brown fox jumps over the lazy dog. " * 5 + "That is all."


def text(words: int = EVENTS) -> str:
    """So many words, each a token with its space."""
    return " ".join(["token"] * words)


def request_body(*, stream: bool = False, model: str = MODEL) -> bytes:
    """A chat request as a client sends it."""
    message = "Count!" if stream else "Hello!"
    request: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": message}]}
    request |= {"max_tokens": 2048, "stream": True} if stream else {"max_tokens": 100, "temperature": 0.7}
    return json.dumps(request).encode()


def completion() -> bytes:
    """The body of a plain answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 12, "completion_tokens": 57, "total_tokens": 69}
    frame = {"id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion", "created": 1700000000}
    return json.dumps({**frame, "model": MODEL, "choices": [choice], "usage": usage}).encode()


@cache
def events(count: int = EVENTS) -> tuple[bytes, ...]:
    """`count` events with a word each, then `[DONE]`."""
    frame = {"id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion.chunk", "created": 1700000000}

    def event(number: int) -> bytes:
        finish = "stop" if number == count - 1 else None
        choice = {"index": 0, "delta": {"content": "token " if number else "first "}, "finish_reason": finish}
        return b"data: %b\n\n" % json.dumps({**frame, "model": MODEL, "choices": [choice]}).encode()

    return (*map(event, range(count)), b"data: [DONE]\n\n")
