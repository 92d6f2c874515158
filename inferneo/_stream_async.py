"""The stream object of the asynchronous client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from inferneo._chunks import ChunkReader
from inferneo._errors import InferneoError, InferneoTimeoutError
from inferneo._exchange import Opened
from inferneo._headers import Http
from inferneo._http import is_cut, translate
from inferneo._requests import Call
from inferneo._types import Source
from inferneo._wire_async import spawn

C = TypeVar("C")
R = TypeVar("R")


async def _nothing() -> AsyncIterator[bytes]:
    parts: tuple[bytes, ...] = ()
    for part in parts:
        yield part


async def _one(part: bytes) -> AsyncIterator[bytes]:
    yield part


class Core:
    """All of a stream but its face, so that an iterator can hold it without a reference cycle."""

    def __init__(self, session: Any, reader: type[ChunkReader] = ChunkReader) -> None:
        self.reader_kind = reader
        self.session = session  # runs the exchange; see `_run_async.Session`
        self.call: Call = session.call
        self.state = "new"  # then open; then done, failed or closed
        self.busy = False
        self.pending: Any = iter(())
        self.opened: Opened | None = None
        self.reader: ChunkReader | None = None
        self.segments: AsyncIterator[bytes] = _nothing()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Send the request, unless that was done."""
        if self.state == "new":
            if self.busy:
                raise InferneoError("the stream is being opened by another task")
            self.busy = True
            try:
                self.loop = asyncio.get_running_loop()
                self.begin(await self.session.run())
                self.state = "open"
            except BaseException:
                self.state = "failed"
                raise
            finally:
                self.busy = False

    def begin(self, opened: Opened) -> None:
        self.opened = opened
        self.reader = self.reader_kind(self.call, opened)
        self.segments = self.session.wire.segments(opened.reply) if opened.first is None else _one(opened.first)

    async def next_chunks(self) -> list[Any] | None:
        """The chunks of the next segments, `None` at the end of a complete stream. Raises `InferneoError`."""
        while True:
            reader, opened = self.reader, self.opened
            assert reader is not None  # it is open
            assert opened is not None
            if reader.failure is None and not reader.done:
                chunks = await self.read(reader, opened)
                if chunks:
                    return chunks
            if reader.failure is not None:
                await self.fail_or_reopen(reader, opened)
            elif reader.done:
                self.state = "done"
                await self.session.wire.drain(opened.reply, self.segments)
                return None

    async def read(self, reader: ChunkReader, opened: Opened) -> list[Any]:
        """Segments until one brings chunks or the stream is over."""
        bounds = opened.reply.bounds
        idle = self.call.idle_timeout
        bounds.read.until = due = time.monotonic() + (1e7 if idle is None else idle)
        url = opened.reply.target.url
        try:
            async for segment in self.segments:
                chunks = reader.feed(segment)
                if chunks or reader.done or reader.failure is not None:
                    return chunks
                if time.monotonic() >= due:  # comments do not count; our own pools see to it, others do not
                    raise TimeoutError  # noqa: TRY301  # worded with the library's own, below
        except Exception as error:
            if self.state == "closed":
                raise InferneoError("the stream was closed while it was read") from error
            found = translate(error, bounds, url, in_stream=True)
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

    async def fail_or_reopen(self, reader: ChunkReader, opened: Opened) -> None:
        """Before the first chunk was handed out the call may be made again; else the failure is raised."""
        failure = reader.raised()
        await self.session.wire.free(opened.reply)
        reader.failure = None
        try:
            if reader.total.started or not failure.retryable:
                self.session.steps.close()
                raise failure
            self.begin(await self.session.run(failure))
        except InferneoError as error:
            self.state = "failed"
            error.partial = reader.total.partial()
            raise
        finally:
            del failure  # its traceback holds this frame: no cycle

    async def aclose(self) -> None:
        if self.state == "new":
            self.state = "closed"
        elif self.state == "open":
            self.state = "closed"
            if self.opened is not None:
                if self.busy:
                    self.opened.reply.shutdown()
                else:
                    self.session.steps.close()
                await self.session.wire.free(self.opened.reply)

    def drop(self) -> None:
        """Free the connection from where nothing can be awaited: break it now, and have the loop tidy up."""
        if self.state != "open" or self.opened is None:
            return
        self.state = "closed"
        reply, loop = self.opened.reply, self.loop
        if loop is None or loop.is_closed():
            return
        wire = self.session.wire
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        try:
            if running is loop:
                spawn(loop, wire.free(reply))
            else:
                loop.call_soon_threadsafe(lambda: spawn(loop, wire.free(reply)))
        except RuntimeError:
            return  # the loop was closed meanwhile, and the connection with it

    def __del__(self) -> None:
        self.drop()


