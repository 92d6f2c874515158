"""The first law: what is plain and valid is answered."""

from __future__ import annotations

from contracts.answers import read, tokens
from contracts.domains import CALLS
from contracts.exchange import Call
from contracts.law import Unjudged, Vacuous, expect, law
from contracts.target import Target


def obeyed(target: Target, call: Call) -> None:
    """`Vacuous` where max_tokens is taken and ignored altogether: one finding (S-USAGE-03), not one for each law of it.

    A server is said to ignore it when its answer to a limit of one token counts more, and as many as a longer answer.
    """
    if not target.live:
        return
    plain = call.with_(stream=..., stream_options=..., n=...)
    one, many = (target.send(plain.with_(max_tokens=limit)) for limit in (1, 32))
    if one.status != 200 or many.status != 200:
        return
    few, more = (
        x.usage.get("completion_tokens") if isinstance(x.usage, dict) else None for x in (read(one), read(many))
    )
    if isinstance(few, int) and few > 1 and few == more:
        raise Vacuous("max_tokens is ignored (S-USAGE-03 judges that)")


def counted(target: Target, call: Call, *, more: bool) -> None:
    """`Unjudged` where the plain whole answer to the call counts more (or fewer) tokens than its max_tokens, too.

    Tokens that are miscounted everywhere are one finding (S-USAGE-03 or S-USAGE-04), not one for each law that counts.
    """
    limit = call.document.get("max_tokens")
    if not target.live or limit is None:
        return
    exchange = target.send(call.with_(stream=..., stream_options=..., n=...))
    if exchange.status != 200:
        return
    reading = read(exchange)
    used = tokens(reading.usage, "completion_tokens")
    if more and used > limit:
        raise Unjudged("a plain answer counts more than max_tokens, too (S-USAGE-03 judges that)")
    if not more and reading.finish == "length" and used < limit:
        raise Unjudged("a plain answer that was cut counts fewer than max_tokens, too (S-USAGE-04 judges that)")


def served(target: Target, call: Call) -> None:
    """`Vacuous` where the plain call itself is not answered 200: one finding, not one for each law that asks."""
    if target.live and target.send(call).status != 200:
        raise Vacuous("a plain valid request is not answered 200 (S-PLAIN-01 or S-UNI-01 judges that)")


@law("S-PLAIN-01", over=CALLS, examples=20, source="api.md, REST")
def a_plain_request_is_answered(target: Target, call: Call) -> None:
    """A plain valid request is answered 200."""
    exchange = target.send(call)
    expect(exchange.status == 200, "status 200", f"{exchange.status} {exchange.response.body[:200]!r}")
