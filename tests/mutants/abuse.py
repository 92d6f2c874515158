"""Servers that abuse hurts, that leak, or that show what is nobody's business."""

from __future__ import annotations

import time

from mockserver.plan import Body, Close, Head, Plan, Raw, Step, Wait

from .edits import Doc, bodies, encoded, is_stream, oops, refusals, reply, status_of, when, with_bodies
from .mutant import Change, Mutant, OnSockets, Turn, mutant

TRACE = 'Traceback (most recent call last):\n  File "/srv/app/server.py", line 31, in handle\nValueError: bad'
KEY = "sk-right-0001"


def _poisoned(turn: Turn) -> Plan:
    plan = turn.plan
    if turn.memory.pop("poisoned", False) and status_of(plan) == 200:
        return oops(503)
    turn.memory["poisoned"] = turn.generates and status_of(plan) == 400 and bool(turn.body)
    return plan


def _out_of_step(turn: Turn) -> Plan:
    plan = turn.plan
    refused: set[int] = turn.memory.setdefault("refused", set())
    if turn.request.connection in refused:
        return oops(400, "malformed request line")
    if 400 <= status_of(plan) < 500 and turn.generates:
        refused.add(turn.request.connection)
    return plan


def _stuck(plan: Plan, seconds: float = 0.02) -> Plan:
    """A stream whose events come one after the other."""
    steps: list[Step] = []
    for step in plan.steps:
        steps += [step, Wait(seconds)] if isinstance(step, Body) else [step]
    return Plan(tuple(steps), plan.ending)


def _left(turn: Turn) -> int:
    """How many streams their readers have left."""
    return sum(exchange.ended == "client" for exchange in turn.journal)


def _leaks(turn: Turn) -> Plan:
    plan = turn.plan
    if is_stream(plan) and turn.body.get("max_tokens", 0) >= 100:
        return _stuck(plan)
    return oops(503, "no free slot") if turn.generates and _left(turn) > 8 else plan


def _for_nobody(turn: Turn) -> Plan:
    """A long answer takes its time; once its caller has gone, nobody else is answered."""
    plan = turn.plan
    if turn.generates and turn.body.get("max_tokens") == 100_000 and status_of(plan) == 200:
        return Plan((Wait(1.5), *plan.steps), plan.ending)
    return oops(503, "busy") if turn.generates and _left(turn) > turn.memory.setdefault("left", 0) else plan


def _gauge(turn: Turn) -> Plan:
    plan = turn.plan
    if is_stream(plan) and turn.body.get("max_tokens", 0) >= 100:
        return _stuck(plan)
    if turn.request.path != "/metrics":
        return plan
    text = b"".join(bodies(plan)).replace(b"inferneo_running_requests 0", b"inferneo_running_requests %d" % _left(turn))
    return with_bodies(plan, [text])


def _big(turn: Turn) -> bool:
    return len(turn.request.body) > 500_000


def _frozen(turn: Turn) -> Plan:
    if _big(turn):
        time.sleep(5.5)
    return turn.plan


def _worn(turn: Turn) -> Plan:
    counts: dict[bytes, int] = turn.memory.setdefault("counts", {})
    key = turn.request.path.encode() + turn.request.body
    counts[key] = counts.get(key, 0) + 1
    busy = turn.generates and counts[key] % 40 > 35 and turn.body.get("max_tokens") != 4
    return oops(429, "slow down") if busy else turn.plan


def _third(turn: Turn) -> Plan:
    return oops(429) if turn.request.on_connection > 2 else turn.plan


def _said(text: str) -> Change:
    """Refusals that say more than they should."""

    def edit(plan: Plan, document: Doc, turn: Turn) -> Plan:
        if "error" in document:
            document["error"]["message"] += f" {text}"
        return with_bodies(plan, [encoded(document)])

    return refusals(edit)


def _spoilt(text: str) -> Change:
    """Only refusals of JSON objects say more than they should."""

    def edit(plan: Plan, document: Doc, turn: Turn) -> Plan:
        if "error" in document and turn.body and turn.generates:
            document["error"]["message"] += f" {text}"
        return with_bodies(plan, [encoded(document)])

    return refusals(edit)


def _key_shown(turn: Turn) -> Plan:
    plan = turn.plan
    key = turn.request.header(b"authorization")
    if key is None or not 400 <= status_of(plan) < 500:
        return plan
    return reply(status_of(plan), {"error": {"message": f"refused for {key.decode('latin-1')}"}})


def _key_in_head(turn: Turn) -> Plan:
    plan = turn.plan
    key = turn.request.header(b"authorization")
    if key is None:
        return plan
    return Plan(
        tuple(
            Head(s.status, (*s.headers, (b"x-debug-auth", key)), s.reason) if isinstance(s, Head) else s
            for s in plan.steps
        ),
        plan.ending,
    )


def _injected(turn: Turn) -> Plan:
    user = turn.body.get("user")
    if not turn.generates or not isinstance(user, str) or "Injected" not in user or "HTTP" in user:
        return turn.plan
    data = b"".join(bodies(turn.plan))
    user = user.encode("ascii", "ignore").decode().replace("\r\n", "\n").replace("\n", "\r\n")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\nX-User: {user}\r\n\r\n"
    return Plan((Raw(head.encode() + data),), Close("fin"))


