"""A server of raw sockets and threads that plays wire cases; it shares no code with the mock or the client."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any, Self

Steps = list[dict[str, Any]]


@dataclass
class Seen:
    """A request as it came."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Player:
    """Plays `attempts[n]` for the n-th request (the last repeats). A context manager; `url` is where it listens."""

    attempts: list[Steps]
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(connection)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            reader = connection.makefile("rb")
            with reader:
                while (seen := self._request(reader, number)) is not None:
                    with self._lock:
                        steps = self.attempts[min(len(self.seen), len(self.attempts) - 1)]
                        self.seen.append(seen)
                    if not self._play(connection, steps):
                        return
        except OSError:
            return  # the client went away, which many cases are about
        finally:
            self._open.discard(connection)
            connection.close()

    @staticmethod
    def _request(reader: Any, number: int) -> Seen | None:
        line = reader.readline()
        if not line.strip():
            return None
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while text := reader.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        return Seen(number, method, path, headers, reader.read(int(headers.get("content-length", 0))))

    def _play(self, connection: socket.socket, steps: Steps) -> bool:
        """Whether the connection stays open for the next request."""
        for step in steps:
            if "raw" in step:
                data = step["raw"].encode("latin-1")
                size = step.get("segment") or len(data) or 1
                for at in range(0, len(data), size):
                    connection.sendall(data[at : at + size])
                    if step.get("gap_s") and self._stop.wait(step["gap_s"]):
                        return False
            elif "wait_s" in step:
                if self._stop.wait(step["wait_s"]):
                    return False
            elif step["end"] == "keep":
                return True
            elif step["end"] == "rst":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            elif step["end"] == "stall":
                self._stop.wait(step.get("for_s", 10))
                return False
            else:
                return False
        return False
