"""What is sent, as values: a `Call` is all there is to know about one request, before any I/O."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from inferneo._config import Config, check_headers, check_query, check_seconds
from inferneo._errors import InferneoError
from inferneo._retry import Retry, with_max_retries
from inferneo._types import (
    ChatCompletionChunk,
    ChatCompletionResponse,
    CompletionChunk,
    CompletionResponse,
    EmbeddingResponse,
    Model,
    ModelPage,
    Root,
    ServerInfo,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what to send, what to read, and the limits (seconds) that hold for it."""

    method: str
    path: str
    kind: type[Root]
    policy: Retry
    timeout: float | None
    total_timeout: float | None
    idle_timeout: float | None
    body: bytes | None = None
    stream: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    idempotency_key: str | None = None
    choices: int = 1
    fields: Mapping[str, Any] | None = None


def new_key() -> str:
    """A random UUID (version 4), without importing `uuid`."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _default(value: Any) -> Any:
    for name in ("to_dict", "model_dump"):
        method: Callable[[], Any] | None = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            return method()
    raise TypeError(f"{type(value).__name__} is not JSON")


def encode_body(fields: Mapping[str, Any]) -> bytes:
    """JSON bytes. Lone surrogates are escaped; NaN and values that are not JSON raise, naming the field."""
    import json

    try:
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_default)
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            return json.dumps(fields, separators=(",", ":"), allow_nan=False, default=_default).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise InferneoError(f"the request cannot be sent: {_blame(fields, '', ()) or error}") from None
    except Exception as error:  # whatever a value's own to_dict() or model_dump() raised
        raise InferneoError(f"the request cannot be sent: {type(error).__name__}: {error}") from error


def _blame(value: Any, path: str, above: tuple[int, ...]) -> str | None:
    """The path and nature of the first value that is not JSON."""
    if value is None or isinstance(value, str | bool | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path} is {value!r}, which JSON does not have"
    if id(value) in above or len(above) > 200:
        return f"{path[:200]} holds itself, or is nested too deep"
    above = (*above, id(value))
    if isinstance(value, Mapping) and isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int | float | None):
                return f"{path or 'the body'} has a key of type {type(key).__name__}; keys must be text"
            if found := _blame(item, f"{path}.{key}" if path else str(key), above):
                return found
        return None
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if found := _blame(item, f"{path}[{index}]", above):
                return found
        return None
    try:
        return _blame(_default(value), path, above)
    except Exception:
        return f"{path or 'the body'} is of type {type(value).__name__}, which is not JSON"


def make_call(
    config: Config,
    method: str,
    path: str,
    kind: type[Root],
    fields: dict[str, Any] | None = None,
    *,
    stream: bool = False,
    timeout: float | None = None,
    total_timeout: float | None = None,
    max_retries: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_query: Mapping[str, Any] | None = None,
    extra_body: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call:
    """A checked call; what is `None` comes from the client's settings. Raises `InferneoError`."""
    body = None
    if fields is not None:
        fields = {name: value for name, value in fields.items() if value is not None}
        if extra_body is not None:
            if not isinstance(extra_body, Mapping):
                raise InferneoError(f"extra_body must be a dict, got {type(extra_body).__name__}")
            fields.update(extra_body)
        body = encode_body(fields)
    query = config.query + check_query(extra_query) if extra_query else config.query
    limit = config.timeout if timeout is None else check_seconds("timeout", timeout)
    idle = config.stream_idle_timeout
    if idle is None or timeout is not None:
        idle = limit
    if method == "POST":
        key = new_key() if idempotency_key is None else idempotency_key
        check_headers({"Idempotency-Key": key}, "idempotency_key")
    else:
        key = None
    return Call(
        method,
        config.prefix + path + (f"?{urlencode(query, errors='replace')}" if query else ""),
        kind,
        with_max_retries(config.retry, max_retries),
        limit,
        config.total_timeout if total_timeout is None else check_seconds("total_timeout", total_timeout),
        idle,
        body,
        stream,
        check_headers(extra_headers, "extra_headers") if extra_headers else (),
        key,
        _choices(fields or {}),
        fields,
    )


def _choices(fields: Mapping[str, Any]) -> int:
    """How many choices the request asks for."""
    prompts = fields.get("prompt")
    many = len(prompts) if isinstance(prompts, list) and prompts and isinstance(prompts[0], str | list) else 1
    n = fields.get("n")
    return many * (n if isinstance(n, int) and n > 0 else 1)


def completion_call(config: Config, fields: dict[str, Any], stream: bool, options: dict[str, Any]) -> Call:
    """`POST completions`."""
    kind: type[Root] = CompletionChunk if stream else CompletionResponse
    return make_call(config, "POST", "/completions", kind, fields, stream=stream, **options)


def chat_call(config: Config, fields: dict[str, Any], stream: bool, options: dict[str, Any]) -> Call:
    """`POST chat/completions`."""
    kind: type[Root] = ChatCompletionChunk if stream else ChatCompletionResponse
    return make_call(config, "POST", "/chat/completions", kind, fields, stream=stream, **options)


def embedding_call(config: Config, fields: dict[str, Any], options: dict[str, Any]) -> Call:
    """`POST embeddings`."""
    return make_call(config, "POST", "/embeddings", EmbeddingResponse, fields, **options)


def models_call(config: Config, options: dict[str, Any]) -> Call:
    """`GET models`."""
    return make_call(config, "GET", "/models", ModelPage, **options)


def model_call(config: Config, model_id: str, options: dict[str, Any]) -> Call:
    """`GET models/{id}`; slashes in an id stay slashes."""
    if not isinstance(model_id, str):
        raise TypeError(f"model_id must be text, got {type(model_id).__name__}")
    if not model_id.strip("/") or any(part in (".", "..") for part in model_id.split("/")):
        raise InferneoError(f"{model_id!r} is not a model id")
    return make_call(config, "GET", f"/models/{quote(model_id, safe='/:@', errors='replace')}", Model, **options)


def info_call(config: Config, options: dict[str, Any]) -> Call:
    """`GET info`."""
    return make_call(config, "GET", "/info", ServerInfo, **options)
