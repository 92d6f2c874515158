"""A client in another process or language, over JSON lines.

The child reads one task a line from its standard input and writes one line for each: `{"outcomes": [...]}` with one
outcome per repetition (`task.times`). Its first line, before any task, is `{"name": ..., "abilities": [...]}`. The
fields of tasks and outcomes are those of `contracts.adapters.base`. It ends when its input ends.
`python -m contracts.adapters.serve NAME` is a child in Python, for trying the protocol.
"""

from __future__ import annotations

import json
import shlex
import subprocess

from contracts.adapters.base import Outcome, Task, outcome_from_json


class ProcessSubject:
    """A child process that does the tasks. Raises `OSError` when it cannot be started, `ValueError` when its first
    line is not the one of the protocol."""

    def __init__(self, command: str) -> None:
        self.process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        line = self._line()
        try:
            hello = json.loads(line)
            self.name = str(hello["name"])
            self.abilities = frozenset(hello.get("abilities", ()))
        except (ValueError, KeyError, TypeError):
            self.close()
            raise ValueError(
                f'{command!r} began with {line[:100]!r}; expected a line like {{"name": ..., "abilities": [...]}}'
            ) from None

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def do(self, task: Task) -> list[Outcome]:
        """The task in the child."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(task.to_json()) + "\n")
        self.process.stdin.flush()
        line = self._line()
        if not line:
            raise OSError(f"{self.name} ended in the middle of a task")
        return [outcome_from_json(one) for one in json.loads(line)["outcomes"]]

    def close(self) -> None:
        """Ends the child."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
