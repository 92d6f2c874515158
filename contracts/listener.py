"""A listener of the judge's own, for what happens to a connection before any HTTP: the fake shares its listener.

A behaviour is a word for each connection in its order; the last one repeats. What was read is kept.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Literal, TypeAlias

Behaviour: TypeAlias = Literal["reset", "close", "hold", "swallow", "answer", "answer-then-close"]
TEXT = "Hello there"
ABRUPT = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""SO_LINGER of zero seconds: closing sends RST."""
_ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
    }
).encode()


class Listener:
    """Listens on a free port of the loopback until it is closed. `connections` counts them, `requests` whole heads."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours = behaviours
        self.connections = 0
        self.requests = 0
        self.closed = threading.Event()
        self._held: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            behaviour = self.behaviours[min(self.connections, len(self.behaviours) - 1)]
            self.connections += 1
            peer.settimeout(10)
            threading.Thread(target=self._serve, args=(peer, behaviour), daemon=True).start()

    def _serve(self, peer: socket.socket, behaviour: Behaviour) -> None:
        with contextlib.suppress(OSError):
            match behaviour:
                case "reset":
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPT)
                case "hold":
                    self._held.append(peer)
                    return
                case "swallow":
                    self._read(peer)
                case "answer" | "answer-then-close":
                    while self._read(peer):
                        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                        peer.sendall(head % len(_ANSWER) + _ANSWER)
                        if behaviour == "answer-then-close":
                            break
                case _:
                    pass
        with contextlib.suppress(OSError):
            peer.close()
        if behaviour == "answer-then-close":
            self.closed.set()

    def _read(self, peer: socket.socket) -> bool:
        """One whole request; False when the peer left first."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := peer.recv(65536)):
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        fields = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
        length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
        while len(body) < length:
            if not (more := peer.recv(65536)):
                return False
            body += more
        self.requests += 1
        return True

    def close(self) -> None:
        """Nothing listens any more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for peer in self._held:
            peer.close()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
