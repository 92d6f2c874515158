"""What a script has answered although a server of its profile would have refused it. Reads, changes nothing.

Laws: only what was answered 2xx by a reply of a rule is asked about, and nothing of it when it is answered, only when
somebody wants to know. A model that is not served, that is not able to see, or whose context is too small is no
objection: scripts may name any. What was marked `unsafe` when it answered is not asked about, whatever is in force now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.plan import Body, Plan
from mockserver.record.journal import Exchange
from mockserver.sentence import error_sentence

if TYPE_CHECKING:
    from mockserver.serving.brain import ScriptBrain
    from mockserver.serving.sessions import SessionCore

CHECKED = 10_000
"""Different requests of a session that are looked at, the first that came: as many as a journal keeps (20 us each)."""

NAMED = 5
"""Numbers of requests named in one text."""

EXCUSE = "where that is meant, mark the rule unsafe (`on(...).unsafe()`, `unsafe: true`)"


def objections(core: SessionCore) -> list[str]:
    """One text for each thing that the server would have refused, with the requests it is about; the last one tells
    of requests that were not looked at.
    """
    brain: ScriptBrain = core.brain  # type: ignore[assignment]  # the server makes no other
    known: dict[tuple[object, ...], str] = {}
    found: dict[tuple[str, str], list[Exchange]] = {}
    passed_over = 0
    for exchange in core.journal:
        rule = exchange.rule
        if (
            rule is None
            or exchange.decision.unsafe
            or exchange.reply is None
            or not 200 <= (exchange.status or 0) < 300
        ):
            continue
        request = exchange.request
        key = (request.method, request.path, request.headers, request.body)
        if key not in known:
            if len(known) == CHECKED:
                passed_over += 1
                continue
            refused = brain.objection(request)
            known[key] = "" if refused is None else _told(refused)
        if known[key]:
            found.setdefault((known[key], rule), []).append(exchange)
    profile = brain.profile.name
    told = [
        f"{_numbers(many)}: the server would refuse this: {said} (profile {profile}); "
        f"rule {rule!r} answered {many[0].status}; {EXCUSE}"
        for (said, rule), many in found.items()
    ]
    if passed_over:
        told.append(f"only the first {CHECKED} different requests were looked at; {passed_over} more were not")
    return told


def _told(refused: Plan) -> str:
    """The status and the sentence of a refusal."""
    status = next(step.status for step in refused.steps if hasattr(step, "status"))
    body = b"".join(step.data for step in refused.steps if isinstance(step, Body))
    return f"{status} {error_sentence(body) or body.decode('utf-8', 'replace')}".rstrip()


def _numbers(many: list[Exchange]) -> str:
    """`request 1`, `requests 1 and 2`, `requests 1, 2, 3, 4, 5 and 7 more`."""
    numbers = [str(one.number) for one in many]
    if len(numbers) == 1:
        return f"request {numbers[0]}"
    if len(numbers) > NAMED:
        return f"requests {', '.join(numbers[:NAMED])} and {len(numbers) - NAMED} more"
    return f"requests {', '.join(numbers[:-1])} and {numbers[-1]}"
