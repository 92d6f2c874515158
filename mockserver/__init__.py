"""A fake Inferneo server, scripted by data, able to send every wrong byte on purpose.

`MockServer` runs it; the other names write scripts (`scripting.dsl`). Everything is imported at its first use.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.scripting.dsl import (
        bad_json,
        chat,
        choices,
        completion,
        cut,
        delay,
        drop,
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
        template,
        text,
        tool_calls,
        where,
    )
    from mockserver.serving.server import MockServer
    from mockserver.serving.session import Session

_HOMES = {"MockServer": "mockserver.serving.server", "Session": "mockserver.serving.session"}

__all__ = [
    "MockServer",
    "Session",
    "bad_json",
    "chat",
    "choices",
    "completion",
    "cut",
    "delay",
    "drop",
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
    "template",
    "text",
    "tool_calls",
    "where",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        from mockserver.faults.where import HOME

        kind = name.replace("_", "-")
        if kind in HOME:  # what an import makes of an AttributeError says nothing of this
            raise ImportError(f"mockserver has no word {name!r}; write fault({kind!r}, ...)", name="mockserver")
        raise AttributeError(f"module 'mockserver' has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(_HOMES.get(name, "mockserver.scripting.dsl")), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "mockserver":
            raise
        message = f"mockserver.{name} needs {error.name!r}, which is not installed: pip install 'inferneo[mock]'"
        raise ImportError(message, name=error.name) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """A submodule does not take the place of an exported word of the same name (`status`) when it is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
