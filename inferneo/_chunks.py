"""From the bytes of a stream to its chunks, and the verdict on how it ended; without I/O.

A stream is complete on `[DONE]` alone, or when every choice seen has a `finish_reason`. All else is an error: what
the server reports inside the stream, what is not a chunk, an end that comes too early. Chunks before an error are
handed out first.
"""

from __future__ import annotations

import re
from typing import Any

from inferneo import _decode
from inferneo._accumulate import Accumulator
from inferneo._coding import CodingError, Decoder, decoders
from inferneo._errors import (
    InferneoConnectionError,
    InferneoError,
    InferneoProtocolError,
    InferneoStreamError,
    InferneoStreamTruncatedError,
)
from inferneo._exchange import Opened, described
from inferneo._failure import EXCERPT, excerpt, kept, read_failure, status_said
from inferneo._json import read_json
from inferneo._requests import Call
from inferneo._sse import SSEDecoder

_SSE_START = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?::|data\b|event\b|id\b|retry\b)")


class ChunkReader:
    """The state of one stream: `feed` it segments of the body, then `ended`, and read `done` and `failure`."""

    __slots__ = ("_call", "_coding", "_opened", "_seen", "_sse", "done", "failure", "total")

    def __init__(self, call: Call, opened: Opened) -> None:
        self._call = call
        self._opened = opened
        self._sse = SSEDecoder()
        self._seen = b""  # the first bytes, for messages
        self.total = Accumulator()
        self.done = False
        self.failure: InferneoError | None = None
        self._coding: list[Decoder] = []
        if opened.first is None:
            try:
                self._coding = decoders(opened.reply.coding)
            except CodingError as error:
                self.failure = self._protocol(str(error))

    def feed(self, segment: bytes) -> list[Any]:
        """The chunks that end in this segment of the body."""
        if self._coding:
            try:
                for coding in self._coding:
                    segment = coding.feed(segment)
            except CodingError as error:
                self.failure = self._protocol(str(error))
                return []
        if len(self._seen) < EXCERPT:
            self._seen += segment[:EXCERPT]
        chunks: list[Any] = []
        for name, data in self._sse.feed(segment):
            if data[:1] == b"{" and name is None:
                try:
                    chunks.append(_decode.read(self._call.kind, data, self._opened.http))
                    continue
                except (ValueError, _decode.Failed):
                    pass  # worded below
            if data.strip() == b"[DONE]":
                self.done = True
                break
            chunk = self.event(name, data)
            if chunk is not None:
                chunks.append(chunk)
            if self.failure is not None:
                break
        return chunks

    def event(self, name: str | None, data: bytes) -> Any:
        """The chunk in one event, `None` when it holds none; sets `failure`."""
        if not data.strip():
            return None
        try:
            if name in (None, "message"):
                if data.strip() == b"null":
                    return None
                return _decode.read(self._call.kind, data, self._opened.http)
            # An event of another name is ignored, unless it is an error or holds what only a chunk holds.
            document = read_json(data)
            if name == "error" or (isinstance(document, dict) and _decode.is_failure(document)):
                self._fail(document, data)
            elif isinstance(document, dict) and isinstance(document.get("choices"), list):
                return _decode.read(self._call.kind, data, self._opened.http)
        except _decode.Failed as failed:
            self._fail(failed.document, data)
        except _decode.Mismatch as mismatch:
            self.failure = self._protocol(f"a chunk is not a {self._call.kind.__name__}: {mismatch}", excerpt(data))
        except ValueError as error:
            if name == "error":
                self._fail(data.decode("utf-8", "replace"), data)
            elif name in (None, "message"):
                self.failure = self._protocol(f"a chunk is not JSON: {error}; got {excerpt(data)!r}", excerpt(data))
        return None

    def _fail(self, document: Any, data: bytes) -> None:
        said = read_failure(document)
        status = status_said(said)
        known = {k: v for k, v in self._opened.known.items() if k != "status_code"}
        self.failure = InferneoStreamError(
            f"the server reported an error in the stream: {said.message or said.code or said.type or excerpt(data)}",
            code=said.code,
            type=said.type,
            param=said.param,
            body=kept(document, data),
            status_code=self._opened.reply.status,
            retryable=status is not None and self._call.policy.wants(status, {}, said.code, said.type),
            **known,
        )

    def _protocol(self, text: str, body: str | None = None) -> InferneoProtocolError:
        return InferneoProtocolError(f"{text} ({self._opened.known['url']})", body=body, **self._opened.known)

    def ended(self, error: InferneoError | None, cut: bool = False) -> None:
        """The body is over: by its own end, or by `error` (`cut`: the peer closed before the body was whole)."""
        if self.done or self.failure is not None:
            return
        if self._sse.ends_done() or self.total.complete:
            self.done = True
            return
        known = self._opened.known
        if error is not None and not (cut and self.total.started):
            self.failure = error
        elif not self.total.started and not _SSE_START.match(self._seen):
            what = "not an event stream" if self._seen.strip() else "empty"
            text = f"the stream is {what}: {described(self._opened.reply, self._seen)}"
            self.failure = self._protocol(text, excerpt(self._seen))
        else:
            got = sum(map(len, self.total.partial().values()))
            self.failure = InferneoStreamTruncatedError(
                f"the stream ended without [DONE] and without a finish_reason for every choice, "
                f"after {got} characters of text ({known['url']})",
                **known,
            )
            if error is not None:
                self.failure.__cause__ = error

    def raised(self) -> InferneoError:
        """The failure, with the text received so far."""
        failure = self.failure
        assert failure is not None  # asked only when there is one
        failure.partial = self.total.partial()
        for name, value in self._opened.known.items():
            if getattr(failure, name) is None and not (
                name == "status_code" and isinstance(failure, InferneoConnectionError)
            ):
                setattr(failure, name, value)
        return failure
