"""The stream object of the blocking client."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from inferneo._chunks import ChunkReader
from inferneo._errors import InferneoError, InferneoTimeoutError
from inferneo._exchange import Command, Opened
from inferneo._headers import Http
from inferneo._http import is_cut, translate
from inferneo._requests import Call
from inferneo._types import Source
from inferneo._wire_sync import Wire

C = TypeVar("C")
R = TypeVar("R")


class Runner(Protocol):
    """Runs an exchange to its next answer; an error is thrown in first."""

    def __call__(self, wire: Wire, steps: Generator[Command, Any, Any], error: InferneoError | None = None) -> Any: ...


class Core:
    """All of a stream but its face, so that an iterator can hold it without a reference cycle."""

    def __init__(
        self,
        wire: Wire,
        call: Call,
        steps: Generator[Command, Any, Any],
        opened: Opened,
        run: Runner,
        reader: type[ChunkReader] = ChunkReader,
    ) -> None:
        self.reader_kind = reader
        self.wire = wire
        self.call = call
        self.steps = steps
        self.run = run
        self.lock = threading.Lock()
        self.state = "open"  # then done, failed or closed
        self.pending: Iterator[Any] = iter(())
        self.begin(opened)

    def begin(self, opened: Opened) -> None:
        self.opened = opened
        self.reader = self.reader_kind(self.call, opened)
        self.segments = self.wire.segments(opened.reply) if opened.first is None else iter((opened.first,))

    def next_chunks(self) -> list[Any] | None:
        """The chunks of the next segments, `None` at the end of a complete stream. Raises `InferneoError`."""
        while True:
            reader = self.reader
            if reader.failure is None and not reader.done:
                chunks = self.read()
                if chunks:
                    return chunks
            if reader.failure is not None:
                self.fail_or_reopen()
            elif reader.done:
                self.state = "done"
                self.wire.drain(self.opened.reply, self.segments)
                return None

    def read(self) -> list[Any]:
        """Segments until one brings chunks or the stream is over."""
        reader, read = self.reader, self.opened.reply.bounds.read
        idle = self.call.idle_timeout
        read.until = due = time.monotonic() + (1e7 if idle is None else idle)
        url = self.opened.reply.target.url
        try:
            for segment in self.segments:
                chunks = reader.feed(segment)
                if chunks or reader.done or reader.failure is not None:
                    return chunks
                if time.monotonic() >= due:  # comments do not count; our own pools see to it, others do not
                    raise TimeoutError  # noqa: TRY301  # worded with the library's own, below
        except Exception as error:
            if self.state == "closed":
                raise InferneoError("the stream was closed while it was read") from error
            found = translate(error, self.opened.reply.bounds, url, in_stream=True)
            if isinstance(found, InferneoTimeoutError) and found.phase == "idle":
                found.message = f"no data event within {idle:g} s ({url})"
                found.args = (found.message,)
            found.__cause__ = error
            reader.ended(found, is_cut(error))
            del found  # the traceback of its cause holds this frame: no cycle
        else:
            if self.state == "closed":
                raise InferneoError("the stream was closed while it was read")
            reader.ended(None)
        return []

    def fail_or_reopen(self) -> None:
        """Before the first chunk was handed out the call may be made again; else the failure is raised."""
        reader = self.reader
        failure = reader.raised()
        self.wire.free(self.opened.reply)
        reader.failure = None
        try:
            if reader.total.started or not failure.retryable:
                self.steps.close()
                raise failure
            self.begin(self.run(self.wire, self.steps, failure))
        except InferneoError as error:
            self.state = "failed"
            error.partial = reader.total.partial()
            raise
        finally:
            del failure  # its traceback holds this frame: no cycle

    def close(self) -> None:
        if self.state == "open":
            self.state = "closed"
            self.opened.reply.shutdown()
        if self.lock.acquire(blocking=False):
            try:
                if self.state == "closed":
                    self.wire.free(self.opened.reply)
                    self.steps.close()
            finally:
                self.lock.release()

    def __del__(self) -> None:
        if self.state == "open":
            self.close()


def iterate(core: Core) -> Generator[Any, None, None]:
    """The chunks; when the generator is closed or freed, so is the connection."""
    try:
        while True:
            if core.state == "done":
                return
            if core.state != "open" or core.wire.closed:
                raise InferneoError("the stream is closed")
            for chunk in core.pending:
                core.reader.total.add(chunk)
                yield chunk
                if core.state == "closed" or core.wire.closed:
                    raise InferneoError("the stream is closed")
            if not core.lock.acquire(blocking=False):
                raise InferneoError("the stream is being read by another thread")
            try:
                chunks = core.next_chunks()
            finally:
                core.lock.release()
            if chunks is None:
                return
            core.pending = iter(chunks)
    finally:
        if core.state in ("open", "closed"):
            core.close()


class Stream(Generic[C, R]):
    """The chunks of an answer, as they arrive.

    Iterate over it once; `break` frees the connection. It is a context manager too. `text` is what came so far,
    `get_final_response()` reads the rest and gives the whole answer, `until_done()` reads the rest.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._iterator: Generator[Any, None, None] | None = None

    def __iter__(self) -> Iterator[C]:
        return iterate(self._core)

    def __next__(self) -> C:
        if self._iterator is None:
            self._iterator = iterate(self._core)
        chunk: C = next(self._iterator)
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free the connection. A thread that waits for a chunk gets an `InferneoError`. May be called again."""
        self._core.close()

    @property
    def http(self) -> Http:
        """Status, headers, request id, elapsed seconds and attempts of the reply."""
        return self._core.opened.http

    @property
    def request_id(self) -> str | None:
        """The server's id of the request."""
        return self.http.request_id

    @property
    def text(self) -> str:
        """The text of the first choice that was handed out so far."""
        return self._core.reader.total.text

    def until_done(self) -> Self:
        """Read to the end. Raises what iterating would."""
        for _ in self:
            pass
        return self

    def get_final_response(self) -> R:
        """Read to the end, and give the answer that the call without `stream` would have had."""
        self.until_done()
        at = (Source(b"{}", self.http), ())
        response: R = self._core.reader.total.response(self._core.call.kind, at)
        return response

    def __repr__(self) -> str:
        return f"<Stream {self._core.state}, HTTP {self.http.status}, {len(self.text)} characters of text>"
