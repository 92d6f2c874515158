"""A target is a server seen from outside: a URL, a model, what it promises and what it can; and a log of the wire."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from contracts.exchange import Call, Exchange, get
from contracts.law import Unsupported
from contracts.patience import WAIT, come_again
from contracts.profile import PROFILES, Profile
from contracts.wire import Connection, NoAnswer, OpenStream, Place, encode, parse_url


class Target:
    """A server under judgement. Every exchange goes into `log`, newest last, at most 500 of them.

    `pulse` is a plain request that was answered at first, in `usually` seconds; `silent` the first request of the law
    that is judged to which no answer came in time.
    """

    live = True
    hang_after = 20.0
    """Seconds without an answer to its pulse after which a server counts as hanging, and 20 times what it usually
    takes."""

    def __init__(
        self,
        url: str,
        model: str = "",
        api_key: str | None = None,
        profile: Profile = PROFILES["openai"],
        name: str = "",
        timeout: float = 30.0,
        declared: dict[str, bool] | None = None,
    ) -> None:
        self.place: Place = parse_url(url)
        self.model = model
        self.api_key = api_key
        self.profile = profile
        self.name = name or self.place.url
        self.timeout = timeout
        self.known: dict[str, tuple[bool, str]] = {k: (v, "declared") for k, v in (declared or {}).items()}
        self.log: deque[Exchange] = deque(maxlen=500)
        self.sent: list[Call] = []
        self.died = ""
        self.pulse: Call | None = None
        self.usually = 0.0
        self.silent: Call | None = None
        self.notes: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """The base URL."""
        return self.place.url

    def begin(self) -> None:
        """Forgets which calls were sent: a new case begins."""
        self.sent.clear()

    def send(self, call: Call, timeout: float | None = None) -> Exchange:
        """One request on a connection of its own, and the whole response. Raises `NoAnswer`; `Unsupported` where the
        server limits how often it may be asked, and says so, for longer than the judge waits."""
        self.sent.append(call)
        waited = 0.0
        while True:
            with Connection(self.place, timeout or self.timeout) as connection:
                try:
                    connection.send(encode(call, self.place, self.api_key), call)
                    exchange = self.keep(connection.response(call))
                except NoAnswer as error:
                    if error.how == "timeout":
                        self.silent = self.silent or call
                    raise
            wait = come_again(exchange)
            if wait is None:
                return exchange
            if waited + wait > WAIT:
                raise Unsupported(f"the server limits the rate of requests: 429, come again in {wait:g} s")
            waited += max(0.1, wait)
            time.sleep(max(0.1, wait))

    def get(self, path: str) -> Exchange:
        """A GET on a connection of its own."""
        return self.send(get(path))

    def open(self, call: Call) -> OpenStream:
        """Sends a request and leaves the response to be read piece by piece."""
        self.sent.append(call)
        connection = Connection(self.place, self.timeout)
        connection.send(encode(call, self.place, self.api_key), call)
        return OpenStream(connection, call)

    def connect(self) -> Connection:
        """A connection for bytes of one's own."""
        return Connection(self.place, self.timeout)

    def encode(self, call: Call, keep: bool = True) -> bytes:
        """The bytes `send` would write."""
        return encode(call, self.place, self.api_key, keep)

    def keep(self, exchange: Exchange) -> Exchange:
        """Puts an exchange into the log."""
        self.log.append(exchange)
        if not any(call is exchange.call for call in self.sent):
            self.sent.append(exchange.call)
        return exchange

    def alive(self, within: float = 5.0) -> bool:
        """Whether the server still accepts a connection and answers anything at all."""
        deadline = time.monotonic() + within
        while True:
            try:
                self.send(get("/v1/models"), max(0.5, deadline - time.monotonic()))
            except NoAnswer:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)
            else:
                return True

    def feel(self, call: Call) -> None:
        """Takes the pulse for the first time: this request, if it is answered, must be answered as long as it lives."""
        try:
            exchange = self.send(call)
        except (NoAnswer, Unsupported):
            return
        if exchange.status == 200 and exchange.ended != "timeout":
            self.pulse, self.usually = call, exchange.seconds

    def serves(self, within: float = 5.0) -> bool:
        """Whether the server still answers its pulse, whatever the status; where it has none, anything at all."""
        if self.pulse is None:
            return self.alive(within)
        deadline = time.monotonic() + within
        while True:
            try:
                return self.send(self.pulse, max(0.5, deadline - time.monotonic())).ended != "timeout"
            except Unsupported:
                return True
            except NoAnswer:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)

    def hangs(self) -> bool:
        """Whether the server listens, but no longer answers what it answered at first. Keeps `sent` and `silent`."""
        sent, silent = list(self.sent), self.silent
        hung = self.pulse is not None and not self.serves(self.hang_after + 20 * self.usually)
        self.sent[:], self.silent = sent, silent
        return hung

    def listens(self) -> bool:
        """Whether the server accepts a connection; nothing is asked."""
        try:
            self.connect().close()
        except NoAnswer:
            return False
        return True

    def can(self, capability: str) -> tuple[bool, str]:
        """Whether the server has the capability, and how that is known; asked once."""
        if capability not in self.known:
            from contracts.capabilities import probe

            self.known[capability] = probe(self, capability)
        return self.known[capability]

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "name": self.name,
            "url": self.url,
            "model": self.model,
            "profile": self.profile.name,
            "capabilities": {k: v for k, (v, _) in sorted(self.known.items())},
        }
