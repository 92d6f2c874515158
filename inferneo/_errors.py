"""Everything that a public call may raise, and nothing else does (but `TypeError`, cancellation, keyboard interrupt).

    InferneoError                                 wrong arguments, wrong configuration, use after close
    ├── InferneoAPIError                          the server answered with an HTTP error status
    │   ├── InferneoBadRequestError               400
    │   ├── InferneoAuthenticationError           401
    │   ├── InferneoPermissionError               403
    │   ├── InferneoNotFoundError                 404
    │   ├── InferneoConflictError                 409
    │   ├── InferneoUnprocessableEntityError      422
    │   ├── InferneoRateLimitError                429
    │   └── InferneoServerError                   5xx
    ├── InferneoConnectionError                   no reply, or not a whole one
    │   └── InferneoTimeoutError                  `phase`: connect, read, write, pool, total, idle
    ├── InferneoProtocolError                     a reply that is not what the protocol says
    ├── InferneoStreamError                       the server reported an error inside a 200 stream
    └── InferneoStreamTruncatedError              the stream ended before it was complete; see `.partial`

An error holds plain data only, so it can be pickled, copied and kept; attributes that are not known are `None`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Phase: TypeAlias = Literal["connect", "read", "write", "pool", "total", "idle"]

ATTRIBUTES = (
    "status_code",
    "code",
    "type",
    "param",
    "request_id",
    "body",
    "headers",
    "method",
    "url",
    "attempts",
    "elapsed",
    "retry_after",
    "partial",
)


class Partial(dict[int, str]):
    """Text received before an error, by choice index; `str()` and `.text` give that of the first choice."""

    @property
    def text(self) -> str:
        """The text of the lowest choice index, `""` when no choice was seen."""
        return self[min(self)] if self else ""

    def __str__(self) -> str:
        return self.text


class InferneoError(Exception):
    """The root of all errors of this package. `message` is never empty.

    `elapsed` is in seconds over all attempts, `retry_after` in seconds as the server asked, `retryable` says whether
    the same call may succeed when it is made again.
    """

    message: str
    status_code: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    method: str | None = None
    url: str | None = None
    attempts: int | None = None
    elapsed: float | None = None
    retry_after: float | None = None
    retryable: bool = False
    partial: Partial | None = None

    def __init__(self, message: str = "", **attributes: Any) -> None:
        self.message = message or type(self).__name__
        super().__init__(self.message)
        for name, value in attributes.items():
            if name not in ATTRIBUTES and name not in ("retryable", "phase", "in_stream"):
                raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}")
            setattr(self, name, value)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message,), dict(self.__dict__)


class InferneoAPIError(InferneoError):
    """The server answered with an HTTP status that is not success, or said so inside a 200 reply."""


class InferneoBadRequestError(InferneoAPIError):
    """400: the request is wrong."""


class InferneoAuthenticationError(InferneoAPIError):
    """401: no key, or a wrong one."""


class InferneoPermissionError(InferneoAPIError):
    """403: the key may not do this."""


class InferneoNotFoundError(InferneoAPIError):
    """404: no such model or path."""


class InferneoConflictError(InferneoAPIError):
    """409: the request conflicts with another."""


class InferneoUnprocessableEntityError(InferneoAPIError):
    """422: the request was understood and refused; the message names the fields."""


class InferneoRateLimitError(InferneoAPIError):
    """429: too many requests, or the quota is used up (`code == "insufficient_quota"`)."""


class InferneoServerError(InferneoAPIError):
    """5xx: the server failed."""


class InferneoConnectionError(InferneoError):
    """The connection could not be made, or broke before the reply was whole."""


class InferneoTimeoutError(InferneoConnectionError):
    """A time limit passed. `phase` says which: connect, read, write, pool, total or idle."""

    phase: Phase | None = None


class InferneoProtocolError(InferneoError):
    """The reply breaks the protocol: not HTTP, not JSON, a wrong content type, a value of the wrong type."""


class InferneoStreamError(InferneoError):
    """The server reported an error inside a stream that had begun with status 200."""


class InferneoStreamTruncatedError(InferneoError):
    """The stream ended without `[DONE]` and without a `finish_reason` for every choice; `.partial` has the text."""


_BY_STATUS: dict[int, type[InferneoAPIError]] = {
    400: InferneoBadRequestError,
    401: InferneoAuthenticationError,
    403: InferneoPermissionError,
    404: InferneoNotFoundError,
    409: InferneoConflictError,
    422: InferneoUnprocessableEntityError,
    429: InferneoRateLimitError,
}


def class_for_status(status: int) -> type[InferneoAPIError]:
    """The class of an HTTP status: its own, `InferneoServerError` for 5xx, else `InferneoAPIError`."""
    found = _BY_STATUS.get(status)
    if found is not None:
        return found
    return InferneoServerError if 500 <= status <= 599 else InferneoAPIError
