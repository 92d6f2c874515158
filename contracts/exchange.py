"""What went over the wire: a `Call` is a request before it is bytes, an `Exchange` is a call and what came back."""

from __future__ import annotations

import base64
import json
import re
import shlex
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from contracts.oracle import Event, EventReader, Fields, Response
from contracts.secret import LEAST, NAME, masked, word

JSON = ("Content-Type", "application/json")
MESSAGE = "WEBSOCKET"
"""The method of a call that is a message on a socket."""
LONG = 2000
"""A longer path or header is cut where a request is shown, and a longer body is written by a program where it repeats
itself; what is saved is whole."""
RUN = re.compile(r"(.{1,8}?)\1{99,}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `path` below the target's base URL, fields beyond those every request has, exact body bytes."""

    method: str
    path: str
    body: bytes = b""
    fields: Fields = ()

    @property
    def document(self) -> Any:
        """The body as JSON values; None when it is empty or no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def streams(self) -> bool:
        """Whether the request asks for a stream."""
        document = self.document
        return isinstance(document, dict) and document.get("stream") is True

    @property
    def is_chat(self) -> bool:
        """Whether the path is the chat endpoint's."""
        return self.path.partition("?")[0].endswith("/chat/completions")

    @property
    def is_socket(self) -> bool:
        """Whether it belongs to a WebSocket (a handshake, a message), and so cannot be sent alone."""
        return self.method == MESSAGE or any(name.lower() == "upgrade" for name, _ in self.fields)

    def key(self) -> tuple[str, str, str]:
        """Equal for calls that mean the same: the order of keys and the white space of JSON do not count."""
        document = self.document
        body = json.dumps(document, sort_keys=True) if document is not None else repr(self.body)
        return self.method, self.path, body

    def with_(self, **changes: Any) -> Call:
        """The same call with other values in its JSON body; `...` removes a key."""
        document = {**self.document, **changes}
        return replace(self, body=dump({k: v for k, v in document.items() if v is not ...}))

    def curl(self, base_url: str, key: str | None = None) -> str:
        """The call as a command line that a reader can paste; a message on a socket goes through websocat.

        `key`: what the target is asked with. It is not shown: the line takes it from `$API_KEY`, and shows what a wrong
        key has beside it."""
        if self.method == MESSAGE:
            said, url = word(self.body.decode("utf-8", "replace"), key), f"ws{base_url.removeprefix('http')}{self.path}"
            known = f'-H="Authorization: Bearer ${NAME}" ' if key else ""
            return f"printf '%s\\n' {said} | websocat -n {known}{word(url, key)}"
        words = ["curl", "-sS", "-i", "-N", *(["-I"] if self.method == "HEAD" else ["-X", self.method])]
        words.append(word(_short(base_url + self.path), key))
        own = {name.lower() for name, _ in self.fields}
        if key and "authorization" not in own:
            words += ["-H", f'"Authorization: Bearer ${NAME}"']
        for name, value in self.fields:
            least = 1 if name.lower() == "authorization" else LEAST
            words += ["-H", word(_short(f"{name}: {value}") if value else f"{name};", key, least)]
        line = " ".join(words)
        if not self.body:
            return line
        try:
            text = self.body.decode()
            made = squeezed(text) if len(text) > LONG else None
            if made is not None:
                shown = masked(f"print({made}, end=str())", key)
                return f"python3 -c {shlex.quote(shown)} | {line} --data-binary @-"
            return f"{line} --data-binary {word(text, key)}"
        except UnicodeDecodeError:
            encoded = base64.b64encode(self.body).decode()
            return f"printf %s {encoded} | base64 -d | {line} --data-binary @-"

    def to_json(self) -> dict[str, Any]:
        """Plain values; a body that is no UTF-8 goes as `body_base64`."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": [list(f) for f in self.fields if f[0].lower() != "authorization"],
            **_bytes("body", self.body),
        }


def _short(text: str) -> str:
    """The text, or its beginning and how long it is."""
    return text if len(text) <= LONG else f"{text[:40]}... ({len(text)} characters)"


def squeezed(text: str) -> str | None:
    """A long text that repeats itself as an expression of Python; None where that is not short."""
    pieces, at = [], 0
    for run in RUN.finditer(text):
        pieces += [repr(text[at : run.start()])] if run.start() > at else []
        pieces.append(f"{run[1]!r} * {len(run[0]) // len(run[1])}")
        at = run.end()
    pieces += [repr(text[at:])] if at < len(text) else []
    made = " + ".join(pieces)
    return made if len(made) <= LONG else None


def abridged(text: str) -> str:
    """The text; what comes a hundred times in a row is told with how often."""
    return RUN.sub(lambda run: f"{run[1] * 2}...({len(run[0]) // len(run[1])} times)", text)


def dump(document: Any) -> bytes:
    """A document as the compact UTF-8 that clients send; a lone surrogate goes as its escape."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def post(path: str, document: Any, *fields: tuple[str, str]) -> Call:
    """A POST of a JSON document."""
    return Call("POST", path, dump(document), (JSON, *fields))


def get(path: str, *fields: tuple[str, str]) -> Call:
    """A GET."""
    return Call("GET", path, b"", tuple(fields))


@dataclass(frozen=True)
class Exchange:
    """A call, the response as the oracle read it, and when its bytes came.

    `ended`: `whole` (by its own framing), `fin`, `reset`, or `timeout`. `arrivals` are (seconds since the request was
    sent, bytes of the response so far).
    """

    call: Call
    response: Response
    ended: str = "whole"
    seconds: float = 0.0
    arrivals: tuple[tuple[float, int], ...] = field(default=(), repr=False)
    name: str = ""

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status

    @property
    def says_stream(self) -> bool:
        """Whether the response calls itself an event stream."""
        return (self.response.field("content-type") or "").lower().startswith("text/event-stream")

    @property
    def is_stream(self) -> bool:
        """Whether the response is an event stream: it says so, or a stream was asked for and events came.

        Events under another name are one defect (S-FRAME-01 tells it); what they say is read and judged all the same.
        """
        begins = self.response.body.startswith((b"data:", b"event:", b":"))
        return self.says_stream or (begins and self.status == 200 and self.call.streams)

    @property
    def closes(self) -> bool:
        """Whether the connection serves no further request: the server said so, or its HTTP is 1.0, or it ended."""
        said = (self.response.field("connection") or "").lower()
        return "close" in said or self.ended != "whole" or (self.response.version == "1.0" and "keep" not in said)

    @cached_property
    def document(self) -> Any:
        """The body as JSON values; None when it is none."""
        try:
            return json.loads(self.response.body)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def reader(self) -> tuple[list[Event], EventReader]:
        """The events of the body and the reader that has read them."""
        reader = EventReader()
        return reader.feed(self.response.body), reader

    @property
    def events(self) -> list[Event]:
        """The events of the body."""
        return self.reader[0]

    def to_json(self) -> dict[str, Any]:
        """Plain values, bytes kept exactly."""
        return {
            "request": self.call.to_json(),
            "response": {
                "status": self.status,
                "headers": [list(f) for f in self.response.fields],
                **_bytes("body", self.response.body),
            },
            "ended": self.ended,
            "seconds": round(self.seconds, 4),
            "arrivals": [[round(seconds, 4), size] for seconds, size in self.arrivals],
        }


def _bytes(name: str, data: bytes) -> dict[str, str]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
