"""Plain `httpx` with the ten lines that people write around it: what one gets without a client."""

from __future__ import annotations

import json
from typing import Any

from contracts.adapters.attributes import arguments
from contracts.adapters.base import Collector, Outcome, Problem, Task, repeat, shown


def classify(error: BaseException) -> Problem:
    """httpx's own errors are its family; what else comes out of reading by hand is a leak."""
    import httpx

    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    match error:
        case httpx.HTTPStatusError():
            kind: Any = "status"
        case httpx.TimeoutException():
            kind = "timeout"
        case httpx.TransportError():
            kind = "connection"
        case httpx.HTTPError() | httpx.StreamError():
            kind = "protocol"
        case _:
            kind = "leak"
    return Problem(
        kind, f"{type(error).__module__}.{type(error).__name__}", str(error), status, None, None, None, shown(error)
    )


class HttpxSubject:
    """Posts, raises for status, and reads lines that begin with `data: `."""

    name = "httpx"
    abilities: frozenset[str] = frozenset()

    def do(self, task: Task) -> list[Outcome]:
        """The task on a client of its own."""
        import httpx

        headers = {**task.headers, **({"Authorization": f"Bearer {task.api_key}"} if task.api_key else {})}
        with httpx.Client(base_url=task.url, timeout=task.timeout, headers=headers) as client:
            return repeat(task, lambda c: self._call(client, task, c), classify)

    def _call(self, client: Any, task: Task, collector: Collector) -> None:
        if task.what in ("models", "model", "info"):
            path = {"models": "/v1/models", "model": f"/v1/models/{task.model}", "info": "/v1/info"}[task.what]
            document = client.get(path).raise_for_status().json()
            collector.values["ids"] = [model["id"] for model in document.get("data", [])]
            return
        path = "/v1/chat/completions" if task.what == "chat" else "/v1/completions"
        body = {key: value for key, value in arguments(task).items() if value is not None}
        if not task.stream:
            document = client.post(path, json=body).raise_for_status().json()
            choice = document["choices"][0]
            text = choice["message"]["content"] if task.what == "chat" else choice["text"]
            collector.values.update(
                {name: document.get(name) for name in ("id", "object", "created", "model", "usage")}
            )
            collector.choice(text, choice["finish_reason"])
            return
        with client.stream("POST", path, json=body) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                data = line.removeprefix("data: ")
                if data == line or data == "[DONE]":
                    continue
                for choice in json.loads(data)["choices"]:
                    text = choice["delta"].get("content") if task.what == "chat" else choice["text"]
                    collector.choice(text, choice.get("finish_reason"))
                if task.take is not None and len(collector.pieces) >= task.take:
                    return
