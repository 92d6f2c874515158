"""A stream over a WebSocket: one JSON message per chunk, no `[DONE]`; the same stream object and errors as over HTTP.

The request is one message with the REST body's fields. The stream is complete when as many choices as were asked for
have a `finish_reason`; it ends early when the server closes, whatever the code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from inferneo._bounds import FOREVER, Bounds
from inferneo._chunks import ChunkReader
from inferneo._config import AGENT, Config, Secret, check_key
from inferneo._errors import InferneoConnectionError, InferneoError, InferneoProtocolError
from inferneo._exchange import Opened
from inferneo._failure import status_error
from inferneo._headers import Headers, Http
from inferneo._http import Reply, Target, translate
from inferneo._json import read_json
from inferneo._requests import Call
from inferneo._retry import skip_sleep
from inferneo._stream import Core, Stream
from inferneo._stream_async import AsyncStream
from inferneo._stream_async import Core as AsyncCore


class Messages(ChunkReader):
    """A reader of chunks whose segments are whole messages."""

    __slots__ = ("finished",)

    def __init__(self, call: Call, opened: Opened) -> None:
        super().__init__(call, opened)
        self.finished: set[int] = set()

    def feed(self, segment: bytes) -> list[Any]:
        """The chunk in a message; sets `done` when all that was asked for has come."""
        chunk = self.event(None, segment)
        if chunk is None:
            return []
        self._note(chunk)
        return [chunk]

    def _note(self, chunk: Any) -> None:
        for choice in chunk.choices:
            if choice.finish_reason:
                self.finished.add(choice.index)
        if len(self.finished) >= self._call.choices:
            self.done = True


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise InferneoError("transport='ws' needs the websockets package: pip install 'inferneo[ws]'") from None


def _target(config: Config, call: Call, key: Any) -> tuple[Target, str, dict[str, str]]:
    if not call.stream:
        raise InferneoError("transport='ws' gives a stream: pass stream=True")
    cap = None if call.total_timeout is None else time.monotonic() + call.total_timeout
    target = Target(config, "GET", call.path, [], call.body, Bounds(call.timeout, cap))
    headers = dict(config.headers) | dict(call.headers)
    if key is not None:
        headers.setdefault("Authorization", f"Bearer {key.value}")
    return target, "ws" + target.url.removeprefix("http"), headers


def _agent(headers: dict[str, str]) -> str:
    own = next((value for name, value in headers.items() if name.lower() == "user-agent"), None)
    return f"{own} {AGENT}" if own else AGENT


def _opened(target: Target, response: Any, connection: Any, began: float, attempts: int) -> Opened:
    headers = Headers((k.encode("latin-1"), v.encode("latin-1")) for k, v in response.headers.raw_items())
    elapsed = time.monotonic() - began
    known = {"method": "GET", "url": target.url, "attempts": attempts, "elapsed": elapsed, "headers": headers}
    reply = Reply(101, headers, connection, target, ours=False)
    return Opened(reply, Http(101, headers, headers.get("x-request-id"), elapsed, attempts), known)


def _failed(error: Exception, target: Target, attempts: int, call: Call) -> InferneoError:
    """One of our errors for what `websockets` raised."""
    response = getattr(error, "response", None)
    if response is not None:
        raw = bytes(response.body or b"")
        try:
            body = read_json(raw)
        except ValueError:
            body = raw.decode("utf-8", "replace")
        headers = Headers((k.encode("latin-1"), v.encode("latin-1")) for k, v in response.headers.raw_items())
        failure: InferneoError = status_error(response.status_code, body, raw, headers=headers)
        failure.retryable = call.policy.wants(response.status_code, headers, failure.code, failure.type)
    elif isinstance(error, TimeoutError):
        failure = translate(type("ConnectTimeout", (TimeoutError,), {})(), target.bounds, target.url)
    elif type(error).__name__.startswith("ConnectionClosed"):
        failure = InferneoConnectionError(f"the server closed the WebSocket: {error} ({target.url})", retryable=True)
    elif type(error).__name__ in ("InvalidMessage", "InvalidHandshake", "InvalidUpgrade", "ProtocolError"):
        failure = InferneoProtocolError(f"the reply is not a WebSocket handshake: {error} ({target.url})")
    else:
        failure = translate(error, target.bounds, target.url)
    failure.attempts = attempts
    failure.method = failure.method or "GET"
    failure.url = failure.url or target.url
    return failure


def _bytes(message: Any) -> bytes:
    return message.encode("utf-8", "surrogatepass") if isinstance(message, str) else bytes(message)


def _limit(call: Call, bounds: Bounds) -> float | None:
    left = bounds.read.left()
    if left <= 0:
        raise TimeoutError
    return left if left < FOREVER / 2 else None


def _delay(call: Call, failure: InferneoError, attempt: int, bounds: Bounds) -> float:
    """Seconds until the next attempt; raises the failure when there shall be none."""
    if not failure.retryable or attempt > call.policy.max_retries:
        raise failure
    delay = call.policy.backoff(attempt - 1)
    if bounds.cap is not None and time.monotonic() + delay >= bounds.cap:
        raise failure
    return delay


class SyncWire:
    """A WebSocket in the place of a pool."""

    closed = False

    def __init__(self, call: Call) -> None:
        self._call = call

    def segments(self, reply: Reply) -> Iterator[bytes]:
        """The messages as they arrive; ends when the server closes normally."""
        while True:
            try:
                yield _bytes(reply.response.recv(timeout=_limit(self._call, reply.bounds)))
            except Exception as error:
                if type(error).__name__ == "ConnectionClosedOK":
                    return
                raise (error if isinstance(error, TimeoutError) else _closed(error)) from error

    def free(self, reply: Reply) -> None:
        """Close the connection. Never raises."""
        try:
            reply.response.close_timeout = 0.2
            reply.response.close()
        except Exception:
            return  # it is gone already

    def drain(self, reply: Reply, segments: Iterator[bytes]) -> None:
        """A WebSocket is not used again."""
        self.free(reply)


def _closed(error: Exception) -> InferneoConnectionError:
    return InferneoConnectionError(f"the WebSocket was closed: {error}", retryable=False)


def _key(config: Config) -> Any:
    source = config.api_key
    return source if source is None or isinstance(source, Secret) else check_key(source())


class WsReply(Reply):
    """A reply whose connection is a WebSocket."""

    __slots__ = ()

    def shutdown(self) -> None:
        """Break the connection from any thread."""
        import socket

        try:
            self.response.socket.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            return  # it is gone already


def perform(config: Config, call: Call) -> Stream[Any, Any]:
    """Open the WebSocket, send the request, give the stream. Raises `InferneoError`."""
    connect = _library("websockets.sync.client").connect
    began = time.monotonic()
    attempt = 0
    while True:
        attempt += 1
        target, url, headers = _target(config, call, _key(config))
        try:
            connection = connect(
                url,
                open_timeout=call.timeout,
                max_size=None,
                proxy=None,
                close_timeout=0.2,
                user_agent_header=_agent(headers),
                additional_headers={k: v for k, v in headers.items() if k.lower() != "user-agent"},
            ).__enter__()  # `websockets` asks for its use as a context manager; `free` ends it
            connection.send((call.body or b"{}").decode("utf-8"))
            break
        except Exception as error:
            delay = _delay(call, _failed(error, target, attempt, call), attempt, target.bounds)
        if not skip_sleep(delay):
            call.policy.sleep(delay)
    opened = _opened(target, connection.response, connection, began, attempt)
    wire: Any = SyncWire(call)
    reply = WsReply(101, opened.reply.headers, connection, target, ours=False)
    return Stream(Core(wire, call, _no_steps(), Opened(reply, opened.http, opened.known), _no_run, Messages))


def _no_steps() -> Any:
    yield from ()


def _no_run(wire: Any, steps: Any, error: InferneoError | None = None) -> Any:
    raise error or InferneoError("a WebSocket is not opened again")


class AsyncWire:
    """A WebSocket in the place of a pool."""

    closed = False

    def __init__(self, call: Call) -> None:
        self._call = call

    async def segments(self, reply: Reply) -> AsyncIterator[bytes]:
        """The messages as they arrive; ends when the server closes normally."""
        while True:
            try:
                async with asyncio.timeout(_limit(self._call, reply.bounds)):
                    message = await reply.response.recv()
            except Exception as error:
                if type(error).__name__ == "ConnectionClosedOK":
                    return
                raise (error if isinstance(error, TimeoutError) else _closed(error)) from error
            yield _bytes(message)

    async def free(self, reply: Reply) -> None:
        """Close the connection. Never raises."""
        try:
            await reply.response.close()
        except Exception:
            return  # it is gone already

    async def drain(self, reply: Reply, segments: AsyncIterator[bytes]) -> None:
        """A WebSocket is not used again."""
        await self.free(reply)


class AsyncSession:
    """Opens the WebSocket where an HTTP stream would run its exchange."""

    def __init__(self, config: Config, call: Call) -> None:
        self.call = call
        self.config = config
        self.wire: Any = AsyncWire(call)
        self.steps = _no_steps()

    async def run(self, error: InferneoError | None = None) -> Opened:
        if error is not None:
            raise error
        connect = _library("websockets.asyncio.client").connect
        call = self.call
        began = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            target, url, headers = _target(self.config, call, _key(self.config))
            try:
                connection = await connect(
                    url,
                    open_timeout=call.timeout,
                    max_size=None,
                    proxy=None,
                    close_timeout=0.2,
                    user_agent_header=_agent(headers),
                    additional_headers={k: v for k, v in headers.items() if k.lower() != "user-agent"},
                )
                await connection.send((call.body or b"{}").decode("utf-8"))
                break
            except Exception as failure:
                delay = _delay(call, _failed(failure, target, attempt, call), attempt, target.bounds)
            if not skip_sleep(delay):
                await call.policy.async_sleep(delay)
        opened = _opened(target, connection.response, connection, began, attempt)
        reply = WsReply(101, opened.reply.headers, connection, target, ours=False)
        return Opened(reply, opened.http, opened.known)


def open_async(config: Config, call: Call) -> AsyncStream[Any, Any]:
    """The stream; the WebSocket is opened when it is awaited or iterated."""
    if not call.stream:
        raise InferneoError("transport='ws' gives a stream: pass stream=True")
    return AsyncStream(AsyncCore(AsyncSession(config, call), Messages))
