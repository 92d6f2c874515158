"""A caller of many moods: a rule machine of Hypothesis sends, opens, reads, leaves and abuses in any order.

What each request gives is first asked of the server alone; the machine then says only that no order of requests changes
it. So a law of the single request that is broken is not told here again.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, reject, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from contracts.answers import documents, read
from contracts.bad import BODIES
from contracts.domains import Domain, ask, endpoints
from contracts.exchange import JSON, Call, Exchange, get
from contracts.law import Breach, Unjudged, Vacuous, expect, law
from contracts.server_laws.health import still_serves, usual
from contracts.target import Target
from contracts.wire import NoAnswer, OpenStream

PROMPTS = 3
STEPS = 14
HISTORIES = 6
MOST_OPEN = 6
PAUSE = 0.01
SHRINK = 1.0
"""Seconds for making a failing history shorter; then the shortest so far is told."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a request gives when it is alone: its status, whether it is whole, its texts where they can be told."""

    status: int
    whole: bool
    texts: dict[int, str] | None


@dataclass(slots=True)
class Held:
    """An open stream: which request it answers."""

    which: int
    stream: OpenStream


class World:
    """The server as it is when nothing else goes on."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.exact = target.can("det")[0] and target.can("load")[0]
        self.streams = target.can("stream")[0]
        kinds = endpoints(target)
        self.calls = [ask(target, f"Say {n}", chat=kinds[n % len(kinds)], max_tokens=8) for n in range(PROMPTS)]
        self.wholes = [self.usual(target.send(call)) for call in self.calls]
        self.streamed = [self.usual(target.send(call.with_(stream=True))) for call in self.calls if self.streams]
        self.bad = [target.send(self.spoilt(n)).status for n in range(len(BODIES))]
        self.big = target.send(self.large()).status
        self.models = target.send(get("/v1/models")).status
        ids = [self.id_of(target.send(self.calls[0])) for _ in range(3)]
        self.named = None not in ids and len(set(ids)) == 3
        self.seconds = usual(target)
        self.breach: Breach | None = None
        self.late = 0.0

    @property
    def tired(self) -> bool:
        """Whether a breach was found so long ago that no shorter history is looked for."""
        return self.breach is not None and time.monotonic() > self.late

    def broken(self, breach: Breach) -> None:
        """Keeps the last breach that was found."""
        self.late = self.late or time.monotonic() + SHRINK
        self.breach = breach

    def usual(self, exchange: Exchange) -> Usual:
        """What is remembered of an answer."""
        try:
            texts = read(exchange).texts if self.exact else None
        except Unjudged:
            texts = None
        return Usual(exchange.status, exchange.response.complete, texts)

    def id_of(self, exchange: Exchange) -> str | None:
        """The one id of an answer or a stream; None where it has none, or several."""
        try:
            parts = documents(exchange) if exchange.is_stream else [exchange.document]
        except Unjudged:
            return None
        said = {part.get("id") for part in parts if isinstance(part, dict)}
        one = said.pop() if len(said) == 1 else None
        return one if isinstance(one, str) else None

    def spoilt(self, which: int) -> Call:
        """A request that is no JSON object."""
        return Call("POST", self.calls[0].path, BODIES[which][0], (JSON,))

    def large(self) -> Call:
        """A request of a hundred kilobytes."""
        return ask(self.target, "word " * 20_000, chat=self.calls[0].is_chat, max_tokens=1)


def machine(world: World) -> type[RuleBasedStateMachine]:
    """The rules, bound to one server."""
    target = world.target
    some = st.integers(0, PROMPTS - 1)

    class Caller(RuleBasedStateMachine):
        """A caller, and what it remembers."""

        held = Bundle("held")

        def __init__(self) -> None:
            super().__init__()
            self.open: list[Held] = []
            self.ids: set[str] = set()
            self.history: list[str] = []

        def did(self, what: str) -> None:
            if world.tired:
                reject()
            self.history.append(what)

        def expect(self, wanted: Any, got: Any, what: str, exchange: Exchange | None = None) -> None:
            """Raises `Breach` that tells the whole history."""
            try:
                expect(wanted == got, f"{what} {wanted!r}, as alone, after: {', '.join(self.history)}", got, exchange)
            except Breach as breach:
                world.broken(breach)
                raise

        def check(self, exchange: Exchange, before: Usual) -> None:
            """An answer is what it was when the server had nothing else to do."""
            now = world.usual(exchange)
            self.expect(before.status, now.status, "status", exchange)
            self.expect(before.whole, now.whole, "a whole body:", exchange)
            if before.texts is not None and now.texts is not None and before.texts != now.texts:
                again = world.usual(target.send(exchange.call))
                if again.texts == before.texts:
                    self.expect(before.texts, now.texts, "the texts", exchange)
            said = world.id_of(exchange)
            if world.named and said is not None:
                self.expect(True, said not in self.ids, f"an id that was not seen before ({said}):", exchange)
                self.ids.add(said)

        @initialize()
        def begin(self) -> None:
            self.did("begin")

        @rule(which=some)
        def send(self, which: int) -> None:
            self.did(f"send {which}")
            self.check(target.send(world.calls[which]), world.wholes[which])

        @rule(target=held, which=some)
        def open_stream(self, which: int) -> Held:
            self.did(f"open {which}")
            one = Held(which, target.open(world.calls[which].with_(stream=world.streams or ...)))
            if len(self.open) >= MOST_OPEN:
                self.open.pop(0).stream.close()
            self.open.append(one)
            return one

        @rule(one=held, k=st.integers(1, 4))
        def read_some(self, one: Held, k: int) -> None:
            if one not in self.open:
                return
            self.did(f"read {k} of {one.which}")
            events = one.stream.events()
            for _ in range(k):
                if next(events, None) is None:
                    break

        @rule(one=consumes(held))
        def read_all(self, one: Held) -> None:
            self.finish(one)

        @rule(one=consumes(held))
        def abandon(self, one: Held) -> None:
            self.leave(one, "abandon", abruptly=False)

        @rule(one=consumes(held))
        def cancel(self, one: Held) -> None:
            self.leave(one, "cancel", abruptly=True)

        @rule(which=st.integers(0, len(BODIES) - 1))
        def send_bad(self, which: int) -> None:
            self.did(f"bad: {BODIES[which][1]}")
            self.expect(world.bad[which], target.send(world.spoilt(which)).status, "status")

        @rule()
        def send_big(self) -> None:
            self.did("big")
            self.expect(world.big, target.send(world.large()).status, "status")

        @rule()
        def wait(self) -> None:
            self.did("wait")
            time.sleep(PAUSE)

        @invariant()
        def models_are_listed(self) -> None:
            self.expect(world.models, target.send(get("/v1/models")).status, "the list of models: status")

        def leave(self, one: Held, how: str, abruptly: bool) -> None:
            if one in self.open:
                self.did(f"{how} {one.which}")
                self.open.remove(one)
                one.stream.close(abruptly)

        def finish(self, one: Held) -> None:
            if one not in self.open:
                return
            self.history.append(f"finish {one.which}")
            self.open.remove(one)
            try:
                exchange = target.keep(one.stream.rest())
            finally:
                one.stream.close()
            self.check(exchange, (world.streamed if world.streams else world.wholes)[one.which])

        def teardown(self) -> None:
            """What is open is read to its end and judged, unless the history ended otherwise: by a breach, or because
            Hypothesis or the time stopped it. A verdict then would be one on a history that is over.
            """
            try:
                if sys.exception() is None and not world.tired:
                    for one in list(self.open):
                        self.finish(one)
                    still_serves(target, ", ".join(self.history), world.seconds, len(self.history))
            finally:
                for one in self.open:
                    one.stream.close()

    return Caller


@law(
    "S-STATE-02",
    over=Domain("the seed of a machine's histories", lambda t: st.integers(0, 2**16), None, frozenset({"generate"})),
    live=True,
    examples=2,
    source="laws.md, Stateful: RuleBasedStateMachine",
)
def no_order_of_requests_changes_one(target: Target, number: int) -> None:
    """Whatever a caller does before and beside it, a request gives what it gives alone.

    A rule machine sends, opens streams, reads k events, abandons, cancels, sends bad and big requests and waits, in any
    order; after each step the models are listed as ever, and at the end a request is served in time.
    """
    world = World(target)
    profile = settings(
        max_examples=HISTORIES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(number)(machine(world)), settings=profile)
    except (Breach, NoAnswer):
        raise
    except Flaky as error:
        if world.breach is not None and world.tired:
            raise world.breach from error
        raise Vacuous("what a history did once it did not do again") from error
