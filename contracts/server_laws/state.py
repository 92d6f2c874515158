"""State: any order of good, bad, streamed and abandoned requests leaves the server as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypothesis import strategies as st

from contracts.answers import documents, read
from contracts.bad import BODIES
from contracts.domains import CHAT, TEXT, Domain, ask, endpoints
from contracts.exchange import JSON, Call, Exchange, get
from contracts.law import Breach, Unjudged, Unsupported, expect, law
from contracts.server_laws.health import large, still_serves
from contracts.server_laws.heard import Heard, at_rest, heard
from contracts.server_laws.isolation import at_once
from contracts.server_laws.leaking import Marked, leaves_something
from contracts.server_laws.same import steady
from contracts.target import Target
from contracts.wire import OpenStream

Verb: TypeAlias = Literal["send", "open", "read", "finish", "abandon", "bad", "big", "models"]
VERBS: tuple[Verb, ...] = ("send", "open", "open", "read", "finish", "abandon", "bad", "big", "models")

LASTING = 32
"""Tokens of a stream: at eight it would be over before anyone could leave it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a caller does. `which` chooses a prompt, an open stream or a bad body, modulo what there is."""

    verb: Verb
    which: int


@dataclass(slots=True)
class World:
    """What the judge remembers while a history runs: open streams, ids seen, texts by prompt, whole and streamed; and
    the status of a large request when nothing else went on."""

    target: Target
    open: list[OpenStream] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    texts: dict[int, Any] = field(default_factory=dict)
    big: int = 200

    def call(self, which: int, stream: bool) -> Call:
        """One of three prompts, always the same for the same number; a stream lasts, so that it can be left."""
        kinds = endpoints(self.target)
        extra: dict[str, Any] = {"stream": True, "max_tokens": LASTING} if stream else {"max_tokens": 8}
        return ask(self.target, f"Say {which % 3}", chat=kinds[which % len(kinds)], **extra)

    def stream(self, which: int) -> OpenStream | None:
        """One of the open streams."""
        return self.open[which % len(self.open)] if self.open else None

    def fresh(self, said: Any) -> None:
        """No id comes twice."""
        if str(said) in self.ids:
            answers = [exchange.document for exchange in at_once(self.target, [self.call(0, False)] * 8)]
            ids = [str(one.get("id")) for one in answers if isinstance(one, dict)]
            if len(set(ids)) < len(ids):
                raise Unjudged("ids of answers at the same moment are not unique (S-ID-02 judges that)")
        expect(str(said) not in self.ids, "an id that was not seen before", said)
        self.ids.add(str(said))

    def alone(self, call: Call) -> Heard:
        """What a stream says when nothing else goes on; asked once in a run."""
        known: dict[tuple[str, str, str], Heard] = self.target.notes.setdefault("alone", {})
        if call.key() not in known:
            known[call.key()] = at_rest(self.target, call)[0]
        return known[call.key()]

    def ended(self, exchange: Exchange) -> None:
        """A stream that was read to its end is one answer, and says what the same stream said before."""
        said = ids_of(exchange)
        if len(said) != 1:
            if len(ids_of(self.target.send(exchange.call))) != 1:
                raise Unjudged("ids change within a stream (S-STREAM-01 judges that)")
            if any(len(ids_of(one)) != 1 for one in at_once(self.target, [exchange.call] * 3)):
                raise Unjudged("ids of streams at once are mixed (S-ALONE-03 judges that)")
        expect(len(said) == 1, "one id in the stream", sorted(said))
        self.fresh(said.pop())
        if not (self.target.can("det")[0] and self.target.can("load")[0]):
            return
        now = heard(exchange)
        before = self.alone(exchange.call)
        if now == before:
            return
        usual = {heard(self.target.send(exchange.call)) for _ in range(3)}
        if len(usual) > 1 or not usual & {now, before}:
            raise Unsupported("temperature 0 is not deterministic: the same stream gave several texts")
        try:
            leaves_something(self.target, Marked(exchange.call.is_chat, True, 10_000))
        except Breach:
            raise Unjudged("a stream has what another left (S-ALONE-06 judges that)") from None
        expect(False, f"the stream that it is alone: {before}", now)


def ids_of(exchange: Exchange) -> set[str]:
    """The ids in a stream."""
    return {str(document.get("id")) for document in documents(exchange)}


def take(world: World, step: Step) -> None:
    """One step; raises `Breach` when the server does not behave as if it were alone."""
    target, stream = world.target, world.stream(step.which)
    match step.verb:
        case "send":
            exchange = target.send(world.call(step.which, False))
            expect(exchange.status == 200, "status 200", exchange.status)
            reading = read(exchange)
            world.fresh(reading.id)
            if target.can("det")[0]:
                before = world.texts.setdefault(step.which % 6, reading)
                if before.texts != reading.texts:
                    steady(target, exchange.call, reading)
                expect(before.texts == reading.texts, f"the text of before: {before.texts}", reading.texts)
        case "open" if len(world.open) < 8:
            world.open.append(target.open(world.call(step.which, True)))
        case "read" if stream is not None:
            next(stream.events(), None)
        case "finish" if stream is not None:
            world.open.remove(stream)
            exchange = target.keep(stream.rest())
            stream.close()
            expect(exchange.status == 200, "status 200", exchange.status)
            expect(exchange.response.complete, "a whole stream", exchange.ended)
            world.ended(exchange)
        case "abandon" if stream is not None:
            world.open.remove(stream)
            stream.close(abruptly=step.which % 2 == 0)
        case "bad":
            body, what = BODIES[step.which % len(BODIES)]
            path = CHAT if endpoints(target)[0] else TEXT
            call = Call("POST", path, body, (JSON,))
            before = target.notes.setdefault(f"bad {what}", None) or target.send(call).status
            target.notes[f"bad {what}"] = before
            status = target.send(call).status
            expect(status == before, f"status {before} for {what}, as the first time", status)
        case "big":
            if world.big < 500:
                status = target.send(large(target)).status
                expect(status < 500, "200 or a 4xx for a big request", status)
        case "models" if target.can("models")[0]:
            expect(target.send(get("/v1/models")).status < 500, "no 5xx for the list of models", "a 5xx")
        case _:
            pass


HISTORIES: Domain[list[Step]] = Domain(
    "a history of requests",
    lambda target: st.lists(st.builds(Step, st.sampled_from(VERBS), st.integers(0, 30)), min_size=3, max_size=14),
    None,
    frozenset({"generate", "stream"}),
)


@law("S-STATE-01", over=HISTORIES, live=True, examples=12, source="laws.md, Stateful")
def no_history_leaves_a_trace(target: Target, history: list[Step]) -> None:
    """After any history of good, bad, streamed, half read and abandoned requests all laws of the single request hold.

    During it: good requests are 200 and say what they said before, streams that are read to the end are whole and of
    one id, and say what they say alone, bad ones are 4xx, no id comes twice. After it a request is served in time.
    What is never listed (S-MODEL-01 judges that) is not listed in a history either, and a large request that is a 5xx
    without any history (S-HEALTH-09 judges that) is not sent.
    """
    target.can("models")  # asked before the history, not in it
    world = World(target)
    if target.can("det")[0] and target.can("load")[0]:
        for step in history:
            if step.verb == "open":
                world.alone(world.call(step.which, True))
    if any(step.verb == "big" for step in history):
        if "big" not in target.notes:
            target.notes["big"] = target.send(large(target)).status
        world.big = target.notes["big"]
    try:
        for step in history:
            take(world, step)
        while world.open:
            with world.open.pop(0) as stream:
                exchange = target.keep(stream.rest())
            expect(exchange.response.complete, "whole streams at the end", exchange.ended)
            world.ended(exchange)
    finally:
        for stream in world.open:
            stream.close()
    still_serves(target, "a history of requests")
