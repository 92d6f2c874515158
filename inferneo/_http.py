"""The seam to the HTTP library: httpx2 where it is installed, else httpx, which has the same API.

Nothing else in the package knows which. Our own pools stand on the library's engine (httpcore2 or httpcore), because
only there a time limit can be made to hold (`_bounds`); a client or transport of the user's own is driven through the
library itself.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import Any

from inferneo._bounds import Bounds
from inferneo._config import Config, Limits
from inferneo._errors import (
    InferneoConnectionError,
    InferneoError,
    InferneoProtocolError,
    InferneoTimeoutError,
    Phase,
)
from inferneo._headers import Headers


@cache
def family() -> str:
    """The name of the HTTP library in use."""
    return "httpx2" if find_spec("httpx2") else "httpx"


@cache
def library() -> Any:
    """The HTTP library."""
    return importlib.import_module(family())


@cache
def engine() -> Any:
    """The HTTP library's engine."""
    return importlib.import_module("httpcore2" if family() == "httpx2" else "httpcore")


class Target:
    """Where and what to send: all that both engine and library need for one attempt."""

    __slots__ = ("body", "bounds", "config", "headers", "method", "path")

    def __init__(
        self,
        config: Config,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes | None,
        bounds: Bounds,
    ) -> None:
        self.config = config
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.bounds = bounds

    @property
    def url(self) -> str:
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{self.config.scheme}://{host}:{self.config.port}{self.path}"

    def for_engine(self) -> Any:
        core = engine()
        config = self.config
        url = core.URL(
            scheme=config.scheme.encode("ascii"),
            host=config.host.encode("ascii"),
            port=config.port,
            target=self.path.encode("ascii"),
        )
        extensions = {"timeout": self.bounds.as_dict()}
        return core.Request(self.method, url, headers=self.headers, content=self.body, extensions=extensions)

    def for_library(self, client: Any) -> Any:
        """A request of the user's client: its own headers, where ours do not stand in their place."""
        return client.build_request(
            self.method,
            self.url,
            headers=[pair for pair in self.headers if pair[0] != b"Host"],
            content=self.body,
            extensions={"timeout": self.bounds.as_dict()},
        )


class Reply:
    """The head of a reply and the way to its body. `ours` says that its limits hold on the wire (see `_bounds`).

    `coding` is what is to be undone in the body: the content coding, unless the user's transport has done it.
    """

    __slots__ = ("bounds", "coding", "headers", "ours", "response", "status", "target")

    def __init__(self, status: int, headers: Headers, response: Any, target: Target, ours: bool) -> None:
        self.status = status
        self.headers = headers
        self.response = response
        self.target = target
        self.bounds = target.bounds
        self.ours = ours
        read_already = not ours and getattr(response, "is_stream_consumed", False)
        self.coding = "" if read_already else headers.get("content-encoding", "")

    def drop_if_spoiled(self) -> None:
        """Break the connection when bytes came on it that belong to no reply, or are announced.

        They would be taken for the answer to the next request. Never raises.
        """
        from inferneo._net import is_spoiled

        announced = self.status == 204 and self.headers.get("content-length", "0") != "0"  # RFC 9110 8.6 forbids it
        if announced or is_spoiled(self.response):
            self.shutdown()

    def shutdown(self) -> None:
        """Break the connection under the reply, from any thread: who waits for it wakes up."""
        from inferneo._net import shutdown

        shutdown((self.response.extensions or {}).get("network_stream"))


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in found:
        found.append(link)
        link = link.__cause__ or link.__context__
    return found


_TIMEOUTS: dict[str, Phase] = {
    "ConnectTimeout": "connect",
    "ReadTimeout": "read",
    "WriteTimeout": "write",
    "PoolTimeout": "pool",
}


def is_cut(error: BaseException) -> bool:
    """Whether the peer ended the connection in the middle of a body (as opposed to resetting it)."""
    return type(error).__name__ == "RemoteProtocolError" and "without sending complete" in str(error)


HOLDERS = ("contextlib", "h11._util")
"""Modules of which a function that an error went through keeps this error, or its cause, in a local."""


def _untie(chain: list[BaseException]) -> None:
    """Break the reference cycles that the HTTP libraries leave in their errors and the causes of these.

    An error's traceback holds frames; what `HOLDERS` keep in theirs leads back to it. (For `contextlib` so since Python
    3.12, where the frame of a generator that has ended holds its caller's.) The frames of all callers hang on such a
    cycle: what the user's own locals name would live until the garbage collector comes. Lost are the locals of
    `HOLDERS`, nothing of the traceback.
    """
    for link in chain:
        place = link.__traceback__
        while place is not None:
            if place.tb_frame.f_globals.get("__name__") in HOLDERS:
                with suppress(RuntimeError):  # a transport of the user's own may raise what still runs elsewhere
                    place.tb_frame.clear()
            place = place.tb_next


