"""What can be wrong with what a user wrote. Each error names the place, the value seen, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass


class MockError(Exception):
    """Anything that the fake server refuses; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something was read: line and column count from 1."""

    line: int
    column: int
    file: str = ""

    def __str__(self) -> str:
        """`file:line:column`, as editors read it."""
        return f"{self.file}:{self.line}:{self.column}" if self.file else f"line {self.line}, column {self.column}"


class ScriptError(MockError, ValueError):
    """A script, or a part of one, means nothing.

    `path` is the JSON path of the part (`$.rules[0].faults[1][0].kind`), `place` where that part stands in the file it
    was read from, if it was read from one.
    """

    def __init__(self, message: str, path: str = "$", place: Place | None = None) -> None:
        """`message` says what is wrong, the value seen, and what would be right, without the path."""
        self.message = message
        self.path = path
        self.place = place
        said = message if path == "$" else f"{path}: {message}"  # of the whole there is no part to name
        super().__init__(f"{place}: {said}" if place else said)

    def at(self, place: Place | None) -> ScriptError:
        """The same error with the place in the file it came from."""
        return ScriptError(self.message, self.path, place)

    def to_json(self) -> dict[str, str]:
        """The body of the door's 400."""
        where = {"at": str(self.place)} if self.place else {}
        return {"message": self.message, "path": self.path, **where}


class PlanError(MockError):
    """A plan cannot be played here (half-close under TLS, wire bytes without a wire); said before a byte is sent."""


class CallError(MockError, TypeError):
    """What a test says of a call of its code under test means nothing: a mistake of the test's, never the client's."""
