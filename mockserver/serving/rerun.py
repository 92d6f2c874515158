"""A session again, from its bundle: the same script, the same requests, in the same order, overlapping as they did.

Laws: the events of the bundle are walked in their order. A request is sent when all before it have happened, and has
arrived before the next event; its response is read when its end is due, so those that came meanwhile come meanwhile. A
client that had left leaves after as many bytes. The server lives by the recorded time, not by the clock: a bucket that
was empty is empty, what was paced over minutes takes no time. Connections are used again where they were, and closed
when their last response has ended; a WebSocket is opened anew before its first request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from mockserver.faults import parse_faults
from mockserver.model.frames import SOCKET
from mockserver.record.bundle import Bundle, Moved, Recorded, Released
from mockserver.record.compare import differences
from mockserver.record.heard import sent_data
from mockserver.record.journal import Exchange
from mockserver.record.standin import StandIns
from mockserver.request import Request
from mockserver.scripting.script import parse_script
from mockserver.serving.app import MAX_BODY
from mockserver.serving.brain import Settings
from mockserver.serving.peer import Peer, auth_bytes, handshake_bytes, key_of, message_bytes, request_bytes
from mockserver.serving.recordedbrain import RecordedBrain
from mockserver.serving.recordedclock import RecordedClock
from mockserver.serving.server import MockServer
from mockserver.serving.sessions import SessionCore

PATIENCE = 60.0
"""Seconds that one step may take longer than it had taken."""

QUIET = 0.05
"""Seconds without any event after which the recorded clock goes on to its next deadline."""

GAP = 100
"""Connections that brought no request, in front of one that did, that are opened too."""


@dataclass(slots=True)
class Outcome:
    """One request of the replay. `differences` empty: as before. `beside`: the numbers of those that were still open
    when it came. `data`: what was received, its beginning.
    """

    before: Recorded
    after: dict[str, Any] | None = None
    differences: tuple[str, ...] = ()
    beside: tuple[int, ...] = ()
    data: bytes = b""


def server_of(bundle: Bundle, port: int = 0, script: Any = None) -> MockServer:
    """A server as the bundle's was. Raises `MockError` for what this version cannot serve, `OSError`."""
    return MockServer(
        profile=bundle.profile,
        script=script,
        port=port,
        tls=bundle.tls,
        max_body=MAX_BODY if bundle.max_body is None else bundle.max_body,
        models=bundle.models,
        cors_origins=bundle.origins,
    )


