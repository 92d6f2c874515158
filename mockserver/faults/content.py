"""The body is something else than the API promises, in right HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from msgspec.structs import replace

from mockserver.errors import ScriptError
from mockserver.plan import Head, Headers, Plan
from mockserver.settings import Range
from mockserver.settings import Status as StatusCode

from .assemble import assembled
from .edit import first_head, whole_body, with_body, with_head, with_headers
from .fault import Fault, fault
from .sse import is_event
from .status import error_body, replaced


@fault("headers", "api", set={"x-request-id": "req-1"}, remove=["x-ratelimit-limit"])
@dataclass(frozen=True, slots=True)
class HeaderFields(Fault):
    """The response has the headers `set` (in the place of those of the same name) and lacks those in `remove`."""

    set: Headers = ()
    remove: tuple[str, ...] = ()

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another head; a head below HTTP is left alone."""
        gone = tuple(name.encode("latin-1", "replace") for name in self.remove)

        def head(one: Head) -> Head:
            return replace(one, headers=with_headers(one.headers, *self.set, without=gone))

        return with_head(plan, head)


@fault("content-type", "content", value="text/html")
@dataclass(frozen=True, slots=True)
class ContentType(Fault):
    """The body is right, its Content-Type is `value`; None: there is no Content-Type."""

    value: str | None = None

    def check(self) -> None:
        """A header is one line of ASCII."""
        if self.value is not None and not (self.value.isascii() and self.value.isprintable()):
            raise ScriptError(f"a header is printable ASCII, got {self.value!r}", "value")

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another head."""
        kept = () if self.value is None else ((b"content-type", self.value.encode()),)

        def head(one: Head) -> Head:
            return replace(one, headers=with_headers(one.headers, *kept, without=(b"content-type",)))

        return with_head(plan, head)


@fault("html-page", "content", status=502)
@dataclass(frozen=True, slots=True)
class HtmlPage(Fault):
    """A proxy's HTML page instead of the answer, with `status` (200 is the nastiest)."""

    status: StatusCode = 502
    message: str = "Bad Gateway"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        kind, data = error_body("html", self.status, self.message)
        return replaced(
            plan, Head(self.status, ((b"content-type", kind), (b"content-length", b"%d" % len(data)))), data
        )


@fault("empty", "content", status=200)
@dataclass(frozen=True, slots=True)
class Empty(Fault):
    """`status` with an empty body: 200 and Content-Length 0 (`stream`: the head of a stream, then its end), or 204."""

    status: StatusCode = 200
    stream: bool = False

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        bodyless = self.status in (204, 304) or self.status < 200
        length = () if bodyless or self.stream else ((b"content-length", b"0"),)
        kind = b"text/event-stream" if self.stream else b"application/json"
        return replaced(plan, Head(self.status, ((b"content-type", kind), *length)), b"")


def _nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@fault("bad-body", "content", form="truncated")
@dataclass(frozen=True, slots=True)
class BadBody(Fault):
    """The whole body is JSON of another kind, or none; status and headers are right, Content-Length too.

    `form`: `truncated` its first half, `trailing` `}` behind it, `nan` `{"a":NaN}`, `duplicate-keys` every key once
    more with null, `deep` nested `depth` times, `huge-integer` of `depth` digits, `null`, `scalar` `1`, `list` `[]`,
    `object` `{}`, `words`. In a stream the body is the stream, so these make one piece of it.
    """

    form: Literal[
        "truncated",
        "trailing",
        "nan",
        "duplicate-keys",
        "deep",
        "huge-integer",
        "null",
        "scalar",
        "list",
        "object",
        "words",
    ] = "truncated"
    depth: Annotated[int, Range(1, 10_000_000)] = 100_000

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another body."""
        if first_head(plan) is None:
            return plan
        return with_body(plan, self._data(whole_body(plan)))

    def _data(self, body: bytes) -> bytes:
        match self.form:
            case "truncated":
                return body[: len(body) // 2] or b"{"
            case "trailing":
                return body + b"}"
            case "nan":
                return b'{"a":NaN,"b":Infinity}'
            case "duplicate-keys":
                inside = body.strip()[1:-1]
                return (
                    b"{" + inside + (b"," if inside else b"") + b'"id":null,"model":null,"choices":null,"usage":null}'
                )
            case "deep":
                return _nested(self.depth)
            case "huge-integer":
                return b'{"id":' + b"9" * self.depth + b"}"
            case "null":
                return b"null"
            case "scalar":
                return b"1"
            case "list":
                return b"[]"
            case "object":
                return b"{}"
            case "words":
                return b"not json"


@fault("wrong-mode", "sse", to="json")
@dataclass(frozen=True, slots=True)
class WrongMode(Fault):
    """A stream was asked for and one JSON document comes (`to` `json`), or the other way round (`to` `stream`).

    `json`: what the events say, joined into one completion, as `application/json`. `stream`: the document as the only
    event before `[DONE]`, as `text/event-stream`. A response that is in that mode already is left alone.
    """

    to: Literal["json", "stream"] = "json"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another body under another Content-Type."""
        head = first_head(plan)
        data = whole_body(plan)
        if head is None or not data or is_event(data) == (self.to == "stream"):
            return plan
        kind = b"application/json" if self.to == "json" else b"text/event-stream; charset=utf-8"
        new = assembled(data) if self.to == "json" else b"data: " + data.replace(b"\n", b"") + b"\n\ndata: [DONE]\n\n"
        fields = ((b"content-type", kind),)
        other = with_head(plan, lambda one: replace(one, headers=with_headers(one.headers, *fields)))
        return with_body(other, new)
