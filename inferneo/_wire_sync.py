"""The pool of a blocking client: shared by its copies, safe in threads, left alone by forked children."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from inferneo import _http
from inferneo._config import Config, Limits
from inferneo._errors import InferneoError
from inferneo._headers import Headers
from inferneo._http import Reply, Target, translate

DRAIN = 0.05  # seconds a finished stream may take to free its connection
MAX_ERROR_BODY = 1 << 20  # bytes; more of an error reply is not read

# Pools that a forked child got from its parent. Kept, because to free them would close what the parent may still use.
_inherited: list[Any] = []


class Wire:
    """Sends requests. The pool is made at the first one."""

    def __init__(self, limits: Limits, verify: Any, client: Any, owned: bool) -> None:
        self._limits = limits
        self.verify = verify
        self._client = client
        self._owned = owned  # whether `client` is ours to close
        self._pools: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self.closed = False
        self.sockets: weakref.WeakSet[Reply] = weakref.WeakSet()  # WebSockets, to be closed with the client

    def _pool(self, config: Config) -> Any:
        if self._pid != os.getpid():
            _inherited.append(self._pools)
            self._pools = {}
            self._lock = threading.Lock()
            self._pid = os.getpid()
        key = (config.scheme, config.host, config.port)
        found = self._pools.get(key)
        if found is None:
            with self._lock:
                found = self._pools.get(key)
                if found is None:
                    from inferneo._net import Backend

                    backend = Backend()
                    pool = _http.make_pool(config, self._limits, self.verify, backend, asynchronous=False)
                    found = self._pools[key] = (pool, backend)
        return found[0]

    def send(self, target: Target) -> Reply:
        """The head of the reply. Raises `InferneoError`."""
        if self.closed:
            raise InferneoError("the client is closed")
        try:
            if self._client is not None:
                response = self._client.send(target.for_library(self._client), stream=True, follow_redirects=False)
                return Reply(response.status_code, Headers(response.headers.raw), response, target, ours=False)
            response = self._pool(target.config).handle_request(target.for_engine())
        except Exception as error:
            if self.closed:
                raise InferneoError("the client was closed during the request") from error
            raise translate(error, target.bounds, target.url) from error
        return Reply(response.status, Headers(response.headers), response, target, ours=True)

    def segments(self, reply: Reply) -> Iterator[bytes]:
        """The body as it arrives, content coding not undone."""
        if reply.ours:
            return iter(reply.response.stream)
        if reply.response.is_stream_consumed:
            return iter((reply.response.content,))
        return iter(reply.response.iter_raw())

    def free(self, reply: Reply) -> None:
        """Give the connection back to the pool, or close it when the body was not read to its end. Never raises."""
        try:
            reply.drop_if_spoiled()
            reply.response.close()
        except Exception:
            return  # a connection that cannot even be closed is gone

    def drain(self, reply: Reply, segments: Iterator[bytes]) -> None:
        """Read what is there of the rest of a finished stream, so that the connection can be used again."""
        with suppress(Exception):  # the answer is whole, whatever becomes of the connection
            if reply.ours:
                reply.bounds.read.again(DRAIN)
                for _ in segments:
                    if reply.bounds.read.left() <= 0:
                        break
            else:
                from inferneo._net import ends_within

                if ends_within(reply.response, DRAIN):
                    for _ in segments:
                        pass
        self.free(reply)

    def close(self) -> None:
        """Close all connections; threads that wait on one wake up with an error. May be called again."""
        self.closed = True
        if self._pid != os.getpid():
            return
        for socket in list(self.sockets):
            socket.shutdown()
        for pool, backend in list(self._pools.values()):
            from inferneo._net import shutdown

            for stream in list(backend.streams):
                shutdown(stream)
            try:
                pool.close()
            except Exception:
                continue  # a connection of it was in use; it is shut down
        self._pools.clear()
        if self._owned and self._client is not None:
            self._client.close()


def make_wire(limits: Any, verify: Any, http_client: Any, transport: Any) -> Wire:
    """The wire for the constructor's arguments. Raises `InferneoError`."""
    if http_client is not None and transport is not None:
        raise InferneoError("give http_client or transport, not both")
    checked = _http.check_limits(limits)
    if http_client is not None:
        return Wire(checked, verify, _http.check_client(http_client, asynchronous=False), owned=False)
    if transport is not None:
        return Wire(checked, verify, _http.make_client(transport, asynchronous=False), owned=True)
    return Wire(checked, verify, None, owned=False)