class Rerun:
    """One walk through a bundle; `tell` is given each outcome when it is known."""

    def __init__(self, bundle: Bundle, tell: Callable[[Outcome], object]) -> None:
        self._bundle = bundle
        self._tell = tell
        self._recorded = {one.number: one for one in bundle.exchanges}
        self._stand_ins = StandIns(self._recorded)
        self._script = parse_script(self._stand_ins.script(bundle.script))
        self._now = bundle.begun
        self._clock = RecordedClock(min((one.started for one in bundle.exchanges), default=0.0))
        self._coming: Recorded | None = None
        self._peers: dict[int, Peer] = {}
        self._opened = 0
        self._open: dict[int, tuple[Exchange, Outcome]] = {}
        self._stirred = asyncio.Event()
        self._left = {one.connection: one.number for one in bundle.exchanges}

    async def run(self) -> None:
        """From the first event to the last. Raises `MockError`, `OSError`."""
        bundle = self._bundle
        async with server_of(bundle) as self._server:
            self._core = self._session()
            self._server.app.clock = self._clock
            if bundle.by_key:
                self._use_keys()
            try:
                for event in bundle.events:
                    ((kind, value),) = event.items()
                    if kind == "arrived":
                        await self._arrive(self._recorded[value])
                    elif kind == "ended":
                        await self._end(self._recorded[value])
                    else:
                        self._change(kind, value)
                        await self._server.settled()
                for number in list(self._open):
                    await self._end(self._recorded[number])
            finally:
                for peer in self._peers.values():
                    peer.close()

    # the session as it was

    def _session(self) -> SessionCore:
        bundle, server = self._bundle, self._server
        settings = Settings(
            profile=bundle.profile, script=self._script, models=tuple(bundle.models), origins=tuple(bundle.origins)
        )
        name = bundle.session
        brain = RecordedBrain(
            settings,
            wall=lambda: self._now,
            changed=lambda: server.settle(name),
            exchanges=lambda: server.sessions.get(name).journal,
        )
        brain.moment, brain.left, brain.over = 0.0, {}, set()
        core = server.sessions.reset(name, brain)
        core.decide = lambda request: brain.decide(self._as_before(request))
        self._brain = brain
        return core

    def _as_before(self, request: Request) -> Request:
        """The request with the numbers and times that it had."""
        before = self._coming
        if before is not None:
            request.number, request.received = before.number, before.received
            request.connection, request.on_connection = before.connection, before.on_connection
        return request

    def _use_keys(self) -> None:
        values = {
            value.encode("latin-1", "replace")
            for one in self._bundle.exchanges
            for name, value in one.request.headers
            if name == "authorization" and not one.request.target.startswith("/@")
        }
        self._server.sessions.keys = dict.fromkeys(values, self._bundle.session)

    def _change(self, kind: str, value: Any) -> None:
        brain = self._brain
        match kind:
            case "load":
                brain.load(parse_script(self._stand_ins.script(value)))
            case "script":
                brain.put_script(parse_script(self._stand_ins.script(value)))
            case "heal":
                brain.heal()
            case "faults":
                brain.set_faults(parse_faults(value))
            case "health":
                brain.set_health(value)
            case "release":
                released = msgspec.convert(value, Released)
                brain.gates.release(released.barrier, released.times)
            case "clock":
                moved = msgspec.convert(value, Moved)
                self._now = moved.after
                brain.moved(moved.after - moved.before)

    # the requests

    async def _arrive(self, before: Recorded) -> None:
        outcome = Outcome(before, beside=tuple(self._open))
        journal = self._core.journal
        count = journal.arrived
        self._coming, self._now, self._brain.moment = before, before.now, before.received
        self._clock.advance(before.started)
        try:
            peer = await self._peer(before)
            if before.request.http_version == SOCKET:
                if problem := await self._shake(peer, before):
                    self._told(outcome, problem)
                    return
                peer.send(message_bytes(before.request))
            else:
                peer.send(request_bytes(before.request))
            await self._until(lambda: journal.arrived > count or peer.lost, PATIENCE)
        except OSError as error:
            self._told(outcome, f"no connection: {error.strerror or error}")
            return
        self._coming = None
        if journal.arrived == count:
            self._told(outcome, "it did not arrive: the connection ended before")
            return
        exchange = journal[-1]
        if exchange.ended == "open":
            peer.pause()
        self._open[before.number] = exchange, outcome

    async def _peer(self, before: Recorded) -> Peer:
        number = before.connection
        known = self._peers.get(number)
        if known is not None and not known.lost:
            return known
        by_prefix = before.request.target.startswith("/@")
        name = "" if by_prefix or self._bundle.by_key else self._bundle.session
        if not by_prefix and not self._bundle.by_key:
            while self._opened + 1 < number <= self._opened + GAP:
                (await self._connect(name)).close()
                self._opened += 1
            self._opened = max(self._opened, number)
        peer = self._peers[number] = await self._connect(name)
        return peer

    async def _shake(self, peer: Peer, before: Recorded) -> str:
        """Make the connection the WebSocket that the request came over, with its key; what is in the way, if any is."""
        key = key_of(before.request)
        if not peer.shaken:
            peer.shake(handshake_bytes(before.request))
            await self._until(lambda: peer.answered != "" or peer.lost, PATIENCE)
            if not peer.shaken:
                return f"the WebSocket was not opened: {peer.answered or 'the connection ended'}"
        elif key is None and peer.key is not None:
            return "its socket had lost its key by a message that nothing is known of"
        elif key is not None and key != peer.key:
            peer.send(auth_bytes(key))
        peer.key = key
        return ""

    async def _connect(self, name: str) -> Peer:
        server = self._server
        url = await server.open_listener(name) if name else server.url
        port = int(url.rpartition(":")[2])
        context = ssl.create_default_context(cadata=server.ca_pem.decode()) if self._bundle.tls else None
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(lambda: Peer(self._stirred.set), server.host, port, ssl=context)
        return peer

    async def _end(self, before: Recorded) -> None:
        if before.number not in self._open:
            return
        exchange, outcome = self._open.pop(before.number)
        peer = self._peers[before.connection]
        leaves = before.closed_by == "client" or before.ended in ("server", "open")
        if before.made is not None or before.failure is not None:
            self._stand_ins.finish(before.number)
        peer.resume()
        if before.ended != "open":
            self._clock.advance(before.started + before.seconds)

        def over() -> bool:
            return exchange.ended != "open" and (peer.lost or peer.count >= exchange.sent_bytes)

        done = await self._until(lambda: over() or (leaves and peer.count >= before.sent_bytes), PATIENCE, going=True)
        outcome.data = bytes(peer.data)
        if leaves or not done or self._left[before.connection] == before.number:
            peer.close()
            del self._peers[before.connection]
            await self._until(lambda: exchange.ended != "open", PATIENCE)
        self._brain.ended(exchange.ticket)
        outcome.after = exchange.to_json(plan=False)
        if not done:
            self._told(outcome, f"it did not end within {PATIENCE:.0f} s")
        else:
            data = sent_data(exchange.plan, exchange.request, exchange.sent_bytes)
            self._told(outcome, *differences(msgspec.structs.asdict(before), outcome.after, data))

    def _told(self, outcome: Outcome, *found: str) -> None:
        outcome.differences = found
        self._tell(outcome)

    async def _until(self, done: Callable[[], bool], seconds: float, *, going: bool = False) -> bool:
        """Wait for what a response, a request or its end brings about; whether it came within `seconds`.

        `going`: where nothing happens, the recorded clock goes on: a response took a little longer than its record.
        """
        journal = self._core.journal
        deadline = asyncio.get_running_loop().time() + seconds
        while not done():
            self._stirred.clear()
            waits = {
                asyncio.ensure_future(self._stirred.wait()),
                asyncio.ensure_future(journal.wait_for(journal.ended + 1)),
                asyncio.ensure_future(journal.wait_for(journal.arrived + 1, arrived=True)),
            }
            left = deadline - asyncio.get_running_loop().time()
            timeout = min(QUIET, max(0.0, left)) if going else max(0.0, left)
            came, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            if not came and left <= 0:
                return done()
            if not came and going and (due := self._clock.next) is not None:
                self._clock.advance(due)
        return True
