"""The machine: which core is whose, what a process has used, and what is installed. Linux only, and it says so.

CPU time is that of all threads of a process, in seconds, from the scheduler's own count in nanoseconds
(`/proc/PID/task/*/schedstat`), or where that is switched off from `/proc/PID/stat` in ticks of 10 ms.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class RefusedError(Exception):
    """This machine cannot make the figures; the message says why."""


def require_linux() -> None:
    """Raise `RefusedError` where CPU time and memory of another process cannot be read."""
    if not (PROC / "self" / "stat").exists():
        raise RefusedError(
            f"the figures are CPU time and memory of other processes, read from /proc, which {platform.system()} "
            "does not have; run the benchmarks on Linux"
        )


def cpu_seconds(pid: int) -> float:
    """The CPU time a process has used so far, in seconds."""
    total = 0
    for task in (PROC / str(pid) / "task").iterdir():
        with suppress(OSError, IndexError):
            total += int((task / "schedstat").read_text().split()[0])
    if total:
        return total / 1e9
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid: int) -> int:
    """The resident memory of a process, in KiB."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RefusedError(f"/proc/{pid}/status has no VmRSS")


def cores() -> tuple[set[int] | None, set[int] | None]:
    """The core of the server and that of the load; None where there is nothing to choose from."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    mine = sorted(os.sched_getaffinity(0))
    return ({mine[-1]}, {mine[0]}) if len(mine) > 1 else (None, None)


@contextmanager
def pinned(core: set[int] | None) -> Iterator[None]:
    """What is started inside runs on `core`: children inherit it, we ourselves go back."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_files(wanted: int = 10_000) -> None:
    """As many open sockets as the hard limit gives, for us and our children. Raises `RefusedError` if too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RefusedError(f"2,000 streams need {wanted} open files, this machine gives {hard}; raise `ulimit -Hn`")


def describe() -> dict[str, str]:
    """What the figures were made on and with: names and versions."""
    facts = {"machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"}
    server, load = cores()
    facts["cores"] = f"server on {_one(server)}, load on {_one(load)}" if server and load else "nothing is pinned"
    facts["load average"] = " ".join(f"{load:.2f}" for load in os.getloadavg())
    if priority := os.getpriority(os.PRIO_PROCESS, 0):
        facts["priority"] = f"nice {priority}"
    facts["Python"] = platform.python_version()
    for name in ("uvicorn", "httptools", "uvloop", "starlette", "msgspec", "httpx", "pytest", "hypothesis"):
        with suppress(metadata.PackageNotFoundError):
            facts[name] = metadata.version(name)
    if wrk := wrk_version():
        facts["wrk"] = wrk
    return facts


def wrk_version() -> str:
    """The version of wrk; empty where it is not installed."""
    if shutil.which("wrk") is None:
        return ""
    output = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    words = (output.stdout + output.stderr).split()
    return words[1] if len(words) > 1 and words[0] == "wrk" else "unknown version"


def _processor() -> str:
    with suppress(OSError):
        for line in (PROC / "cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine() or sys.platform


def _one(core: set[int] | None) -> str:
    return "any" if core is None else ", ".join(map(str, sorted(core)))
