"""A client for Inferneo servers that never lies: every answer is whole and of its type, or an `InferneoError` says why.

    from inferneo import InferneoClient

    client = InferneoClient("http://localhost:8000")
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello!"}])

Nothing is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferneo._async import AsyncInferneoClient as AsyncInferneoClient
    from inferneo._config import Limits as Limits
    from inferneo._errors import InferneoAPIError as InferneoAPIError
    from inferneo._errors import InferneoAuthenticationError as InferneoAuthenticationError
    from inferneo._errors import InferneoBadRequestError as InferneoBadRequestError
    from inferneo._errors import InferneoConflictError as InferneoConflictError
    from inferneo._errors import InferneoConnectionError as InferneoConnectionError
    from inferneo._errors import InferneoError as InferneoError
    from inferneo._errors import InferneoNotFoundError as InferneoNotFoundError
    from inferneo._errors import InferneoPermissionError as InferneoPermissionError
    from inferneo._errors import InferneoProtocolError as InferneoProtocolError
    from inferneo._errors import InferneoRateLimitError as InferneoRateLimitError
    from inferneo._errors import InferneoServerError as InferneoServerError
    from inferneo._errors import InferneoStreamError as InferneoStreamError
    from inferneo._errors import InferneoStreamTruncatedError as InferneoStreamTruncatedError
    from inferneo._errors import InferneoTimeoutError as InferneoTimeoutError
    from inferneo._errors import InferneoUnprocessableEntityError as InferneoUnprocessableEntityError
    from inferneo._errors import Partial as Partial
    from inferneo._headers import Headers as Headers
    from inferneo._headers import Http as Http
    from inferneo._retry import Retry as Retry
    from inferneo._sse import Event as Event
    from inferneo._sse import SSEDecoder as SSEDecoder
    from inferneo._stream import Stream as Stream
    from inferneo._stream_async import AsyncStream as AsyncStream
    from inferneo._sync import InferneoClient as InferneoClient
    from inferneo._types import ChatCompletionChoice as ChatCompletionChoice
    from inferneo._types import ChatCompletionChunk as ChatCompletionChunk
    from inferneo._types import ChatCompletionChunkChoice as ChatCompletionChunkChoice
    from inferneo._types import ChatCompletionResponse as ChatCompletionResponse
    from inferneo._types import ChatLogprobs as ChatLogprobs
    from inferneo._types import ChatMessage as ChatMessage
    from inferneo._types import CompletionChoice as CompletionChoice
    from inferneo._types import CompletionChunk as CompletionChunk
    from inferneo._types import CompletionChunkChoice as CompletionChunkChoice
    from inferneo._types import CompletionResponse as CompletionResponse
    from inferneo._types import Delta as Delta
    from inferneo._types import Embedding as Embedding
    from inferneo._types import EmbeddingResponse as EmbeddingResponse
    from inferneo._types import FunctionCall as FunctionCall
    from inferneo._types import LogProbs as LogProbs
    from inferneo._types import Model as Model
    from inferneo._types import ModelList as ModelList
    from inferneo._types import ServerInfo as ServerInfo
    from inferneo._types import TokenLogprob as TokenLogprob
    from inferneo._types import ToolCall as ToolCall
    from inferneo._types import TopLogprob as TopLogprob
    from inferneo._types import Usage as Usage

    __version__: str

_HOMES = {
    "_async": "AsyncInferneoClient",
    "_config": "Limits",
    "_errors": "InferneoAPIError InferneoAuthenticationError InferneoBadRequestError InferneoConflictError "
    "InferneoConnectionError InferneoError InferneoNotFoundError InferneoPermissionError InferneoProtocolError "
    "InferneoRateLimitError InferneoServerError InferneoStreamError InferneoStreamTruncatedError "
    "InferneoTimeoutError InferneoUnprocessableEntityError Partial",
    "_headers": "Headers Http",
    "_retry": "Retry",
    "_sse": "Event SSEDecoder",
    "_stream": "Stream",
    "_stream_async": "AsyncStream",
    "_sync": "InferneoClient",
    "_types": "ChatCompletionChoice ChatCompletionChunk ChatCompletionChunkChoice ChatCompletionResponse ChatLogprobs "
    "ChatMessage CompletionChoice CompletionChunk CompletionChunkChoice CompletionResponse Delta Embedding "
    "EmbeddingResponse FunctionCall LogProbs Model ModelList ServerInfo TokenLogprob ToolCall TopLogprob Usage",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605  # computed from the one table above


if not TYPE_CHECKING:  # a type checker shall still find misspelt names

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name == "__version__":
            return import_module("inferneo._config").VERSION
        if name not in _HOME:
            raise AttributeError(f"module 'inferneo' has no attribute {name!r}")
        value = getattr(import_module(f"inferneo.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