async def iterate(core: Core) -> AsyncGenerator[Any, None]:
    """The chunks; when the generator is closed, so is the connection."""
    try:
        await core.open()
        while True:
            if core.state == "done":
                return
            if core.state != "open" or core.session.wire.closed or core.reader is None:
                raise InferneoError("the stream is closed")
            for chunk in core.pending:
                core.reader.total.add(chunk)
                yield chunk
                if core.state == "closed" or core.session.wire.closed:
                    raise InferneoError("the stream is closed")
            if core.busy:
                raise InferneoError("the stream is being read by another task")
            core.busy = True
            try:
                chunks = await core.next_chunks()
            finally:
                core.busy = False
            if chunks is None:
                return
            core.pending = iter(chunks)
    finally:
        if core.state == "open":
            await core.aclose()


class Chunks(AsyncIterator[C]):
    """An iterator over a core. Freed (a `break` does it), it frees the connection at once."""

    __slots__ = ("_core", "_generator")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._generator = iterate(core)

    def __anext__(self) -> Any:
        return self._generator.__anext__()

    def __del__(self) -> None:
        self._core.drop()


class AsyncStream(Generic[C, R]):
    """The chunks of an answer, as they arrive. Await it to have it opened, or iterate over it at once.

    `break` frees the connection. It is an asynchronous context manager too. `text` is what came so far,
    `await get_final_response()` reads the rest and gives the whole answer, `await until_done()` reads the rest.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._iterator: AsyncGenerator[Any, None] | None = None

    def __await__(self) -> Generator[Any, None, Self]:
        return self._open().__await__()

    async def _open(self) -> Self:
        await self._core.open()
        return self

    def __aiter__(self) -> AsyncIterator[C]:
        return Chunks(self._core)

    async def __anext__(self) -> C:
        if self._iterator is None:
            self._iterator = iterate(self._core)
        chunk: C = await anext(self._iterator)
        return chunk

    async def __aenter__(self) -> Self:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Free the connection. A task that waits for a chunk gets an `InferneoError`. May be called again."""
        await self._core.aclose()

    aclose = close

    @property
    def http(self) -> Http | None:
        """Status, headers, request id, elapsed seconds and attempts of the reply; `None` before the stream is open."""
        return self._core.opened.http if self._core.opened else None

    @property
    def request_id(self) -> str | None:
        """The server's id of the request."""
        return self.http.request_id if self.http else None

    @property
    def text(self) -> str:
        """The text of the first choice that was handed out so far."""
        return self._core.reader.total.text if self._core.reader else ""

    async def until_done(self) -> Self:
        """Read to the end. Raises what iterating would."""
        async for _ in self:
            pass
        return self

    async def get_final_response(self) -> R:
        """Read to the end, and give the answer that the call without `stream` would have had."""
        await self.until_done()
        reader = self._core.reader
        assert reader is not None  # it was read to the end
        at = (Source(b"{}", self.http), ())
        response: R = reader.total.response(self._core.call.kind, at)
        return response

    def __repr__(self) -> str:
        return f"<AsyncStream {self._core.state}, {len(self.text)} characters of text>"
