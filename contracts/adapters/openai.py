"""The `openai` package as a subject: the most used client of this API, for comparison."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from contracts.adapters.attributes import call, call_async
from contracts.adapters.base import Kind, Outcome, Problem, Task, repeat, repeat_async, shown


def package() -> Any:
    """The package, which no extra of ours installs. Raises `LookupError` that says so."""
    try:
        return import_module("openai")
    except ImportError:
        raise LookupError("the client 'openai' needs the package openai; install it with: pip install openai") from None


def classify(error: BaseException) -> Problem:
    """An exception of the package as a problem; anything else is a leak."""
    openai = package()
    kind: Kind = "leak"
    match error:
        case openai.APIStatusError():
            kind = "status"
        case openai.APITimeoutError():
            kind = "timeout"
        case openai.APIConnectionError():
            kind = "connection"
        case openai.APIResponseValidationError():
            kind = "protocol"
        case openai.APIError():
            kind = "stream_error"
        case openai.OpenAIError():
            kind = "other"
    code = getattr(error, "code", None)
    return Problem(
        kind,
        f"{type(error).__module__}.{type(error).__name__}",
        str(error),
        getattr(error, "status_code", None),
        str(code) if code is not None else None,
        None,
        None,
        shown(error),
    )


ABILITIES = frozenset({"family", "models", "retries"})


class OpenAISubject:
    """`openai.OpenAI`, or `openai.AsyncOpenAI` in a loop of its own."""

    def __init__(self, asynchronous: bool) -> None:
        package()
        self.asynchronous = asynchronous
        self.abilities = ABILITIES | {"async"} if asynchronous else ABILITIES
        self.name = "openai-async" if asynchronous else "openai"

    def _settings(self, task: Task) -> dict[str, Any]:
        return {
            "base_url": f"{task.url}/v1",
            "api_key": task.api_key or "none",
            "timeout": task.timeout,
            "max_retries": task.max_retries,
            "default_headers": task.headers or None,
        }

    def do(self, task: Task) -> list[Outcome]:
        """The task on a client of its own."""
        return asyncio.run(self._async(task)) if self.asynchronous else self._sync(task)

    def _sync(self, task: Task) -> list[Outcome]:
        with package().OpenAI(**self._settings(task)) as client:
            return repeat(task, lambda c: call(client, task, c), classify)

    async def _async(self, task: Task) -> list[Outcome]:
        within = 30.0 + task.timeout * (task.max_retries + 1) * 3
        async with package().AsyncOpenAI(**self._settings(task)) as client:
            return await repeat_async(task, lambda c: call_async(client, task, c), classify, within)
