"""Our own client as a subject, through its public API only."""

from __future__ import annotations

import asyncio
from typing import Any

from contracts.adapters.attributes import call, call_async
from contracts.adapters.base import Kind, Outcome, Problem, Task, repeat, repeat_async, shown

KINDS: tuple[tuple[str, Kind], ...] = (
    ("InferneoStreamTruncatedError", "truncated"),
    ("InferneoStreamError", "stream_error"),
    ("InferneoProtocolError", "protocol"),
    ("InferneoTimeoutError", "timeout"),
    ("InferneoConnectionError", "connection"),
    ("InferneoAPIError", "status"),
    ("InferneoError", "other"),
)
"""The client's classes, the special ones first, and what each says."""


def classify(error: BaseException) -> Problem:
    """An exception of the client as a problem; anything else is a leak."""
    names = [base.__name__ for base in type(error).__mro__ if base.__module__.startswith("inferneo")]
    kind: Kind = next((kind for name, kind in KINDS if name in names), "leak")
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)) and kind == "leak":
        return Problem("leak", "hang", "the call did not end in time")
    partial: Any = getattr(error, "partial", None)
    text = getattr(partial, "text", partial)
    after = getattr(error, "retry_after", None)
    code = getattr(error, "code", None)
    status = getattr(error, "status_code", None)
    return Problem(
        kind,
        f"{type(error).__module__}.{type(error).__name__}",
        str(getattr(error, "message", error)),
        status if isinstance(status, int) else None,
        str(code) if code is not None else None,
        float(after) if isinstance(after, (int, float)) else None,
        text if isinstance(text, str) else None,
        shown(error),
    )


ABILITIES = frozenset({"family", "models", "model", "info", "retries", "truncation", "partial", "spec", "strict"})


class InferneoSubject:
    """`InferneoClient`, or `AsyncInferneoClient` in a loop of its own."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self.abilities = ABILITIES | {"async"} if asynchronous else ABILITIES
        self.name = "inferneo-async" if asynchronous else "inferneo"

    def _settings(self, task: Task) -> dict[str, Any]:
        return {
            "base_url": task.url,
            "api_key": task.api_key,
            "timeout": task.timeout,
            "max_retries": task.max_retries,
            "headers": task.headers or None,
        }

    def do(self, task: Task) -> list[Outcome]:
        """The task on a client of its own."""
        return asyncio.run(self._async(task)) if self.asynchronous else self._sync(task)

    def _sync(self, task: Task) -> list[Outcome]:
        from inferneo import InferneoClient

        with InferneoClient(**self._settings(task)) as client:
            return repeat(task, lambda c: call(client, task, c), classify)

    async def _async(self, task: Task) -> list[Outcome]:
        from inferneo import AsyncInferneoClient

        within = 30.0 + task.timeout * (task.max_retries + 1) * 3
        client = AsyncInferneoClient(**self._settings(task))
        try:
            return await repeat_async(task, lambda c: call_async(client, task, c), classify, within)
        finally:
            await client.close()
