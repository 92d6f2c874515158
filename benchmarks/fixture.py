"""`python -m benchmarks fixture`: what a test pays for a fake server of its own, in milliseconds of waiting.

Measured in this process, as a test does it: the server in its thread, asked from ours.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import RefusedError, cores, pinned
from benchmarks.process import environment
from benchmarks.rows import Result
from benchmarks.run import Options, alternate, attempt
from benchmarks.stats import median, spread

TEST = "def test_nothing():\n    assert True\n"


def measure(options: Options) -> list[Result]:
    """All rows of the fixture."""
    keys = ("session-up", "session-down", "listener-up", "listener-down")
    return attempt(keys, lambda: sessions(options)) + attempt(("plugin",), lambda: plugin(options))


def sessions(options: Options) -> list[Result]:
    """Sessions that were used once, with and without a port of their own."""
    try:
        from mockserver.serving.server import MockServer
    except ImportError as error:
        raise RefusedError(f"the fake server cannot be imported: {error}") from error
    times: dict[str, list[float]] = {"session-up": [], "session-down": [], "listener-up": [], "listener-down": []}
    rounds = 50 if options.quick else 300
    with MockServer() as server:
        for turn in range(rounds + 10):
            start = time.perf_counter()
            session = server.new_session()
            middle = time.perf_counter()
            used = server.new_session()
            server.listener(used)
            up = time.perf_counter()
            session.close()
            down = time.perf_counter()
            used.close()
            end = time.perf_counter()
            if turn >= 10:  # the first ones import and compile
                times["session-up"].append((middle - start) * 1e3)
                times["listener-up"].append((up - middle) * 1e3)
                times["session-down"].append((down - up) * 1e3)
                times["listener-down"].append((end - down) * 1e3)
    return [
        Result(key, median(values), note=f"{rounds} times, worst {max(values):.3g} ms") for key, values in times.items()
    ]


def plugin(options: Options) -> list[Result]:
    """pytest over one empty test, with no plugin but ours, and with none: CPU time, which waiting does not touch."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_nothing.py").write_text(TEST, encoding="utf-8")
        given = {**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

        def cpu(*more: str) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with pinned(cores()[0]):
                subprocess.run([*command, *more], cwd=directory, env=given, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3

        cpu("-p", "_inferneo_pytest")
        taken = alternate({"bare": cpu, "with": lambda: cpu("-p", "_inferneo_pytest")}, 7 if options.quick else 21)
    base, with_it = median(taken["bare"]), median(taken["with"])
    return [Result("plugin", with_it - base, f"{with_it:.0f} ms CPU", f"{base:.0f} ms CPU", spread(taken["with"]))]
