"""The asynchronous client."""

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
from inferneo._resources_async import AsyncChat, AsyncCompletions, AsyncEmbeddings, AsyncModels
from inferneo._retry import Retry
from inferneo._run_async import Session
from inferneo._stream_async import AsyncStream, Core
from inferneo._types import ServerInfo
from inferneo._wire_async import make_wire


class AsyncInferneoClient:
    """A client of one Inferneo server. Usable in several event loops, one after another or in threads.

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
    def completions(self) -> AsyncCompletions:
        """Text completions."""
        return AsyncCompletions(self)

    @property
    def chat(self) -> AsyncChat:
        """Chat: `chat.completions`."""
        return AsyncChat(self)

    @property
    def models(self) -> AsyncModels:
        """The models the server knows."""
        return AsyncModels(self)

    @property
    def embeddings(self) -> AsyncEmbeddings:
        """Embeddings."""
        return AsyncEmbeddings(self)

    async def info(self, **options: Any) -> ServerInfo:
        """What the server says about itself: version, models, GPU memory, uptime (seconds)."""
        info: ServerInfo = await self._answer(info_call(self._config, check_options(options)))
        return info

    def with_options(self, **options: Any) -> Self:
        """The same client with other settings (`timeout`, `max_retries`, `headers`, ...), on the same connections."""
        client = copy.copy(self)
        client._config = changed(self._config, options)
        return client

    async def close(self) -> None:
        """Close all connections. May be called again. Clients of `with_options` share them."""
        await self._wire.close()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._wire.closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    aclose = close

    def __repr__(self) -> str:
        config = self._config
        return (
            f"AsyncInferneoClient({config.base_url!r}, api_key={config.api_key!r}, timeout={config.timeout}, "
            f"max_retries={config.retry.max_retries})"
        )

    def __copy__(self) -> Self:
        client = object.__new__(type(self))
        client.__dict__.update(self.__dict__)
        return client

    def __reduce__(self) -> tuple[Any, ...]:
        raise InferneoError("a client cannot be pickled or deep-copied: make one where it is used; copy() shares it")

    async def _answer(self, call: Call) -> Any:
        return await Session(self._wire, self._config, call).run()

    async def _make_and_answer(self, make: Callable[..., Call], *arguments: Any) -> Any:
        return await self._answer(make(self._config, *arguments))

    def _create(self, make: Callable[..., Call], fields: dict[str, Any], stream: bool, options: dict[str, Any]) -> Any:
        if options.pop("transport", None) == "ws":
            from inferneo._ws import open_async

            return open_async(self._config, make(self._config, fields, stream, options), self._wire)
        if not stream:
            return self._make_and_answer(make, fields, stream, options)
        call = make(self._config, fields, stream, options)
        return AsyncStream(Core(Session(self._wire, self._config, call)))
