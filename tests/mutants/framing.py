"""Streams that are framed wrong."""

from __future__ import annotations

from mockserver.plan import Close, Head, Plan, Raw, Wait

from .edits import bodies, event, events, is_stream, with_fields
from .mutant import Change, Mutant, Turn, mutant

ERROR = {"error": {"message": "upstream failed", "type": "server_error", "param": None, "code": None}}
BOM = b"\xef\xbb\xbf"


def _unended(turn: Turn) -> Plan:
    plan = turn.plan
    return Plan(plan.steps, Close("fin")) if is_stream(plan) else plan


def _reset(turn: Turn) -> Plan:
    plan = turn.plan
    return Plan(plan.steps, Close("rst")) if is_stream(plan) else plan


def _closed(turn: Turn) -> Plan:
    plan = turn.plan
    if not is_stream(plan):
        return plan
    size = sum(map(len, bodies(plan)))
    return Plan(with_fields(plan, (b"content-length", b"%d" % size)).steps, Close("fin"))


def _held_back(turn: Turn) -> Plan:
    plan = turn.plan
    if not is_stream(plan) or turn.body.get("max_tokens", 16) < 2:
        return plan
    return Plan((Wait(1.3), *plan.steps), plan.ending)


def _whole_instead(turn: Turn) -> Plan:
    return turn.asked(stream=False, stream_options=...).plan if turn.streams else turn.plan


def _junk_behind(turn: Turn) -> Plan:
    plan = turn.plan
    if is_stream(plan) or not turn.generates or not any(isinstance(s, Head) and s.status == 200 for s in plan.steps):
        return plan
    data = b"".join(bodies(plan))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
    return Plan((Raw(head + data + b"\n\n<!-- served by proxy -->"),), Close("fin"))


def _short_of_length(turn: Turn) -> Plan:
    plan = turn.plan
    if is_stream(plan) or not turn.generates or not any(isinstance(s, Head) and s.status == 200 for s in plan.steps):
        return plan
    size = sum(map(len, bodies(plan)))
    return Plan(with_fields(plan, (b"content-length", b"%d" % (size + 7))).steps, Close("fin"))


def _fields(of_stream: bool, *fields: tuple[bytes, bytes]) -> Change:
    def change(turn: Turn) -> Plan:
        plan = turn.plan
        good = any(isinstance(step, Head) and step.status == 200 for step in plan.steps)
        return with_fields(plan, *fields) if turn.generates and good and is_stream(plan) == of_stream else plan

    return change


def _stream_from_json(turn: Turn) -> Plan:
    return turn.asked(stream=True).plan if turn.generates and not turn.body.get("stream") else turn.plan


def _chunks_for_all(turn: Turn) -> Plan:
    plan = turn.plan
    if turn.request.http_version != "1.0" or not is_stream(plan):
        return plan
    data = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in bodies(plan)) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return Plan((Raw(head + data),), Close("fin"))


