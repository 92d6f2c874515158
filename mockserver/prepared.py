"""A plan made once and sent often: everything but the id and the time of creation, which differ per request.

What a model says follows from the seed and the request, and what a script says from the reply; so an equal request
gets equal bytes but for two holes. The holes are the control characters NUL and SOH, which no JSON text holds raw.
"""

from __future__ import annotations

from dataclasses import dataclass

from mockserver.plan import Body, End, Head, Headers, Plan

ID, CREATED = b"\0", b"\1"
HOLES = {"id": ID, "created": CREATED}
_END = End()


@dataclass(frozen=True, slots=True)
class Account:
    """What an answer costs: the tokens of its prompt (and the prompt itself), and those of all its choices."""

    prompt_tokens: int
    tokens: int
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A response with holes: a `whole` one has its length told in the head, a stream has a step per event."""

    status: int
    headers: Headers
    parts: tuple[tuple[bytes, str], ...]
    whole: bool
    head: Head
    account: Account | None = None

    def fill(self, identity: bytes, created: bytes) -> Plan:
        """The plan for one request."""
        if self.whole:
            data = self.parts[0][0].replace(ID, identity).replace(CREATED, created)
            length = (b"content-length", b"%d" % len(data))
            return Plan((Head(self.status, (length, *self.headers)), Body(data)), _END)
        steps = [Body(data.replace(ID, identity).replace(CREATED, created), mark) for data, mark in self.parts]
        return Plan((self.head, *steps), _END)


def prepare(plan: Plan, account: Account | None = None) -> Prepared | None:
    """The plan as something to fill; None for one that has more to it than a head and bodies."""
    head, *rest = plan.steps
    if not isinstance(head, Head) or plan.ending != _END:
        return None
    parts = []
    for step in rest:
        if not isinstance(step, Body):
            return None
        parts.append((step.data, step.mark))
    headers = tuple(field for field in head.headers if field[0] != b"content-length")
    whole = len(parts) == 1 and len(headers) < len(head.headers)
    return Prepared(head.status, headers, tuple(parts), whole, head, account)
