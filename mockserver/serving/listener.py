"""A listening socket whose connections have a `Wire`: opened, refused, drowned, closed, without a `uvicorn.Server`."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections.abc import Callable
from typing import Any, ClassVar

import uvicorn
from uvicorn.server import ServerState

from mockserver.connection import ConnectionPlan, Listen
from mockserver.serving.wire import App, protocol_class

Policy = Callable[[int], ConnectionPlan]
"""How the connection of this number is treated."""


HEADERS = 1 << 20
"""The largest head, in bytes, that h11 reads; what a profile takes of it is the profile's matter."""


def socket_protocol(config: Any, server_state: Any, app_state: Any) -> asyncio.Protocol:
    """Who speaks on a connection after an upgrade; `websockets` is imported when the first one comes."""
    from mockserver.serving.websocket import SocketProtocol

    return SocketProtocol(config, server_state)


class _State(ServerState):
    """What the connections of one listener share: uvicorn's sets, the session they belong to, the numbers."""

    def __init__(self, session: str | None, numbers: itertools.count[int], policy: Policy | None) -> None:
        super().__init__()
        self.numbers = numbers
        self.policy = policy
        self.session = session


def bound(family: int, address: Any) -> socket.socket:
    """A bound socket that does not listen yet. Raises `OSError` when the address is taken."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """A listening socket whose connections speak HTTP to `app` through a `Wire`.

    No `uvicorn.Server` stands behind it: that would take 0.1 s to end, own signals, and answer to no one.
    """

    KEEP_ALIVE: ClassVar[float] = 75.0

    def __init__(
        self,
        app: App,
        sock: socket.socket,
        *,
        http: str = "auto",
        protocol: type[asyncio.Protocol] | None = None,
        session: str | None = None,
        numbers: itertools.count[int] | None = None,
        policy: Policy | None = None,
        tls: ssl.SSLContext | None = None,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self.socket = sock
        self.port: int = sock.getsockname()[1]
        self._tls = tls
        self._class: Any = protocol if protocol is not None else protocol_class(http)
        self._config = uvicorn.Config(
            app,
            http=self._class,
            ws=socket_protocol,  # type: ignore[arg-type]  # called as the class would be
            h11_max_incomplete_event_size=HEADERS,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type]  # handed to call_later as it is
        )
        self._state = _State(session, numbers if numbers is not None else itertools.count(1), policy)
        self._server: asyncio.Server | None = None
        self._listens: Listen = "open"
        self._fillers: list[socket.socket] = []
        self._reopening: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=self.socket, ssl=self._tls, backlog=4096)

    def listen(self, how: Listen, reopen_after: float | None = None) -> None:
        """`refused`: keep the port but do not listen; `blackhole`: keep the accept queue full; `open`: serve again.

        Connections that are open stay so. After `reopen_after` seconds the port is open again by itself.
        """
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        loop = asyncio.get_running_loop()
        if how != self._listens:
            self._listens = how
            address = self.socket.getsockname()
            family = self.socket.family
            self._stop_listening()
            self._drop_fillers()
            self.socket = bound(family, address)
            if how == "open":
                self._opening = loop.create_task(self.open())
            elif how == "blackhole":
                self._fill(family, address)
        if how != "open" and reopen_after is not None:
            self._reopening = loop.call_later(reopen_after, self.listen, "open")

    def _stop_listening(self) -> None:
        """Accept no more connections; those that are open stay so.

        asyncio accepts a connection one step before its transport is made. A server that is closed in between refuses
        the transport, and that fails aloud on stderr when it is freed (Python 3.12 and later). So the socket is taken
        off the loop instead, and the server left to be freed. uvloop, which knows no such step, has no reader here.
        """
        if self._server is not None and not asyncio.get_running_loop().remove_reader(self.socket):
            self._server.close()
        self._server = None
        self.socket.close()

    async def settled(self) -> None:
        """Return when the port is as `listen` last said."""
        if self._opening is not None:
            await self._opening

    def _fill(self, family: int, address: Any) -> None:
        """Take every place of the shortest accept queue; the kernel then drops what comes."""
        self.socket.listen(0)
        for _ in range(8):
            filler = socket.socket(family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(address)
            self._fillers.append(filler)

    def _drop_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    def connect(self, transport: asyncio.Transport) -> asyncio.Protocol:
        """A connection that did not come through the socket."""
        protocol = self._protocol()
        protocol.connection_made(transport)
        return protocol

    def _protocol(self) -> asyncio.Protocol:
        if not self._config.loaded:
            self._config.load()
        loop = asyncio.get_running_loop()
        made: asyncio.Protocol = self._class(config=self._config, server_state=self._state, app_state={}, _loop=loop)
        return made

    async def close(self) -> None:
        """Stop listening, drop every connection at once, wait until their requests' tasks are done."""
        if self._reopening is not None:
            self._reopening.cancel()
        await self.settled()
        self._drop_fillers()
        server = self._server
        self._stop_listening()
        for _ in range(
            2
        ):  # what was accepted just now gets its transport, then its protocol: it is dropped with the rest
            await asyncio.sleep(0)
        protocols: list[Any] = list(self._state.connections)
        for protocol in protocols:
            protocol.wire.abort()
        if tasks := list(self._state.tasks):
            _, stuck = await asyncio.wait(tasks, timeout=0.03)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        for _ in range(100):
            if not self._state.connections:
                break
            await asyncio.sleep(0)
        if server is not None and not server.is_serving():
            await server.wait_closed()
