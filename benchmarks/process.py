"""A server under measurement: a process of its own on the server's core, started, asked, and ended by us alone."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.machine import RefusedError, cores, cpu_seconds, pinned, resident_kib

ROOT = Path(__file__).resolve().parent.parent


def environment() -> dict[str, str]:
    """What a process under measurement is given: the checkout, and compiled modules, as an installed package has them.

    They lie in a cache of our own, so nothing is written into the checkout.
    """
    given = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(cache() / "compiled")}
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    return given


def cache() -> Path:
    """Where what is made or installed for measuring is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "inferneo-benchmarks"


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Process:
    """One server. `{port}` in `command` is filled in; `health` is a path that is answered with 200 once it is up.

    `started` is how long that took, in seconds.
    """

    def __init__(self, name: str, command: list[str], health: str = "/health", timeout: float = 30.0) -> None:
        self.name = name
        self.port = free_port()
        self.command = [part.format(port=self.port) for part in command]
        self._health = health
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self.started = 0.0

    @property
    def pid(self) -> int:
        """The process of the server."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        begin = time.monotonic()
        with pinned(cores()[0]):
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - begin > self._timeout:
                self.__exit__(None, None, None)
                said = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
                last = (said.strip().splitlines() or ["it said nothing"])[-1]
                raise RefusedError(f"{self.name} did not answer; {' '.join(self.command[1:])}: {last}")
            time.sleep(0.002)
        self.started = time.monotonic() - begin
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as sock:
                sock.sendall(f"GET {self._health} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                return sock.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def cpu(self) -> float:
        """CPU seconds used so far."""
        return cpu_seconds(self.pid)

    @property
    def resident(self) -> int:
        """Resident memory in KiB."""
        return resident_kib(self.pid)

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """One request, JSON in and out. Raises `RefusedError` for anything but a 2xx."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = document if document is None or isinstance(document, bytes) else json.dumps(document).encode()
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            raise RefusedError(f"{self.name} answered {method} {path} with {response.status}: {said[:300].decode()!r}")
        return json.loads(said) if said.startswith((b"{", b"[")) else said


def reference(module: str, name: str) -> Process:
    """One of `benchmarks/references`."""
    health = "/health"
    return Process(name, [sys.executable, "-m", f"benchmarks.references.{module}", "{port}"], health)


def bare() -> Process:
    """The reference of most rows."""
    return reference("bare", "bare ASGI")


def raw() -> Process:
    """The reference of schedules."""
    return reference("raw", "raw protocol")


def starlette_app() -> Process:
    """The reference of start and idle memory."""
    return reference("starlette_app", "Starlette app")


def mock() -> Process:
    """The fake server, as its users start it."""
    script = shutil.which(
        "inferneo-mock", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if script is None:
        raise RefusedError("inferneo-mock is not installed beside this Python; pip install -e '.[all]'")
    return Process("inferneo-mock", [script, "serve", "--port", "{port}"])
