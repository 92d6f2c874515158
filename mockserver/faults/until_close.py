"""A body that only the end of the connection ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from mockserver.plan import Body, Close, Head, Plan, Raw, Step

from .edit import Leaf, each, first_head, lowered, with_headers
from .fault import Fault, fault


@fault("until-close", "body", how="fin")
@dataclass(frozen=True, slots=True)
class UntilClose(Fault):
    """Neither Content-Length nor chunks: the body goes on until FIN (whole, for all one can know), or RST."""

    how: Literal["fin", "rst"] = "fin"

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The bytes bare, then the end."""
        if first_head(plan) is None:
            return plan
        framing = (b"content-length", b"transfer-encoding", b"connection")

        def bare(leaf: Leaf) -> Iterable[Step]:
            if isinstance(leaf, Head) and leaf.status >= 200:
                fields = with_headers(leaf.headers, (b"connection", b"close"), without=framing)
                low = lowered(Plan((Head(leaf.status, fields, leaf.reason),), Close())).steps
                data = b"".join(one.data for one in low if isinstance(one, Raw))
                return (Raw(data.replace(b"transfer-encoding: chunked\r\n", b""), "head"),)
            return (Raw(leaf.data, leaf.mark),) if isinstance(leaf, Body) else (leaf,)

        return Plan(lowered(Plan(each(plan.steps, bare), Close(self.how))).steps, Close(self.how))
