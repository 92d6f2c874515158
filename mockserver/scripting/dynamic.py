"""Replies that are made when the request comes: a template, or a function of the test. Both give an ordinary reply.

Laws: a template sees the request, the seed, the call's number and the named states, and can reach nothing else
(Jinja2's sandbox); the same of these give the same text. A function may be asynchronous. What it gives is read like a
reply in a script, and what goes wrong in it is a 500 that fails the test and says why.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from mockserver.errors import ScriptError
from mockserver.reply import Function, Json, Reply, Template, Text, parse_reply
from mockserver.request import Request
from mockserver.scripting.view import View


@dataclass(frozen=True, slots=True)
class Asked:
    """What a function is given and a template sees: the request in plain values."""

    request: Request
    document: Any
    text: str
    model: Any
    stream: bool
    call: int
    seed: int
    states: Mapping[str, str]

    @property
    def messages(self) -> list[Any]:
        """The messages of a chat; empty for others."""
        found = self.document.get("messages") if isinstance(self.document, dict) else None
        return found if isinstance(found, list) else []

    @property
    def headers(self) -> dict[str, str]:
        """The header fields by lower-case name; of a name that comes twice the last."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.request.headers}

    @property
    def path(self) -> str:
        """The path without the session's prefix."""
        return self.request.path

    @property
    def number(self) -> int:
        """The number of the request in its session, from 1."""
        return self.request.number


def make(reply: Template | Function, view: View, seed: int, call: int) -> Reply | Awaitable[Any]:
    """The reply, or what will give it. Raises what the function raises, `ScriptError` for what is no reply."""
    asked = Asked(view.request, view.document, view.text(), view.model, view.stream, call, seed, dict(view.states))
    if isinstance(reply, Template):
        return _rendered(reply, asked)
    made = reply.function(asked)
    return made if inspect.isawaitable(made) else finished(made)


def finished(made: Any) -> Reply:
    """What a function gave, as a reply. Raises `ScriptError`."""
    reply = parse_reply(made, "function")
    if isinstance(reply, Template | Function):
        raise ScriptError("a function gives a reply, not another that is still to be made", "function")
    return reply


def _rendered(reply: Template, asked: Asked) -> Reply:
    rng = Random(f"{asked.seed} {asked.number} {asked.call}")
    text = _compiled(reply.template).render(
        request=asked.document,
        text=asked.text,
        last=asked.text.rpartition("\n")[2],
        model=asked.model,
        stream=asked.stream,
        messages=asked.messages,
        headers=asked.headers,
        path=asked.path,
        method=asked.request.method,
        seed=asked.seed,
        call=asked.call,
        number=asked.number,
        states=dict(asked.states),
        random=rng.random(),
    )
    if reply.renders == "text":
        return Text(text, pacing=reply.pacing, headers=reply.headers)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ScriptError(f"the template made no JSON: {error}; it made {text[:80]!r}", "template") from error
    return Json(document, pacing=reply.pacing, headers=reply.headers)


@lru_cache(maxsize=256)
def _compiled(source: str) -> Any:
    from jinja2 import StrictUndefined, TemplateError  # Jinja2 takes 30 ms to import, and few scripts have templates
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
        return environment.from_string(source)
    except TemplateError as error:
        raise ScriptError(f"bad template: {error}", "template") from error


def check(source: str) -> None:
    """Refuse a template that is none. Raises `ScriptError`."""
    _compiled(source)
