"""Run a stranger: a server from PyPI, in a virtual environment of its own, on a free loopback port.

Law: after the one ready line the server answers; after SIGTERM, SIGINT or the death of this process no child is left.
Nothing but the installer leaves the machine: a started server finds every proxy variable pointing at a closed port.
Standard library only, so that any Python 3.11+ can run it and the project's own environment stays untouched.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from _install import Packages, TargetError, cache_directory, install, tail

HOST = "127.0.0.1"
CLOSED = "http://127.0.0.1:9"
"""Where a request that should never be made goes: the discard port, on which nothing listens."""

READY_SECONDS = 240.0
"""litellm imports for 10 s on two idle cores, a minute when its files were never read before or the cores are busy."""

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where one start happens: the environment's interpreter, a directory for its files, its port and its model."""

    python: Path
    directory: Path
    port: int
    model: str


@dataclass(frozen=True, slots=True)
class Target:
    """A server: its packages, how to start it in a place, and the path that answers 200 when it is ready."""

    name: str
    model: str
    packages: Packages
    command: Callable[[Place], list[str]]
    environment: dict[str, str]
    ready_path: str


def arguments(target: Target) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Install and start {target.name} on {HOST} until SIGTERM.")
    parser.add_argument("--cache", type=Path, help="where environments are kept (default: $XDG_CACHE_HOME, ~/.cache)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--model", default=target.model, help=f"the model's name (default: {target.model})")
    parser.add_argument("--log", type=Path, help="the server's output (default: a file in the cache, said on failure)")
    parser.add_argument("--install-only", action="store_true", help="install, print the environment's path and stop")
    parser.add_argument(
        "--run",
        nargs=argparse.REMAINDER,
        metavar="WORD",
        help="instead of waiting for a signal: run this command (%%u: the URL, %%m: the model) and stop with its code",
    )
    return parser.parse_args()


def free_port() -> int:
    """A port nobody listens on now. Another process may take it before the server does: the server then says so."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def offline(extra: dict[str, str]) -> dict[str, str]:
    """The server's environment: ours without keys and Python settings, with every way out shut, and `extra`."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    shut = {name: CLOSED for word in ("http", "https", "all") for name in (f"{word}_proxy", f"{word}_proxy".upper())}
    direct = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
    return kept | shut | direct | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"} | extra


def _die_with_parent() -> None:
    """In the child: SIGTERM when this script dies in a way it cannot handle (Linux's PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_ready(url: str, process: subprocess.Popen[bytes], seconds: float = READY_SECONDS) -> None:
    """Return once `url` answers 200.

    Raises:
        TargetError: the process ended, or `seconds` passed; the caller adds the log.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TargetError(f"ended with exit code {process.returncode} before it answered {url}")
        try:
            with opener.open(url, timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise TargetError(f"did not answer {url} with 200 within {seconds:g} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group: SIGTERM, then SIGKILL for what is left after `STOP_SECONDS`."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


class _Stopped(BaseException):
    """SIGTERM or SIGINT arrived: unwinds to the `finally` that stops the server."""


def _raise_stopped(_number: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the clean-up that the first began.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def _start(target: Target, place: Place, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            target.command(place),
            cwd=place.directory,
            env=offline(target.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this script has one thread
        )


def _attend(process: subprocess.Popen[bytes], options: argparse.Namespace, url: str) -> int:
    """Stay while the server runs: until the command of `--run` has ended, or a signal unwinds this frame."""
    if options.run:
        words = {"%u": url, "%m": options.model}
        return subprocess.run([words.get(word, word) for word in options.run], check=False).returncode
    raise TargetError(f"ended by itself with exit code {process.wait()}")


def serve(target: Target, options: argparse.Namespace, cache: Path, python: Path) -> int:
    """Start, say so, stay, stop. The directory of the start is kept, with the log, only when something went wrong."""
    port = options.port or free_port()
    directory = Path(tempfile.mkdtemp(prefix=f"{target.name}-run-", dir=cache))
    log = (options.log or directory / "server.log").resolve()
    url = f"http://{HOST}:{port}"
    process = _start(target, Place(python, directory, port, options.model), log)
    try:
        wait_ready(f"{url}{target.ready_path}", process)
        print(f"{target.name} listening on {url} (model {options.model})", flush=True)
        code = _attend(process, options, url)
    except TargetError as error:
        stop(process)
        raise TargetError(
            f"{target.name}: {error}; {log} ends with\n{tail(log.read_text('utf-8', 'replace'))}"
        ) from None
    except _Stopped:
        code = 0
    finally:
        stop(process)
    shutil.rmtree(directory)
    return code


def main(target: Target) -> int:
    """Exit code: 0 after a signal, that of the command after `--run`, 1 when the server was not installed or died."""
    options = arguments(target)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _raise_stopped)
    try:
        cache = cache_directory(options.cache)
        python = install(target.name, target.packages, cache)
        if options.install_only:
            print(python.parent.parent)
            return 0
        return serve(target, options, cache, python)
    except _Stopped:
        return 0
    except TargetError as error:
        print(error, file=sys.stderr)
        return 1
