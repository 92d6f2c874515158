"""Who decides for a session: a script, the state it is in, and a profile to answer in. No I/O, no clock but `received`.

The steps are `scripting.decide`'s and `model.answer`'s; here they only meet. What a user wrote wrong is refused
before anything changes.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.errors import ScriptError
from mockserver.faults import Fault, parse_faults
from mockserver.filled import Account
from mockserver.model.admission import Books, Pass, Terms, admit, leave, serve
from mockserver.model.admission import changed as changed_terms
from mockserver.model.admission import moved as moved_books
from mockserver.model.answer import Answerer, with_headers
from mockserver.model.frames import SOCKET
from mockserver.model.keys import Key, check
from mockserver.model.latency import INSTANT, Latency
from mockserver.model.limits import NO_LIMITS, Limits
from mockserver.model.metrics import Metrics
from mockserver.model.profile import Profile, compile_profile, read_profile
from mockserver.model.recorded import find
from mockserver.model.status import Health, Status
from mockserver.model.ticket import Ticket
from mockserver.plan import Plan
from mockserver.record.history import History
from mockserver.record.journal import Exchange
from mockserver.reply import Fixture, Reply
from mockserver.request import Request
from mockserver.scripting.decide import OVERRIDE, Decision, connection_plan, decide, faults_of_header
from mockserver.scripting.index import PredicateError
from mockserver.scripting.match import Match
from mockserver.scripting.preview import Gate, Preview, preview, refused
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script, load_script, parse_script
from mockserver.scripting.state import (
    State,
    healed,
    is_healed,
    unused_faults,
    unused_rules,
    with_faults,
    with_script,
)
from mockserver.scripting.view import View
from mockserver.serving.doorkeeper import is_loopback
from mockserver.serving.gates import Gates
from mockserver.serving.sessionclock import SessionClock
from mockserver.serving.tally import Tally
from mockserver.settings import wrong

NOTHING = Metrics()
CORS = {"methods": "GET, POST, OPTIONS", "headers": "authorization, content-type", "max_age": 600}
"""What pages of other origins may do where the profile says nothing of them."""


_PLAIN: tuple[tuple[str, Any, str], ...] = (
    ("profile", str, "the name of a profile"),
    ("seed", int, "a whole number"),
    ("strict", bool | None, "True, False or None"),
    ("unsafe", bool, "True or False"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a new session begins with. `script`: a path, a JSON value or a `Script`; its own words go first.

    `models` and `origins` (of pages that may read the answers) are there instead of the profile's. `unsafe`: as a
    script says it.
    """

    profile: str = "docs"
    script: Any = None
    seed: int = 0
    strict: bool | None = None
    keys: tuple[Key, ...] = ()
    limits: Limits = NO_LIMITS
    latency: Latency = INSTANT
    health: Health = "ok"
    models: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    unsafe: bool = False

    def __post_init__(self) -> None:
        """Refuse what no script could say. Raises `ScriptError`."""
        for name, kind, words in _PLAIN:
            value = getattr(self, name)
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise wrong(words, value, name)

    def changed(
        self, *, script: Any, profile: str | None, seed: int | None, strict: bool | None, unsafe: bool | None
    ) -> Settings:
        """These settings with those that are not None."""
        given = {"script": script, "profile": profile, "seed": seed, "strict": strict, "unsafe": unsafe}
        return dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})

    def parsed(self) -> Settings:
        """These settings with the script read, once for all sessions. Raises `ScriptError`, or `OSError` for a file."""
        if isinstance(self.script, Script):
            return self
        script = load_script(self.script) if isinstance(self.script, str | Path) else parse_script(self.script)
        return dataclasses.replace(self, script=script)

    def answerer(self, profile: str | None) -> Answerer:
        """Who answers, in the profile of that name (None: these settings'). Raises `ProfileError`."""
        return answerer_of(profile or self.profile, self.models, self.origins)

    def terms(self, script: Script, profile: Profile) -> Terms:
        """Who may ask, how much, how fast: as the script says, else as these settings do."""
        return Terms(
            profile,
            self.keys if script.api_keys is None else script.api_keys,
            self.limits if script.limits is None else script.limits,
            self.latency if script.latency is None else script.latency,
            script.seed,
        )

    def read(self) -> Script:
        """The script, with what it does not say filled in. Raises `ScriptError`, or `OSError` for a file."""
        script: Script = self.parsed().script
        return dataclasses.replace(
            script,
            profile=script.profile or self.profile,
            seed=script.seed or self.seed,
            strict=self.strict if script.strict is None else script.strict,
            unsafe=script.unsafe or self.unsafe,
        )


