"""Closed-loop load: so many connections, each with one request under way, for so many seconds.

Run as a process of its own (`python -m benchmarks.closed`), so that the loader has a core for itself; prints one JSON
line. The next request of a connection is sent when its response is whole.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time

from benchmarks.machine import cpu_seconds
from benchmarks.payload import request_body
from benchmarks.sse import Meter
from benchmarks.stats import percentile


def request_bytes(port: int, path: str, body: bytes) -> bytes:
    """One request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer sk-test\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(
    port: int, path: str, body: bytes, connections: int, seconds: float, pid: int, count: int = 0
) -> dict[str, object]:
    """Load the server for `seconds`, or until `count` responses if that is given. `pid`: whose CPU time is counted."""
    request = request_bytes(port, path, body)
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    meters: dict[int, Meter] = {}
    sent: dict[int, float] = {}
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[sock.fileno()] = sock
        meters[sock.fileno()] = Meter()
        poll.register(sock.fileno(), select.EPOLLIN)
    now = time.monotonic
    times: list[float] = []
    cpu = cpu_seconds(pid)
    own = time.process_time()
    start = now()
    for fd, sock in sockets.items():
        sent[fd] = now()
        sock.sendall(request)
    end = start + seconds
    while count > len(times) if count else now() < end:
        for fd, _ in poll.poll(0.1):
            data = sockets[fd].recv(1 << 18)
            if not data:
                raise ConnectionError(f"the server closed a connection after {meters[fd].responses} responses on it")
            if meters[fd].feed(data):
                moment = now()
                times.append(moment - sent[fd])
                sent[fd] = moment
                sockets[fd].sendall(request)
    elapsed = now() - start
    used = cpu_seconds(pid) - cpu
    refused = {str(status): number for meter in meters.values() for status, number in meter.refused.items()}
    for sock in sockets.values():
        sock.close()
    return {
        "responses": len(times),
        "events": sum(meter.events for meter in meters.values()),
        "seconds": elapsed,
        "cpu": used,
        "own_cpu": (time.process_time() - own) / elapsed,
        "p99": percentile(times, 99) if times else None,
        "refused": refused,
    }


def main() -> None:
    """One run, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--body", default="")
    given = parser.parse_args()
    body = given.body.encode() or request_body()
    print(json.dumps(run(given.port, given.path, body, given.connections, given.seconds, given.pid, given.count)))


if __name__ == "__main__":
    main()
