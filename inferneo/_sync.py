"""The blocking client."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Self

from inferneo._arguments import check_options
from inferneo._client import changed, log_to_stderr
from inferneo._config import BASE_URL, MAX_RETRIES, TIMEOUT, ApiKey, Limits, make_config
from inferneo._errors import InferneoError
from inferneo._requests import Call, info_call
from inferneo._resources import Chat, Completions, Embeddings, Models
from inferneo._retry import Retry
from inferneo._run_sync import perform
from inferneo._types import ServerInfo
from inferneo._wire_sync import make_wire


class InferneoClient:
    """A client of one Inferneo server. Safe in threads and after a fork; use one for many requests.

    `timeout` (seconds) bounds each phase of a call: connecting, sending, the whole wait for the head of the reply, the
    gap between data events of a stream (which `stream_idle_timeout` sets apart). `total_timeout` bounds a call with
    all its attempts, to the end of its stream. Arguments win over the environment (`INFERNEO_BASE_URL`,
    `INFERNEO_API_KEY`, `INFERNEO_TIMEOUT`, `INFERNEO_MAX_RETRIES`, `INFERNEO_LOG`). Wrong ones raise `InferneoError`.
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        api_key: ApiKey | None = None,
        timeout: float | None = TIMEOUT,
        max_retries: int = MAX_RETRIES,
        headers: Mapping[str, str] | None = None,
        *,
        total_timeout: float | None = None,
        stream_idle_timeout: float | None = None,
        retry: Retry | None = None,
        max_retry_delay: float | None = None,
        retry_on: Collection[int] | None = None,
        default_query: Mapping[str, Any] | None = None,
        limits: Limits | int | Any | None = None,
        http_client: Any | None = None,
        transport: Any | None = None,
        verify: Any = True,
    ) -> None:
        self._config = make_config(
            base_url,
            api_key,
            timeout,
            max_retries,
            headers,
            retry=retry,
            max_retry_delay=max_retry_delay,
            retry_on=retry_on,
            total_timeout=total_timeout,
            stream_idle_timeout=stream_idle_timeout,
            default_query=default_query,
        )
        self._wire = make_wire(limits, verify, http_client, transport)
        log_to_stderr()

    @property
    def base_url(self) -> str:
        """The server's URL, as it was given."""
        return self._config.base_url

    @property
    def completions(self) -> Completions:
        """Text completions."""
        return Completions(self)

    @property
    def chat(self) -> Chat:
        """Chat: `chat.completions`."""
        return Chat(self)

    @property
    def models(self) -> Models:
        """The models the server knows."""
        return Models(self)

    @property
    def embeddings(self) -> Embeddings:
        """Embeddings."""
        return Embeddings(self)

    def info(self, **options: Any) -> ServerInfo:
        """What the server says about itself: version, models, GPU memory, uptime (seconds)."""
        info: ServerInfo = self._answer(info_call(self._config, check_options(options)))
        return info

    def with_options(self, **options: Any) -> Self:
        """The same client with other settings (`timeout`, `max_retries`, `headers`, ...), on the same connections."""
        client = copy.copy(self)
        client._config = changed(self._config, options)
        return client

    def close(self) -> None:
        """Close all connections, also from another thread, for the clients of `with_options` too. May be repeated."""
        self._wire.close()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._wire.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        config = self._config
        return (
            f"InferneoClient({config.base_url!r}, api_key={config.api_key!r}, timeout={config.timeout}, "
            f"max_retries={config.retry.max_retries})"
        )

    def __copy__(self) -> Self:
        client = object.__new__(type(self))
        client.__dict__.update(self.__dict__)
        return client

    def __reduce__(self) -> tuple[Any, ...]:
        raise InferneoError("a client cannot be pickled or deep-copied: make one where it is used; copy() shares it")

    def _answer(self, call: Call) -> Any:
        return perform(self._wire, self._config, call)

    def _create(self, make: Callable[..., Call], fields: dict[str, Any], stream: bool, options: dict[str, Any]) -> Any:
        if options.pop("transport", None) == "ws":
            from inferneo._ws import perform as perform_ws

            return perform_ws(self._config, make(self._config, fields, stream, options), self._wire)
        return self._answer(make(self._config, fields, stream, options))
