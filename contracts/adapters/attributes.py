"""Reads responses of clients that have attributes like the API's fields, and calls such clients, sync and async."""

from __future__ import annotations

from typing import Any

from contracts.adapters.base import Collector, Task

HEAD = ("id", "object", "created", "model")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def arguments(task: Task) -> dict[str, Any]:
    """The keyword arguments of a create method."""
    asked = {"messages": [{"role": "user", "content": task.text}]} if task.what == "chat" else {"prompt": task.text}
    return {"model": task.model, **asked, **({"stream": True} if task.stream else {}), **task.arguments}


def method(client: Any, task: Task) -> Any:
    """The create method of the task's endpoint."""
    return client.chat.completions.create if task.what == "chat" else client.completions.create


def read_whole(response: Any, task: Task, collector: Collector) -> None:
    """A whole answer: its first choice, its head, its usage."""
    for name in HEAD:
        collector.values[name] = getattr(response, name, None)
    usage = getattr(response, "usage", None)
    collector.values["usage"] = {name: getattr(usage, name, None) for name in COUNTS} if usage is not None else None
    collector.values["choices"] = len(response.choices)
    for choice in response.choices[:1]:
        text = choice.message.content if task.what == "chat" else choice.text
        collector.choice(text, choice.finish_reason)


def read_chunk(chunk: Any, task: Task, collector: Collector) -> None:
    """One chunk of a stream, the way callers read it."""
    collector.values["chunks"] = collector.values.get("chunks", 0) + 1
    if (usage := getattr(chunk, "usage", None)) is not None:
        collector.values["usage"] = {name: getattr(usage, name, None) for name in COUNTS}
    for choice in chunk.choices or ():
        if (getattr(choice, "index", 0) or 0) == 0:
            text = choice.delta.content if task.what == "chat" else choice.text
            collector.choice(text, choice.finish_reason)


def full(task: Task, collector: Collector) -> bool:
    """Whether the caller has taken as many pieces as it wanted."""
    return task.take is not None and len(collector.pieces) >= task.take


def read_models(models: Any, collector: Collector) -> None:
    """The ids of a list of models."""
    collector.values["ids"] = [model.id for model in models]


def read_model(model: Any, collector: Collector) -> None:
    """One model."""
    collector.values.update({name: getattr(model, name, None) for name in ("id", "object", "created")})


def call(client: Any, task: Task, collector: Collector) -> None:
    """The task on a synchronous client."""
    match task.what:
        case "models":
            read_models(client.models.list(), collector)
        case "model":
            read_model(getattr(client.models, "get", None) and client.models.get(task.model), collector)
        case "info":
            info = client.info()
            collector.values.update({n: getattr(info, n, None) for n in ("version", "models", "gpu_memory", "uptime")})
        case _ if not task.stream:
            read_whole(method(client, task)(**arguments(task)), task, collector)
        case _:
            stream = method(client, task)(**arguments(task))
            for chunk in stream:
                read_chunk(chunk, task, collector)
                if full(task, collector):
                    stream.close()
                    break


async def call_async(client: Any, task: Task, collector: Collector) -> None:
    """The task on an asynchronous client."""
    match task.what:
        case "models":
            models = await client.models.list()
            # A page that is iterated asynchronously is no list: iterating it plainly gives its own fields.
            listed = [model async for model in models] if hasattr(models, "__aiter__") else models
            read_models(listed, collector)
        case "model":
            read_model(await client.models.get(task.model), collector)
        case "info":
            info = await client.info()
            collector.values.update({n: getattr(info, n, None) for n in ("version", "models", "gpu_memory", "uptime")})
        case _ if not task.stream:
            read_whole(await method(client, task)(**arguments(task)), task, collector)
        case _:
            stream = await method(client, task)(**arguments(task))
            async for chunk in stream:
                read_chunk(chunk, task, collector)
                if full(task, collector):
                    await (stream.close() if hasattr(stream, "close") else stream.aclose())
                    break
