"""A client in another process or language, over JSON lines.

The child reads one task a line from its standard input and writes one line for each: `{"outcomes": [...]}` with one
outcome per repetition (`task.times`). Its first line, before any task, is `{"name": ..., "abilities": [...]}`. The
fields of tasks and outcomes are those of `contracts.adapters.base`. It ends when its input ends.
`python -m contracts.adapters.serve NAME` is a child in Python, for trying the protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import threading
from queue import Empty, SimpleQueue
from typing import Any

from contracts.adapters.base import Outcome, Task, outcome_from_json
from contracts.files import FOLDER

PATIENCE = 60.0
"""Seconds that a child may take for its first line, and beyond a task's own time for the line of a task."""


class ProcessSubject:
    """A child process that does the tasks. Raises `OSError` when it cannot be started, or ends or falls silent in the
    middle of a task, `ValueError` when a line of it is not one of the protocol."""

    def __init__(self, command: str, patience: float = PATIENCE) -> None:
        self.command = command
        self.name = command
        self.patience = patience
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            shlex.split(self.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=os.environ.get(FOLDER),
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(self.process.stdout, self._lines), daemon=True)
        self._reader.start()
        line = self._line(self.patience)
        try:
            hello = json.loads(line)
            self.name = str(hello["name"])
            self.abilities = frozenset(hello.get("abilities", ()))
        except (ValueError, KeyError, TypeError):
            self.close()
            raise ValueError(
                f'{self.command!r} began with {line[:100]!r}; expected a line like {{"name": ..., "abilities": [...]}}'
            ) from None

    def _line(self, within: float) -> str:
        """The next line; "" when there is none. Raises `OSError` when it does not come in time."""
        try:
            return self._lines.get(timeout=within)
        except Empty:
            self.process.kill()
            self.close()
            raise OSError(f"{self.name} wrote nothing for {within:g} s, so it was ended") from None

    def do(self, task: Task) -> list[Outcome]:
        """The task in the child; one that ended in an earlier task, or was ended, is started again."""
        if self.process.poll() is not None:
            self.close()
            self._start()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(task.to_json()) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise OSError(f"{self.name} ended before it was given a task") from None
        own = (task.timeout * (task.max_retries + 1) * 3 + task.pause) * task.times
        line = self._line(self.patience + own)
        if not line:
            raise OSError(f"{self.name} ended in the middle of a task")
        try:
            return _outcomes(self.name, line, task.times)
        except ValueError:
            # What it still writes of this task would be read as the outcome of the next.
            self.process.kill()
            self.close()
            raise

    def close(self) -> None:
        """Ends the child."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _read(pipe: Any, lines: SimpleQueue[str]) -> None:
    """Every line of the pipe, then an empty one."""
    for line in pipe:
        lines.put(line)
    lines.put("")


def _outcomes(name: str, line: str, times: int) -> list[Outcome]:
    try:
        told: Any = json.loads(line)["outcomes"]
        found = [outcome_from_json(one) for one in told]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{name} wrote {line[:100]!r}; expected a line like {{"outcomes": [...]}} ({error!r})'
        ) from None
    if len(found) != times:
        raise ValueError(f"{name} told {len(found)} outcomes of a task that it was to do {times} times")
    return found
