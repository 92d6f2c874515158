"""The server answers with an error instead."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, Literal

from mockserver.errors import ScriptError
from mockserver.plan import Body, End, Head, Headers, Plan, Step, Wait
from mockserver.settings import Codec, JsonValue, check_text, child, wrong
from mockserver.settings import Status as StatusCode

from .edit import Steps, with_headers
from .fault import Fault, fault
from .sse import compact

Form = Literal["error", "detail", "detail-list", "message", "html", "text", "empty", "json"]

_WORDS = {
    400: ("invalid_request_error", "invalid_request_error"),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", "invalid_request_error"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def _parse_retry_after(value: Any, path: str) -> Any:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return tuple(_parse_retry_after(item, child(path, number)) for number, item in enumerate(value))
    if isinstance(value, str):
        check_text(value, path)
        if not value.isprintable() or not value.isascii():
            raise ScriptError(f"a header is printable ASCII, got {value!r}", path)
    elif isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise wrong("seconds, a text, or a list of them (one header each)", value, path)
    return value


_ONE = {"type": ["number", "string"]}
RETRY_AFTER = Codec(
    _parse_retry_after,
    lambda value: list(value) if isinstance(value, tuple) else value,
    lambda: {"anyOf": [_ONE, {"type": "array", "items": _ONE}, {"type": "null"}]},
)
"""Seconds (any number), any text (`soon`, an HTTP date), or a list of these: one header each."""

RetryAfter = Annotated[Any, RETRY_AFTER]


def retry_after_fields(value: Any) -> Headers:
    """The `retry-after` header fields; None: none."""
    if value is None:
        return ()
    values = value if isinstance(value, tuple) else (value,)
    return tuple((b"retry-after", number_text(item).encode()) for item in values)


def number_text(value: Any) -> str:
    """A number as people write it in headers (`1`, `0.2`); a text as it is."""
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else repr(value)
    return str(value)


def replaced(plan: Plan, head: Head, data: bytes) -> Plan:
    """Another response, due when the first would have been: waits before the head are kept."""
    return Plan((*leading_waits(plan.steps), head, *((Body(data),) if data else ())), End())


def leading_waits(steps: Steps) -> tuple[Step, ...]:
    """The waits before anything is sent."""
    first = next((number for number, step in enumerate(steps) if not isinstance(step, Wait)), len(steps))
    return steps[:first]


def error_body(form: Form, status: int, message: str, body: Any = None) -> tuple[bytes, bytes]:
    """The content type and the bytes of an error in one of the forms that servers use."""
    kind, code = _WORDS.get(status, ("server_error", "server_error"))
    match form:
        case "error":
            value: Any = {"error": {"message": message, "type": kind, "param": None, "code": code}}
        case "detail":
            value = {"detail": message}
        case "detail-list":
            value = {"detail": [{"type": "value_error", "loc": ["body"], "msg": message, "input": None}]}
        case "message":
            value = {"message": message}
        case "json":
            value = body
        case "html":
            page = f"<html><head><title>{status}</title></head><body><h1>{status} {message}</h1></body></html>\r\n"
            return b"text/html", page.encode()
        case "text":
            return b"text/plain; charset=utf-8", message.encode()
        case _:
            return b"", b""
    return b"application/json", compact(value)


@fault("status", "api", status=429, retry_after=0.2)
@dataclass(frozen=True, slots=True)
class Status(Fault):
    """Instead of the answer: this status, with an error body in one of the forms that servers use.

    `body`: any JSON as body; a text is sent as it is. Else `form`: `error` the documented envelope, `detail` and
    `detail-list` FastAPI's, `message` a bare `{"message": ...}`, `html` a proxy's page, `text`, `empty`.
    `retry_after`: seconds (fractions, 0 and negative ones too), any text (`soon`, an HTTP date; `date+5` is the HTTP
    date 5 s after the response's own), or a list: one header each; absent where not given. `headers` are added and
    replace those of the same name.
    """

    status: StatusCode
    body: JsonValue = None
    message: str = "the script says so"
    form: Form = "error"
    retry_after: RetryAfter = None
    headers: Headers = ()

    def check(self) -> None:
        """`json` is what `body` makes."""
        if self.form == "json" and self.body is None:
            raise ScriptError("the form 'json' needs 'body'", "form")

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        if isinstance(self.body, str):
            kind, data = b"text/plain; charset=utf-8", self.body.encode()
        else:
            kind, data = error_body(
                "json" if self.body is not None else self.form, self.status, self.message, self.body
            )
        content = ((b"content-type", kind),) if kind else ()
        length = () if self.status in (204, 304) or self.status < 200 else ((b"content-length", b"%d" % len(data)),)
        fields = (*content, *length, *retry_after_fields(self.retry_after))
        return replaced(plan, Head(self.status, with_headers(fields, *self.headers)), data)
