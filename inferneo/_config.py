"""A client's settings as one checked value: argument over environment over default; an empty variable is unset."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from inferneo._coding import ACCEPTED
from inferneo._errors import InferneoError
from inferneo._retry import Retry

VERSION = "0.1.0"
PYTHON = f"{platform.python_implementation()} {sys.version_info[0]}.{sys.version_info[1]}"
AGENT = f"inferneo-python/{VERSION} ({PYTHON}; {sys.platform})"


class _DefaultText(str):
    __slots__ = ()


class _DefaultFloat(float):
    __slots__ = ()


class _DefaultInt(int):
    __slots__ = ()


# Their identity tells "not given" from the same value given on purpose, which must win over the environment.
BASE_URL: str = _DefaultText("http://localhost:8000")
TIMEOUT: float = _DefaultFloat(30.0)
MAX_RETRIES: int = _DefaultInt(3)

ApiKey = str | Callable[[], Any]
HeaderDict = dict[bytes, tuple[bytes, bytes]]


class Secret:
    """A key that does not show in repr, logs or tracebacks."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Secret(...{self.value[-4:]})" if len(self.value) > 8 else "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class Limits:
    """The pool: most connections, most idle ones kept, seconds an idle one is kept."""

    max_connections: int | None = 1000
    max_keepalive_connections: int | None = 100
    keepalive_expiry: float | None = 30.0


@dataclass(frozen=True, slots=True)
class Config:
    """Where and how to send. Times in seconds; `timeout` bounds each phase, `None` means no bound."""

    base_url: str
    scheme: str
    host: str
    port: int
    prefix: str
    api_key: Secret | Callable[[], Any] | None = None
    timeout: float | None = 30.0
    total_timeout: float | None = None
    stream_idle_timeout: float | None = None
    retry: Retry = field(default_factory=Retry)
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    common: HeaderDict = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Config({self.base_url!r}, api_key={self.api_key!r}, timeout={self.timeout!r})"


def _env(name: str) -> str | None:
    return os.environ.get(f"INFERNEO_{name}") or None


