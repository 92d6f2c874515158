"""One call of the code under test, watched from both sides: here what its user saw, in the journal what the wire had.

Law: watching changes nothing; a stream is handed on piece by piece as it comes, and an error goes its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mockserver.record.journal import Exchange
from mockserver.record.verdict import Limits, Passed, Saw, Verdict, judge, real

if TYPE_CHECKING:
    from mockserver.serving.session import Session

T = TypeVar("T")

GRACE = 1.0
"""Seconds that a finished call may take to close its connections."""


class CallWatch:
    """One call of the code under test: what its user saw is noted here, what the wire carried is in the journal."""

    def __init__(self, session: Session, name: str, limits: Limits, volatile: Sequence[str]) -> None:
        self.name = name
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

    # what the user saw

    def returned(self, value: Any = None) -> None:
        """The user got this value as the answer."""
        self._told, self._value, self._error = True, value, None

    def raised(self, error: BaseException) -> None:
        """The user got this error."""
        self._told, self._error = True, error

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """Call the code under test: its value is noted and given, its error is noted (then None is given)."""
        __tracebackhide__ = True
        _callable("run", function)
        try:
            value = function(*args, **kwargs)
        except Exception as error:  # whatever the user of the client would see
            self.raised(error)
            return None
        self.returned(value)
        return value

    async def arun(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`run`, for code that is awaited."""
        __tracebackhide__ = True
        _callable("arun", function)
        try:
            value = await function(*args, **kwargs)
        except Exception as error:  # as above
            self.raised(error)
            return None
        self.returned(value)
        return value

    def watch(self, stream: Any, text: Callable[[Any], str | None] | None = None) -> Iterator[Any]:
        """Hand on the pieces of a stream and note what the user saw of it; its end is an answer, its error an error."""
        try:
            for piece in stream:
                self._note(piece, text)
                yield piece
        except Exception as error:
            self.raised(error)
            raise
        self.returned(self._value)

    async def awatch(self, stream: Any, text: Callable[[Any], str | None] | None = None) -> AsyncIterator[Any]:
        """`watch`, for a stream that is iterated asynchronously."""
        try:
            async for piece in stream:
                self._note(piece, text)
                yield piece
        except Exception as error:
            self.raised(error)
            raise
        self.returned(self._value)

    def _note(self, piece: Any, text: Callable[[Any], str | None] | None) -> None:
        said = text(piece) if text is not None else piece_text(piece)
        if said:
            self._pieces.append(said)

    # the block

    def __enter__(self) -> Self:
        journal = self._session.journal
        self._after = journal[-1].number if journal else 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.raised(error)
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
        if error is not None:
            self.raised(error)
        self._collect()
        deadline = time.monotonic() + GRACE
        while any(one.ended == "open" for one in self._exchanges) and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
            self._collect()
        self.over = True

    def _collect(self) -> None:
        self._exchanges = tuple(one for one in self._session.journal if one.number > self._after)
        self._passed = self._session.clock.passed

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
        return Saw(self._told, self._value, self._error, tuple(self._pieces))

    def verdict(self) -> Verdict:
        """Was the client right? `assert call.verdict()`. Raises `RuntimeError` inside the block."""
        __tracebackhide__ = True
        if not self.over:
            raise RuntimeError(
                f"the verdict on call {self.name!r} was asked for inside its block; ask behind the `with` block, "
                "when the call is over"
            )
        return judge(self.name, self._exchanges, self.saw, self._limits, self._volatile, self._passed)


def _callable(name: str, function: object) -> None:
    """A mistake of the test's own, told to the test: noted, it would be an error of the code under test.

    Raises `TypeError`.
    """
    __tracebackhide__ = True
    if not callable(function):
        shown = repr(function)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
        raise TypeError(f"call.{name} takes a function and its arguments, as call.{name}(ask, prompt); got {shown}")


def piece_text(piece: Any) -> str | None:
    """The text of one piece of a stream: a text, or what the first choice of a chunk says (`.text` if it has one)."""
    if isinstance(piece, str):
        return piece
    text = getattr(piece, "text", None)
    if isinstance(text, str):
        return text
    try:
        choice = piece["choices"][0] if isinstance(piece, dict) else piece.choices[0]
        delta = (
            (choice.get("delta") or choice) if isinstance(choice, dict) else (getattr(choice, "delta", None) or choice)
        )
        for name in ("content", "text"):
            found = delta.get(name) if isinstance(delta, dict) else getattr(delta, name, None)
            if isinstance(found, str):
                return found
    except (AttributeError, IndexError, KeyError, TypeError):
        pass
    return None
