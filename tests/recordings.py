"""A small reader of `fixtures/recorded/**/*.http`: exact bytes in, messages, events and documents out.

Written for the fixtures' own test and for no one else: it shares no code with the client, the fake or the judge, so it
is a reading of its own. It reads what the five recorded servers sent (RFC 9112 messages, RFC 9110 heads, the event
stream of the HTML standard) and raises `ValueError` with the file's name on anything it does not understand.

A file is `### REQUEST`, LF, the request's bytes, LF, `### RESPONSE`, LF, and the response's bytes to the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent / "fixtures"
RECORDED = ROOT / "recorded"
DONE = "[DONE]"

_REQUEST = b"### REQUEST\n"
_RESPONSE = b"\n### RESPONSE\n"


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP message: its start line, header fields (names in lower case), and body without the transfer framing.

    `complete` False: the bytes end before the framing says so. `chunks` are the pieces of a chunked body, as sent.
    """

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool
    chunks: tuple[bytes, ...] = ()

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.start.split(" ")[0]

    @property
    def path(self) -> str:
        """The path of a request, without the query."""
        return self.start.split(" ")[1].split("?")[0]

    @property
    def status(self) -> int:
        """The status code of a response."""
        return int(self.start.split(" ")[1])

    def header(self, name: str) -> str | None:
        """The first value of the field `name` (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case; empty when there is none."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Recording:
    """One `.http` file: what was sent to `server` and what came back, byte for byte, and its index entry."""

    server: str
    file: str
    request: bytes
    response: bytes
    entry: dict[str, Any]

    def exchanges(self) -> list[tuple[Message, Message]]:
        """The final responses with the requests they answer, in order.

        Of a request that is no HTTP (and was refused) only the first line is known, from the index. Interim
        responses (`100 Continue`) are left out. Only the pipelined recordings have more than one answer.
        """
        name = f"{self.server}/{self.file}"
        try:
            requests: list[Message] = read_messages(self.request, f"{name}, request")
        except ValueError:
            requests = [Message(self.entry["request_line"] + " -", (), b"", True)]
        responses = read_messages(self.response, name, [request.method for request in requests])
        finals = [response for response in responses if response.status >= 200]
        return [(requests[min(i, len(requests) - 1)], response) for i, response in enumerate(finals)]


def read_recordings() -> list[Recording]:
    """All recordings of all servers, in the order of the indexes. Raises on a file without an entry, or the reverse."""
    found = []
    for folder in sorted(path for path in RECORDED.iterdir() if path.is_dir()):
        entries = json.loads((folder / "index.json").read_text("utf-8"))
        listed = {entry["file"] for entry in entries}
        there = {path.name for path in folder.glob("*.http")}
        if listed != there:
            raise ValueError(f"{folder.name}: index.json and the files differ in {sorted(listed ^ there)}")
        for entry in entries:
            request, response = split_file((folder / entry["file"]).read_bytes(), f"{folder.name}/{entry['file']}")
            found.append(Recording(folder.name, entry["file"], request, response, entry))
    return found


def split_file(data: bytes, name: str) -> tuple[bytes, bytes]:
    """Request bytes and response bytes of a `.http` file."""
    head, separator, response = data.partition(_RESPONSE)
    if not data.startswith(_REQUEST) or not separator:
        raise ValueError(f"{name}: a recording is '### REQUEST', bytes, '### RESPONSE', bytes; got {data[:40]!r}")
    return head[len(_REQUEST) :], response


def read_messages(data: bytes, name: str = "bytes", answers: Sequence[str] | None = None) -> list[Message]:
    """The HTTP messages in `data`, one after the other: requests, or the answers to requests of these methods."""
    messages: list[Message] = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            raise ValueError(f"{name}: a head without its empty line: {data[:60]!r}")
        start, *lines = head.decode("latin-1").split("\r\n")
        if len(start.split(" ")) < 3 - (answers is not None):
            raise ValueError(f"{name}: not a start line: {start!r}")
        headers = []
        for line in lines:
            key, colon, value = line.partition(":")
            if not colon or not key or key != key.strip():
                raise ValueError(f"{name}: a header field is 'name: value'; got {line!r}")
            headers.append((key.lower(), value.strip()))
        bodiless = answers is not None and (
            start.split(" ")[1] in {"204", "304"}
            or start.split(" ")[1].startswith("1")
            or answers[len(messages) : len(messages) + 1] == ["HEAD"]
        )
        body = (b"", rest, True, ()) if bodiless else _read_body(dict(reversed(headers)), rest, name, answers is None)
        data = body[1]
        messages.append(Message(start, tuple(headers), body[0], body[2], body[3]))
    return messages


def _read_body(
    fields: dict[str, str], rest: bytes, name: str, is_request: bool
) -> tuple[bytes, bytes, bool, tuple[bytes, ...]]:
    """Body, the bytes after it, whether it is whole, and its chunks (RFC 9112, 6.3: the order of the rules is law)."""
    if fields.get("transfer-encoding", "").lower() == "chunked":
        chunks, rest, complete = read_chunks(rest, name)
        return b"".join(chunks), rest, complete, tuple(chunks)
    if "content-length" in fields:
        length = int(fields["content-length"])
        return rest[:length], rest[length:], len(rest) >= length, ()
    return (b"", rest, True, ()) if is_request else (rest, b"", True, ())


def read_chunks(data: bytes, name: str) -> tuple[list[bytes], bytes, bool]:
    """The chunks of a chunked body, the bytes after it, and whether the last chunk came (RFC 9112, 7.1)."""
    chunks: list[bytes] = []
    while data:
        line, separator, rest = data.partition(b"\r\n")
        if not separator:
            return chunks, b"", False
        digits = line.split(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError as error:
            raise ValueError(f"{name}: a chunk begins with its size in hex; got {line[:40]!r}") from error
        if size == 0:
            return (chunks, rest[2:], True) if rest.startswith(b"\r\n") else (chunks, rest, False)
        chunks.append(rest[:size])
        if rest[size : size + 2] != b"\r\n":
            if len(rest) > size + 1:
                raise ValueError(f"{name}: a chunk of {size} bytes is followed by {rest[size : size + 2]!r}, not CRLF")
            return chunks, b"", False
        data = rest[size + 2 :]
    return chunks, b"", False


def read_events(body: bytes) -> list[str]:
    """The data of each server-sent event (HTML standard, 9.2.6): comments and other fields dropped, lines joined by LF.

    An event that the bytes end within is not dispatched. Raises `UnicodeDecodeError` when the bytes are not UTF-8.
    """
    text = body.decode("utf-8").removeprefix("\ufeff")
    events: list[str] = []
    data: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        if not line:
            if data:
                events.append("\n".join(data))
            data = []
            continue
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
    return events


def documents(response: Message) -> Iterator[Any]:
    """The JSON documents of a response: of each event but `[DONE]`, or of the body. Raises `ValueError` on bad JSON."""
    if response.media_type == "text/event-stream":
        for event in read_events(response.body):
            if event != DONE:
                yield json.loads(event)
    elif response.media_type == "application/json" and response.body:
        yield json.loads(response.body)