def check_seconds(name: str, value: Any) -> float | None:
    """A time limit: a number above 0, or `None` for no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InferneoError(f"{name} must be a number of seconds or None, got {value!r}")
    if not value > 0:
        raise InferneoError(f"{name} must be more than 0 seconds, got {value!r}; use None for no limit")
    return float(value) if value != float("inf") else None


def check_key(key: Any) -> Secret:
    """A key that can stand in a header."""
    if not isinstance(key, str):
        raise InferneoError(f"api_key must be text or a callable that gives text, got {type(key).__name__}")
    if not key.strip():
        raise InferneoError("api_key is empty; leave it out (None) to send no key")
    for place, character in enumerate(key):
        if not " " <= character <= "~":
            kind = "a line break" if character in "\r\n" else f"the character {character!r}"
            hint = "; was it read from a file without .strip()?" if character in "\r\n" else ""
            raise InferneoError(f"api_key holds {kind} at offset {place}, which no HTTP header can carry{hint}")
    return Secret(key)


def check_headers(headers: Mapping[str, str] | None, name: str = "headers") -> tuple[tuple[str, str], ...]:
    """Headers that can be sent: token names, one-line ASCII values."""
    if not headers:
        return ()
    checked = []
    for key, value in headers.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InferneoError(f"{name}: names and values must be text, got {key!r}: {type(value).__name__}")
        if not key or not key.isascii() or any(c in '()<>@,;:\\"/[]?={} \t\r\n' or c < "!" for c in key):
            raise InferneoError(f"{name}: {key!r} is not a header name")
        if any(not " " <= c <= "~" and c != "\t" for c in value):
            raise InferneoError(f"{name}: the value of {key!r} holds a line break or a character that is not ASCII")
        checked.append((key, value.strip()))
    return tuple(checked)


def check_query(query: Mapping[str, Any] | None, name: str = "extra_query") -> tuple[tuple[str, str], ...]:
    """Query parameters as text; `None` values are left out."""
    if not query:
        return ()
    pairs = []
    for key, value in query.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if item is None:
                continue
            if not isinstance(key, str) or not isinstance(item, str | int | float):
                raise InferneoError(f"{name}: {key!r} must be text or a number, got {type(item).__name__}")
            pairs.append((key, str(item).lower() if isinstance(item, bool) else str(item)))
    return tuple(pairs)


def _split_url(base_url: Any) -> tuple[str, str, str, int, str]:
    if not isinstance(base_url, str):
        raise InferneoError(f"base_url must be text like 'http://localhost:8000', got {type(base_url).__name__}")
    url = base_url.strip()
    wrong = f"base_url {base_url!r} is wrong: "
    if not url:
        raise InferneoError(f"{wrong}it is empty; did you mean 'http://localhost:8000'?")
    if any(c <= " " or c == "\x7f" for c in url):
        raise InferneoError(f"{wrong}it holds white space or control characters")
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise InferneoError(f"{wrong}no scheme; did you mean 'http://{url.lstrip('/')}'?")
    if scheme.lower() not in ("http", "https"):
        hint = {"ws": "http", "wss": "https"}.get(scheme.lower(), "http")
        raise InferneoError(f"{wrong}scheme {scheme!r} is not http or https; did you mean '{hint}://{rest}'?")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InferneoError(f"{wrong}{error}") from None
    if not host:
        raise InferneoError(f"{wrong}no host; did you mean '{scheme}://localhost:8000'?")
    if parts.username is not None or parts.password is not None:
        raise InferneoError("base_url holds a user name or password; give the key as api_key instead")
    if parts.query or parts.fragment:
        raise InferneoError(f"{wrong}it has a query or fragment; give default_query instead")
    if port == 0 or parts.netloc.endswith(":"):
        raise InferneoError(f"{wrong}the port must be from 1 to 65535")
    try:
        host = host.encode("ascii").decode() if host.isascii() else host.encode("idna").decode()
        if any(not (c.isalnum() or c in "-._:%~") for c in host) or any(len(label) > 63 for label in host.split(".")):
            raise InferneoError(f"{wrong}{host!r} is not a host name")
    except UnicodeError:
        raise InferneoError(f"{wrong}{host!r} is not a host name") from None
    path = quote(parts.path.rstrip("/"), safe="/%@:!$&'()*+,;=~-._")
    prefix = path if path.endswith("/v1") else f"{path}/v1"
    return url.rstrip("/"), scheme.lower(), host, port or (443 if scheme.lower() == "https" else 80), prefix


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InferneoError(f"INFERNEO_{name} must be a number, got {text!r}") from None


def make_config(
    base_url: str | None,
    api_key: ApiKey | None,
    timeout: float | None,
    max_retries: int | None,
    headers: Mapping[str, str] | None,
    *,
    retry: Retry | None = None,
    max_retry_delay: float | None = None,
    retry_on: Any = None,
    total_timeout: float | None = None,
    stream_idle_timeout: float | None = None,
    default_query: Mapping[str, Any] | None = None,
) -> Config:
    """The settings of a new client. Raises `InferneoError` that names the setting and what would be right."""
    if base_url is BASE_URL or base_url is None:
        base_url = _env("BASE_URL") or BASE_URL
    if api_key is None or api_key == "":
        api_key = _env("API_KEY")
    if timeout is TIMEOUT:
        text = _env("TIMEOUT")
        timeout = _number("TIMEOUT", text) if text else 30.0
    if max_retries is MAX_RETRIES or max_retries is None:
        text = _env("MAX_RETRIES")
        if text and not (text.isascii() and text.isdigit()):
            raise InferneoError(f"INFERNEO_MAX_RETRIES must be a whole number of 0 or more, got {text!r}")
        max_retries = int(text) if text else None if retry is not None else 3
    policy = retry or Retry()
    if max_retries is not None or max_retry_delay is not None or retry_on is not None:
        policy = change_policy(policy, max_retries, max_retry_delay, retry_on)
    url, scheme, host, port, prefix = _split_url(base_url)
    pairs = check_headers(headers)
    config = Config(
        url,
        scheme,
        host,
        port,
        prefix,
        api_key if callable(api_key) else check_key(api_key) if api_key is not None else None,
        check_seconds("timeout", timeout),
        check_seconds("total_timeout", total_timeout),
        check_seconds("stream_idle_timeout", stream_idle_timeout),
        policy,
        pairs,
        check_query(default_query, "default_query"),
    )
    config.common.update(common_headers(config))
    return config


def change_policy(policy: Retry, max_retries: Any, max_retry_delay: Any = None, retry_on: Any = None) -> Retry:
    """The policy with the settings that are not `None` changed."""
    changes: dict[str, Any] = {}
    if max_retries is not None:
        changes["max_retries"] = max_retries
    if max_retry_delay is not None:
        changes["max_retry_delay"] = max_retry_delay
    if retry_on is not None:
        changes["statuses"] = frozenset(retry_on)
    from dataclasses import replace

    return replace(policy, **changes)


def common_headers(config: Config) -> HeaderDict:
    """The headers of every request, by lower-case name: ours, then the user's in their place."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    default = 443 if config.scheme == "https" else 80
    headers: HeaderDict = {
        b"host": (b"Host", (host if config.port == default else f"{host}:{config.port}").encode("ascii")),
        b"user-agent": (b"User-Agent", AGENT.encode("ascii")),
        b"accept-encoding": (b"Accept-Encoding", ACCEPTED.encode("ascii")),
        b"connection": (b"Connection", b"keep-alive"),
    }
    if isinstance(config.api_key, Secret):
        headers[b"authorization"] = (b"Authorization", b"Bearer " + config.api_key.value.encode("ascii"))
    put_headers(headers, config.headers)
    return headers


def put_headers(headers: HeaderDict, pairs: tuple[tuple[str, str], ...]) -> None:
    """Put the user's headers in place of ours; a user agent is put in front of ours."""
    for name, value in pairs:
        key, text = name.lower().encode("ascii"), value.encode("ascii")
        if key == b"user-agent":
            text = text + b" " + AGENT.encode("ascii")
        headers[key] = (name.encode("ascii"), text)
