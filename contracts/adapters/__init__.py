"""Adapters: each makes one client a subject that the client laws can drive.

A subject does a `Task` and tells the `Outcome`; both are plain values with a JSON form, so a client in another process
or language takes part over JSON lines (`process.py`).
"""

from __future__ import annotations

from contracts.adapters.base import Subject

NAMES = ("inferneo", "inferneo-async", "openai", "openai-async", "httpx")
DEFAULT = ("inferneo", "inferneo-async")


def subject(name: str) -> Subject:
    """The subject of that name; `command:CMD` is a child process. Raises `LookupError` that names them all."""
    if name.startswith("command:"):
        from contracts.adapters.process import ProcessSubject

        return ProcessSubject(name.removeprefix("command:"))
    match name:
        case "inferneo" | "inferneo-async":
            from contracts.adapters.inferneo import InferneoSubject

            return InferneoSubject(name.endswith("-async"))
        case "openai" | "openai-async":
            from contracts.adapters.openai import OpenAISubject

            return OpenAISubject(name.endswith("-async"))
        case "httpx":
            from contracts.adapters.httpx import HttpxSubject

            return HttpxSubject()
    raise LookupError(f"unknown client {name!r}; known clients: {', '.join(NAMES)}, command:CMD")
