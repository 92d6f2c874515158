"""The first law: what is plain and valid is answered."""

from __future__ import annotations

from contracts.domains import CALLS
from contracts.exchange import Call
from contracts.law import expect, law
from contracts.target import Target


@law("S-PLAIN-01", over=CALLS, examples=20, source="api.md, REST")
def a_plain_request_is_answered(target: Target, call: Call) -> None:
    """A plain valid request is answered 200."""
    exchange = target.send(call)
    expect(exchange.status == 200, "status 200", f"{exchange.status} {exchange.response.body[:200]!r}")
