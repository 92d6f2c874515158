"""One run of a session as one JSON document: what is in it, and what is no bundle. Pure.

Laws: a bundle holds all that decides what is sent: profile, seed, the script the session began with, the requests with
the connection each came on, and (`events`) in which order they arrived and ended, and what was done to the session
between: other scripts, faults, healing, released barriers, its clock. Of what only the test's process had (functions,
predicates) it holds what they said. A bundle of an older version is read as long as nothing in it is missing that a
replay cannot do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mockserver.errors import MockError
from mockserver.model.frames import SOCKET
from mockserver.record.heard import Heard

VERSION = 3

READ = (2, VERSION)
"""The versions that are read. 2: nothing is known of an answer's bytes but their number."""


class BundleError(MockError, ValueError):
    """A file is no bundle, or not a whole one."""


class Released(msgspec.Struct, frozen=True):
    """A barrier was opened, or (`times`) lets so many through."""

    barrier: str = "hold"
    times: int | None = None


class Moved(msgspec.Struct, frozen=True):
    """The session's clock was changed: its time of day before and after."""

    before: float
    after: float


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was sent; `target` is what stood behind the method."""

    method: str
    path: str
    target: str
    http_version: str
    headers: list[tuple[str, str]]
    body: str | None = None
    body_base64: str | None = None


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange. `started` and `seconds`: of the server's monotonic clock, whose beginning means nothing. `received`
    and `now`: the session's monotonic time and its time of day at the arrival. `made`: what a function gave, `awaited`:
    later; `failure`: what went wrong in one, or in a predicate.
    """

    number: int
    connection: int
    on_connection: int
    request: Asked
    rule: str | None
    reply: int | None
    faults: list[Any]
    status: int | None
    sent_bytes: int
    ended: str
    closed_by: str | None
    started: float
    seconds: float
    received: float
    now: float
    answer: Heard | None = None
    made: Any = None
    awaited: bool = False
    failure: str | None = None


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """`tls`, `max_body`, `models`, `origins`: as the server had them. `by_key`: requests without a prefix were the
    session's by their API key. `python`: the functions that its rules had, by place. `missing`: requests and changes
    that were too old to be kept.
    """

    inferneo_bundle: int
    session: str
    profile: str
    seed: int
    script: dict[str, Any]
    begun: float
    exchanges: list[Recorded]
    events: list[dict[str, Any]]
    python: dict[str, str] = {}
    missing: int = 0
    tls: bool = False
    by_key: bool = False
    max_body: int | None = None
    models: list[str] = []
    origins: list[str] = []


def read_bundle(data: bytes, name: str) -> Bundle:
    """The bundle in a file called `name`. Raises `BundleError` with one sentence that says what is wrong."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if "truncated" in str(error) and data.lstrip()[:1] in (b"", b"{"):
            raise BundleError(f"{name} ends too early: it was cut, or is still being written") from None
        raise BundleError(f"{name} is no bundle: it is no JSON: {error}") from None
    except RecursionError:
        raise BundleError(f"{name} is no bundle: its JSON is nested too deeply") from None
    return check(document, name)


def check(document: Any, name: str = "this") -> Bundle:
    """The bundle, if it is one. Raises `BundleError` that says what is missing."""
    if not isinstance(document, dict) or "inferneo_bundle" not in document:
        seen = f"keys {sorted(document)[:5]}" if isinstance(document, dict) else type(document).__name__
        raise BundleError(f"{name} is no bundle: a bundle is an object with 'inferneo_bundle': {VERSION}; got {seen}")
    if document["inferneo_bundle"] not in READ:
        seen = document["inferneo_bundle"]
        known = f"versions {' and '.join(map(str, READ))}"
        hint = "run the test again, or replay it with the inferneo that wrote it"
        raise BundleError(f"{name} is a bundle of version {seen!r}, this inferneo-mock reads {known}; {hint}")
    try:
        found = msgspec.convert(document, Bundle)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise BundleError(f"{name} is no whole bundle: {path.strip('`') or '$'}: {message}") from None
    except RecursionError:
        raise BundleError(f"{name} is no bundle: its JSON is nested too deeply") from None
    _check_events(found, name)
    return found


def _check_events(found: Bundle, name: str) -> None:
    """Every event is one of those known; each request arrives once, before it ends, and alone on its connection."""
    numbers = {one.number for one in found.exchanges}
    connections = {one.number: one.connection for one in found.exchanges if one.request.http_version != SOCKET}
    busy: dict[int, int] = {}
    seen: dict[str, set[int]] = {"arrived": set(), "ended": set()}
    for index, event in enumerate(found.events):
        kind, value = next(iter(event.items()), ("", None))
        place = f"{name} is no whole bundle: $.events[{index}]"
        if len(event) != 1 or kind not in EVENTS:
            raise BundleError(f"{place}: an event has one of the keys {', '.join(EVENTS)}; got {sorted(event)}")
        if kind in seen:
            if value not in numbers or value in seen[kind] or (kind == "ended" and value not in seen["arrived"]):
                raise BundleError(f"{place}: request {value!r} cannot have {kind} here")
            seen[kind].add(value)
            connection = connections.get(value)
            if connection is None:
                continue
            if kind == "arrived" and busy.setdefault(connection, value) != value:
                raise BundleError(f"{place}: request {busy[connection]} is still open on connection {connection}")
            if kind == "ended" and busy.get(connection) == value:
                del busy[connection]
        else:
            try:
                msgspec.convert(value, EVENTS[kind])
            except msgspec.ValidationError as error:
                raise BundleError(f"{place}.{kind}: {error}") from None
    if left := sorted(numbers - seen["arrived"]):
        raise BundleError(f"{name} is no whole bundle: request {left[0]} never arrives")


EVENTS: Mapping[str, Any] = {
    "arrived": int,
    "ended": int,
    "load": dict,
    "script": dict,
    "heal": bool,
    "faults": list,
    "health": str | None,
    "release": Released,
    "clock": Moved,
}
"""What may be in `events`, and of which type."""
