"""What an asynchronous client offers, by name: thin, every decision is made in the pure modules."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from inferneo._arguments import check_options, sampling, take_options
from inferneo._requests import chat_call, completion_call, embedding_call, model_call, models_call
from inferneo._types import (
    ChatCompletionChunk,
    ChatCompletionResponse,
    ChatMessage,
    CompletionChunk,
    CompletionResponse,
    EmbeddingResponse,
    Model,
    ModelList,
)

if TYPE_CHECKING:
    from inferneo._async import AsyncInferneoClient
    from inferneo._stream_async import AsyncStream
    from inferneo.params import MessageParam


class AsyncCompletions:
    """`client.completions`."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncInferneoClient) -> None:
        self._client = client

    @overload
    def create(
        self,
        model: str,
        prompt: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        stream: Literal[False] = False,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, CompletionResponse]: ...

    @overload
    def create(
        self,
        model: str,
        prompt: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        *,
        stream: Literal[True],
        **kwargs: Any,
    ) -> AsyncStream[CompletionChunk, CompletionResponse]: ...

    @overload
    def create(
        self,
        model: str,
        prompt: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        *,
        stream: bool,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, CompletionResponse | AsyncStream[CompletionChunk, CompletionResponse]]: ...

    def create(
        self,
        model: str,
        prompt: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        stream: bool = False,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, Any] | AsyncStream[CompletionChunk, CompletionResponse]:
        """A text completion, or with `stream=True` its chunks as they come.

        Further keyword arguments go into the body as they are; `None` is never sent. Not sent: `timeout`,
        `total_timeout` (seconds), `max_retries`, `extra_headers`, `extra_query`, `extra_body`, `idempotency_key`,
        and `transport="ws"` (a stream over a WebSocket; needs
        `inferneo[ws]`). Await the answer; a stream may be awaited or iterated at once.
        """
        fields = sampling(
            model,
            {"prompt": prompt},
            max_tokens,
            temperature,
            top_p,
            top_k,
            frequency_penalty,
            presence_penalty,
            stop,
            stream,
        )
        options = take_options(fields, kwargs)
        return self._client._create(completion_call, fields, stream, options)  # type: ignore[no-any-return]  # the overloads say what it is


class AsyncChatCompletions:
    """`client.chat.completions`."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncInferneoClient) -> None:
        self._client = client

    @overload
    def create(
        self,
        model: str,
        messages: Sequence[MessageParam | ChatMessage],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        stream: Literal[False] = False,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, ChatCompletionResponse]: ...

    @overload
    def create(
        self,
        model: str,
        messages: Sequence[MessageParam | ChatMessage],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        *,
        stream: Literal[True],
        **kwargs: Any,
    ) -> AsyncStream[ChatCompletionChunk, ChatCompletionResponse]: ...

    @overload
    def create(
        self,
        model: str,
        messages: Sequence[MessageParam | ChatMessage],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        *,
        stream: bool,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, ChatCompletionResponse | AsyncStream[ChatCompletionChunk, ChatCompletionResponse]]: ...

    def create(
        self,
        model: str,
        messages: Sequence[MessageParam | ChatMessage],
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        stop: str | Sequence[str] | None = None,
        stream: bool = False,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, Any] | AsyncStream[ChatCompletionChunk, ChatCompletionResponse]:
        """A chat completion, or with `stream=True` its chunks as they come.

        Further keyword arguments go into the body as they are; `None` is never sent. Not sent: `timeout`,
        `total_timeout` (seconds), `max_retries`, `extra_headers`, `extra_query`, `extra_body`, `idempotency_key`,
        and `transport="ws"` (a stream over a WebSocket; needs
        `inferneo[ws]`). Await the answer; a stream may be awaited or iterated at once.
        """
        fields = sampling(
            model,
            {"messages": messages},
            max_tokens,
            temperature,
            top_p,
            top_k,
            frequency_penalty,
            presence_penalty,
            stop,
            stream,
        )
        options = take_options(fields, kwargs)
        return self._client._create(chat_call, fields, stream, options)  # type: ignore[no-any-return]  # the overloads say what it is


class AsyncChat:
    """`client.chat`."""

    __slots__ = ("completions",)

    def __init__(self, client: AsyncInferneoClient) -> None:
        self.completions = AsyncChatCompletions(client)


class AsyncEmbeddings:
    """`client.embeddings`."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncInferneoClient) -> None:
        self._client = client

    async def create(
        self,
        model: str,
        input: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],  # noqa: A002  # the wire's name
        encoding_format: Literal["float", "base64"] | None = None,
        **kwargs: Any,
    ) -> EmbeddingResponse:
        """Embeddings of a text, or of each text of a list."""
        fields: dict[str, Any] = {"model": model, "input": input, "encoding_format": encoding_format}
        options = take_options(fields, kwargs)
        answer: EmbeddingResponse = await self._client._answer(embedding_call(self._client._config, fields, options))
        return answer


class AsyncModels:
    """`client.models`."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncInferneoClient) -> None:
        self._client = client

    async def list(self, **options: Any) -> ModelList:
        """The models the server knows."""
        page = await self._client._answer(models_call(self._client._config, check_options(options)))
        return ModelList(page)

    async def get(self, model_id: str, **options: Any) -> Model:
        """One model. Raises `InferneoNotFoundError` when the server does not know it."""
        model: Model = await self._client._answer(model_call(self._client._config, model_id, check_options(options)))
        return model
