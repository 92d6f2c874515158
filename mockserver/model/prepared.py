"""A plan made once and sent often: everything but the id and the time of creation, which differ per request.

What a model says follows from the seed and the request, and what a script says from the reply; so an equal request
gets equal bytes but for two holes. The holes are the control characters NUL and SOH, which no JSON text holds raw.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mockserver.filled import Account, Blank, Filled
from mockserver.flow import CREATED, ID, Flow, Layout
from mockserver.plan import Body, Head, Headers, Plan

HOLES = {"id": ID, "created": CREATED}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A response with holes: a `whole` one has its length told in the head, a stream is a `Flow`.

    `seal`: what the ids of equal answers have in common. `layouts` of the stream, `blanks` of the whole answer: by how
    long the id and the time of creation are.
    """

    status: int
    headers: Headers
    parts: tuple[tuple[bytes, str], ...]
    whole: bool
    head: Head
    account: Account | None = None
    seal: bytes = b""
    layouts: dict[tuple[int, int], Layout] = field(default_factory=dict, repr=False, compare=False)
    blanks: dict[tuple[int, int], Blank] = field(default_factory=dict, repr=False, compare=False)

    def fill(self, identity: bytes, created: bytes) -> Plan:
        """The plan for one request."""
        sizes = (len(identity), len(created))
        if self.whole:
            blank = self.blanks.get(sizes)
            if blank is None:
                blank = self.blanks[sizes] = self._blank(*sizes)
            return Filled(blank, identity, created).plan()
        layout = self.layouts.get(sizes)
        if layout is None:
            layout = self.layouts[sizes] = Layout(self.parts, *sizes)
        return Flow(self.head, layout, identity, created).plan()

    def _blank(self, identity: int, created: int) -> Blank:
        data = self.parts[0][0]
        size = len(data) + data.count(ID) * (identity - len(ID)) + data.count(CREATED) * (created - len(CREATED))
        head = Head(self.status, ((b"content-length", b"%d" % size), *self.headers))
        return Blank(head, data, self.account)


def prepare(plan: Plan, account: Account | None = None, seal: bytes = b"") -> Prepared:
    """A plan of a head and bodies, all of them JSON or events, as something to fill."""
    head = next(step for step in plan.steps if isinstance(step, Head))
    parts = [(step.data, step.mark) for step in plan.steps if isinstance(step, Body)]
    headers = tuple(field for field in head.headers if field[0] != b"content-length")
    whole = len(parts) == 1 and len(headers) < len(head.headers)
    return Prepared(head.status, headers, tuple(parts), whole, head, account, seal)
