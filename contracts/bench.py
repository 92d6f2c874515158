"""Where a client is judged: the fake is armed with a script, the client does a task, and both sides are compared."""

from __future__ import annotations

import base64
import json
import shlex
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.adapters.base import Outcome, Subject, Task
from contracts.mock import Door, script
from contracts.profile import PROFILES

ENOUGH = {"max_tokens": 4000}
PLAIN = Task(url="").to_json()
PATHS = {"chat": "/v1/chat/completions", "text": "/v1/completions", "models": "/v1/models", "info": "/v1/info"}


@dataclass(frozen=True)
class Scene:
    """A script, a task, what the client gave for each repetition, and what the fake saw of it."""

    script: dict[str, Any]
    task: Task
    outcomes: list[Outcome]
    journal: list[dict[str, Any]]
    driver: str = "python -m contracts.adapters.serve inferneo"
    """The command that does such a task, read as a line of JSON."""

    @property
    def outcome(self) -> Outcome:
        """The first outcome."""
        return self.outcomes[0]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests of the API that the fake saw, oldest first."""
        return [exchange["request"] for exchange in self.journal if exchange["request"]["path"].startswith("/v1")]

    @property
    def attempts(self) -> int:
        """How many they are."""
        return len(self.requests)

    def curl(self, base_url: str) -> str:
        """For the report: how to arm the fake, and how to have the client do the task."""
        arm = f"curl -sS -X PUT {base_url}/@x/_mock/script -d {shlex.quote(json.dumps(self.script))}"
        task = {name: value for name, value in self.task.to_json().items() if value != PLAIN.get(name)}
        told = json.dumps({**task, "url": f"{base_url}/@x"})
        return f"{arm} && echo {shlex.quote(told)} | {self.driver}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "script": self.script,
            "task": self.task.to_json(),
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
            "journal": self.journal[-4:],
        }


def body_of(request: Mapping[str, Any]) -> bytes:
    """The body bytes of a journal request."""
    if request.get("body_base64"):
        return base64.b64decode(request["body_base64"])
    return (request.get("body") or "").encode()


def header_of(request: Mapping[str, Any], name: str) -> str | None:
    """A header of a journal request."""
    return next((value for key, value in request["headers"] if key.lower() == name.lower()), None)


def bytes_of(exchange: Mapping[str, Any]) -> bytes:
    """The body bytes that the fake planned to send in a journal exchange, whatever the framing."""
    found = []
    for step in exchange["plan"]["steps"]:
        data = step.get("body", "")
        found.append(base64.b64decode(data["base64"]) if isinstance(data, dict) else data.encode())
    return b"".join(found)


class Bench:
    """One client, one fake. It has the face of a target, so that the judge treats both alike."""

    live = True
    died = ""

    def __init__(self, subject: Subject, door: Door) -> None:
        self.subject = subject
        self.door = door
        self.name = subject.name
        self.url = door.url
        self.profile = PROFILES["docs"]
        self.log: deque[Scene] = deque(maxlen=20)
        self.sent: list[Scene] = []

    def begin(self) -> None:
        """A new case begins."""
        self.sent.clear()

    def can(self, ability: str) -> tuple[bool, str]:
        """Whether the client claims the ability."""
        has = ability in self.subject.abilities
        return has, "claimed" if has else f"{self.name} does not claim it"

    def play(self, *rules: Mapping[str, Any], seen: int | None = None, **task: Any) -> Scene:
        """Arms a fresh session with the rules, does the task, reads the journal (once it has `seen` requests)."""
        armed = script(*rules)
        session = self.door.arm(armed)
        try:
            task.setdefault("arguments", ENOUGH)
            outcomes = self.subject.do(asked := Task(url=session.url, **task))
            journal = session.journal() if seen is None else session.wait_for(seen)
        finally:
            session.close()
        driver = getattr(self.subject, "command", f"python -m contracts.adapters.serve {self.name}")
        scene = Scene(armed, asked, outcomes, journal, driver)
        self.log.append(scene)
        self.sent.append(scene)
        return scene


def rule(text: str | None = None, *faults: Any, **more: Any) -> dict[str, Any]:
    """A rule for every request: replies with `text`; the n-th of `faults` is the n-th call's fault or list of them."""
    lists = [list(one) if isinstance(one, (list, tuple)) else [one] for one in faults]
    found: dict[str, Any] = {"match": {}, **more}
    if text is not None:
        found["reply"] = {"text": text}
    if lists:
        found["faults"] = lists
    return found
