"""A session in the hands of a test: arm it, ask what happened, say what does not agree.

Safe from any thread: what changes the session is done in the server's event loop. A rule is armed at once and grows
with every word: `session.on(chat(contains="report")).fail(status(429), times=2).reply("Done.")`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mockserver.dsl import RuleDraft
from mockserver.faults import Fault, parse_faults
from mockserver.journal import Exchange
from mockserver.match import EVERYTHING, parse_matcher
from mockserver.rule import Rule
from mockserver.script import Script

if TYPE_CHECKING:
    from mockserver.brain import ScriptBrain
    from mockserver.server import MockServer
    from mockserver.sessions import SessionCore


class Session:
    """One session of a `MockServer`. `url` is the base URL that clients are given."""

    def __init__(self, server: MockServer, name: str) -> None:
        self._server = server
        self.name = name

    def __repr__(self) -> str:
        return f"<Session {self.name!r} at {self.url}>"

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"{self._server.url}/@{self.name}" if self.name else self._server.url

    @property
    def core(self) -> SessionCore:
        """The inside, for the event loop's thread."""
        return self._server.core(self.name)

    @property
    def brain(self) -> ScriptBrain:
        """Who decides, for the event loop's thread."""
        brain: ScriptBrain = self.core.brain  # type: ignore[assignment]  # `MockServer` makes no other
        return brain

    # arming

    def load(self, script: Any) -> Self:
        """Take another script: a path, a JSON value or a `Script`. Raises `ScriptError`, and nothing has changed."""
        self._server.arm(self.brain.load, script)
        return self

    def add(self, script: Any) -> Self:
        """Put the rules and faults of `script` behind those that are there."""
        self._server.arm(self.brain.add, script)
        return self

    def on(self, match: Any = None, *, name: str | None = None, priority: int = 0) -> RuleDraft:
        """A new rule for what `match` says (a matcher, its JSON, or nothing: every request), in force at once."""
        places: list[int] = []

        def put(rule: Rule) -> None:
            brain = self.brain
            if not places:
                places.append(len(brain.script.rules))
            brain.put_rule(places[0], rule)

        matcher = EVERYTHING if match is None else parse_matcher(match)
        frame = Rule(name=name, matcher=matcher, priority=priority)
        self._server.run(put, frame)
        return RuleDraft(frame, publish=lambda rule: self._server.run(put, rule))

    def faults(self, *faults: Any) -> Self:
        """Faults for every request and connection of the session."""
        self._server.arm(self.brain.set_faults, _faults(faults))
        return self

    def heal(self) -> Self:
        """No fault from now on."""
        self._server.arm(self.brain.heal)
        return self

    def reset(self) -> Self:
        """As if the session had never been used, with the server's settings."""
        self._server.arm(self._server.sessions.reset, self.name)
        return self

    def close(self) -> None:
        """Forget the session; its own listener, if it has one, closes."""
        self._server.forget(self.name)

    # asking

    @property
    def script(self) -> Script:
        """The script in force."""
        return self._server.run(lambda: self.brain.script)

    @property
    def state(self) -> dict[str, Any]:
        """Counters, unused rules and faults, as the door shows them."""
        return self._server.run(lambda: state_of(self.core))

    @property
    def journal(self) -> tuple[Exchange, ...]:
        """The exchanges so far, the oldest first."""
        return self._server.run(lambda: tuple(self.core.journal))

    @property
    def calls(self) -> Calls:
        """The exchanges as calls of a client: attempts of one request belong together."""
        return Calls(self.journal)

    def wait_for(self, count: int = 1, within: float = 5.0, *, arrived: bool = False) -> tuple[Exchange, ...]:
        """Wait until `count` exchanges have ended (or only arrived). Raises `TimeoutError`, saying how many have."""
        try:
            return self._server.wait(self.async_wait_for(count, within, arrived=arrived))
        except concurrent.futures.TimeoutError as error:
            raise TimeoutError(str(error)) from None

    async def async_wait_for(
        self, count: int = 1, within: float = 5.0, *, arrived: bool = False
    ) -> tuple[Exchange, ...]:
        """`wait_for`, inside the server's event loop."""
        journal = self.core.journal
        try:
            async with asyncio.timeout(within):
                await journal.wait_for(count, arrived=arrived)
        except TimeoutError:
            have = journal.arrived if arrived else journal.ended
            verb = "arrived" if arrived else "ended"
            raise TimeoutError(f"{have} of {count} exchanges have {verb} within {within} s") from None
        return tuple(journal)

    # judging

    def problems(self) -> list[str]:
        """What of script and traffic does not agree: unmatched requests, unused rules and faults, failed rules."""
        return self._server.run(lambda: problems_of(self.core))

    def describe(self) -> str:
        """The session in a few lines: its script, its seed, its traffic."""
        return self._server.run(lambda: describe(self.core))