MUTANTS: tuple[Mutant, ...] = (
    mutant("no-done", "A stream has no [DONE] (transformers serve).", events(lambda e, t: e[:-1]), "S-FRAME-03"),
    mutant("two-dones", "A stream has [DONE] twice.", events(lambda e, t: [*e, e[-1]]), "S-FRAME-03"),
    mutant(
        "event-behind-done",
        "A chunk follows [DONE].",
        events(lambda e, t: [*e, event({"id": "late", "object": "ping", "choices": []})]),
        "S-FRAME-03",
    ),
    mutant(
        "done-in-lower-case",
        "The last event is [done].",
        events(lambda e, t: [*e[:-1], event(b"[done]")]),
        "S-FRAME-03",
    ),
    mutant(
        "done-quoted",
        'The last event is "[DONE]" in quotes.',
        events(lambda e, t: [*e[:-1], event("[DONE]")]),
        "S-FRAME-02",
    ),
    mutant(
        "done-unfinished",
        "The last event is ended by one line break only.",
        events(lambda e, t: [*e[:-1], e[-1][:-1]]),
        "S-FRAME-06",
    ),
    mutant(
        "stray-data-at-the-end",
        "Behind [DONE] stands the beginning of one more event.",
        events(lambda e, t: [*e, b": bye\ndata: "]),
        "S-FRAME-06",
    ),
    mutant(
        "stream-as-json",
        "A stream is called application/json.",
        _fields(True, (b"content-type", b"application/json")),
        "S-FRAME-01",
    ),
    mutant(
        "stream-as-text",
        "A stream is called text/plain.",
        _fields(True, (b"content-type", b"text/plain")),
        "S-FRAME-01",
    ),
    mutant("stream-ignored", "stream=true is answered by a whole document.", _whole_instead, "S-FRAME-01"),
    mutant("always-streams", "A stream is sent although none was asked for.", _stream_from_json, "S-FRAME-08"),
    mutant(
        "two-in-one",
        "Two documents come in one event.",
        events(lambda e, t: [e[0][:-2] + b"," + e[1][6:], *e[2:]]),
        "S-FRAME-02",
    ),
    mutant(
        "half-a-document",
        "An event has half of its document.",
        events(lambda e, t: [*e[:1], e[1][: len(e[1]) // 2] + b"\n\n", *e[2:]]),
        "S-FRAME-02",
    ),
    mutant(
        "keep-alive-as-data",
        "A keep-alive is sent as data: ping.",
        events(lambda e, t: [e[0], b"data: ping\n\n", *e[1:]]),
        "S-FRAME-02",
    ),
    mutant("null-event", "A stream begins with data: null.", events(lambda e, t: [event(b"null"), *e]), "S-FRAME-02"),
    mutant(
        "latin-1",
        "A comment of the stream is in Latin-1.",
        events(lambda e, t: [b": caf\xe9\n\n", *e]),
        "S-FRAME-04",
    ),
    mutant("bom", "A stream begins with a byte order mark.", events(lambda e, t: [BOM + e[0], *e[1:]]), "S-FRAME-04"),
    mutant("no-last-chunk", "A stream ends without the last chunk of HTTP.", _unended, "S-FRAME-05"),
    mutant("reset-at-the-end", "A stream ends by a reset of the connection.", _reset, "S-FRAME-05"),
    mutant(
        "unknown-line",
        "An event has a line of its own making.",
        events(lambda e, t: [b"trace: 5\n" + e[0], *e[1:]]),
        "S-FRAME-07",
    ),
    mutant(
        "html", "A whole answer is called text/html.", _fields(False, (b"content-type", b"text/html")), "S-FRAME-08"
    ),
    mutant(
        "no-content-type", "A whole answer has no Content-Type.", _fields(False, (b"content-type", b"")), "S-FRAME-08"
    ),
    mutant("junk-behind-the-body", "Bytes follow the body of an answer.", _junk_behind, "S-FRAME-09"),
    mutant("short-answer", "An answer is shorter than its Content-Length.", _short_of_length, "S-FRAME-09"),
    mutant(
        "coding-of-a-stream",
        "A stream is said to be compressed, unasked.",
        _fields(True, (b"content-encoding", b"gzip")),
        "S-FRAME-10",
    ),
    mutant(
        "coding-of-an-answer",
        "An answer is said to be compressed, unasked.",
        _fields(False, (b"content-encoding", b"br")),
        "S-FRAME-10",
    ),
    mutant(
        "error-in-a-good-stream",
        "A stream holds an error object in the middle.",
        events(lambda e, t: [*e[:2], event(ERROR), *e[2:]]),
        "S-FRAME-11",
    ),
    mutant(
        "named-events",
        "The events are named.",
        events(lambda e, t: [*(b"event: chunk\n" + one for one in e[:-1]), e[-1]]),
        "S-FRAME-12",
    ),
    mutant(
        "held-back",
        "A stream is held back and sent at once at its end.",
        _held_back,
        "S-FRAME-13",
        judged=("S-FRAME-13",),
        tries=5.0,
    ),
    mutant("closes-unsaid", "After a stream the connection is closed, unsaid.", _closed, "S-FRAME-14"),
    mutant("chunks-for-all", "A caller of HTTP/1.0 gets chunks.", _chunks_for_all, "S-FRAME-15"),
)
