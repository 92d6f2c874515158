"""The fake server as a process of its own, armed only through its HTTP door."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from contracts.exchange import Call, dump
from contracts.wire import Connection, NoAnswer, encode, parse_url

READY = re.compile(r"listening on (http://\S+)")
START = [sys.executable, "-c", "from mockserver.cli import main; raise SystemExit(main())", "serve", "--port", "0"]


class MockFailed(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The fake server did not start, or refused to be armed."""


class Door:
    """The control door of a fake server that runs at `url`; every scenario gets a session of its own."""

    _numbers = itertools.count(1)

    def __init__(self, url: str) -> None:
        self.place = parse_url(url)
        self.url = self.place.url

    def _ask(self, method: str, path: str, document: Any = None) -> Any:
        body = b"" if document is None else dump(document)
        call = Call(method, path, body, (("Content-Type", "application/json"),) if body else ())
        with Connection(self.place, 20.0) as connection:
            connection.send(encode(call, self.place, None), call)
            exchange = connection.response(call)
        if exchange.status >= 300:
            raise MockFailed(f"{method} {path} was answered {exchange.status}: {exchange.response.body[:500]!r}")
        return exchange.document

    def check(self) -> None:
        """Raises `MockFailed` unless a fake server answers there."""
        try:
            self.arm({"rules": []}).close()
        except NoAnswer as error:
            raise MockFailed(f"no fake server answers at {self.url}: {error}") from error
        except MockFailed as error:
            raise MockFailed(f"what answers at {self.url} is no fake server (inferneo-mock serve): {error}") from error

    def arm(self, script: Mapping[str, Any]) -> Session:
        """A fresh session with that script. Raises `MockFailed` with the fake's own words."""
        # Several processes may judge by one fake.
        session = Session(self, f"law{os.getpid()}-{next(self._numbers)}")
        self._ask("PUT", f"/@{session.name}/_mock/script", script)
        return session


class Session:
    """One session of the fake: its URL and what it saw."""

    def __init__(self, door: Door, name: str) -> None:
        self.door = door
        self.name = name
        self.url = f"{door.url}/@{name}"

    def journal(self) -> list[dict[str, Any]]:
        """The exchanges so far, oldest first."""
        found = self.door._ask("GET", f"/@{self.name}/_mock/journal")
        return [exchange for exchange in found["exchanges"] if isinstance(exchange, dict)]

    def wait_for(self, count: int, within: float = 2.0) -> list[dict[str, Any]]:
        """The journal once it has that many exchanges, or after so many seconds."""
        found = self.door._ask("GET", f"/@{self.name}/_mock/journal?wait_for={count}&within={within}")
        return [exchange for exchange in found["exchanges"] if isinstance(exchange, dict)]

    def close(self) -> None:
        """Drops the session."""
        self.door._ask("DELETE", f"/@{self.name}/_mock")


class MockProcess:
    """The fake server as a child process on a free port; ready when this returns. `settings` are further words of its
    command line. Raises `MockFailed`."""

    def __init__(self, profile: str = "docs", seed: int = 0, *settings: str) -> None:
        command = [*START, "--profile", profile, "--seed", str(seed), *settings]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        found = READY.search(self.process.stdout.readline())
        if found is None:
            _, errors = self.process.communicate(timeout=10)
            last = errors.strip().splitlines()[-1:] or ["no output"]
            raise MockFailed(f"the embedded fake server did not start: {last[0]}")
        self.url = found[1]
        pipes = (self.process.stdout, self.process.stderr)
        self._drains = [threading.Thread(target=_drain, args=(pipe,), daemon=True) for pipe in pipes]
        for drain in self._drains:
            drain.start()

    def close(self) -> None:
        """Ends the process."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for drain in self._drains:
            drain.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> MockProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _drain(pipe: Any) -> None:
    """Reads a pipe to its end, so that the child never blocks on it."""
    for _ in pipe:
        pass


def script(*rules: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """A script of these rules; not strict, so that what no rule matches is answered like a model."""
    return json.loads(json.dumps({"strict": False, **settings, "rules": list(rules)}))  # type: ignore[no-any-return]
