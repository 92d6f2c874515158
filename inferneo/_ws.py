"""A stream over a WebSocket: one JSON message per chunk, no `[DONE]`; the same stream object and errors as over HTTP.

The key goes in the `Authorization` header of the handshake and, as the server's documents have it, in a first message
`{"type": "auth"}`; the request is one message with the REST body's fields. The stream is complete when as many choices
as were asked for have a `finish_reason`; it ends early when the server closes, whatever the code. Until the first chunk
was handed out it is opened again as the policy says.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from inferneo._bounds import FOREVER, Bounds
from inferneo._chunks import ChunkReader
from inferneo._config import AGENT, Config, Secret, check_key
from inferneo._errors import InferneoConnectionError, InferneoError, InferneoProtocolError
from inferneo._exchange import Opened, log_attempt, logger, next_delay
from inferneo._failure import status_error
from inferneo._headers import Headers, Http, request_id
from inferneo._http import Reply, Target, tls_context, translate
from inferneo._json import read_json
from inferneo._requests import Call
from inferneo._retry import retry_after, skip_sleep
from inferneo._stream import Core, Stream
from inferneo._stream_async import AsyncStream
from inferneo._stream_async import Core as AsyncCore

CHATTER = ("ping", "pong", "auth", "auth_ok", "auth_success", "authenticated")  # messages that are no chunks


class Messages(ChunkReader):
    """A reader of chunks whose segments are whole messages."""

    __slots__ = ("finished",)

    def __init__(self, call: Call, opened: Opened) -> None:
        super().__init__(call, opened)
        self.finished: set[int] = set()

    def feed(self, segment: bytes) -> list[Any]:
        """The chunk in a message; sets `done` when all that was asked for has come."""
        chunk = self.event(None, segment)
        if chunk is None or (not chunk.choices and chunk.get("type") in CHATTER):
            return []
        for choice in chunk.choices:
            if choice.finish_reason:
                self.finished.add(choice.index)
        if len(self.finished) >= self._call.choices:
            self.done = True
        return [chunk]


class WsReply(Reply):
    """A reply whose connection is a WebSocket."""

    __slots__ = ("__weakref__",)

    def shutdown(self) -> None:
        """Break the connection from any thread."""
        connection = self.response
        try:
            found = getattr(connection, "socket", None) or connection.transport.get_extra_info("socket")
            found.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            return  # it is gone already


class Opening:
    """What both shells need to open one stream, attempts and all; without I/O."""

    def __init__(self, config: Config, call: Call, owner: Any) -> None:
        if not call.stream:
            raise InferneoError("transport='ws' gives a stream: pass stream=True")
        self.config = config
        self.call = call
        self.owner = owner  # the client's wire: it says when the client is closed, and how to verify
        self.began = time.monotonic()
        self.cap = None if call.total_timeout is None else self.began + call.total_timeout
        self.attempts = 0

    def attempt(self, key: Secret | None) -> tuple[str, dict[str, Any], list[str]]:
        """The URL, the arguments of `connect` and the messages to send first, of the next attempt."""
        if self.owner.closed:
            raise InferneoError("the client is closed")
        call, config = self.call, self.config
        self.attempts += 1
        self.begun = time.monotonic()
        self.target = Target(config, "GET", call.path, [], call.body, Bounds(call.timeout, self.cap))
        headers = dict(config.headers) | dict(call.headers)
        first = []
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key.value}")
            first.append(json.dumps({"type": "auth", "api_key": key.value}))
        own = next((value for name, value in headers.items() if name.lower() == "user-agent"), None)
        left = self.target.bounds.connect.left()
        arguments = {
            "open_timeout": max(left, 0.001) if left < FOREVER / 2 else None,
            "max_size": None,
            "proxy": None,
            "close_timeout": 0.2,
            "user_agent_header": f"{own} {AGENT}" if own else AGENT,
            "additional_headers": {name: value for name, value in headers.items() if name.lower() != "user-agent"},
        }
        if config.scheme == "https":
            arguments["ssl"] = tls_context(self.owner.verify)
        first.append((call.body or b"{}").decode("utf-8"))
        return "ws" + self.target.url.removeprefix("http"), arguments, first

    def opened(self, connection: Any) -> Opened:
        """The stream has begun."""
        target, response = self.target, connection.response
        headers = _headers(response)
        elapsed = time.monotonic() - self.began
        known = {
            "method": "GET",
            "url": target.url,
            "attempts": self.attempts,
            "elapsed": elapsed,
            "headers": headers,
            "request_id": request_id(headers),
        }
        reply = WsReply(101, headers, connection, target, ours=False)
        self.owner.sockets.add(reply)
        self._log(reply)
        return Opened(reply, Http(101, headers, request_id(headers), elapsed, self.attempts), known)

    def failed(self, error: Exception) -> float:
        """Seconds until the next attempt; raises what came of `error` when there shall be none."""
        try:
            if isinstance(error, InferneoError):
                raise error
            return self.again(self._told(error), error)
        finally:
            del error  # its traceback may hold this frame: no cycle

    def again(self, failure: InferneoError, cause: Exception | None = None) -> float:
        """Seconds until the next attempt after `failure`, or raises it."""
        delay = None if self.owner.closed else next_delay(self.call, failure, self.attempts - 1, self.cap)
        try:
            if delay is None:
                raise failure from cause
        finally:
            del failure  # its traceback holds this frame: no cycle
        return delay

    def _told(self, error: Exception) -> InferneoError:
        """What came of `error`, with all that is known of the attempt."""
        failure = self._translated(error)
        self._log(None)
        failure.attempts = self.attempts
        failure.method = "GET"
        failure.url = self.target.url
        failure.elapsed = time.monotonic() - self.began
        return failure

    def _log(self, reply: Reply | None) -> None:
        if logger.isEnabledFor(logging.INFO):
            log_attempt("GET", self.call.path, reply, self.attempts, time.monotonic() - self.begun)

    def _translated(self, error: Exception) -> InferneoError:
        target = self.target
        response = getattr(error, "response", None)
        name = type(error).__name__
        if response is not None:
            raw = bytes(response.body or b"")
            try:
                body = read_json(raw)
            except ValueError:
                body = raw.decode("utf-8", "replace")
            headers = _headers(response)
            failure = status_error(response.status_code, body, raw, headers=headers, request_id=request_id(headers))
            failure.retryable = self.call.policy.wants(response.status_code, headers, failure.code, failure.type)
            failure.retry_after = retry_after(headers, self.call.policy.clock)
            return failure
        if isinstance(error, TimeoutError):
            return translate(type("ConnectTimeout", (TimeoutError,), {})(), target.bounds, target.url)
        if name.startswith("ConnectionClosed"):
            text = f"the server closed the WebSocket: {error} ({target.url})"
            return InferneoConnectionError(text, retryable=True)
        if name in ("InvalidMessage", "InvalidHandshake", "InvalidUpgrade", "ProtocolError"):
            return InferneoProtocolError(f"the reply is not a WebSocket handshake: {error} ({target.url})")
        return translate(error, target.bounds, target.url)


def _headers(response: Any) -> Headers:
    return Headers((k.encode("latin-1"), v.encode("latin-1")) for k, v in response.headers.raw_items())


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise InferneoError("transport='ws' needs the websockets package: pip install 'inferneo[ws]'") from None


def _bytes(message: Any) -> bytes:
    return message.encode("utf-8", "surrogatepass") if isinstance(message, str) else bytes(message)


def _limit(bounds: Bounds) -> float | None:
    left = bounds.read.left()
    if left <= 0:
        raise TimeoutError
    return left if left < FOREVER / 2 else None


def _closed(error: Exception) -> InferneoConnectionError:
    return InferneoConnectionError(f"the WebSocket was closed: {error}", retryable=True)


class SyncWire:
    """A WebSocket in the place of a pool."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    @property
    def closed(self) -> bool:
        """Whether the client is."""
        return bool(self._owner.closed)

    def segments(self, reply: Reply) -> Iterator[bytes]:
        """The messages as they arrive; ends when the server closes normally."""
        while True:
            try:
                yield _bytes(reply.response.recv(timeout=_limit(reply.bounds)))
            except Exception as error:
                if type(error).__name__ == "ConnectionClosedOK":
                    return
                raise (error if isinstance(error, TimeoutError) else _closed(error)) from error

    def free(self, reply: Reply) -> None:
        """Close the connection. Never raises."""
        try:
            reply.response.close()
        except Exception:
            return  # it is gone already

    def drain(self, reply: Reply, segments: Iterator[bytes]) -> None:
        """A WebSocket is not used again."""
        self.free(reply)