def _faults(faults: tuple[Any, ...]) -> tuple[Fault, ...]:
    parsed: tuple[Fault, ...] = parse_faults(list(faults))
    return parsed


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of a client's user became on the wire: its attempts, the first one first."""

    attempts: tuple[Exchange, ...]


class Calls:
    """Exchanges grouped into calls: by `Idempotency-Key`, else by method, path and body, one after the other."""

    def __init__(self, exchanges: tuple[Exchange, ...]) -> None:
        self._exchanges = exchanges

    @property
    def attempts(self) -> int:
        """How many requests came, retries included."""
        return len(self._exchanges)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __iter__(self) -> Iterator[Call]:
        groups: dict[Any, list[Exchange]] = {}
        for exchange in self._exchanges:
            request = exchange.request
            key = request.header(b"idempotency-key") or (request.method, request.path, request.body)
            groups.setdefault(key, []).append(exchange)
        return iter([Call(tuple(group)) for group in groups.values()])


def state_of(core: SessionCore) -> dict[str, Any]:
    """The document behind `GET state`."""
    journal = core.journal
    report = core.brain.report()  # type: ignore[attr-defined]  # the server's brains have one
    return {"session": core.name, **report, "requests": core.requests, "open": journal.open, "dropped": journal.dropped}


def problems_of(core: SessionCore) -> list[str]:
    """One text per thing that does not agree."""
    report = core.brain.report()  # type: ignore[attr-defined]  # as above
    found = []
    for exchange in core.journal:
        explanation = exchange.decision.explanation
        if explanation is not None:
            request = exchange.request
            found.append(f"no rule matched request {exchange.number}: {request.method} {request.path}\n{explanation}")
        if exchange.error:
            found.append(f"request {exchange.number}: {exchange.error}")
    found += report["failures"]
    found += [f"rule {label!r} was never called" for label in report["unused_rules"]]
    found += [
        f"fault {place} never had an effect"
        for place in report["unused_faults"]
        if not any(place.startswith(f"{label}.faults[") for label in report["unused_rules"])
    ]
    return found


def describe(core: SessionCore) -> str:
    """A few lines for the message of a failing test."""
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # as above
    lines = [f"session {core.name!r}, profile {brain.profile.name}, seed {brain.script.seed}"]
    lines.append(f"script: {json.dumps(brain.script.to_json())}")
    for exchange in core.journal:
        request = exchange.request
        by = f"rule {exchange.rule!r}" if exchange.rule is not None else "no rule"
        kinds = ", ".join(fault.kind for fault in exchange.faults)
        lines.append(
            f"  {exchange.number}. {request.method} {request.path} on connection {request.connection}: "
            f"{exchange.status} by {by}{f', faults {kinds}' if kinds else ''}, {exchange.sent_bytes} bytes, "
            f"ended {exchange.ended} after {exchange.seconds:.3f} s"
        )
    return "\n".join(lines)
