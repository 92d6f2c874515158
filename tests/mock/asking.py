"""Requests as values, for tests of the pure half of the fake."""

from __future__ import annotations

import json
from typing import Any

from mockserver.model.answer import Answerer
from mockserver.plan import Body, Head, Plan
from mockserver.request import Request

LLAMA = "meta-llama/Llama-2-7b-chat-hf"
JSON = ((b"content-type", b"application/json"),)
COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"

ANSWERERS = {name: Answerer(name) for name in ("docs", "engine", "openai")}
MODELS = {"docs": LLAMA, "engine": "chain", "openai": "gpt-4o-mini"}


def post(path: str, body: Any, number: int = 1, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> Request:
    """A POST; `body` is bytes as they are, or a JSON value."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", path, headers=headers, body=data, number=number)


def get(path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Request:
    """A request without a body."""
    return Request(method, path, headers=headers)


def chat(text: Any = "Hello!", model: str = LLAMA, **fields: Any) -> dict[str, Any]:
    """The body of a chat request with one message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def completion(prompt: Any = "Hello!", model: str = LLAMA, **fields: Any) -> dict[str, Any]:
    """The body of a completion request."""
    return {"model": model, "prompt": prompt, **fields}


def head(plan: Plan) -> Head:
    """The head of a plan."""
    return next(step for step in plan.steps if isinstance(step, Head))


def status(plan: Plan) -> int:
    """The status of a plan."""
    return head(plan).status


def header(plan: Plan, name: bytes) -> bytes | None:
    """The value of a header field of a plan."""
    return next((value for key, value in head(plan).headers if key.lower() == name.lower()), None)


def body(plan: Plan) -> bytes:
    """All bytes of the body."""
    return b"".join(step.data for step in plan.steps if isinstance(step, Body))


def reply(plan: Plan) -> Any:
    """The body as JSON."""
    return json.loads(body(plan))


def events(plan: Plan) -> list[Any]:
    """The JSON of each event; the end mark as text."""
    found: list[Any] = []
    for block in body(plan).decode().split("\n\n"):
        if block:
            assert block.startswith("data: "), block
            data = block.removeprefix("data: ")
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


def marks(plan: Plan) -> list[str]:
    """The marks of the events, in order."""
    return [step.mark for step in plan.steps if isinstance(step, Body)]


def ask(path: str, fields: Any, profile: str = "docs", seed: int = 0, number: int = 1) -> Plan:
    """The plan for one POST."""
    return ANSWERERS[profile].plan(post(path, fields, number), seed=seed, now=1_795_367_530.5)
