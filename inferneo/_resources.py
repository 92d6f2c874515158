"""What a blocking client offers, by name: thin, every decision is made in the pure modules."""

from __future__ import annotations

from collections.abc import Sequence
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
    from inferneo._stream import Stream
    from inferneo._sync import InferneoClient
    from inferneo.params import MessageParam


class Completions:
    """`client.completions`."""

    __slots__ = ("_client",)

    def __init__(self, client: InferneoClient) -> None:
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
    ) -> CompletionResponse: ...

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
    ) -> Stream[CompletionChunk, CompletionResponse]: ...

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
    ) -> CompletionResponse | Stream[CompletionChunk, CompletionResponse]: ...

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
    ) -> CompletionResponse | Stream[CompletionChunk, CompletionResponse]:
        """A text completion, or with `stream=True` its chunks as they come.

        Further keyword arguments go into the body as they are; `None` is never sent. Not sent: `timeout`,
        `total_timeout` (seconds), `max_retries`, `extra_headers`, `extra_query`, `extra_body`, `idempotency_key`,
        and `transport="ws"` (a stream over a WebSocket; needs `inferneo[ws]`).
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


class ChatCompletions:
    """`client.chat.completions`."""

    __slots__ = ("_client",)

    def __init__(self, client: InferneoClient) -> None:
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
    ) -> ChatCompletionResponse: ...

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
    ) -> Stream[ChatCompletionChunk, ChatCompletionResponse]: ...

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
    ) -> ChatCompletionResponse | Stream[ChatCompletionChunk, ChatCompletionResponse]: ...

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
    ) -> ChatCompletionResponse | Stream[ChatCompletionChunk, ChatCompletionResponse]:
        """A chat completion, or with `stream=True` its chunks as they come.

        Further keyword arguments go into the body as they are; `None` is never sent. Not sent: `timeout`,
        `total_timeout` (seconds), `max_retries`, `extra_headers`, `extra_query`, `extra_body`, `idempotency_key`,
        and `transport="ws"` (a stream over a WebSocket; needs `inferneo[ws]`).
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


class Chat:
    """`client.chat`."""

    __slots__ = ("completions",)

    def __init__(self, client: InferneoClient) -> None:
        self.completions = ChatCompletions(client)


class Embeddings:
    """`client.embeddings`."""

    __slots__ = ("_client",)

    def __init__(self, client: InferneoClient) -> None:
        self._client = client

    def create(
        self,
        model: str,
        input: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],  # noqa: A002  # the wire's name
        encoding_format: Literal["float", "base64"] | None = None,
        **kwargs: Any,
    ) -> EmbeddingResponse:
        """Embeddings of a text, or of each text of a list."""
        fields: dict[str, Any] = {"model": model, "input": input, "encoding_format": encoding_format}
        options = take_options(fields, kwargs)
        answer: EmbeddingResponse = self._client._answer(embedding_call(self._client._config, fields, options))
        return answer


class Models:
    """`client.models`."""

    __slots__ = ("_client",)

    def __init__(self, client: InferneoClient) -> None:
        self._client = client

    def list(self, **options: Any) -> ModelList:
        """The models the server knows."""
        page = self._client._answer(models_call(self._client._config, check_options(options)))
        return ModelList(page)

    def get(self, model_id: str, **options: Any) -> Model:
        """One model. Raises `InferneoNotFoundError` when the server does not know it."""
        model: Model = self._client._answer(model_call(self._client._config, model_id, check_options(options)))
        return model
