"""The first law: what is plain and valid is answered."""

from __future__ import annotations

from contracts.answers import read
from contracts.domains import CALLS
from contracts.exchange import Call
from contracts.law import Vacuous, expect, law
from contracts.target import Target


def obeyed(target: Target, call: Call) -> None:
    """`Vacuous` where max_tokens is taken and ignored altogether: one finding (S-USAGE-03), not one for each law of it.

    A server is said to ignore it when a limit of one token changes neither the text nor the count of a longer answer.
    """
    if not target.live:
        return
    plain = call.with_(stream=..., stream_options=..., n=...)
    one, many = (target.send(plain.with_(max_tokens=limit)) for limit in (1, 32))
    if one.status != 200 or many.status != 200:
        return
    a, b = read(one), read(many)
    counted = a.usage.get("completion_tokens") if isinstance(a.usage, dict) else None
    if a.texts == b.texts and isinstance(counted, int) and counted > 1:
        raise Vacuous("max_tokens is ignored (S-USAGE-03 judges that)")


@law("S-PLAIN-01", over=CALLS, examples=20, source="api.md, REST")
def a_plain_request_is_answered(target: Target, call: Call) -> None:
    """A plain valid request is answered 200."""
    exchange = target.send(call)
    expect(exchange.status == 200, "status 200", f"{exchange.status} {exchange.response.body[:200]!r}")
