"""Ids and times: unique where they must be, sane, and never going back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

from contracts.answers import read
from contracts.domains import LOG, STREAMS, WHOLE
from contracts.exchange import Call, Exchange
from contracts.law import Breach, Unjudged, Vacuous, expect, law
from contracts.target import Target

SKEW = 120.0
AT_ONCE = 12


def named(exchanges: list[Exchange]) -> list[str]:
    """The ids of the generations among them."""
    found = []
    for exchange in exchanges:
        try:
            said = read(exchange).id
        except Unjudged:
            continue
        if isinstance(said, str):
            found.append(said)
    return found


@law("S-ID-01", over=LOG, examples=1, source="laws.md 10")
def ids_are_unique(target: Target, log: list[Exchange]) -> None:
    """No two answers have the same id."""
    ids = named(log)
    expect(len(ids) == len(set(ids)), "ids that are all different", sorted({i for i in ids if ids.count(i) > 1})[:3])


@law("S-ID-02", over=WHOLE, live=True, examples=3, source="laws.md 10")
def ids_are_unique_under_concurrency(target: Target, call: Call) -> None:
    """Twelve requests at the same moment, all alike, get twelve different ids."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = named(list(pool.map(target.send, [call] * AT_ONCE)))
    if not ids:
        raise Unjudged("no answer had an id (S-SHAPE-07 judges that)")
    if len(set(ids)) < len(ids):
        raise Breach(f"{len(ids)} different ids", sorted(ids), together=AT_ONCE)


@law("S-ID-03", over=WHOLE, source="laws.md 11")
def created_is_now(target: Target, call: Call) -> None:
    """`created` lies within two minutes of the server's own Date, or of the judge's clock where it sends none."""
    exchange = target.send(call)
    said = read(exchange).created
    if not isinstance(said, int) or isinstance(said, bool):
        raise Unjudged("created is no integer (S-SHAPE-08 judges that)")
    date = exchange.response.field("date")
    if date is None and not target.live:
        raise Vacuous("the recording has no Date")
    now = parsedate_to_datetime(date).timestamp() if date else time.time()
    expect(abs(said - now) <= SKEW, f"created within {SKEW:.0f} s of {now:.0f}", said)


@law("S-ID-04", over=WHOLE, live=True, examples=4, source="laws.md 11")
def created_does_not_go_back(target: Target, call: Call) -> None:
    """Of two requests one after the other the second is not created before the first."""
    said = [read(target.send(call)).created for _ in range(2)]
    if not all(isinstance(value, int) for value in said):
        raise Unjudged("created is no integer (S-SHAPE-08 judges that)")
    expect(said[0] <= said[1], f"created {said[0]} or later", said[1])


@law("S-ID-05", over=STREAMS, level="should", source="api.md: chatcmpl-, cmpl-")
def ids_say_their_kind(target: Target, call: Call) -> None:
    """The id of a chat answer begins with chatcmpl-, that of a text answer with cmpl-."""
    said = read(target.send(call)).id
    prefix = "chatcmpl-" if call.is_chat else "cmpl-"
    expect(isinstance(said, str) and said.startswith(prefix), f"an id that begins with {prefix}", said)
