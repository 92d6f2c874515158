"""A wrong client is our own with one defect: in what it is told, in what it says, or in what it sends and reads.

`task` edits what the client is asked to do, `outcome` what its user sees, `request` and `response` what goes over the
wire (below the client, in a transport of its library), `settings` are arguments of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from contracts.adapters.attributes import call
from contracts.adapters.base import Outcome, Task, run
from contracts.adapters.inferneo import InferneoSubject, classify
from inferneo._http import library

from .mutant import consequences

Wire: TypeAlias = Callable[[Any, Any], Any]
"""`(the library's handle_request, request) -> response`."""


@dataclass(frozen=True, slots=True)
class WrongClient:
    """`defect` in a sentence; `red` must turn red. `twin`: it is known as the sync form of our client. `asynchronous`:
    it is made of the other form, whose wire is not bent."""

    name: str
    defect: str
    red: frozenset[str]
    task: Callable[[Task], Task] | None = None
    outcome: Callable[[Task, Outcome, list[Outcome]], Outcome] | None = None
    wire: Wire | None = None
    again: Callable[[Task, Outcome], bool] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    twin: bool = False
    tries: float = 1.0
    asynchronous: bool = False

    @property
    def consequences(self) -> frozenset[str]:
        """The further laws that its defect may turn red."""
        return frozenset(consequences().get(f"client {self.name}", ()))


def transport(wire: Wire) -> Any:
    """A transport of the client's library with `wire` before it."""

    class Transport(library().BaseTransport):  # type: ignore[misc]  # a class of whichever library is installed
        """The library's own, and what stands before it."""

        def __init__(self) -> None:
            self.inner = library().HTTPTransport()

        def handle_request(self, request: Any) -> Any:
            """The response of the wrong wire."""
            return wire(self.inner.handle_request, request)

        def close(self) -> None:
            """Closes what is open."""
            self.inner.close()

    return Transport()


class WrongSubject:
    """The subject of a wrong client."""

    def __init__(self, wrong: WrongClient) -> None:
        self.wrong = wrong
        self.abilities = InferneoSubject(wrong.asynchronous).abilities
        self.name = "inferneo" if wrong.twin else f"wrong-{wrong.name}"

    def do(self, task: Task) -> list[Outcome]:
        """The task, done wrong."""
        from inferneo import InferneoClient

        wrong = self.wrong
        told = wrong.task(task) if wrong.task else task
        if wrong.asynchronous:
            return self._edited(told, InferneoSubject(True).do(told))
        settings = {**InferneoSubject(False)._settings(told), **wrong.settings}
        if wrong.wire:
            settings["transport"] = transport(wrong.wire)
        outcomes: list[Outcome] = []
        with InferneoClient(**settings) as client:
            for _ in range(told.times):
                one = run(lambda c: call(client, told, c), classify)
                if wrong.again and wrong.again(told, one):
                    more = run(lambda c: call(client, told, c), classify)
                    one = Outcome((*one.pieces, *more.pieces), more.finish, more.values, more.problem, one.seconds)
                outcomes.append(wrong.outcome(told, one, outcomes) if wrong.outcome else one)
        return outcomes

    def _edited(self, told: Task, done: list[Outcome]) -> list[Outcome]:
        """What its user sees."""
        found: list[Outcome] = []
        for one in done:
            found.append(self.wrong.outcome(told, one, found) if self.wrong.outcome else one)
        return found


class Pieces:
    """A body in pieces, each edited on its way; `close` reaches the connection. It is made a stream of the library."""

    @staticmethod
    def of(response: Any, edit: Callable[[Iterator[bytes]], Iterator[bytes]]) -> Any:
        """The response with its body edited."""

        class Stream(library().SyncByteStream):  # type: ignore[misc]  # a class of whichever library is installed
            """The edited body."""

            def __iter__(self) -> Iterator[bytes]:
                yield from edit(iter(response.stream))

            def close(self) -> None:
                response.stream.close()

        return library().Response(
            response.status_code, headers=response.headers, stream=Stream(), extensions=response.extensions
        )