def perform(config: Config, call: Call, owner: Any) -> Stream[Any, Any]:
    """Open the WebSocket, send the request, give the stream. Raises `InferneoError`."""
    connect = _library("websockets.sync.client").connect
    from inferneo._tls import LockedContext  # threads read and write its sockets; that of the event loop needs no lock

    opening = Opening(config, call, owner)

    def key() -> Secret | None:
        source = config.api_key
        if source is None or isinstance(source, Secret):
            return source
        try:
            return check_key(source())
        except InferneoError:
            raise
        except Exception as error:
            raise InferneoError(f"the api_key callable raised {type(error).__name__}: {error}") from error

    def wait(delay: float) -> None:
        if not skip_sleep(delay):
            call.policy.sleep(delay)

    def run(wire: Any = None, steps: Any = None, error: InferneoError | None = None) -> Opened:
        try:
            if error is not None:
                wait(opening.again(error))
        finally:
            del error  # its traceback holds this frame: no cycle
        while True:
            connection = None
            url, arguments, first = opening.attempt(key())
            if "ssl" in arguments:
                arguments["ssl"] = LockedContext(arguments["ssl"])
            try:
                # `websockets` asks for its use as a context manager; `free` ends it
                connection = connect(url, **arguments).__enter__()
                for message in first:
                    connection.send(message)
                return opening.opened(connection)
            except Exception as failure:
                if connection is not None:
                    connection.close()
                delay = opening.failed(failure)
            wait(delay)

    wire: Any = SyncWire(owner)
    return Stream(Core(wire, call, _no_steps(), run(), run, Messages))


