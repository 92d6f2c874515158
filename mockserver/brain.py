"""Who decides for a session: a script, the state it is in, and a profile to answer in. No I/O, no clock but `received`.

The steps are `mockserver.decide`'s and `mockserver.answer`'s; here they only meet. What a user wrote wrong is refused
before anything changes.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mockserver.answer import Answerer
from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.decide import OVERRIDE, Decision, connection_plan, decide, faults_of_header
from mockserver.errors import ScriptError
from mockserver.faults import Fault, parse_faults
from mockserver.gates import Gates
from mockserver.plan import Plan
from mockserver.preview import Preview, preview
from mockserver.profile import Profile
from mockserver.recorded import find
from mockserver.reply import Fixture, Reply
from mockserver.request import Request
from mockserver.script import Script, load_script, parse_script
from mockserver.state import State, healed, unused_faults, unused_rules, with_faults
from mockserver.status import Status


@dataclass(frozen=True, slots=True)
class Settings:
    """What a new session begins with. `script`: a path, a JSON value or a `Script`; its own words go first."""

    profile: str = "docs"
    script: Any = None
    seed: int = 0
    strict: bool | None = None

    def changed(self, *, script: Any, profile: str | None, seed: int | None, strict: bool | None) -> Settings:
        """These settings with those that are not None."""
        given = {"script": script, "profile": profile, "seed": seed, "strict": strict}
        return dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})

    def parsed(self) -> Settings:
        """These settings with the script read, once for all sessions. Raises `ScriptError`, or `OSError` for a file."""
        if isinstance(self.script, Script):
            return self
        script = load_script(self.script) if isinstance(self.script, str | Path) else parse_script(self.script)
        return dataclasses.replace(self, script=script)

    def read(self) -> Script:
        """The script, with what it does not say filled in. Raises `ScriptError`, or `OSError` for a file."""
        script: Script = self.parsed().script
        return dataclasses.replace(
            script,
            profile=script.profile or self.profile,
            seed=script.seed or self.seed,
            strict=self.strict if script.strict is None else script.strict,
        )


@lru_cache(maxsize=32)
def answerer_of(name: str) -> Answerer:
    """Who answers in the profile of this name; made once per process. Raises `ProfileError`."""
    return Answerer(name)


def check_fixtures(script: Script) -> None:
    """Every reply that names a fixture names one that is there. Raises `ScriptError` with its path."""
    for number, rule in enumerate(script.rules):
        for index, reply in enumerate(rule.replies):
            if isinstance(reply, Fixture):
                try:
                    find(reply.fixture)
                except ScriptError as error:
                    where = "reply" if len(rule.replies) == 1 else f"replies[{index}]"
                    raise ScriptError(error.message, f"$.rules[{number}].{where}.fixture") from error


class ScriptBrain:
    """The decisions of one session. `wall` is the time of day in seconds, for what a reply says of it.

    `overrides`: whether a request may carry faults in `X-Inferneo-Fault`. `changed` is called after every arming.
    """

    __slots__ = (
        "_answerer",
        "_begun",
        "_changed",
        "_settings",
        "_wall",
        "failures",
        "gates",
        "overrides",
        "script",
        "state",
    )

    def __init__(
        self,
        settings: Settings,
        wall: Callable[[], float] = time.time,
        overrides: bool = True,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._changed = changed
        self._settings = settings
        self._wall = wall
        self.overrides = overrides
        self.script = settings.read()
        check_fixtures(self.script)
        self.state = State()
        self.failures: list[str] = []
        self.gates = Gates()
        self._begun = wall()
        self._answerer = answerer_of(self.script.profile or settings.profile)

    def decide(self, request: Request) -> Decision:
        """What `request` gets."""
        extra = faults_of_header(request) if self.overrides and request.header(OVERRIDE) is not None else ()
        self.state, decision = decide(self.script, self.state, request, self.answer, extra)
        if decision.failure is not None:
            self.failures.append(decision.failure)
        return decision

    def note(self, decision: Decision, fired: frozenset[str]) -> None:
        """A decision that an asynchronous function was asked for is made."""
        self.state = dataclasses.replace(self.state, fired=self.state.fired | fired)
        if decision.failure is not None:
            self.failures.append(decision.failure)

    def answer(self, request: Request, reply: Reply | None) -> Plan:
        """What a model answers, in the session's profile and from its seed."""
        now = self._wall()
        if request.method != "GET":
            return self._answerer.plan(request, reply, seed=self.script.seed, now=now)
        status = Status(uptime=now - self._begun)
        return self._answerer.plan(request, reply, seed=self.script.seed, now=now, status=status)

    def refuse(self, name: str, **values: Any) -> Plan:
        """A named error in the words of the profile (`too_large`, ...)."""
        return self._answerer.refuse(name, **values)

    @property
    def profile(self) -> Profile:
        """The dialect in force."""
        return self._answerer.profile

    def connection(self, connection: int, now: float) -> ConnectionPlan:
        """How the accepted connection number `connection` is treated; `now` is monotonic."""
        plan = self._treatment(connection, now)
        if plan is not ORDERLY:
            self._fired(lambda fault: fault.connect(ORDERLY) != ORDERLY)
        return plan

    def listening(self, now: float) -> ConnectionPlan:
        """How the port listens from now on."""
        plan = self._treatment(1, now)
        if plan.listen != "open":
            self._fired(lambda fault: fault.connect(ORDERLY).listen != "open")
        return plan

    def _treatment(self, connection: int, now: float) -> ConnectionPlan:
        seconds = 0.0 if self.state.started is None else now - self.state.started
        return connection_plan(self.script, self.state, connection, seconds)

    def _fired(self, which: Callable[[Fault], bool]) -> None:
        """Faults of connections have an effect without a request."""
        lists = (("faults", self.script.faults), ("door", self.state.faults))
        places = {
            f"{where}[{number}] ({fault.kind})"
            for where, faults in lists
            for number, fault in enumerate(faults)
            if which(fault)
        }
        self.state = dataclasses.replace(self.state, fired=self.state.fired | places)

    def fresh(self) -> ScriptBrain:
        """A brain with the same settings, as at the beginning."""
        return ScriptBrain(self._settings, self._wall, self.overrides, self._changed)

    # arming

    def load(self, script: Any) -> int:
        """Take another script; counters begin anew. Gives the number of rules. Raises `ScriptError`."""
        parsed = dataclasses.replace(self._settings, script=script).read()
        check_fixtures(parsed)
        self._answerer = answerer_of(parsed.profile or self._settings.profile)
        self.script, self.state = parsed, State()
        self.failures.clear()
        self._changed()
        return len(parsed.rules)

    def add(self, script: Any) -> int:
        """Put more rules and faults behind those that are there; counters stay."""
        added = self.script.adding(parse_script(script))
        check_fixtures(added)
        self._answerer = answerer_of(added.profile or self._settings.profile)
        self.script = added
        self._changed()
        return len(added.rules)

    def put_rule(self, number: int, rule: Any) -> None:
        """Put a rule in the place of rule `number` (one past the last: add it); counters stay."""
        self.script = self.script.with_rule(number, rule)

    def heal(self) -> None:
        """No fault from now on."""
        self.state = healed(self.state)
        self._changed()

    def set_faults(self, faults: Any) -> int:
        """Faults for every request and connection of the session, behind all others. Raises `ScriptError`."""
        parsed: tuple[Fault, ...] = parse_faults(faults)
        self.state = with_faults(self.state, parsed)
        self._changed()
        return len(parsed)

    def reseed(self, seed: int) -> None:
        """Where all that is random begins, from now on."""
        self.script = dataclasses.replace(self.script, seed=seed)

    # asking

    def report(self) -> Mapping[str, Any]:
        """Counters and what was not used."""
        script, state = self.script, self.state
        labels = [script.label(number) for number in range(len(script.rules))]
        return {
            "seed": script.seed,
            "profile": self.profile.name,
            "strict": script.is_strict,
            "healed": state.healed,
            "hits": {label: state.hits.get(label, 0) for label in labels},
            "unused_rules": unused_rules(script, state),
            "unused_faults": unused_faults(script, state),
            "failures": list(self.failures),
            "faults_in_force": [] if state.healed else [fault.kind for fault in state.faults],
            "states": dict(state.named),
            "held": self.gates.waiting(),
        }

    def preview(self, request: Request) -> Preview:
        """What `request` would get now, and why; nothing changes."""
        return preview(self.script, self.state, request, self.answer)
