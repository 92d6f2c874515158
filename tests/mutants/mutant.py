"""A mutant is the fake server with one defect: a function that stands between its decisions and the wire.

A mutant names the laws that must turn red (`red`). What else its defect breaks is written down, after it was read, in
`consequences.toml`; any other red law is a false alarm of the judge.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import structs

from mockserver.plan import Plan
from mockserver.request import NotJSON, Request
from mockserver.scripting.decide import Decision
from mockserver.serving.brain import ScriptBrain, Settings
from mockserver.serving.server import MockServer

from .relay import Relay

HERE = Path(__file__).resolve().parent
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


@dataclass(frozen=True, slots=True)
class Turn:
    """One request on its way: `answer` is what the right server says to any request, `memory` is kept from turn to
    turn, `journal` is what was answered before, `open` the number of responses that are still being sent."""

    request: Request
    answer: Callable[[Request], Plan]
    memory: dict[str, Any]
    open: int
    journal: Any

    @property
    def plan(self) -> Plan:
        """What the right server says."""
        return self.answer(self.request)

    @property
    def body(self) -> dict[str, Any]:
        """The body as an object; empty where it is none."""
        try:
            found = self.request.json()
        except NotJSON:
            return {}
        return dict(found) if isinstance(found, dict) else {}

    @property
    def chat(self) -> bool:
        """Whether the chat endpoint is asked."""
        return self.request.path == CHAT

    @property
    def generates(self) -> bool:
        """Whether text is asked for."""
        return self.request.method == "POST" and self.request.path in (CHAT, TEXT)

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for."""
        return self.generates and self.body.get("stream") is True

    @property
    def prompt(self) -> Any:
        """What is asked: the last message's content, or the prompt."""
        if not self.chat:
            return self.body.get("prompt")
        messages = self.body.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        return last.get("content") if isinstance(last, dict) else None

    def asked(self, **changes: Any) -> Turn:
        """The same turn with other values in the body; `...` removes a key."""
        document = {name: value for name, value in {**self.body, **changes}.items() if value is not ...}
        data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return dataclasses.replace(self, request=dataclasses.replace(self.request, body=data))


Change: TypeAlias = Callable[[Turn], Plan]


def right(turn: Turn) -> Plan:
    """No change."""
    return turn.plan


@dataclass(frozen=True, slots=True)
class OnSockets:
    """A change of what is said over HTTP, and one of what is said on sockets: a change alone is of HTTP."""

    http: Change
    sockets: Change

    def __call__(self, turn: Turn) -> Plan:
        """The plan of the one that is asked."""
        return (self.sockets if turn.request.http_version == "websocket" else self.http)(turn)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`defect` in a sentence; `change` makes the wrong plan; `red` must turn red. `relay` bends bytes below HTTP.

    `key`: the key that the judge is given. `judged`: beginnings of the ids of the laws that are asked, for a defect
    that takes time (empty: all). `tries` scales the number of examples of the laws that it names.
    """

    name: str
    defect: str
    change: Change
    red: frozenset[str]
    key: str = ""
    judged: tuple[str, ...] = ()
    tries: float = 1.0
    relay: type[Relay] | None = None

    @property
    def consequences(self) -> frozenset[str]:
        """The further laws that its defect may turn red."""
        return frozenset(consequences().get(self.name, ()))


def mutant(name: str, defect: str, change: Change | None, *red: str, **more: Any) -> Mutant:
    """A mutant; `red` are the ids of laws. Without a change what is wrong is below HTTP, in `relay`."""
    return Mutant(name, defect, change or right, frozenset(red), **more)


@cache
def consequences() -> dict[str, list[str]]:
    """What else the defects break, by mutant."""
    found: dict[str, list[str]] = tomllib.loads((HERE / "consequences.toml").read_text(encoding="utf-8"))
    return found


class _Brain(ScriptBrain):
    """A brain whose decisions go through a change."""

    def __init__(self, settings: Settings, change: Change, server: MockServer) -> None:
        super().__init__(settings)
        self._change = change
        self._server = server
        self._memory: dict[str, Any] = {}

    def decide(self, request: Request) -> Decision:
        """The decision with the plan of the mutant."""
        if request.http_version == "websocket" and not isinstance(self._change, OnSockets):
            return super().decide(request)
        decisions: list[Decision] = []

        def answer(asked: Request) -> Plan:
            decisions.append(super(_Brain, self).decide(asked))
            return decisions[-1].plan

        journal = self._server.core("").journal
        plan = self._change(Turn(request, answer, self._memory, journal.open, journal))
        return structs.replace(decisions[-1] if decisions else Decision(plan), plan=plan)


class WrongServer(MockServer):
    """The fake server with a change between its decisions and the wire."""

    def __init__(self, change: Change, seed: int = 0) -> None:
        self._change = change
        super().__init__(seed=seed)

    def _brain(self, settings: Settings, name: str) -> ScriptBrain:
        return _Brain(settings, self._change, self)