def _no_steps() -> Any:
    yield from ()


class AsyncWire:
    """A WebSocket in the place of a pool."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    @property
    def closed(self) -> bool:
        """Whether the client is."""
        return bool(self._owner.closed)

    async def segments(self, reply: Reply) -> AsyncIterator[bytes]:
        """The messages as they arrive; ends when the server closes normally."""
        while True:
            try:
                async with asyncio.timeout(_limit(reply.bounds)):
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

    def __init__(self, config: Config, call: Call, owner: Any) -> None:
        self.call = call
        self.wire: Any = AsyncWire(owner)
        self.steps = _no_steps()
        self._opening = Opening(config, call, owner)

    async def _key(self) -> Secret | None:
        source = self._opening.config.api_key
        if source is None or isinstance(source, Secret):
            return source
        try:
            given = source()
            return check_key(await given if inspect.isawaitable(given) else given)
        except InferneoError:
            raise
        except Exception as error:
            raise InferneoError(f"the api_key callable raised {type(error).__name__}: {error}") from error

    async def _wait(self, delay: float) -> None:
        if not skip_sleep(delay):
            await self.call.policy.async_sleep(delay)

    async def run(self, error: InferneoError | None = None) -> Opened:
        """Open the WebSocket and send the request; after `error` only when the policy has it so."""
        connect = _library("websockets.asyncio.client").connect
        opening = self._opening
        try:
            if error is not None:
                await self._wait(opening.again(error))
        finally:
            del error  # its traceback holds this frame: no cycle
        while True:
            connection = None
            url, arguments, first = opening.attempt(await self._key())
            try:
                connection = await connect(url, **arguments)
                for message in first:
                    await connection.send(message)
                return opening.opened(connection)
            except Exception as failure:
                if connection is not None:
                    await connection.close()
                delay = opening.failed(failure)
            await self._wait(delay)


def open_async(config: Config, call: Call, owner: Any) -> AsyncStream[Any, Any]:
    """The stream; the WebSocket is opened when it is awaited or iterated."""
    return AsyncStream(AsyncCore(AsyncSession(config, call, owner), Messages))
