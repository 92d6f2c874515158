"""A fake Inferneo server, scripted by data, able to send every wrong byte on purpose.

`MockServer` runs it; the other names write scripts (`mockserver.dsl`). Everything is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.dsl import (
        chat,
        choices,
        completion,
        cut,
        delay,
        embedding,
        embeddings,
        error,
        fault,
        fixture,
        models,
        on,
        pacing,
        raw,
        stall,
        status,
        text,
        tool_calls,
    )
    from mockserver.server import MockServer
    from mockserver.session import Session

_HOMES = {"MockServer": "mockserver.server", "Session": "mockserver.session"}

__all__ = [
    "MockServer",
    "Session",
    "chat",
    "choices",
    "completion",
    "cut",
    "delay",
    "embedding",
    "embeddings",
    "error",
    "fault",
    "fixture",
    "models",
    "on",
    "pacing",
    "raw",
    "stall",
    "status",
    "text",
    "tool_calls",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mockserver' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, "mockserver.dsl")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