def _injected_path(turn: Turn) -> Plan:
    if "\n" not in turn.request.path:
        return turn.plan
    head = f"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-Path: {turn.request.path}\r\n\r\n{{}}"
    return Plan((Raw(head.encode("utf-8", "replace")),), Close("fin"))


def _large_head(turn: Turn) -> bool:
    return len(turn.request.header(b"x-large") or b"") > 8000


def _climbs(turn: Turn) -> bool:
    return "etc/passwd" in turn.request.path


def _file(turn: Turn) -> Plan:
    return reply(200, b"root:x:0:0:root:/root:/bin/bash\n", (b"content-type", b"text/plain"))


def _deep_path(turn: Turn) -> bool:
    return turn.request.path.count("/a") > 100 or turn.request.path.count("/..") > 20


def _authorised(good: object) -> Change:
    """The fake behind a key: 401 for what `good(value)` does not take."""

    def change(turn: Turn) -> Plan:
        value = (turn.request.header(b"authorization") or b"").decode("latin-1")
        if good(value) or turn.request.path == "/health":  # type: ignore[operator]
            return turn.plan
        return reply(401, {"error": {"message": "a valid key is needed", "type": "authentication_error"}})

    return OnSockets(change, change)


def _right_key_told(turn: Turn) -> Plan:
    plan = _authorised(lambda value: value == f"Bearer {KEY}")(turn)
    return oops(401, f"this is not {KEY}") if status_of(plan) == 401 else plan


def _only_lists(turn: Turn) -> Plan:
    if turn.generates and turn.request.http_version != "websocket":
        return turn.plan
    return _authorised(lambda value: value == f"Bearer {KEY}")(turn)


MUTANTS: tuple[Mutant, ...] = (
    mutant("next-one-pays", "After a bad request the next good one is a 503.", _poisoned, "S-HEALTH-01"),
    mutant("out-of-step", "After a refusal the connection is out of step.", _out_of_step, "S-HEALTH-02"),
    mutant(
        "generates-for-nobody",
        "A long answer goes on when its caller has gone, and keeps all others out.",
        _for_nobody,
        "S-HEALTH-16",
        judged=("S-HEALTH-16", "S-LIMIT-13"),
    ),
    mutant(
        "slots-leak", "Streams that are left keep their place for ever.", _leaks, "S-HEALTH-03", judged=("S-HEALTH-03",)
    ),
    mutant("gauge-stays", "The gauge counts streams that were left.", _gauge, "S-HEALTH-07"),
    mutant("large-is-a-crash", "A request of a megabyte is a 500.", when(_big, lambda t: oops(500)), "S-HEALTH-09"),
    mutant(
        "large-freezes", "A request of a megabyte freezes the server.", _frozen, "S-HEALTH-09", judged=("S-HEALTH-09",)
    ),
    mutant("wears-out", "The same request is a 429 now and then.", _worn, "S-HEALTH-10", tries=4.0),
    mutant("third-is-too-many", "The third request of a connection is a 429.", _third, "S-HEALTH-11"),
    mutant("stack-traces", "Refusals show a stack trace.", _said(TRACE), "S-SECURE-03"),
    mutant("paths-shown", "Refusals show a path.", _said("in /root/inferneo/server.py"), "S-SECURE-04"),
    mutant(
        "traces-of-objects",
        "Refusals of objects show where Python lives.",
        _spoilt("at /usr/lib/python3.11/json/decoder.py"),
        "S-SECURE-05",
    ),
    mutant("key-shown", "Refusals show the key.", _key_shown, "S-SECURE-02"),
    mutant(
        "right-key-told",
        "The refusal of a wrong key tells the right one.",
        OnSockets(_right_key_told, _right_key_told),
        "S-SECURE-02",
        key=KEY,
    ),
    mutant("key-in-the-head", "A header shows the key.", _key_in_head, "S-SECURE-02"),
    mutant("header-of-the-user", "The user's name becomes a header as it is.", _injected, "S-SECURE-06", tries=3.0),
    mutant("header-of-the-path", "The path becomes a header as it is.", _injected_path, "S-SECURE-06", tries=3.0),
    mutant(
        "large-head-crashes",
        "A large header is a 500.",
        when(_large_head, lambda t: oops(500)),
        "S-SECURE-08",
        tries=3.0,
    ),
    mutant("paths-climb", "A path that climbs shows a file.", when(_climbs, _file), "S-SECURE-09", tries=3.0),
    mutant(
        "deep-path-crashes",
        "An endless path is a 500.",
        when(_deep_path, lambda t: oops(500)),
        "S-SECURE-09",
        tries=3.0,
    ),
    mutant(
        "any-key",
        "Any key will do.",
        _authorised(lambda value: value.startswith("Bearer ") and len(value) > 8),
        "S-SECURE-01",
        key=KEY,
        tries=5.0,
    ),
    mutant(
        "beginning-of-a-key",
        "The beginning of a key will do.",
        _authorised(lambda value: value.startswith("Bearer ") and KEY.startswith(value[7:])),
        "S-SECURE-01",
        key=KEY,
        tries=5.0,
    ),
    mutant(
        "no-scheme",
        "The scheme of a key is not looked at.",
        _authorised(lambda value: value.rpartition(" ")[2] == KEY),
        "S-SECURE-01",
        key=KEY,
        tries=5.0,
    ),
    mutant(
        "lists-only-are-protected",
        "Only the list of models needs a key.",
        OnSockets(_only_lists, _only_lists),
        "S-SECURE-01",
        key=KEY,
        tries=5.0,
    ),
)
