"""The arguments of `create` sorted: what goes into the body, and what steers the call."""

from __future__ import annotations

from typing import Any

from inferneo._errors import InferneoError

OPTIONS = frozenset(
    {"timeout", "total_timeout", "max_retries", "extra_headers", "extra_query", "extra_body", "idempotency_key"}
)
TRANSPORTS = (None, "http", "ws")


def sampling(
    model: str,
    content: dict[str, Any],
    max_tokens: int | None,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None,
    frequency_penalty: float | None,
    presence_penalty: float | None,
    stop: Any,
    stream: bool,
) -> dict[str, Any]:
    """The named arguments as body fields; those that are `None` are left out when the body is made."""
    if not isinstance(model, str):
        raise TypeError(f"model must be text, got {type(model).__name__}")
    if not isinstance(stream, bool):
        raise TypeError(f"stream must be True or False, got {stream!r}")
    ((name, value),) = content.items()
    if name == "messages" and (isinstance(value, str | bytes | dict) or not hasattr(value, "__iter__")):
        raise TypeError(f"messages must be a list of messages, got {type(value).__name__}")
    return {
        "model": model,
        name: list(value) if name == "messages" else value,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "frequency_penalty": frequency_penalty,
        "presence_penalty": presence_penalty,
        "stop": stop,
        "stream": True if stream else None,
    }


def take_options(fields: dict[str, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Sort `kwargs`: the options that steer the call are given back, the rest goes into the body."""
    options = {}
    for name, value in kwargs.items():
        if name in OPTIONS:
            options[name] = value
        elif name == "transport":
            if value not in TRANSPORTS:
                raise InferneoError(f"transport must be 'http' or 'ws', got {value!r}")
            options[name] = value
        else:
            fields[name] = value
    return options


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call that has no body of its own. Raises `TypeError` for another name."""
    for name in options:
        if name not in OPTIONS or name == "extra_body":
            raise TypeError(f"unexpected keyword argument {name!r}; known: {', '.join(sorted(OPTIONS))}")
    return options