def translate(error: Exception, bounds: Bounds, url: str, *, in_stream: bool = False) -> InferneoError:
    """One of our errors for whatever the HTTP library, the engine or the socket raised."""
    if isinstance(error, InferneoError):
        return error
    names = {kind.__name__ for kind in type(error).__mro__}
    chain = _chain(error)
    _untie(chain)
    words = next((str(link) for link in reversed(chain) if str(link)), "") or type(error).__name__
    if "TimeoutException" in names or isinstance(error, TimeoutError):
        phase = next((phase for name, phase in _TIMEOUTS.items() if name in names), "read")
        if bounds.total_is_over():
            return InferneoTimeoutError(f"total_timeout passed ({url})", phase="total", retryable=False)
        limit = float(getattr(bounds, phase, 0.0))
        what: dict[str, str] = {
            "connect": "no connection",
            "read": "no reply",
            "write": "the request could not be sent",
            "pool": "no free connection in the pool",
        }
        if in_stream:
            return InferneoTimeoutError(f"no data event in time ({url})", phase="idle", retryable=True)
        return InferneoTimeoutError(f"{what[phase]} within {limit:g} s ({url})", phase=phase, retryable=True)
    if "RemoteProtocolError" in names:
        text = str(error)
        if "disconnected" in text or "peer closed" in text or "closed connection" in text:
            return InferneoConnectionError(f"the server closed the connection: {text} ({url})", retryable=True)
        return InferneoProtocolError(f"the reply is not valid HTTP: {text} ({url})", retryable=True)
    if "DecodingError" in names or "CodingError" in names:
        return InferneoProtocolError(f"the body cannot be decoded: {words} ({url})")
    if names & {"LocalProtocolError", "UnsupportedProtocol", "InvalidURL", "TooManyRedirects"}:
        return InferneoError(f"the request cannot be sent: {words} ({url})")
    if any(type(link).__name__ in ("SSLCertVerificationError", "CertificateError") for link in chain):
        return InferneoConnectionError(f"the server's certificate is not trusted: {words} ({url})", retryable=False)
    if "ConnectError" in names or "ProxyError" in names:
        return InferneoConnectionError(f"cannot connect to {url}: {words}", retryable=True)
    if names & {"NetworkError", "TransportError", "OSError", "BrokenResourceError", "ClosedResourceError"}:
        return InferneoConnectionError(f"the connection broke: {words} ({url})", retryable=True)
    return InferneoConnectionError(f"{type(error).__name__}: {words} ({url})", retryable=False)


@cache
def _shared_context(trust_env: bool) -> Any:
    return library().create_ssl_context(trust_env=trust_env)


def tls_context(verify: Any) -> Any:
    """The TLS context: one for all clients that verify as usual; made when the first `https://` pool is."""
    if verify is True:
        return _shared_context(True)
    return library().create_ssl_context(verify=verify)


LOOPBACK = ("localhost", "127.", "::1", "[::1]")


def proxy_for(config: Config, environ: Mapping[str, str] = os.environ) -> str | None:
    """The proxy that the environment names for this server; never one for the loopback."""
    if not any(name.lower().endswith("_proxy") and value for name, value in environ.items()):
        return None
    if config.host == "localhost" or config.host == "::1" or config.host.startswith("127."):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    found = proxies.get(config.scheme) or proxies.get("all")
    if not found or proxy_bypass(f"{config.host}:{config.port}"):
        return None
    return found if "://" in found else f"http://{found}"


def make_pool(config: Config, limits: Limits, verify: Any, backend: Any, asynchronous: bool) -> Any:
    """A pool of the engine for this server."""
    from inferneo._net import KEEP_ALIVE

    core = engine()
    settings: dict[str, Any] = {
        "ssl_context": tls_context(verify) if config.scheme == "https" else None,
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
        "network_backend": backend,
    }
    proxy = proxy_for(config)
    if proxy is None:
        kind = core.AsyncConnectionPool if asynchronous else core.ConnectionPool
        return kind(socket_options=KEEP_ALIVE, **settings)
    parsed = library().Proxy(proxy)
    url = core.URL(
        scheme=parsed.url.raw_scheme, host=parsed.url.raw_host, port=parsed.url.port, target=parsed.url.raw_path
    )
    if parsed.url.scheme.startswith("socks5"):
        kind = core.AsyncSOCKSProxy if asynchronous else core.SOCKSProxy
        return kind(proxy_url=url, proxy_auth=parsed.raw_auth, **settings)
    kind = core.AsyncHTTPProxy if asynchronous else core.HTTPProxy
    return kind(proxy_url=url, proxy_auth=parsed.raw_auth, socket_options=KEEP_ALIVE, **settings)


def check_limits(limits: Any) -> Limits:
    """Our `Limits`, from them, from the library's, or from a number of connections."""
    if limits is None:
        return Limits()
    if isinstance(limits, int) and not isinstance(limits, bool) and limits > 0:
        return Limits(max_connections=limits, max_keepalive_connections=limits)
    try:
        return Limits(limits.max_connections, limits.max_keepalive_connections, limits.keepalive_expiry)
    except AttributeError:
        raise InferneoError(f"limits must be inferneo.Limits or a number of connections, got {limits!r}") from None


def check_client(client: Any, asynchronous: bool) -> Any:
    """The user's `http_client`, when it is one that we can drive."""
    wanted = library().AsyncClient if asynchronous else library().Client
    if isinstance(client, wanted):
        return client
    name = f"{family()}.{wanted.__name__}"
    origin = type(client).__module__.split(".")[0]
    if origin in ("httpx", "httpx2") and origin != family():
        why = "it is installed here" if family() == "httpx2" else "httpx2 is not installed here"
        raise InferneoError(f"http_client is of {origin}, but this client uses {family()} because {why}; pass a {name}")
    raise InferneoError(f"http_client must be a {name}, got {origin}.{type(client).__name__}")


def make_client(transport: Any, asynchronous: bool) -> Any:
    """A client of the library over the user's `transport`."""
    lib = library()
    wanted = lib.AsyncBaseTransport if asynchronous else lib.BaseTransport
    if not isinstance(transport, wanted):
        raise InferneoError(f"transport must be a {family()}.{wanted.__name__}, got {type(transport).__name__}")
    kind = lib.AsyncClient if asynchronous else lib.Client
    return kind(transport=transport, trust_env=False)


def now() -> float:
    """Monotonic seconds."""
    return time.monotonic()
