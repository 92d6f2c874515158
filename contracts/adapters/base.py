"""What a client is asked to do and what came of it, as values with a JSON form."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["status", "timeout", "connection", "protocol", "stream_error", "truncated", "other", "leak"]
What: TypeAlias = Literal["chat", "text", "models", "model", "info"]


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a client: `what`, its arguments, and how the client is set up.

    `arguments` go to the method beyond the model and the text (None values too); `take` ends a stream after so many
    pieces by leaving it; `times` repeats the call on the same client, `pause` apart; `cancel_after` cancels the first
    call of an asynchronous client. Times are seconds.
    """

    url: str
    what: What = "chat"
    stream: bool = False
    model: str = "m"
    text: str = "Say hello"
    arguments: dict[str, Any] = field(default_factory=dict)
    timeout: float = 2.0
    max_retries: int = 0
    api_key: str | None = "sk-task-0001"
    headers: dict[str, str] = field(default_factory=dict)
    take: int | None = None
    times: int = 1
    pause: float = 0.0
    cancel_after: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def task_from_json(document: dict[str, Any]) -> Task:
    """The inverse of `Task.to_json`; unknown keys are ignored, so that the protocol can grow."""
    known = {one.name for one in fields(Task)}
    return Task(**{key: value for key, value in document.items() if key in known})


@dataclass(frozen=True, slots=True)
class Problem:
    """An exception as the laws see it. `leak` is one that is not of the client's own family; `shown` is everything
    that printing it would show."""

    kind: Kind
    name: str
    message: str = ""
    status: int | None = None
    code: str | None = None
    retry_after: float | None = None
    partial: str | None = None
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call gave. `pieces` are the non-empty texts of a stream in order (one for a whole answer), `values`
    what else was read from the response by name; `problem` is None when the call ended normally."""

    pieces: tuple[str, ...] = ()
    finish: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    seconds: float = 0.0
    logged: str = ""

    @property
    def text(self) -> str:
        """All pieces joined."""
        return "".join(self.pieces)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def outcome_from_json(document: dict[str, Any]) -> Outcome:
    """The inverse of `Outcome.to_json`."""
    problem = document.get("problem")
    known = {one.name for one in fields(Problem)}
    return Outcome(
        pieces=tuple(document.get("pieces", ())),
        finish=document.get("finish"),
        values=document.get("values") or {},
        problem=Problem(**{k: v for k, v in problem.items() if k in known}) if problem else None,
        seconds=float(document.get("seconds", 0.0)),
        logged=str(document.get("logged", "")),
    )


class Subject(Protocol):
    """A client under judgement. `abilities`: models, info, retries, family (its errors have one base class) ..."""

    name: str
    abilities: frozenset[str]

    def do(self, task: Task) -> list[Outcome]:
        """Does the task `task.times` times on one client. Never raises for what the client does."""
        ...


Classify: TypeAlias = Callable[[BaseException], Problem]


def shown(error: BaseException) -> str:
    """Everything that printing or logging an exception would show."""
    return f"{error!r} {error} {getattr(error, 'args', '')!r}"


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Collects what all loggers say at DEBUG."""
    sink = io.StringIO()
    handler = logging.StreamHandler(sink)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield sink
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class Collector:
    """Gathers an outcome piece by piece, so that what came before an error is kept."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.finish: str | None = None
        self.values: dict[str, Any] = {}
        self.started = time.monotonic()

    def choice(self, text: Any, finish: Any) -> None:
        """One choice of a chunk or an answer."""
        if isinstance(text, str) and text:
            self.pieces.append(text)
        if finish:
            self.finish = str(finish)

    def outcome(self, problem: Problem | None = None, logged: str = "") -> Outcome:
        """What was gathered."""
        seconds = time.monotonic() - self.started
        return Outcome(tuple(self.pieces), self.finish, self.values, problem, seconds, logged)


def run(call: Callable[[Collector], None], classify: Classify) -> Outcome:
    """One call of a synchronous client, as an outcome."""
    with listening() as sink:
        collector = Collector()
        try:
            call(collector)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            return collector.outcome(classify(error), sink.getvalue())
        return collector.outcome(None, sink.getvalue())


LINGER = 0.5
"""Seconds within which a task that a call leaves behind may still end."""


async def run_async(
    call: Callable[[Collector], Any], classify: Classify, within: float, cancel_after: float | None = None
) -> Outcome:
    """One call of an asynchronous client, as an outcome; one that takes longer than `within` is a hang.

    The tasks that it leaves running for longer than `LINGER` are told as `values["tasks_left"]`; a cancelled one is a
    problem `CancelledError`.
    """
    before = asyncio.all_tasks()
    with listening() as sink:
        collector = Collector()
        problem = None
        running = asyncio.ensure_future(call(collector))
        if cancel_after is not None:
            asyncio.get_running_loop().call_later(cancel_after, running.cancel)
        try:
            await asyncio.wait_for(running, within)
        except (KeyboardInterrupt, SystemExit):
            raise
        except asyncio.CancelledError as error:
            if cancel_after is None:
                raise
            problem = Problem("other", "CancelledError", shown=shown(error))
        except BaseException as error:
            problem = classify(error)
        left = [task for task in asyncio.all_tasks() - before if not task.done()]
        if left:
            _, stay = await asyncio.wait(left, timeout=LINGER)
            collector.values["tasks_left"] = [task.get_name() for task in stay]
        return collector.outcome(problem, sink.getvalue())


async def repeat_async(
    task: Task, call: Callable[[Collector], Any], classify: Classify, within: float
) -> list[Outcome]:
    """The task's repetitions of an asynchronous call."""
    found = []
    for number in range(task.times):
        if number and task.pause:
            await asyncio.sleep(task.pause)
        found.append(await run_async(call, classify, within, None if number else task.cancel_after))
    return found


def repeat(task: Task, call: Callable[[Collector], None], classify: Classify) -> list[Outcome]:
    """The task's repetitions of a synchronous call."""
    found = []
    for number in range(task.times):
        if number and task.pause:
            time.sleep(task.pause)
        found.append(run(call, classify))
    return found