@lru_cache(maxsize=32)
def answerer_of(name: str, models: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> Answerer:
    """Who answers in the profile of this name; made once per process. Raises `ProfileError`."""
    profile: Profile | str = name
    if origins:
        data = read_profile(name)
        profile = compile_profile({**data, "cors": {**CORS, **(data.get("cors") or {}), "origin": list(origins)}})
    return Answerer(profile, models=models or None)


def check_fixtures(script: Script) -> None:
    """Every reply that names a fixture names one that is there. Raises `ScriptError` with its path."""
    for number, rule in enumerate(script.rules):
        _check_fixtures(rule, f"$.rules[{number}].")


def _check_fixtures(rule: Rule, path: str) -> None:
    for index, reply in enumerate(rule.replies):
        if isinstance(reply, Fixture):
            try:
                find(reply.fixture)
            except ScriptError as error:
                where = "reply" if len(rule.replies) == 1 else f"replies[{index}]"
                raise ScriptError(error.message, f"{path}{where}.fixture") from None


class ScriptBrain:
    """The decisions of one session. `wall` is the time of day in seconds, for what a reply says of it.

    `overrides`: whether a request of this host may carry faults in `X-Inferneo-Fault`. `changed` is called after every
    arming. `exchanges` gives those of the session's journal, for the counters. `clock`: the session's own time, once a
    test has touched it.
    """

    __slots__ = (
        "_answerer",
        "_begun",
        "_books",
        "_changed",
        "_exchanges",
        "_health",
        "_settings",
        "_tally",
        "_terms",
        "_tickets",
        "_wall",
        "clock",
        "failures",
        "gates",
        "history",
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
        exchanges: Callable[[], Iterable[Exchange]] = tuple,
    ) -> None:
        self._changed = changed
        self._exchanges = exchanges
        self._settings = settings
        self._wall = wall
        self.clock: SessionClock | None = None
        self.overrides = overrides
        self.script = settings.read()
        check_fixtures(self.script)
        self.state = State()
        self.failures: list[str] = []
        self.history = History(self.script)
        self.gates = Gates(lambda name, times: self.history.note("release", (name, times)))
        self._begun = wall()
        self._answerer = settings.answerer(self.script.profile)
        self._tally = Tally(self._cost_of)
        self._books = Books()
        self._tickets: dict[int, Ticket] = {}
        self._health: Health | None = None
        self._set_terms()

    # deciding

    def heeds(self, request: Request) -> bool:
        """Whether the request may say what goes wrong with it: only one that comes from this host."""
        return self.overrides and (not request.peer or is_loopback(request.peer))

    def decide(self, request: Request) -> Decision:
        """What `request` gets."""
        if self._terms is None:
            return self._decided(request)
        self._books, who = admit(self._terms, self._books, request, self._wall())
        if isinstance(who, Plan):
            return Decision(who)
        decision = self._decided(request)
        if decision.coming is not None:
            return replace(decision, admitted=who)
        return self._served(request, decision, who)

    def _decided(self, request: Request) -> Decision:
        extra = self._brought(request) if request.header(OVERRIDE) is not None else ()
        self.state, decision = decide(self.script, self.state, request, self.answer, extra)
        if decision.failure is not None:
            self.failures.append(decision.failure)
        return decision

    def _brought(self, request: Request) -> tuple[Fault, ...]:
        """The faults in the request's own header, where they are heeded. Raises `ScriptError`."""
        return faults_of_header(request) if self.heeds(request) else ()

    def _served(self, request: Request, decision: Decision, who: Pass) -> Decision:
        """The decision as it is played under the session's terms."""
        terms = self._terms
        if terms is None:
            return decision
        now = self._wall()
        cost = self._answerer.account(request, decision.said, seed=self.script.seed)
        self._books, served = serve(terms, self._books, who, request, decision.plan, cost, now)
        ticket = None
        if served.turn is not None:
            number, running = served.turn.number, served.turn.start is not None
            ticket = self._tickets[number] = Ticket(number, served.waits, running, self._leave)
        return replace(decision, plan=served.plan, ticket=ticket)

    def note(self, request: Request, before: Decision, decision: Decision, fired: frozenset[str]) -> Decision:
        """The decision that an asynchronous function was asked for, as it is played; `before`: what was known of it."""
        self.state = replace(self.state, fired=self.state.fired | fired)
        if decision.failure is not None:
            self.failures.append(decision.failure)
        return decision if before.admitted is None else self._served(request, decision, before.admitted)

    def answer(self, request: Request, reply: Reply | None) -> Plan:
        """What a model answers, in the session's profile and from its seed."""
        now = self._wall()
        if request.http_version == SOCKET:
            return self._answerer.messages(request, reply, seed=self.script.seed, now=now)
        if request.method == "POST":
            return self._answerer.plan(request, reply, seed=self.script.seed, now=now)
        status = Status(self.health, now - self._begun, self.metrics() if self._counts(request.path) else NOTHING)
        return self._answerer.plan(request, reply, seed=self.script.seed, now=now, status=status)

    def objection(self, request: Request) -> Plan | None:
        """What a server of the profile would refuse `request` with, whatever models it has; None: it would not."""
        return self._answerer.objection(request)

    # turns and counters

    def _set_terms(self) -> None:
        """Take the terms of the script in force; None: nothing stands in the way."""
        terms = self._settings.terms(self.script, self._answerer.profile)
        self._terms = None if terms.open and not self._tickets else terms
        self._books, started = changed_terms(terms, self._books, self._wall())
        self._start(started)

    def _leave(self, ticket: Ticket) -> None:
        self._tickets.pop(ticket.number, None)
        if self._terms is not None:
            self._books, started = leave(self._terms, self._books, ticket.number, self._wall())
            self._start(started)

    def _start(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._tickets[number].start()

    def _counts(self, path: str) -> bool:
        route = self._answerer.profile.routes.get(path)
        return route is not None and not {"metrics", "stats"}.isdisjoint(route.methods.values())

    def _cost_of(self, exchange: Exchange) -> Account | None:
        decision = exchange.decision
        if not isinstance(decision, Decision):
            return None
        return self._answerer.account(exchange.request, decision.said, seed=self.script.seed)

    def forget(self, exchange: Exchange) -> None:
        """The journal drops an exchange: it is counted now, or as soon as it has ended."""
        self._tally.forget(exchange)

    def metrics(self) -> Metrics:
        """The counters of the session, now."""
        found = self._tally.read(self._exchanges())
        return found if self._terms is None else found.load(self._books.load.running, self._books.load.waiting)

    @property
    def health(self) -> Health:
        """What `/health` says."""
        return self._health or self.script.health or self._settings.health

    def set_health(self, health: Health | None) -> None:
        """Say this at `/health` from now on; None: what script and settings say."""
        self.history.note("health", health)
        self._health = health

    # sockets

    def upgrades(self, path: str, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Whether a WebSocket is opened there: it is one of the profile's, its key is not wrong, no rule is for GET."""
        if path not in (self.profile.option("sockets") or {}) or self.refused(headers) is not None:
            return False
        if not self.script.rules:
            return True
        handshake = View(Request("GET", path, headers=tuple(headers), session=""), self.state.named)
        try:
            number = self.script.index.first(handshake)
        except PredicateError:  # told to the request itself
            return True
        matcher = None if number is None else self.script.rules[number].matcher
        return not isinstance(matcher, Match) or matcher.method != "GET"

    def refused(self, headers: Sequence[tuple[bytes, bytes]]) -> Plan | None:
        """The refusal of the key among these header fields; None where it is good, none is needed, or none is there."""
        terms = self._terms
        request = Request("POST", "", headers=tuple(headers))
        if terms is None or request.header(b"authorization") is None:
            return None
        found = check(terms.profile, terms.keys, request, self._wall())
        return found if isinstance(found, Plan) else None

    def refuse(self, name: str, **values: Any) -> Plan:
        """A named error in the words of the profile (`too_large`, ...)."""
        return self._answerer.refuse(name, **values)

    @property
    def profile(self) -> Profile:
        """The dialect in force."""
        return self._answerer.profile

    def connection(self, connection: int, now: float) -> ConnectionPlan:
        """How the accepted connection number `connection` is treated; `now` is monotonic."""
        now = now if self.clock is None else self.clock.elapsed(now)
        plan = self._treatment(connection, now)
        if plan is not ORDERLY:
            self._fired(lambda fault: fault.connect(ORDERLY) != ORDERLY)
            if self.state.started is None:
                # No request may ever come through, and `when.until` has to end some time.
                self.state = replace(self.state, started=now)
        return plan

    def listening(self, now: float) -> ConnectionPlan:
        """How the port listens from now on."""
        now = now if self.clock is None else self.clock.elapsed(now)
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
        self.state = replace(self.state, fired=self.state.fired | places)

    def fresh(self) -> ScriptBrain:
        """A brain with the same settings, as at the beginning."""
        wall = self._wall if self.clock is None else self.clock.wall
        return ScriptBrain(self._settings, wall, self.overrides, self._changed, self._exchanges)

    # arming

    def _count(self) -> None:
        """Count all that has ended by the words that were in force."""
        self._tally.read(self._exchanges())

    def load(self, script: Any) -> int:
        """Take another script; counters begin anew. Gives the number of rules. Raises `ScriptError`."""
        parsed = dataclasses.replace(self._settings, script=script).read()
        check_fixtures(parsed)
        answerer = self._settings.answerer(parsed.profile)
        self._count()
        self._answerer = answerer
        self.history.note("load", parsed)
        self.script, self.state = parsed, State()
        self._set_terms()
        self.failures.clear()
        self._changed()
        return len(parsed.rules)

    def add(self, script: Any) -> int:
        """Put more rules and faults behind those that are there; counters stay."""
        added = self.script.adding(parse_script(script))
        self.put_script(added)
        return len(added.rules)

    def put_script(self, script: Script) -> None:
        """Put another script in the place of this one; counters stay. Raises `ScriptError`, and nothing has changed."""
        check_fixtures(script)
        answerer = self._settings.answerer(script.profile)
        self._count()
        self._answerer = answerer
        self.history.note("script", script)
        self.state = with_script(self.script, script, self.state)
        self.script = script
        self._set_terms()
        self._changed()

    def put_rule(self, number: int, rule: Rule) -> None:
        """Put a rule in the place of rule `number` (one past the last: add it); counters stay. Raises `ScriptError`."""
        _check_fixtures(rule, "")
        script, before = self.script.with_rule(number, rule), self.state
        self.script, self.state = script, with_script(self.script, script, before)
        self.history.note("script", script, (before, self.state))

    def heal(self) -> None:
        """Every fault that there is now is over; those that are given later act."""
        self.history.note("heal", True)
        self.state = healed(self.script, self.state)
        self._changed()

    def set_faults(self, faults: Any) -> int:
        """Faults for every request and connection of the session, behind all others. Raises `ScriptError`."""
        parsed: tuple[Fault, ...] = parse_faults(faults)
        self.history.note("faults", parsed)
        self.state = with_faults(self.state, parsed)
        self._changed()
        return len(parsed)

    def reseed(self, seed: int) -> None:
        """Where all that is random begins, from now on. Raises `ScriptError`."""
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise wrong("a whole number", seed, "seed")
        self._count()
        self.script = dataclasses.replace(self.script, seed=seed)
        self.history.note("script", self.script)
        self._set_terms()

    def change_clock(self, change: Callable[[SessionClock], None]) -> SessionClock:
        """Change the session's own time; it lives by it from now on. What raises has changed nothing."""
        clock = self.clock or SessionClock(self._wall)
        before = clock.time()
        change(clock)
        self.moved(clock.time() - before)
        self.history.note("clock", (before, clock.time(), clock.frozen))
        self.clock, self._wall = clock, clock.time
        self._changed()
        return clock

    def moved(self, seconds: float) -> None:
        """The time of day has jumped; back: what was used stays used, and who is to wait waits as long."""
        if seconds < 0:
            self._books = moved_books(self._books, seconds)
            self._begun += seconds

    # asking

    def spelled_out(self, script: Script) -> Script:
        """The script with what it leaves to the server's settings (keys, limits, latency, health) said in it."""
        own = self._settings
        return dataclasses.replace(
            script,
            api_keys=(own.keys or None) if script.api_keys is None else script.api_keys,
            limits=(None if own.limits == NO_LIMITS else own.limits) if script.limits is None else script.limits,
            latency=(None if own.latency == INSTANT else own.latency) if script.latency is None else script.latency,
            health=script.health or (None if own.health == "ok" else own.health),
        )

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are served instead of the profile's; empty: the profile's."""
        return self._settings.models

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of pages that may read the answers, instead of the profile's."""
        return self._settings.origins

    @property
    def begun(self) -> float:
        """The session's time of day when it began."""
        return self._begun

    @property
    def now(self) -> float:
        """The session's time of day, in seconds."""
        return self._wall()

    def report(self) -> Mapping[str, Any]:
        """Counters and what was not used."""
        script, state = self.script, self.state
        labels = [script.label(number) for number in range(len(script.rules))]
        return {
            "seed": script.seed,
            "profile": self.profile.name,
            "strict": script.is_strict,
            "healed": is_healed(script, state),
            "hits": {label: state.hits.get(label, 0) for label in labels},
            "unused_rules": unused_rules(script, state),
            "unused_faults": unused_faults(script, state),
            "failures": list(self.failures),
            "faults_in_force": [fault.kind for fault in state.faults],
            "states": dict(state.named),
            "held": self.gates.waiting(),
            "health": self.health,
            "running": self._books.load.running,
            "waiting": self._books.load.waiting,
        }

    def preview(self, request: Request, largest: int | None = None) -> Preview:
        """What `request` would get now, and why; nothing changes. `largest`: the bytes that a body may have."""
        now = time.monotonic()
        asked = dataclasses.replace(request, received=now if self.clock is None else self.clock.elapsed(now))
        if largest is not None and len(request.body) > largest:
            why = f"before anything else: its body has {len(request.body)} bytes, and {largest} are read"
            plan = with_headers(self.refuse("too_large", limit=largest), ((b"connection", b"close"),))
            return refused(self.script, self.state, asked, plan, why)
        gate = None
        if self._terms is not None:
            cost = partial(self._answerer.account, seed=self.script.seed)
            gate = Gate(self._terms, self._books, self._wall(), cost)
        return preview(self.script, self.state, asked, self.answer, self._brought(request), gate)
