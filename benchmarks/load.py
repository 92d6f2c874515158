"""Putting load on a server from the other core: wrk where it is installed, else ours; ours for streams."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import RefusedError, cores, pinned
from benchmarks.payload import request_body
from benchmarks.process import ROOT, Process

CONNECTIONS = 64
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Plain:
    """One turn of plain requests: CPU seconds of the server per request, requests per second, p99 in seconds."""

    cpu: float
    rate: float
    p99: float | None


@dataclass(frozen=True, slots=True)
class Streams:
    """One turn of unpaced streams: events per CPU second of the server, events per stream."""

    events_per_cpu: float
    events_per_stream: float


def generator(module: str, server: Process, path: str, body: bytes, *more: str, timeout: float = 300) -> dict[str, Any]:
    """Run one of our generators on the core of the load and read its line."""
    command = [sys.executable, "-m", f"benchmarks.{module}", "--port", str(server.port), "--path", path]
    command += ["--pid", str(server.pid), "--body", body.decode(), *more]
    with pinned(cores()[1]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RefusedError(f"the load on {server.name} at {path} broke: {last}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def plain(server: Process, path: str, seconds: float, body: bytes | None = None) -> Plain:
    """Plain requests on 64 connections."""
    body = request_body() if body is None else body
    if shutil.which("wrk"):
        return _wrk(server, path, seconds, body)
    more = ("--connections", str(CONNECTIONS), "--seconds", str(seconds))
    figures = generator("closed", server, path, body, *more)
    _no_refusals(server, path, figures["refused"])
    count = figures["responses"]
    return Plain(figures["cpu"] / count, count / figures["seconds"], figures["p99"])


def streams(server: Process, path: str, body: bytes, seconds: float, connections: int = 16) -> Streams:
    """Streams as fast as they go."""
    more = ("--connections", str(connections), "--seconds", str(seconds))
    figures = generator("closed", server, path, body, *more)
    _no_refusals(server, path, figures["refused"])
    if not figures["responses"]:
        raise RefusedError(f"{server.name} finished no stream at {path} in {seconds} s")
    return Streams(figures["events"] / figures["cpu"], figures["events"] / figures["responses"])


def paced(server: Process, path: str, body: bytes, count: int, *, keep: bool = False) -> dict[str, Any]:
    """`count` streams on their schedule."""
    more = ["--streams", str(count), *(["--keep"] if keep else [])]
    figures = generator("scheduled", server, path, body, *more)
    if figures["finished"] == 0:
        raise RefusedError(f"{server.name} finished no stream at {path}: {figures['errors']}")
    return figures


def requests(server: Process, path: str, count: int) -> None:
    """So many plain requests, however long it takes."""
    figures = generator("closed", server, path, request_body(), "--count", str(count), timeout=1800)
    _no_refusals(server, path, figures["refused"])


def _no_refusals(server: Process, path: str, refused: Any) -> None:
    if refused:
        raise RefusedError(f"{server.name} did not answer {path} with 200: {refused} (status: times)")


SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-test"
wrk.body = [==[{body}]==]
"""


def _wrk(server: Process, path: str, seconds: float, body: bytes) -> Plain:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        Path(file.name).write_text(SCRIPT.format(body=body.decode()), encoding="utf-8")
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--latency", "-s", file.name]
        before = server.cpu
        with pinned(cores()[1]):
            url = f"http://127.0.0.1:{server.port}{path}"
            done = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds + 60, check=False)
        used = server.cpu - before
    if done.returncode:
        raise RefusedError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    count, rate, p99 = read_wrk(done.stdout)
    return Plain(used / count, rate, p99)


def read_wrk(output: str) -> tuple[int, float, float | None]:
    """Requests, requests per second and p99 in seconds from what wrk says. Raises `RefusedError` on failed requests."""
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)", output)
    if failed:
        raise RefusedError(f"wrk saw failures: {failed[0]}")
    count = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec: +([0-9.]+)", output)
    if not count or not rate or not int(count[1]):
        raise RefusedError(f"wrk said nothing that can be used: {output[-300:]!r}")
    late = re.search(r"99% +([0-9.]+)(us|ms|s)", output)
    return int(count[1]), float(rate[1]), float(late[1]) * UNITS[late[2]] if late else None
