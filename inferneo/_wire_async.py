"""The pools of an asynchronous client: one per event loop, closed with the loop, left alone by forked children."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

from inferneo import _http
from inferneo._config import Config, Limits
from inferneo._errors import InferneoError
from inferneo._headers import Headers
from inferneo._http import Reply, Target, translate
from inferneo._wire_sync import DRAIN

_inherited: list[Any] = []  # see `_wire_sync`
_tasks: set[asyncio.Task[Any]] = set()  # a loop holds its tasks weakly


async def _guard(pool: Any) -> AsyncGenerator[None, None]:
    """Closes the pool when the loop shuts down its asynchronous generators, as `asyncio.run` does, or when freed."""
    try:
        yield
    finally:
        await close_pool(pool)


async def close_pool(pool: Any) -> None:
    """Close all connections of a pool. Never raises."""
    try:
        await pool.aclose()
    except Exception:
        return  # one of them was in use; the engine has dropped it all the same


def spawn(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run something small in the loop, and keep it until it is done."""
    task = loop.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


class Wire:
    """Sends requests. A pool is made at the first one in each event loop."""

    def __init__(self, limits: Limits, verify: Any, client: Any, owned: bool) -> None:
        self._limits = limits
        self.verify = verify
        self._client = client
        self._owned = owned
        self._pools: dict[tuple[int, str, str, int], tuple[Any, Any, Any, Any]] = {}
        self._pid = os.getpid()
        self.closed = False
        self.sockets: weakref.WeakSet[Reply] = weakref.WeakSet()  # WebSockets, to be closed with the client

    async def _pool(self, config: Config) -> Any:
        if self._pid != os.getpid():
            _inherited.append(self._pools)
            self._pools = {}
            self._pid = os.getpid()
        loop = asyncio.get_running_loop()
        key = (id(loop), config.scheme, config.host, config.port)
        found = self._pools.get(key)
        if found is None or found[0] is not loop:
            for old, entry in list(self._pools.items()):
                if entry[0].is_closed():
                    self._pools.pop(old, None)
            from inferneo._net import AsyncBackend

            backend = AsyncBackend()
            pool = _http.make_pool(config, self._limits, self.verify, backend, asynchronous=True)
            guard = _guard(pool)
            self._pools[key] = found = (loop, pool, backend, guard)
            await anext(guard)
        return found[1]

    async def send(self, target: Target) -> Reply:
        """The head of the reply. Raises `InferneoError`."""
        if self.closed:
            raise InferneoError("the client is closed")
        try:
            if self._client is not None:
                request = target.for_library(self._client)
                response = await self._client.send(request, stream=True, follow_redirects=False)
                return Reply(response.status_code, Headers(response.headers.raw), response, target, ours=False)
            pool = await self._pool(target.config)
            response = await pool.handle_async_request(target.for_engine())
        except Exception as error:
            if self.closed:
                raise InferneoError("the client was closed during the request") from error
            raise translate(error, target.bounds, target.url) from error
        return Reply(response.status, Headers(response.headers), response, target, ours=True)

    def segments(self, reply: Reply) -> AsyncIterator[bytes]:
        """The body as it arrives, content coding not undone."""
        response = reply.response
        raw = not reply.ours and not response.is_stream_consumed
        segments: AsyncIterator[bytes] = aiter(
            response.stream if reply.ours else response.aiter_raw() if raw else response.aiter_bytes()
        )
        return segments

    async def free(self, reply: Reply) -> None:
        """Give the connection back to the pool, or close it when the body was not read to its end. Never raises."""
        try:
            reply.drop_if_spoiled()
            await reply.response.aclose()
        except Exception:
            return  # a connection that cannot even be closed is gone

    async def drain(self, reply: Reply, segments: AsyncIterator[bytes]) -> None:
        """Read what is there of the rest of a finished stream, so that the connection can be used again."""
        reply.bounds.read.again(DRAIN)
        with suppress(Exception):  # the answer is whole, whatever becomes of the connection
            async with asyncio.timeout(DRAIN):
                async for _ in segments:
                    if reply.bounds.read.left() <= 0:
                        break
        await self.free(reply)

    async def close(self) -> None:
        """Close the connections of this loop now, and those of other loops as these allow. May be called again."""
        self.closed = True
        if self._pid != os.getpid():
            return
        for socket in list(self.sockets):
            socket.shutdown()
        loop = asyncio.get_running_loop()
        entries = list(self._pools.values())
        self._pools.clear()
        for owner, pool, backend, guard in entries:
            if owner is loop:
                from inferneo._net import shutdown

                for stream in list(backend.streams):
                    shutdown(stream)
                await close_pool(pool)
                await guard.aclose()
            elif not owner.is_closed():
                try:
                    owner.call_soon_threadsafe(lambda owner=owner, guard=guard: spawn(owner, guard.aclose()))
                except RuntimeError:
                    continue  # that loop was closed meanwhile
        if self._owned and self._client is not None:
            await self._client.aclose()


def make_wire(limits: Any, verify: Any, http_client: Any, transport: Any) -> Wire:
    """The wire for the constructor's arguments. Raises `InferneoError`."""
    if http_client is not None and transport is not None:
        raise InferneoError("give http_client or transport, not both")
    checked = _http.check_limits(limits)
    if http_client is not None:
        return Wire(checked, verify, _http.check_client(http_client, asynchronous=True), owned=False)
    if transport is not None:
        return Wire(checked, verify, _http.make_client(transport, asynchronous=True), owned=True)
    return Wire(checked, verify, None, owned=False)
