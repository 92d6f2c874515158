"""Who may use the door, and what of the journal a question is about.

Laws: on a loopback address everyone may; elsewhere only who brings the server's admin token, and where there is none
the door stays shut, for whoever arms a session decides what its clients get. A filter keeps what all of its conditions
hold for; a question that means nothing is refused, never ignored.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mockserver.errors import ScriptError
from mockserver.record.journal import Exchange
from mockserver.suggest import unknown

HEADER = "x-admin-token"


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """`token` empty and `shut` False: everyone may."""

    token: str = ""
    shut: bool = False

    def refusal(self, headers: Mapping[str, str]) -> str:
        """Why the asker may not come in; empty: it may."""
        if not self.token:
            return (
                "the door is shut: this server listens beyond the loopback, so start it with --admin-token TOKEN "
                "and ask with 'Authorization: Bearer TOKEN'"
                if self.shut
                else ""
            )
        scheme, _, given = headers.get("authorization", "").partition(" ")
        shown = headers.get(HEADER) or (given if scheme.lower() == "bearer" else "")
        if hmac.compare_digest(shown.encode(), self.token.encode()):
            return ""
        return f"the door needs the server's admin token, as 'Authorization: Bearer TOKEN' or '{HEADER}: TOKEN'"


OPEN = Doorkeeper()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def doorkeeper(host: str, token: str | None) -> Doorkeeper:
    """Who keeps the door of a server that listens on `host`."""
    return Doorkeeper(token or "", not is_loopback(host))


_FILTERS: dict[str, Callable[[Exchange, str], bool]] = {
    "path": lambda one, value: one.request.path == value,
    "method": lambda one, value: one.request.method == value.upper(),
    "rule": lambda one, value: (one.rule or "none") == value,
    "status": lambda one, value: str(one.status) == value,
    "ended": lambda one, value: one.ended == value,
    "fault": lambda one, value: value in [fault.kind for fault in one.faults],
    "contains": lambda one, value: value.encode() in one.request.body,
    "connection": lambda one, value: str(one.request.connection) == value,
}

PAGING = ("limit", "after", "wait_for", "within", "arrived")


def chosen(exchanges: Iterable[Exchange], asked: Mapping[str, str]) -> list[Exchange]:
    """The exchanges that the query parameters ask for. Raises `ScriptError` for one that is not known."""
    for name in asked:
        if name not in _FILTERS and name not in PAGING:
            raise ScriptError(unknown("query parameter", name, [*_FILTERS, *PAGING]), f"?{name}")
    wanted = [(_FILTERS[name], value) for name, value in asked.items() if name in _FILTERS]
    return [one for one in exchanges if all(holds(one, value) for holds, value in wanted)]
