"""One call of the code under test, watched from both sides: here what its user saw, in the journal what the wire had.

Law: watching changes nothing; a stream is handed on piece by piece as it comes, and an error goes its way.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mockserver.errors import CallError
from mockserver.record.case import Limits, Passed, real
from mockserver.record.journal import Exchange
from mockserver.record.saw import Saw, piece_text
from mockserver.record.verdict import Verdict, judge

if TYPE_CHECKING:
    from mockserver.serving.session import Session

T = TypeVar("T")

GRACE = 1.0
"""Seconds that a finished call may take to close its connections."""


class CallWatch:
    """One call of the code under test: what its user saw is noted here, what the wire carried is in the journal."""

    def __init__(
        self, session: Session, name: str, limits: Limits, volatile: Sequence[str], judged: bool = False
    ) -> None:
        """`judged`: nobody needs to ask for the verdict. Raises `CallError`."""
        _words(name, volatile)
        self.name = name
        self.judged = judged
        self.void = False
        self._session = session
        self._limits = limits
        self._volatile = volatile
        self._after = 0
        self._exchanges: tuple[Exchange, ...] = ()
        self._passed: Passed = real
        self.over = False
        self._told = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._pieces: list[str] = []
        self._times: list[float] = []
        self._mute = 0
        self._watched = False
        self._left = False
        self._unfinished = ""
        self._unreachable = False
        self._known: tuple[tuple[object, ...], Saw, Verdict] | None = None

    # what the user saw

    def returned(self, value: Any = None) -> None:
        """The user got this value as the answer."""
        self._told, self._value, self._error, self._left, self._unfinished = True, value, None, False, ""

    def raised(self, error: BaseException) -> None:
        """The user got this error."""
        self._told, self._error, self._left, self._unfinished = True, error, False, ""

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """Call the code under test: its value is noted and given, its error is noted (then None is given).

        A generator is given watched: what it yields is noted as it is iterated, and its error goes its way. Raises
        `CallError` for what is no function, or has to be awaited.
        """
        __tracebackhide__ = True
        _callable("run", function)
        try:
            value: Any = function(*args, **kwargs)
        except Exception as error:  # whatever the user of the client would see
            self.raised(error)
            return None
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise CallError(f"{_named(function)} has to be awaited: use await call.arun({_named(function)}, ...)")
        self._take(value)
        return self._handed(value)  # type: ignore[no-any-return]  # the same kind of value

    async def arun(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`run`, for code that is awaited, or gives an asynchronous generator."""
        __tracebackhide__ = True
        _callable("arun", function)
        try:
            value = function(*args, **kwargs)
            waits = inspect.isawaitable(value)
            if waits:
                value = await value
        except Exception as error:  # as above
            self.raised(error)
            return None
        if not (waits or inspect.isasyncgen(value)):
            raise CallError(f"{_named(function)} cannot be awaited: use call.run({_named(function)}, ...)")
        self._take(value)
        return self._handed(value)

    def _take(self, value: Any) -> None:
        """Note a value as the answer; a stream is none before it has been iterated."""
        self.returned(value)
        if hasattr(type(value), "__next__") or hasattr(type(value), "__anext__"):
            self._told, self._value, self._unfinished = False, None, f"of type {type(value).__name__}"

    def _handed(self, value: Any) -> Any:
        """A generator is watched; other streams keep their methods, and `call.watch` is for them."""
        if inspect.isgenerator(value):
            return self.watch(value)
        return self.awatch(value) if inspect.isasyncgen(value) else value

    def watch(self, stream: Any, text: Callable[[Any], str | None] | None = None) -> Iterator[Any]:
        """Hand on the pieces of a stream and note what the user saw of it; its end is an answer, its error an error."""
        try:
            for piece in stream:
                self._note(piece, text)
                yield piece
        except Exception as error:
            self.raised(error)
            raise
        self._ended()

    async def awatch(self, stream: Any, text: Callable[[Any], str | None] | None = None) -> AsyncIterator[Any]:
        """`watch`, for a stream that is iterated asynchronously."""
        try:
            async for piece in stream:
                self._note(piece, text)
                yield piece
        except Exception as error:
            self.raised(error)
            raise
        self._ended()

    def _ended(self) -> None:
        self.returned(self._value)
        self._watched = not self._mute

    def _note(self, piece: Any, text: Callable[[Any], str | None] | None) -> None:
        said = text(piece) if text is not None else piece_text(piece)
        if said:
            self._pieces.append(said)
            self._times.append(time.monotonic())
        elif said is None:
            self._mute += 1

    # the block

    def __enter__(self) -> Self:
        journal = self._session.journal
        self._after = journal[-1].number if journal else 0
        self._unreachable = self._kept_away()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(error)
        self._collect()
        deadline = time.monotonic() + GRACE
        while any(one.ended == "open" for one in self._exchanges) and time.monotonic() < deadline:
            time.sleep(0.005)
            self._collect()
        self.over = True

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(error)
        self._collect()
        deadline = time.monotonic() + GRACE
        while any(one.ended == "open" for one in self._exchanges) and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
            self._collect()
        self.over = True

    def _leave(self, error: BaseException | None) -> None:
        """Note an error that leaves the block, but for what is the test's own: an assertion, a skip, a mistake."""
        if error is None:
            return
        if isinstance(error, CallError) or any(kind.__module__.startswith("_pytest") for kind in type(error).__mro__):
            self.void = True
        elif not (isinstance(error, AssertionError) and self._told):
            self.raised(error)
            self._left = True

    def _collect(self) -> None:
        self._exchanges = tuple(one for one in self._session.journal if one.number > self._after)
        self._passed = self._session.clock.passed
        self._unreachable = self._unreachable or self._kept_away()

    def _kept_away(self) -> bool:
        """Whether the session has a fault that keeps connections away."""
        brain = self._session.brain
        rules = [fault for rule in brain.script.rules for faults in rule.faults for fault in faults]
        return any(fault.group == "connection" for fault in (*brain.script.faults, *brain.state.faults, *rules))

    @property
    def attempts(self) -> int:
        """How many requests the call made."""
        return len(self._exchanges)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges of the call, the oldest first."""
        return self._exchanges

    @property
    def saw(self) -> Saw:
        """What the user saw."""
        return Saw(
            self._told,
            self._value,
            self._error,
            tuple(self._pieces),
            tuple(self._times),
            watched=self._watched,
            left=self._left,
            unfinished=self._unfinished,
        )

    def verdict(self) -> Verdict:
        """Was the client right? `assert call.verdict()`. Raises `RuntimeError` inside the block."""
        __tracebackhide__ = True
        if not self.over:
            raise RuntimeError(
                f"the verdict on call {self.name!r} was asked for inside its block; ask behind the `with` block, "
                "when the call is over"
            )
        self.judged = True
        return self.peek()

    def peek(self) -> Verdict:
        """The verdict, for a report: the test has not asked for it."""
        saw, marks = self.saw, tuple((one.ended, one.sent_bytes, one.seconds) for one in self._exchanges)
        state = (marks, id(saw.value), id(saw.error), len(saw.pieces), saw.told, saw.watched, saw.left, saw.unfinished)
        if self.over and self._known is not None and self._known[0] == state:
            return self._known[2]  # nothing has come since: looking through an answer may take its time
        found = judge(self.name, self._exchanges, saw, self._limits, self._volatile, self._passed, self._unreachable)
        self._known = state, saw, found  # an id is good as long as its object lives
        return found


def _callable(name: str, function: object) -> None:
    """A mistake of the test's own, told to the test: noted, it would be an error of the code under test.

    Raises `CallError`.
    """
    __tracebackhide__ = True
    if not callable(function):
        shown = repr(function)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
        raise CallError(f"call.{name} takes a function and its arguments, as call.{name}(ask, prompt); got {shown}")


def _words(name: object, volatile: object) -> None:
    """Raises `CallError` for a name that is no text, and for volatile fields that are no texts."""
    if not isinstance(name, str):
        raise CallError(f"call({name!r}): the name of a call is a text, as call('summary')")
    listed = isinstance(volatile, list | tuple | set | frozenset) and all(isinstance(one, str) for one in volatile)
    if not listed:
        raise CallError(f"call(volatile={volatile!r}): volatile is a list of names of fields, as volatile=['metadata']")


def _named(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)
