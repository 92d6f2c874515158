"""Paced streams: N at once, each event's arrival noted, judged against the schedule once all is over.

Run as a process of its own (`python -m benchmarks.scheduled`); prints one JSON line. While it runs it only receives and
notes the time, so its own lateness stays small; it is in the figures of all servers alike. Only events that carry
content are on the schedule: roles, finish reasons and `[DONE]` come with them.

Of each stream: a gap's error is how far it is off, the lateness of an event how far it is behind the stream's best one,
the drift how far the 100th event is behind the first. Times are seconds of `time.monotonic`.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.closed import request_bytes
from benchmarks.machine import allow_files, cpu_seconds, resident_kib
from benchmarks.payload import GAP, request_body
from benchmarks.sse import END, BadResponseError, arrivals
from benchmarks.stats import median, percentile

HUNDREDTH = 99
decode = msgspec.json.Decoder().decode

Log = list[tuple[float, bytes]]


def connect(port: int, streams: int) -> list[socket.socket]:
    """So many open connections."""
    sockets = []
    for number in range(streams):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sockets.append(sock)
        if number % 200 == 199:
            time.sleep(0.02)
    return sockets


def receive(
    sockets: Sequence[socket.socket], request: bytes, ramp: float, timeout: float, pid: int
) -> tuple[list[Log], int]:
    """Start the streams over `ramp` seconds, receive until all are whole; gives the logs and the peak memory (KiB)."""
    now = time.monotonic
    poll = select.epoll()
    logs: list[Log] = [[] for _ in sockets]
    places = {sock.fileno(): number for number, sock in enumerate(sockets)}
    for fd in places:
        poll.register(fd, select.EPOLLIN)
    open_streams, begun = len(sockets), 0
    start = last = now()
    peak = 0
    while open_streams and (moment := now()) < start + timeout:
        while begun < len(sockets) and moment >= start + begun * ramp / len(sockets):
            sockets[begun].sendall(request)
            begun += 1
        if moment - last > 0.4:
            peak, last = max(peak, resident_kib(pid)), moment
        for fd, _ in poll.poll(0.0005 if begun < len(sockets) else 0.05, 4096):
            place = places[fd]
            log = logs[place]
            data = sockets[place].recv(65536)
            log.append((now(), data))
            if data.endswith(END) or not data or (len(data) < 5 and _ended(log)):
                poll.unregister(fd)
                open_streams -= 1
    return logs, peak


def _ended(log: Log) -> bool:
    return b"".join([data for _, data in log[-5:]]).endswith(END)


def carries(data: bytes) -> bool:
    """Whether an event says something: those are on the schedule."""
    if data == b"[DONE]":
        return False
    return any((choice.get("delta") or {}).get("content") for choice in decode(data).get("choices", ()))


def judge(streams: Sequence[Sequence[float]], gap: float) -> dict[str, float | None]:
    """The figures of whole streams, given as the arrival of each event that is on the schedule. Seconds."""
    gaps, late, drift, means = [], [], [], []
    for times in streams:
        best = min(moment - number * gap for number, moment in enumerate(times))
        late += [moment - number * gap - best for number, moment in enumerate(times)]
        gaps += [abs(later - earlier - gap) for earlier, later in itertools.pairwise(times)]
        at = min(HUNDREDTH, len(times) - 1)
        drift.append(times[at] - times[0] - at * gap)
        if len(times) > 1:
            means.append((times[-1] - times[0]) / (len(times) - 1))
    if not means:
        return dict.fromkeys(("gap_p50", "gap_p99", "late_p99", "drift", "drift_p99", "mean_gap"))
    return {
        "gap_p50": percentile(gaps, 50),
        "gap_p99": percentile(gaps, 99),
        "late_p99": percentile(late, 99),
        "drift": median(drift),
        "drift_p99": percentile(drift, 99),
        "mean_gap": median(means),
    }


def run(port: int, path: str, body: bytes, streams: int, gap: float, pid: int, *, keep: bool = False) -> dict[str, Any]:
    """One measurement. `keep`: the arrivals themselves too, in the order in which the streams were begun."""
    allow_files()
    before = resident_kib(pid)
    sockets = connect(port, streams)
    time.sleep(0.2)
    gc.collect()
    gc.disable()
    cpu, own, start = cpu_seconds(pid), time.process_time(), time.monotonic()
    logs, peak = receive(sockets, request_bytes(port, path, body), 1.0, 60.0, pid)
    used, own, elapsed = cpu_seconds(pid) - cpu, time.process_time() - own, time.monotonic() - start
    for sock in sockets:
        sock.close()
    times: list[list[float]] = []
    events = 0
    errors: dict[str, int] = {}
    for log in logs:
        try:
            all_events = arrivals(log)
        except BadResponseError as error:
            errors[str(error)[:200]] = errors.get(str(error)[:200], 0) + 1
            continue
        events += len(all_events)
        times.append([when for when, data in all_events if carries(data)])
    return {
        "streams": streams,
        "finished": len(times),
        "events": events,
        "seconds": elapsed,
        "cpu": used,
        "cpu_per_event": used / events if events else None,
        "own_cpu": own / elapsed,
        "kib_per_stream": (peak - before) / streams,
        "errors": errors,
        **judge(times, gap),
        **({"arrivals": times} if keep else {}),
    }


def main() -> None:
    """One run, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--gap", type=float, default=GAP)
    parser.add_argument("--body", default="")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    body = given.body.encode() or request_body(stream=True)
    print(json.dumps(run(given.port, given.path, body, given.streams, given.gap, given.pid, keep=given.keep)))


if __name__ == "__main__":
    main()
