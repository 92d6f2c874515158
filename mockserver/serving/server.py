"""The fake server as an object: started in a thread of its own, or in the running event loop.

Laws: the port is bound before anything else starts, so two servers never race for one and `url` is right from the first
moment; when the start returns, the server answers; when `close` returns (within 0.1 s, whatever hangs), no socket, task
or thread is left. In `async with` there is no thread: the running loop serves.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from mockserver.connection import ConnectionPlan
from mockserver.model.status import Health
from mockserver.scripting.script import Script
from mockserver.serving.app import MAX_BODY, App
from mockserver.serving.brain import ScriptBrain, Settings
from mockserver.serving.doorkeeper import doorkeeper
from mockserver.serving.listener import Listener, bound
from mockserver.serving.selfcheck import self_check
from mockserver.serving.service import settings
from mockserver.serving.session import Session
from mockserver.serving.sessions import MAX_SESSIONS, SessionCore, Sessions
from mockserver.serving.tls import identity
from mockserver.serving.watch import Watcher
from mockserver.serving.wire import protocol_class
from mockserver.suggest import unknown

T = TypeVar("T")

LOOPS = ("auto", "asyncio", "uvloop")
PARSERS = ("auto", "h11", "httptools")


class MockServer:
    """A fake Inferneo server on `host`.

    `profile` names the dialect (`fixtures/profiles`), `script` is a path, a JSON document or a `Script`, `seed` is
    where all that is random begins, `port` 0 takes a free one. `http` and `loop` choose parser and event loop; `auto`
    takes the fast ones where they are installed. `loop` means nothing under `async with`: the running loop serves.

    `tls`: True makes a certificate for this one server, of an authority that clients find in `ca_file`; a context is
    taken as it is.

    `api_keys` (`KEY`, `KEY@2026-12-31T23:59:59Z`) are asked for; `limits` hold per key (`{"requests_per_minute": 60}`,
    or `"documented"`: those of the profile); `latency` is a preset or settings (`inferneo-mock docs latency`), `speed`
    divides its times, `max_concurrent` is its slots; `health` is what `/health` says; `models` are those that are
    served.

    Raises `ScriptError` for a bad script, `ValueError` for another bad setting, `OSError` when the port is taken.
    """

    def __init__(
        self,
        profile: str = "docs",
        script: Any = None,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        http: Literal["auto", "h11", "httptools"] = "auto",
        loop: Literal["auto", "asyncio", "uvloop"] = "auto",
        *,
        strict: bool | None = None,
        tls: ssl.SSLContext | bool | None = None,
        max_body: int = MAX_BODY,
        max_sessions: int = MAX_SESSIONS,
        admin_token: str | None = None,
        api_keys: Sequence[str] = (),
        limits: Any = None,
        latency: Any = None,
        speed: float | None = None,
        max_concurrent: int | None = None,
        health: Health = "ok",
        models: Sequence[str] = (),
        cors_origins: Sequence[str] = (),
    ) -> None:
        if loop not in LOOPS:
            raise ValueError(unknown("event loop", loop, LOOPS))
        if http not in PARSERS:
            raise ValueError(unknown("HTTP parser", http, PARSERS))
        for name, value, top in (
            ("port", port, 65535),
            ("max_sessions", max_sessions, None),
            ("max_body", max_body, None),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (top is not None and value > top):
                raise ValueError(f"{name}: expected a whole number from 0{f' to {top}' if top else ''}, got {value!r}")
        self.host = host
        self.settings = settings(
            Settings(profile=profile, script=script, seed=seed, strict=strict).parsed(),
            api_keys=api_keys,
            limits=limits,
            latency=latency,
            speed=speed,
            max_concurrent=max_concurrent,
            health=health,
            models=models,
            cors_origins=cors_origins,
        )
        self._listeners: dict[str | None, Listener] = {}
        self.sessions = Sessions(lambda name: self._brain(self.settings, name), max_sessions)
        self.sessions.get("")
        self.sessions.doorkeeper = doorkeeper(host, admin_token)
        self.app = App(self.sessions, max_body=max_body)
        self.sessions.max_body = max_body
        self._wanted_port = self._port = port
        self._http = http
        self._loop_name = loop
        self._identity = identity(host, tls)
        self.sessions.tls = self._identity is not None
        self._ca_file: Path | None = None
        self._names = itertools.count(1)
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._closing: asyncio.Task[None] | None = None
        self._watching: tuple[Watcher, asyncio.Task[None]] | None = None

    # where it is

    @property
    def port(self) -> int:
        """The bound port."""
        if self._socket is None:
            raise RuntimeError("the server is not started; use it as `with MockServer() as server:`")
        return self._port

    @property
    def url(self) -> str:
        """The base URL of the default session, without a slash at its end."""
        return self._url(self.host, self.port)

    def _url(self, host: str, port: int) -> str:
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
        return f"{'https' if self._identity else 'http'}://{f'[{shown}]' if ':' in shown else shown}:{port}"

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the authority that a client has to trust, as PEM. Raises `RuntimeError` without one."""
        if self._identity is None or self._identity.ca_pem is None:
            raise RuntimeError("the server has no authority of its own; make one with MockServer(tls=True)")
        return self._identity.ca_pem

    @property
    def ca_file(self) -> Path:
        """`ca_pem` in a file, for `verify=` and `SSL_CERT_FILE`; it goes when the server closes."""
        if self._ca_file is None:
            pem = self.ca_pem
            with tempfile.NamedTemporaryFile(prefix="inferneo-mock-", suffix=".pem", delete=False) as file:
                file.write(pem)
            self._ca_file = Path(file.name)
        return self._ca_file

    @property
    def profile(self) -> str:
        """The name of the profile that the default session answers in."""
        name: str = self.run(lambda: self.session_brain("").profile.name)
        return name

    # sessions

    def session(self, name: str | None = None) -> Session:
        """The session `name`, made now if it is new; None: the default one, at `url` itself."""
        self.run(self.sessions.get, name or "")
        return Session(self, name or "")

    def new_session(
        self,
        name: str | None = None,
        *,
        script: Any = None,
        profile: str | None = None,
        seed: int | None = None,
        strict: bool | None = None,
        unsafe: bool | None = None,
        api_key: str | None = None,
    ) -> Session:
        """A session that was never used, with settings of its own; what is None is as the server has it.

        `api_key`: requests with this key, and no prefix, are the session's too. `unsafe`: rules may answer requests
        that a real server would refuse.
        """
        settings = self.settings.changed(script=script, profile=profile, seed=seed, strict=strict, unsafe=unsafe)
        name = name if name is not None else f"s{next(self._names)}"
        brain = self._brain(settings, name)
        self.run(self.sessions.reset, name, brain)
        if api_key is not None:
            self.run(self.sessions.use_keys, name, (api_key,))
        return Session(self, name)

    def core(self, name: str) -> SessionCore:
        """The session's inside. Only for the thread of the event loop."""
        return self.sessions.get(name)

    def _brain(self, settings: Settings, name: str) -> ScriptBrain:
        return ScriptBrain(
            settings, changed=lambda: self.settle(name), exchanges=lambda: self.sessions.get(name).journal
        )

    def session_brain(self, name: str) -> ScriptBrain:
        """Who decides in the session. Only for the thread of the event loop."""
        brain: ScriptBrain = self.sessions.get(name).brain  # type: ignore[assignment]  # made by default_brain
        return brain

    def listener(self, session: Session | str) -> str:
        """The base URL of a port of its own for one session, for clients that cannot carry a prefix. It blocks."""
        return self.wait(self.open_listener(session))

    async def open_listener(self, session: Session | str) -> str:
        """`listener`, inside the server's event loop."""
        name = session if isinstance(session, str) else session.name
        found = self._listeners.get(name)
        if found is None:
            found = self._listener(_bind(self.host, 0), name)
            await found.open()
            self._listeners[name] = found
            self.settle(name)
        return self._url(self.host, found.port)

    async def close_listener(self, session: Session | str) -> None:
        """Close the session's own port and its connections."""
        found = self._listeners.pop(session if isinstance(session, str) else session.name, None)
        if found is not None:
            await found.close()

    def forget(self, name: str) -> None:
        """Drop the session and close its own port. In async code the port closes soon after."""
        self.run(self.sessions.drop, name)
        if name in self._listeners and self._loop is not None:
            closing = self.close_listener(name)
            if self._thread is None or self._thread is threading.current_thread():
                self._closing = self._loop.create_task(closing)
            else:
                self.wait(closing)

    # running

    def arm(self, work: Callable[..., T], *args: Any) -> T:
        """`run`, and then wait until the ports are as the faults say."""
        if self._thread is None or self._thread is threading.current_thread():
            return self.run(work, *args)

        async def call() -> T:
            done = work(*args)
            await self.settled()
            return done

        return self.wait(call())

    def run(self, work: Callable[..., T], *args: Any) -> T:
        """`work(*args)` in the thread of the event loop; here and now where there is none."""
        loop = self._loop
        if loop is None or self._thread is None or self._thread is threading.current_thread():
            return work(*args)

        async def call() -> T:
            return work(*args)

        return asyncio.run_coroutine_threadsafe(call(), loop).result()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, done in the thread of the event loop."""
        if self._loop is None or self._thread is None or self._thread is threading.current_thread():
            work.close()
            raise RuntimeError("this blocks and would wait for itself here; await the `open_...` form instead")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def awaitable(self, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """`work`, done in the event loop that serves, to be awaited in the running one."""
        if self._loop is None or self._thread is None or self._loop is asyncio.get_running_loop():
            return work
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _open(self) -> None:
        await self_check(protocol_class(self._http))
        assert self._socket is not None
        listener = self._listener(self._socket, None)
        await listener.open()
        self._listeners[None] = listener
        self.sessions.settle, self.sessions.settled = self.settle, self.settled
        self.settle("")

    def _listener(self, sock: socket.socket, session: str | None) -> Listener:
        numbers = self._numbers if session is None else itertools.count(1)

        def policy(connection: int) -> ConnectionPlan:
            return self.session_brain(session or "").connection(connection, time.monotonic())

        tls = None if self._identity is None else self._identity.context
        return Listener(self.app, sock, http=self._http, session=session, numbers=numbers, policy=policy, tls=tls)

    def settle(self, name: str) -> None:
        """Let the session's port (the server's own: the default session's) listen as its faults say."""
        listener = self._listeners.get(name or None)
        if listener is not None:
            plan = self.session_brain(name).listening(time.monotonic())
            listener.listen(plan.listen, plan.reopen_after)

    async def settled(self) -> None:
        """Return when all ports are as the faults say."""
        for listener in list(self._listeners.values()):
            await listener.settled()

    def watch(self, path: str | Path, load: Callable[[], Script], tell: Callable[[str], object]) -> None:
        """Read the script file again whenever it changes; `tell` is given one line each time. Ends with the server."""
        watcher = Watcher(self, path, load, tell)

        async def begin() -> None:
            self._watching = watcher, asyncio.get_running_loop().create_task(watcher.run())

        self.wait(begin())

    async def _shut(self) -> None:
        if self._watching is not None:
            watcher, task = self._watching
            self._watching = None
            watcher.stop()
            await task
        listeners = list(self._listeners.values())
        self._listeners.clear()
        await asyncio.gather(*(listener.close() for listener in listeners))

    # in a thread

    def start(self) -> Self:
        """Bind, start the thread, return when requests are answered."""
        if self._socket is not None:
            raise RuntimeError("the server is started already")
        self._socket = _bind(self.host, self._wanted_port)
        self._port = self._socket.getsockname()[1]
        ready = threading.Event()
        failure: list[BaseException] = []

        async def serve() -> None:
            try:
                self._stop = asyncio.Event()
                self._loop = asyncio.get_running_loop()
                await self._open()
            except BaseException as error:
                failure.append(error)
                return
            finally:
                ready.set()
            await self._stop.wait()
            await self._shut()

        def thread() -> None:
            with asyncio.Runner(loop_factory=loop_factory(self._loop_name)) as runner:
                runner.run(serve())

        self._thread = threading.Thread(target=thread, name="mockserver", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._forget()
            raise failure[0]
        return self

    def close(self) -> None:
        """Stop: hanging responses are dropped, the thread has ended. More calls do nothing."""
        if self._thread is not None and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._forget()

    def _forget(self) -> None:
        if self._ca_file is not None:
            self._ca_file.unlink(missing_ok=True)
            self._ca_file = None
        if self._socket is not None:
            self._socket.close()
        self._socket = self._thread = self._loop = self._stop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # in the running loop

    async def __aenter__(self) -> Self:
        if self._socket is not None:
            raise RuntimeError("the server is started already")
        self._socket = _bind(self.host, self._wanted_port)
        self._port = self._socket.getsockname()[1]
        try:
            self._loop = asyncio.get_running_loop()
            await self._open()
        except BaseException:
            self._forget()
            raise
        return self

    async def aclose(self) -> None:
        """`close`, inside the event loop that serves."""
        await self._shut()
        self._forget()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop called `name`. `auto`: uvloop where it is installed."""
    if name in ("auto", "uvloop"):
        try:
            import uvloop
        except ImportError:
            if name == "uvloop":
                raise ValueError("the event loop 'uvloop' is not installed; pip install 'inferneo[mock]'") from None
        else:
            factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
            return factory
    return asyncio.new_event_loop


def _bind(host: str, port: int) -> socket.socket:
    return bound(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))
