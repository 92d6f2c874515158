"""What a server says when it fails, read from any of the shapes servers use, and made into one of our errors.

Shapes: `{"error": {"message", "type", "param", "code"}}`, `{"error": "text"}`, `{"message": ...}`,
`{"detail": "text"}`, `{"detail": [{"loc", "msg"}]}`, problem details (`title`), a list of one of these, plain text.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from inferneo._errors import InferneoAPIError, class_for_status

EXCERPT = 200
DEEPEST = 50  # levels of a body that an error keeps decoded: what is deeper can be neither shown nor pickled
# What servers put into `type` or `code` when the status that belongs to it is lost in a 200 reply.
STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "internal_server_error": 500,
    "overloaded_error": 529,
}


class Said(NamedTuple):
    """The server's words: a message (`""` when it gave none), and code, type and param as text."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list | bool):
        return None
    return value if isinstance(value, str) else str(value)


def _details(items: list[Any]) -> str:
    """`[{"loc": ["body", "model"], "msg": "Field required"}]` as `body.model: Field required`."""
    parts = []
    for item in items:
        if isinstance(item, dict):
            words = _text(item.get("msg")) or _text(item.get("message")) or _text(item.get("type")) or ""
            loc = item.get("loc")
            place = ".".join(str(step) for step in loc) if isinstance(loc, list) else (_text(loc) or "")
            parts.append(f"{place}: {words}" if place and words else place or words)
        else:
            parts.append(_text(item) or "")
    return "; ".join(part for part in parts if part)


def read_failure(body: Any, depth: int = 0) -> Said:
    """The server's words in a decoded body of any shape; never raises."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return Said(body.strip()[:EXCERPT])
    if not isinstance(body, dict):
        return Said("")
    inner = body.get("error")
    source = inner if isinstance(inner, dict) else body
    detail = body.get("detail") if not isinstance(inner, dict) else inner.get("detail")
    message = _text(source.get("message")) or _text(source.get("msg"))
    if not message and not isinstance(inner, dict):
        message = _text(inner)
    if not message and isinstance(detail, list):
        message = _details(detail)
    if not message and isinstance(detail, dict) and depth < DEEPEST:
        return read_failure(detail, depth + 1)
    message = message or _text(detail) or _text(source.get("title")) or _text(body.get("message")) or ""
    kind = _text(source.get("type")) or _text(body.get("error_type"))
    return Said(message.strip(), _text(source.get("code")), kind, _text(source.get("param")))


def status_said(said: Said) -> int | None:
    """The HTTP status that the words stand for, `None` when they name none."""
    for word in (said.code, said.type):
        if word is None:
            continue
        if len(word) == 3 and word.isascii() and word.isdigit() and 400 <= int(word) <= 599:
            return int(word)
        if word in STATUS_OF_WORD:
            return STATUS_OF_WORD[word]
    return None


def kept(document: Any, raw: bytes) -> Any:
    """What an error keeps as `body`: the decoded document, or its text when it is nested too deep."""
    level = [document]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return document
    return raw.decode("utf-8", "replace")


def excerpt(raw: bytes) -> str:
    """The first 200 bytes for a message, control characters escaped."""
    text = raw[:EXCERPT].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def status_error(status: int, body: Any, raw: bytes, **known: Any) -> InferneoAPIError:
    """The error of an HTTP error reply; its message holds the status and the server's words."""
    said = read_failure(body)
    words = said.message or (excerpt(raw.strip()) if raw.strip() else "no body")
    where = known.get("headers") or {}
    if 300 <= status <= 399 and where.get("location"):
        words = f"redirect to {where['location']} not followed ({words})"
    return class_for_status(status)(
        f"HTTP {status}: {words}",
        status_code=status,
        code=said.code,
        type=said.type,
        param=said.param,
        body=kept(body, raw),
        **known,
    )
