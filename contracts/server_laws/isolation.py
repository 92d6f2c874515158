"""Isolation: requests at the same time do not see each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import strategies as st

from contracts.answers import Reading, documents, read
from contracts.domains import CALLS, STREAMS, Domain
from contracts.exchange import Call, Exchange
from contracts.law import Unjudged, Unsupported, Vacuous, expect, law
from contracts.server_laws.heard import at_rest, gives_again
from contracts.server_laws.plain import served
from contracts.target import Target

SOURCE = "laws.md 20, 21"


def _group(domain: Domain[Call], size: int) -> Domain[list[Call]]:
    def draw(target: Target) -> st.SearchStrategy[list[Call]]:
        return st.lists(domain.draw(target), min_size=3, max_size=size, unique_by=lambda call: call.key())

    return Domain(f"several of: {domain.name}", draw, None, domain.needs)


GROUP = _group(CALLS, 8)
STREAM_GROUP = _group(STREAMS, 6)


def at_once(target: Target, calls: list[Call]) -> list[Exchange]:
    """All calls at the same moment, answers in the order of the calls."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(target.send, calls))


def _beside(target: Target, call: Call, exchange: Exchange) -> Reading:
    """What was read beside others; `Unjudged` by the laws that tell why it cannot be read, though alone it can."""
    try:
        return read(exchange)
    except Unjudged:
        at_rest(target, call)
        other = "S-ALONE-02" if exchange.status != 200 else "S-ALONE-07"
        raise Unjudged(f"among others it cannot be read, and alone it can ({other} judges that)") from None


@law("S-ALONE-01", over=GROUP, needs={"det"}, live=True, examples=4, source=SOURCE)
def each_gets_its_own_answer(target: Target, calls: list[Call]) -> None:
    """Several different requests at once get the texts that they get one after the other.

    Where equal requests at once do not get equal texts (a GPU's sums depend on the size of a batch), only a text that
    is another request's is a breach.
    """
    alone = [read(target.send(call)) for call in calls]
    together = [_beside(target, call, exchange) for call, exchange in zip(calls, at_once(target, calls), strict=True)]
    for call, a, b in zip(calls, alone, together, strict=True):
        if a.texts == b.texts:
            continue
        if not gives_again(target, call, a.texts):
            raise Unsupported("temperature 0 is not deterministic: the same request gave two texts")
        if not target.can("load")[0] and b.texts not in [other.texts for other in alone if other.texts != a.texts]:
            raise Unsupported(target.can("load")[1])
        expect(False, f"{a.texts} also among {len(calls)} requests at once", b.texts)


@law("S-ALONE-02", over=GROUP, live=True, examples=4, source=SOURCE)
def each_gets_its_own_kind(target: Target, calls: list[Call]) -> None:
    """Of several requests at once the streamed ones get streams, the others documents, each of its own endpoint."""
    for call, exchange in zip(calls, at_once(target, calls), strict=True):
        if exchange.status != 200:
            served(target, call)
        expect(exchange.status == 200, "status 200", exchange.status, exchange)
        if exchange.is_stream != call.streams == (not target.send(call).is_stream):
            raise Unjudged("alone it is of the other kind as well (S-FRAME-01 and S-FRAME-08 judge that)")
        expect(
            exchange.is_stream == call.streams, "a stream" if call.streams else "a document", exchange.response.fields
        )
        said = str(read(exchange).object)
        expect(said.startswith("chat") == call.is_chat, "an object of the endpoint", said)


@law("S-ALONE-03", over=STREAM_GROUP, live=True, examples=4, source=SOURCE)
def streams_are_not_mixed(target: Target, calls: list[Call]) -> None:
    """Of several streams at once each has one id, and no two have the same."""
    ids: list[str] = []
    for exchange in at_once(target, calls):
        said = {str(document.get("id")) for document in documents(exchange)}
        if len(said) != 1:
            alone = {str(document.get("id")) for document in documents(target.send(exchange.call))}
            if len(alone) != 1:
                raise Unjudged("ids change within a stream (S-STREAM-01 judges that)")
        expect(len(said) == 1, "one id in each stream", sorted(said))
        ids += said
    if len(set(ids)) < len(ids):
        whole = at_once(target, [call.with_(stream=..., stream_options=...) for call in calls] * 3)
        named = [str(exchange.document.get("id")) for exchange in whole if isinstance(exchange.document, dict)]
        if len(set(named)) < len(named):
            raise Vacuous("ids of answers at the same moment are not unique (S-ID-02 judges that)")
    expect(len(set(ids)) == len(ids), f"{len(ids)} different ids", ids)


@law("S-ALONE-04", over=STREAM_GROUP, needs={"det"}, live=True, examples=3, source=SOURCE)
def an_abandoned_stream_takes_no_other_with_it(target: Target, calls: list[Call]) -> None:
    """Of several open streams one is abandoned; the others end as they would have."""
    first, *others = calls
    alone = [read(target.send(call)).texts for call in others]
    streams = [target.open(call) for call in (first, *others)]
    try:
        next(streams[0].events(), None)
        streams[0].close(abruptly=True)
        for call, stream, wanted in zip(others, streams[1:], alone, strict=True):
            exchange = target.keep(stream.rest())
            expect(exchange.response.complete, "a whole stream", exchange.ended)
            got = _beside(target, call, exchange).texts
            if got != wanted:
                if not gives_again(target, call, wanted):
                    raise Unsupported("temperature 0 is not deterministic: the same request gave two texts")
                if not target.can("load")[0]:
                    raise Unsupported(target.can("load")[1])
            expect(got == wanted, f"{wanted}", got)
    finally:
        for stream in streams:
            stream.close()


@law("S-ALONE-05", over=GROUP, live=True, examples=3, source=SOURCE)
def a_refusal_among_others_is_its_own(target: Target, calls: list[Call]) -> None:
    """A bad request among good ones at the same moment: it alone is refused."""
    bad = Call("POST", calls[0].path, b'{"model": ', calls[0].fields)
    mixed = [calls[0], bad, *calls[1:], bad]
    statuses = [exchange.status for exchange in at_once(target, mixed)]
    wanted = [call is not bad for call in mixed]
    for call, status in zip(mixed, statuses, strict=True):
        if call is not bad and status != 200:
            served(target, call)
    expect([s == 200 for s in statuses] == wanted, f"200 for the good ones only: {wanted}", statuses)
