"""Content-Length says what is not so. The body is sent bare, as many bytes as it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from mockserver.plan import Body, Close, End, Head, Plan, Raw, Step
from mockserver.settings import Positive

from .edit import Leaf, body_bytes, each, first_head, lowered, total, with_head, with_headers
from .fault import Fault, fault


@fault("content-length", "head", form="too-long")
@dataclass(frozen=True, slots=True)
class ContentLength(Fault):
    """The head has a Content-Length, and it is a lie.

    `form` `too-long`: `by` more than there is, then FIN. `too-short`: `by` less, the rest stays on the open
    connection. `negative`: `-5`. `garbage`: `abc`. `twice`: two that differ by `by`. `same-twice`: two that agree.
    `with-chunked`: right, beside a chunked body. All but `too-short`, `same-twice` and `with-chunked` end with FIN.
    """

    form: Literal["too-long", "too-short", "negative", "garbage", "twice", "same-twice", "with-chunked"] = "too-long"
    by: Positive = 10

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other framing; an endless body, or one below HTTP, is left alone."""
        size = total(plan.steps, body_bytes)
        if first_head(plan) is None or size == float("inf"):
            return plan
        true = b"%d" % int(size)
        values = {
            "too-long": [b"%d" % (int(size) + self.by)],
            "too-short": [b"%d" % max(0, int(size) - self.by)],
            "negative": [b"-5"],
            "garbage": [b"abc"],
            "twice": [true, b"%d" % (int(size) + self.by)],
            "same-twice": [true, true],
            "with-chunked": [true],
        }[self.form]
        fields = tuple((b"content-length", value) for value in values)
        chunked = self.form == "with-chunked"
        framing = (*fields, *(((b"transfer-encoding", b"chunked"),) if chunked else ()))

        def head(one: Head) -> Head:
            return Head(one.status, with_headers(one.headers, *framing, without=(b"transfer-encoding",)), one.reason)

        def bare(leaf: Leaf) -> Iterable[Step]:
            return (Raw(leaf.data, leaf.mark),) if isinstance(leaf, Body) and not chunked else (leaf,)

        changed = with_head(plan, head)
        low = lowered(Plan(each(changed.steps, bare), changed.ending))
        kept = self.form in ("too-short", "same-twice", "with-chunked") or not isinstance(low.ending, End)
        return Plan(low.steps, low.ending if kept else Close("fin"))
