"""What exactly the peer gets of each kind: bytes, waits and ending, on one small stream and one small document."""

from __future__ import annotations

import gzip
import json
from random import Random
from typing import Any

import pytest
from strategies import json_plan, stream_plan

from mockserver.connection import ORDERLY, ConnectionPlan
from mockserver.faults import parse_fault
from mockserver.faults.edit import leaves, payload
from mockserver.lower import lower
from mockserver.plan import Body, Close, End, Ending, Head, Plan, Raw, Repeat, Stall, Step, Wait

HEAD = Head(200, ((b"content-type", b"text/event-stream"),))
STREAM = Plan(
    (
        HEAD,
        Body(b"data: 1\n\n", "role"),
        Body("data: \u00e9\n\n".encode(), "content[0]"),
        Body(b"data: [DONE]\n\n", "done"),
    )
)
DOC = Plan((Head(200, ((b"Content-Type", b"application/json"), (b"Content-Length", b"9"))), Body(b'{"a":"b"}')))
LINE = b"HTTP/1.1 200 OK\r\n"
TYPE = b"content-type: text/event-stream\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"9\r\ndata: 1\n\n\r\na\r\ndata: \xc3\xa9\n\n\r\ne\r\ndata: [DONE]\n\n\r\n"
LAST = b"0\r\n\r\n"
DOC_TYPE = b"Content-Type: application/json\r\n"
FIN, RST = Close("fin"), Close("rst")


def hit(plan: Plan, kind: str, **settings: Any) -> Plan:
    """The plan after one fault."""
    return parse_fault({"kind": kind, **settings}).apply(plan, Random(1))


def wire(plan: Plan) -> bytes:
    """All bytes of a plan, repeats once."""
    return b"".join(leaf.data for leaf in leaves(lower(plan).steps) if isinstance(leaf, Raw))


def body(plan: Plan) -> bytes:
    """All bytes of the body, framing not included."""
    return b"".join(payload(leaf) for leaf in leaves(plan.steps))


def values(plan: Plan) -> list[Any]:
    """The JSON of each event but `[DONE]`."""
    blocks = [block for block in body(plan).split(b"\n\n") if block and block != b"data: [DONE]"]
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


WIRE: list[tuple[Plan, dict[str, Any], bytes, Ending]] = [
    (STREAM, {"kind": "cut"}, LINE + TYPE + CHUNKED + b"\r\n", RST),
    (STREAM, {"kind": "cut", "at": "start", "how": "fin"}, b"", FIN),
    (
        STREAM,
        {"kind": "cut", "at": "end", "how": "half"},
        LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS + LAST,
        Close("half"),
    ),
    (STREAM, {"kind": "cut", "at": "done"}, LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS[:29], RST),
    (
        STREAM,
        {"kind": "cut", "inside": "character"},
        LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS[:14] + b"7\r\ndata: \xc3\r\n",
        RST,
    ),
    (
        STREAM,
        {"kind": "cut", "after_events": 2, "inside": "data"},
        LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS[:29] + b"3\r\ndat\r\n",
        RST,
    ),
    (DOC, {"kind": "cut", "after_bytes": 4}, LINE + DOC_TYPE + b"Content-Length: 9\r\n\r\n" + b'{"a"', RST),
    (STREAM, {"kind": "stall", "after_events": 1}, LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS[:14], Stall(None)),
    (DOC, {"kind": "slow-close", "seconds": 2}, LINE + DOC_TYPE + b'Content-Length: 9\r\n\r\n{"a":"b"}', Stall(2.0)),
    (STREAM, {"kind": "slow-close", "at": "start", "seconds": 2}, b"", Stall(2.0)),
    (
        STREAM,
        {"kind": "slow-close", "inside": "data", "seconds": 2},
        LINE + TYPE + CHUNKED + b"\r\n3\r\ndat\r\n",
        Stall(2.0),
    ),
    (DOC, {"kind": "garbage-status"}, b"HTTP/1.1 abc Nope\r\n" + DOC_TYPE + b'Content-Length: 9\r\n\r\n{"a":"b"}', FIN),
    (DOC, {"kind": "not-http", "form": "ssh"}, b"SSH-2.0-OpenSSH_9.6\r\n", FIN),
    (DOC, {"kind": "not-http", "form": "tls-alert"}, bytes.fromhex("15030100020228"), FIN),
    (DOC, {"kind": "not-http", "form": "http09"}, b"Hello from a server that knows no headers.\n", FIN),
    (DOC, {"kind": "not-http", "form": "random", "bytes": 4}, Random(1).randbytes(4), FIN),
    (DOC, {"kind": "status-line-only"}, LINE, FIN),
    (DOC, {"kind": "half-head", "after_bytes": 20}, LINE + b"Con", FIN),
    (DOC, {"kind": "half-head"}, (LINE + DOC_TYPE + b"Content-Length: 9\r\n\r\n")[:35], FIN),
    (
        DOC,
        {"kind": "huge-header", "bytes": 14},
        LINE + DOC_TYPE + b'Content-Length: 9\r\nx-huge: aaaa\r\n\r\n{"a":"b"}',
        End(),
    ),
    (
        DOC,
        {"kind": "many-headers", "count": 2},
        LINE + DOC_TYPE + b'Content-Length: 9\r\nx-many-0: 0\r\nx-many-1: 1\r\n\r\n{"a":"b"}',
        End(),
    ),
    (
        DOC,
        {"kind": "bad-header"},
        LINE + DOC_TYPE + b'Content-Length: 9\r\nthis line has no colon\r\n\r\n{"a":"b"}',
        FIN,
    ),
    (
        DOC,
        {"kind": "duplicate-header", "name": "content-TYPE"},
        LINE + DOC_TYPE + b'Content-Length: 9\r\ncontent-TYPE: application/json\r\n\r\n{"a":"b"}',
        End(),
    ),
    (
        DOC,
        {"kind": "extra-response", "body": "x"},
        LINE
        + DOC_TYPE
        + b'Content-Length: 9\r\n\r\n{"a":"b"}'
        + b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\nx",
        End(),
    ),
    (
        DOC,
        {"kind": "body-on-204", "body": "x"},
        b"HTTP/1.1 204 No Content\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\nx",
        End(),
    ),
    (DOC, {"kind": "informational", "status": 100, "then": "stall"}, b"HTTP/1.1 100 Continue\r\n\r\n", Stall()),
    (
        DOC,
        {"kind": "informational", "status": 150, "count": 2, "then": "fin"},
        b"HTTP/1.1 150 Informational\r\n\r\n" * 2,
        FIN,
    ),
    (
        DOC,
        {"kind": "informational"},
        b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
        + LINE
        + DOC_TYPE
        + b'Content-Length: 9\r\n\r\n{"a":"b"}',
        End(),
    ),
    (
        DOC,
        {"kind": "upgrade"},
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        Stall(),
    ),
    (
        DOC,
        {"kind": "redirect"},
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: ?again\r\ncontent-length: 0\r\n\r\n",
        End(),
    ),
    (
        DOC,
        {"kind": "content-length", "form": "too-long", "by": 1},
        LINE + DOC_TYPE + b'content-length: 10\r\n\r\n{"a":"b"}',
        FIN,
    ),
    (
        DOC,
        {"kind": "content-length", "form": "too-short", "by": 4},
        LINE + DOC_TYPE + b'content-length: 5\r\n\r\n{"a":"b"}',
        End(),
    ),
    (
        DOC,
        {"kind": "content-length", "form": "negative"},
        LINE + DOC_TYPE + b'content-length: -5\r\n\r\n{"a":"b"}',
        FIN,
    ),
    (
        DOC,
        {"kind": "content-length", "form": "garbage"},
        LINE + DOC_TYPE + b'content-length: abc\r\n\r\n{"a":"b"}',
        FIN,
    ),
    (
        DOC,
        {"kind": "content-length", "form": "twice", "by": 1},
        LINE + DOC_TYPE + b'content-length: 9\r\ncontent-length: 10\r\n\r\n{"a":"b"}',
        FIN,
    ),
    (
        DOC,
        {"kind": "content-length", "form": "same-twice"},
        LINE + DOC_TYPE + b'content-length: 9\r\ncontent-length: 9\r\n\r\n{"a":"b"}',
        End(),
    ),
    (
        DOC,
        {"kind": "content-length", "form": "with-chunked"},
        LINE + DOC_TYPE + b"content-length: 9\r\n" + CHUNKED + b'\r\n9\r\n{"a":"b"}\r\n' + LAST,
        End(),
    ),
    (
        STREAM,
        {"kind": "bad-chunk-size", "event": 1},
        LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS.replace(b"a\r\nd", b"ZZ\r\nd", 1) + LAST,
        FIN,
    ),
    (
        STREAM,
        {"kind": "chunk-mismatch", "event": 1, "by": 2},
        LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS.replace(b"a\r\nd", b"c\r\nd", 1) + LAST,
        FIN,
    ),
    (STREAM, {"kind": "no-last-chunk", "how": "rst"}, LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS, RST),
    (
        STREAM,
        {"kind": "chunk-extension", "bytes": 5},
        LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS.replace(b"9\r\n", b"9;x=aa\r\n", 1) + LAST,
        End(),
    ),
    (
        DOC,
        {"kind": "trailers"},
        LINE + DOC_TYPE + CHUNKED + b'\r\n9\r\n{"a":"b"}\r\n0\r\nx-trailer: late\r\n\r\n',
        End(),
    ),
    (
        DOC,
        {"kind": "split-chunks", "bytes": 5},
        LINE + DOC_TYPE + CHUNKED + b'\r\n5\r\n{"a":\r\n4\r\n"b"}\r\n' + LAST,
        End(),
    ),
    (STREAM, {"kind": "until-close", "how": "rst"}, LINE + TYPE + b"connection: close\r\n\r\n" + body(STREAM), RST),
    (DOC, {"kind": "flip", "offset": 2, "mask": 3}, LINE + DOC_TYPE + b'Content-Length: 9\r\n\r\n{"b":"b"}', End()),
    (
        DOC,
        {"kind": "flip", "offset": 9, "wire": True, "mask": 1},
        b"HTTP/1.1 300 OK\r\n" + DOC_TYPE + b'Content-Length: 9\r\n\r\n{"a":"b"}',
        End(),
    ),
    (DOC, {"kind": "bom"}, LINE + DOC_TYPE + b'Content-Length: 12\r\n\r\n\xef\xbb\xbf{"a":"b"}', End()),
    (
        DOC,
        {"kind": "headers", "set": {"X": "1"}, "remove": ["content-type"]},
        LINE + b'Content-Length: 9\r\nX: 1\r\n\r\n{"a":"b"}',
        End(),
    ),
    (DOC, {"kind": "content-type"}, LINE + b'Content-Length: 9\r\n\r\n{"a":"b"}', End()),
    (
        DOC,
        {"kind": "content-type", "value": "text/html"},
        LINE + b'Content-Length: 9\r\ncontent-type: text/html\r\n\r\n{"a":"b"}',
        End(),
    ),
    (DOC, {"kind": "empty"}, LINE + b"content-type: application/json\r\ncontent-length: 0\r\n\r\n", End()),
    (
        DOC,
        {"kind": "empty", "status": 204},
        b"HTTP/1.1 204 No Content\r\ncontent-type: application/json\r\n\r\n",
        End(),
    ),
    (DOC, {"kind": "empty", "stream": True}, LINE + TYPE + CHUNKED + b"\r\n" + LAST, End()),
    (DOC, {"kind": "bad-body"}, LINE + DOC_TYPE + b'Content-Length: 4\r\n\r\n{"a"', End()),
    (
        DOC,
        {"kind": "bad-body", "form": "deep", "depth": 2},
        LINE + DOC_TYPE + b'Content-Length: 13\r\n\r\n{"a":{"a":1}}',
        End(),
    ),
    (DOC, {"kind": "bad-json"}, LINE + DOC_TYPE + b'Content-Length: 4\r\n\r\n{"a"', End()),
    (DOC, {"kind": "replace", "data": [1]}, LINE + DOC_TYPE + b"Content-Length: 3\r\n\r\n[1]", End()),
    (
        DOC,
        {"kind": "wrong-mode", "to": "stream"},
        LINE
        + b"Content-Length: 31\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n"
        + b'data: {"a":"b"}\n\ndata: [DONE]\n\n',
        End(),
    ),
    (STREAM, {"kind": "hang-after-done"}, LINE + TYPE + CHUNKED + b"\r\n" + CHUNKS, Stall(None)),
]


@pytest.mark.parametrize(
    ("plan", "told", "expected", "ending"), WIRE, ids=lambda one: one.get("kind") if isinstance(one, dict) else ""
)
def test_the_bytes_on_the_wire(plan: Plan, told: dict[str, Any], expected: bytes, ending: Ending) -> None:
    """Exactly these bytes, exactly this ending."""
    result = parse_fault(told).apply(plan, Random(1))
    assert wire(result) == expected
    assert result.ending == ending


EVENTS: list[tuple[dict[str, Any], bytes]] = [
    ({"kind": "drop", "at": "content[0]"}, b"data: 1\n\ndata: [DONE]\n\n"),
    ({"kind": "drop", "event": 0}, b"data: \xc3\xa9\n\ndata: [DONE]\n\n"),
    ({"kind": "duplicate", "event": 0, "times": 2}, b"data: 1\n\n" * 3 + b"data: \xc3\xa9\n\ndata: [DONE]\n\n"),
    ({"kind": "swap", "event": 0}, b"data: \xc3\xa9\n\ndata: 1\n\ndata: [DONE]\n\n"),
    ({"kind": "swap", "at": "done"}, b"data: 1\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
    (
        {"kind": "insert", "after_events": 1, "data": {"a": 1}},
        b'data: 1\n\ndata: {"a":1}\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n',
    ),
    ({"kind": "insert", "at": "done", "data": "raw\n\n"}, b"data: 1\n\ndata: \xc3\xa9\n\nraw\n\ndata: [DONE]\n\n"),
    ({"kind": "no-done"}, b"data: 1\n\ndata: \xc3\xa9\n\n"),
    ({"kind": "no-end"}, b"data: 1\n\ndata: \xc3\xa9\n\n"),
    ({"kind": "done", "form": "lower"}, b"data: 1\n\ndata: \xc3\xa9\n\ndata: [done]\n\n"),
    ({"kind": "done"}, b"data: 1\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\ndata: [DONE]\n\n"),
    (
        {"kind": "error-event", "after_events": 1, "form": "text", "message": "no"},
        b'data: 1\n\ndata: {"error":"no"}\n\n',
    ),
    (
        {"kind": "error-event", "after_events": 1, "form": "message", "message": "no", "then": "done"},
        b'data: 1\n\ndata: {"message":"no","code":500}\n\ndata: [DONE]\n\n',
    ),
    (
        {"kind": "error-event", "form": "detail", "message": "no", "then": "go-on"},
        b'data: {"detail":"no"}\n\ndata: 1\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n',
    ),
    (
        {"kind": "html-event", "at": "done"},
        b"data: 1\n\ndata: \xc3\xa9\n\n"
        b"<html><head><title>502</title></head><body><h1>502 Bad Gateway</h1></body></html>\r\n",
    ),
    ({"kind": "newlines", "form": "cr"}, b"data: 1\r\rdata: \xc3\xa9\r\rdata: [DONE]\r\r"),
    ({"kind": "newlines"}, b"data: 1\r\n\r\ndata: \xc3\xa9\r\n\r\ndata: [DONE]\r\n\r\n"),
    ({"kind": "newlines", "form": "mixed"}, b"data: 1\r\n\ndata: \xc3\xa9\r\r\ndata: [DONE]\n\r"),
    ({"kind": "extra-line", "event": 1, "form": "id"}, b"data: 1\n\nid: 42\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
    (
        {"kind": "extra-line", "every": True, "form": "comment"},
        b": a comment\n\ndata: 1\n\n: a comment\n\ndata: \xc3\xa9\n\n: a comment\n\ndata: [DONE]\n\n",
    ),
    ({"kind": "no-blank-line"}, b"data: 1\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
    ({"kind": "no-blank-line", "every": True}, b"data: 1\ndata: \xc3\xa9\ndata: [DONE]\n"),
    ({"kind": "no-space"}, b"data:1\n\ndata:\xc3\xa9\n\ndata:[DONE]\n\n"),
    ({"kind": "ndjson"}, b"1\n\xc3\xa9\n[DONE]\n"),
    ({"kind": "non-object", "value": "list"}, b"data: []\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
    ({"kind": "bad-json", "event": 1, "form": "words"}, b"data: 1\n\ndata: not json\n\ndata: [DONE]\n\n"),
    ({"kind": "bad-text", "event": 0, "form": "nul"}, b"data: 1\x00\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
    ({"kind": "replace", "event": 0, "data": "x\ny"}, b"data: x\ndata: y\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
    ({"kind": "one-flush"}, b"data: 1\n\ndata: \xc3\xa9\n\ndata: [DONE]\n\n"),
]


@pytest.mark.parametrize("below", [False, True], ids=["above HTTP", "below HTTP"])
@pytest.mark.parametrize(("told", "expected"), EVENTS, ids=lambda one: one.get("kind") if isinstance(one, dict) else "")
def test_the_events_of_a_stream(told: dict[str, Any], expected: bytes, below: bool) -> None:
    """The body is exactly this; below HTTP the chunks around it are right as well."""
    result = parse_fault(told).apply(lower(STREAM) if below else STREAM, Random(1))
    assert body(result) == expected
    assert unchunked(wire(result)) == expected
    assert result.ending == End()


def unchunked(data: bytes) -> bytes:
    """The body of a chunked response, read the slow and obvious way."""
    rest = data.partition(b"\r\n\r\n")[2]
    found = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            assert rest == b"\r\n"
            return found
        found, rest = found + rest[: int(size, 16)], rest[int(size, 16) :]
        assert rest[:2] == b"\r\n"
        rest = rest[2:]


TIMES: list[tuple[dict[str, Any], tuple[Step, ...]]] = [
    ({"kind": "delay", "seconds": 1}, (Wait(1.0), *STREAM.steps)),
    ({"kind": "first-token", "seconds": 1}, (HEAD, Wait(1.0), *STREAM.steps[1:])),
    (
        {"kind": "inter-token", "seconds": 1},
        (*STREAM.steps[:2], Wait(1.0), STREAM.steps[2], Wait(1.0), STREAM.steps[3]),
    ),
    ({"kind": "heartbeat", "seconds": 1}, (HEAD, Repeat((Wait(1.0), Body(b": keep-alive\n\n"))))),
    (
        {"kind": "heartbeat", "seconds": 1, "times": 2, "comment": ""},
        (HEAD, Repeat((Wait(1.0), Body(b": \n\n")), 2), *STREAM.steps[1:]),
    ),
    ({"kind": "stall", "after_events": 1, "seconds": 1}, (*STREAM.steps[:2], Wait(1.0), *STREAM.steps[2:])),
    ({"kind": "one-flush"}, (HEAD, Body(body(STREAM)))),
]


@pytest.mark.parametrize(("told", "steps"), TIMES, ids=lambda one: one.get("kind") if isinstance(one, dict) else "")
def test_times(told: dict[str, Any], steps: tuple[Step, ...]) -> None:
    """The waits are where they are said to be; no byte changes but comments come."""
    assert parse_fault(told).apply(STREAM, Random(1)).steps == steps


def test_jitter_is_drawn_and_bounded() -> None:
    """Each gap has its own, from 0 to `seconds`, or around the gap."""
    waits = [step.seconds for step in hit(STREAM, "jitter", seconds=2).steps if isinstance(step, Wait)]
    assert len(set(waits)) == 3
    assert all(0 <= seconds <= 2 for seconds in waits)
    waits = [step.seconds for step in hit(STREAM, "inter-token", seconds=1, jitter=0.5).steps if isinstance(step, Wait)]
    assert all(0.5 <= seconds <= 1.5 for seconds in waits)


def test_dribble_spreads_the_body() -> None:
    """So many waits as pieces, which sum to the time; the bytes stay; endless bodies stay as they are."""
    slow = hit(STREAM, "dribble", pieces=4, seconds=2)
    waits = [step.seconds for step in slow.steps if isinstance(step, Wait)]
    assert waits == [0.5] * 4
    assert body(slow) == body(STREAM)
    endless = Plan((HEAD, Repeat((Body(b"x"),))))
    assert hit(endless, "dribble", pieces=2, seconds=1) is endless
    assert hit(endless, "one-flush") is endless


def test_bandwidth_takes_its_time() -> None:
    """The waits sum to size / rate, no slice is more than 0.05 seconds' worth."""
    slow = hit(DOC, "bandwidth", bytes_per_second=100)
    assert sum(step.seconds for step in slow.steps if isinstance(step, Wait)) == pytest.approx(len(wire(DOC)) / 100)
    assert max(len(step.data) for step in slow.steps if isinstance(step, Raw)) == 5
    assert wire(slow) == wire(DOC)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_slices_are_writes_of_their_own(size: int) -> None:
    """Every write has `bytes` bytes but the last of each piece; the bytes stay."""
    sliced = hit(STREAM, "slice", bytes=size, gap=0.5 if size == 3 else 0)
    assert all(len(step.data) <= size for step in sliced.steps if isinstance(step, Raw))
    assert wire(sliced) == wire(STREAM)
    assert any(isinstance(step, Wait) for step in sliced.steps) == (size == 3)


def test_of_a_huge_piece_the_first_slices_are_small() -> None:
    """20,000 slices, the rest in one."""
    huge = Plan((Head(200), Body(b"x" * 100_000)))
    sizes = [
        len(step.data) for step in hit(huge, "slice", bytes=1).steps if isinstance(step, Raw) and step.mark != "head"
    ]
    assert sizes == [1] * 19_999 + [100_000 + len(b"186a0\r\n\r\n") - 19_999] + [1] * len(LAST)


def test_a_slow_head_leaves_the_body_alone() -> None:
    """A wait between each two bytes of the head."""
    slow = hit(DOC, "slow-head", gap=1)
    size = len(wire(DOC)) - 9
    assert [step for step in slow.steps if isinstance(step, Wait)] == [Wait(1.0)] * (size - 1)
    assert slow.steps[-1] == Raw(b'{"a":"b"}')


def test_newlines_can_be_split() -> None:
    """The last LF comes in a write of its own."""
    split = hit(STREAM, "newlines", split=True, gap=1)
    assert split.steps[1:4] == (Body(b"data: 1\r\n\r", "role"), Wait(1.0), Body(b"\n"))
    assert hit(STREAM, "split", inside="character").steps[2:5] == (
        Body(b"data: \xc3", "content[0]"),
        Wait(0.01),
        Body(b"\xa9\n\n", "content[0]"),
    )
    crlf = hit(STREAM, "newlines")
    assert hit(crlf, "cut", inside="newline").steps[-1] == Body(b"data: 1\r", "role")


def test_gzip() -> None:
    """Each lie of an encoding, and the truth."""
    data = body(STREAM)
    assert gzip.decompress(body(hit(STREAM, "gzip", form="right"))) == data
    assert gzip.decompress(body(hit(STREAM, "gzip", form="undeclared"))) == data
    assert body(hit(STREAM, "gzip", form="plain")) == data
    assert gzip.decompress(body(hit(DOC, "gzip", form="bomb", bytes=1000))) == body(DOC) + b" " * 1000
    for form in ("corrupt", "truncated"):
        with pytest.raises((OSError, EOFError, ValueError)):
            gzip.decompress(body(hit(DOC, "gzip", form=form)))
    declared = {
        form: b"gzip" in repr(hit(DOC, "gzip", form=form).steps[0]).encode() for form in ("undeclared", "plain")
    }
    assert declared == {"undeclared": False, "plain": True}
    assert hit(lower(DOC), "gzip") == lower(DOC)


def test_charset() -> None:
    """The name and the bytes can lie apart."""
    told = hit(DOC, "charset", declared="utf-16", encoded="latin-1")
    assert b"content-type: application/json; charset=utf-16" in wire(told)
    assert body(hit(DOC, "charset", encoded="utf-16")).decode("utf-16") == '{"a":"b"}'
    assert hit(DOC, "charset", declared="\u00e9") is DOC


def test_a_rate_of_flipped_bits_is_seeded() -> None:
    """Some bytes change, as many as before, the same each time; with `wire` the head too."""
    long = Plan((Head(200), Body(bytes(1000))))
    flipped = body(hit(long, "flip", rate=0.1, mask=1))
    assert 50 < flipped.count(1) < 150
    assert flipped == body(hit(long, "flip", rate=0.1, mask=1))
    assert hit(long, "flip", rate=0) is long
    assert len(wire(hit(long, "flip", rate=1, wire=True, mask=255))) == len(wire(long))


CHAT = stream_plan("Hel", "lo")


def test_meaning() -> None:
    """Each lie is told in the event it belongs to, and the other events stay."""
    true = values(CHAT)
    drifted = values(hit(CHAT, "drift", field="id", event=2))
    assert [value["id"] == "c1" for value in drifted] == [True, True, False, False, False]
    assert len({value["id"] for value in drifted}) == 2
    once = values(hit(CHAT, "drift", field="created", event=1, once=True))
    assert [value["created"] for value in once] == [1, 946684800, 1, 1, 1]
    assert [value["model"] == "m" for value in values(hit(CHAT, "drift", field="model", event=1, once=True))].count(
        False
    ) == 1
    assert values(hit(CHAT, "choice-index", event=1, index=7))[1]["choices"][0]["index"] == 7
    assert "index" not in values(hit(CHAT, "choice-index", event=1))[1]["choices"][0]
    roles = [value["choices"][0]["delta"] for value in values(hit(CHAT, "role-twice", role="user"))[:2]]
    assert roles == [{"role": "assistant"}, {"role": "user"}]
    reasons = [
        choice["finish_reason"]
        for value in values(hit(CHAT, "finish-twice", reason="length"))
        for choice in value["choices"]
    ]
    assert reasons == [None, None, None, "stop", "length"]
    assert values(hit(CHAT, "finish-reason", reason=""))[3]["choices"][0]["finish_reason"] == ""
    assert values(hit(CHAT, "no-finish")) == [*true[:3], true[4]]
    assert [len(values(hit(CHAT, kind))) for kind in ("no-done", "no-finish", "no-end")] == [5, 4, 4]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("wrong-sum", {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}),
        ("negative", {"prompt_tokens": -1, "completion_tokens": -1, "total_tokens": -1}),
        ("text", {"prompt_tokens": "1", "completion_tokens": "2", "total_tokens": "3"}),
        ("null", None),
        ("missing", "missing"),
    ],
)
def test_usage(form: str, expected: Any) -> None:
    """In a stream and in a document."""
    for plan in (CHAT, json_plan()):
        assert values(hit(plan, "bad-usage", form=form))[-1].get("usage", "missing") == expected


def test_usage_in_the_wrong_event() -> None:
    """Twice with other numbers, or beside a choice; where there is none nothing changes."""
    twice = values(hit(CHAT, "bad-usage", form="twice"))
    assert [value["usage"]["total_tokens"] for value in twice[-2:]] == [3, 4]
    assert values(hit(CHAT, "bad-usage", form="with-choices"))[-1]["choices"][0]["delta"] == {"content": ""}
    assert hit(STREAM, "bad-usage") is STREAM


def tools(arguments: str = '{"a":1}') -> Plan:
    """A stream with a tool call."""
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": arguments}}
    value = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    return Plan(
        (HEAD, Body(b"data: " + json.dumps(value).encode() + b"\n\n", "tool[0]"), Body(b"data: [DONE]\n\n", "done"))
    )


@pytest.mark.parametrize(
    ("form", "key", "expected"),
    [
        ("out-of-order", "arguments", '":1}{"a'),
        ("broken", "arguments", '{"a'),
        ("object", "arguments", {"not": "a text"}),
        ("no-index", "index", None),
        ("no-id", "id", None),
        ("no-name", "name", None),
    ],
)
def test_tool_arguments(form: str, key: str, expected: Any) -> None:
    """The call is wrong in this one way."""
    call = values(hit(tools(), "tool-arguments", form=form))[0]["choices"][0]["delta"]["tool_calls"][0]
    assert {**call, **call["function"]}.get(key) == expected
    assert hit(STREAM, "tool-arguments", form=form) is STREAM


def test_tool_arguments_letter_by_letter() -> None:
    """One event per character; id and name only in the first."""
    calls = [
        value["choices"][0]["delta"]["tool_calls"][0] for value in values(hit(tools(), "tool-arguments", form="split"))
    ]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a":1}'
    assert [("id" in call, "name" in call["function"]) for call in calls] == [(True, True)] + [(False, False)] * 6


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"form": "drop", "field": "model"}, {"model": "missing"}),
        ({"form": "null", "field": "model"}, {"model": None}),
        ({"form": "type", "field": "model"}, {"model": 7}),
        ({"form": "type", "field": "created"}, {"created": "1"}),
        ({"form": "type", "field": "choices"}, {"choices": {"not": "a list"}}),
        ({"form": "enum", "field": "object"}, {"object": "never-heard-of"}),
        ({"form": "extra", "field": "id"}, {"x_unknown": {"deep": [1, 2.5, None, "\u00e9"]}}),
    ],
)
def test_mutations(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    """The named field breaks the schema in the named way."""
    told = values(hit(CHAT, "mutate", event=1, **settings))[1]
    assert {key: told.get(key, "missing") for key in expected} == expected


def test_a_drawn_mutation_follows_the_seed() -> None:
    """The same seed breaks the same field; seeds differ; no field, no change."""
    fault = parse_fault({"kind": "mutate", "event": 1, "form": "drop"})
    drawn = {body(fault.apply(CHAT, Random(seed))) for seed in range(20)}
    assert len(drawn) > 5
    assert fault.apply(CHAT, Random(3)) == fault.apply(CHAT, Random(3))
    assert body(parse_fault({"kind": "mutate", "form": "enum"}).apply(CHAT, Random(1))) != body(CHAT)
    assert hit(CHAT, "mutate", field="nothing") is CHAT


def test_wrong_mode_joins_a_stream() -> None:
    """One document that says what the events said."""
    told = json.loads(body(hit(CHAT, "wrong-mode", to="json")))
    assert told["object"] == "chat.completion"
    assert told["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    ]
    assert told["usage"]["total_tokens"] == 3
    text = Plan(
        (
            HEAD,
            Body(b'data: {"choices":[{"text":"a","index":0}]}\n\n'),
            Body(b'data: {"choices":[{"text":"b"},3]}\n\ndata: [1]\n\n'),
        )
    )
    assert json.loads(body(hit(text, "wrong-mode", to="json")))["choices"] == [{"index": 0, "text": "ab"}]


def test_bodies_of_another_kind() -> None:
    """Each form is what it says."""
    told = {
        form: body(hit(DOC, "bad-body", form=form))
        for form in ("trailing", "nan", "null", "scalar", "list", "object", "words")
    }
    assert told == {
        "trailing": b'{"a":"b"}}',
        "nan": b'{"a":NaN,"b":Infinity}',
        "null": b"null",
        "scalar": b"1",
        "list": b"[]",
        "object": b"{}",
        "words": b"not json",
    }
    twice = json.loads(body(hit(DOC, "bad-body", form="duplicate-keys")), object_pairs_hook=lambda pairs: pairs)
    assert [key for key, _ in twice] == ["a", "id", "model", "choices", "usage"]
    assert len(body(hit(DOC, "bad-body", form="huge-integer", depth=5000))) == 5007
    assert len(body(hit(DOC, "bad-body", form="deep"))) > 500_000


def test_huge_and_spread_events() -> None:
    """More bytes, or more lines, and the same JSON but for the padding."""
    huge = hit(CHAT, "huge-event", event=1, bytes=1000)
    assert values(huge)[1].pop("padding") == "x" * 1000
    assert len(body(hit(CHAT, "huge-event", event=1))) > 8 << 20
    spread = body(hit(CHAT, "multi-line-data", every=True))
    blocks = [block for block in spread.split(b"\n\n") if block]
    joined = [b"\n".join(line.removeprefix(b"data: ") for line in block.split(b"\n")) for block in blocks]
    assert [json.loads(one) for one in joined[:-1]] == values(CHAT)
    assert blocks[1].count(b"\n") > 5
    assert hit(STREAM, "huge-event", event=2).steps == STREAM.steps


@pytest.mark.parametrize(
    ("told", "status", "fields", "code"),
    [
        ({"kind": "status", "status": 429, "retry_after": 1.0}, 429, {b"retry-after": [b"1"]}, "rate_limit_exceeded"),
        (
            {"kind": "status", "status": 503, "retry_after": ["soon", -1]},
            503,
            {b"retry-after": [b"soon", b"-1"]},
            "server_error",
        ),
        (
            {"kind": "status", "status": 404, "headers": {"a": "b"}},
            404,
            {b"a": [b"b"], b"retry-after": []},
            "model_not_found",
        ),
        (
            {"kind": "rate-limit", "retry_after_ms": 5, "should_retry": False},
            429,
            {b"retry-after-ms": [b"5"], b"x-should-retry": [b"false"]},
            "rate_limit_exceeded",
        ),
        (
            {"kind": "rate-limit", "limit": 60, "reset": 9, "should_retry": True},
            429,
            {b"x-ratelimit-limit": [b"60"], b"x-ratelimit-reset": [b"9"], b"x-should-retry": [b"true"]},
            "rate_limit_exceeded",
        ),
        ({"kind": "loading", "seconds": 1, "retry_after": 2}, 503, {b"retry-after": [b"2"]}, "model_loading"),
        ({"kind": "key-expired", "calls": 1}, 401, {b"www-authenticate": [b"Bearer"]}, "invalid_api_key"),
        ({"kind": "overload", "queue": 3}, 503, {b"x-queue-depth": [b"3"]}, "server_overloaded"),
    ],
)
def test_refusals(told: dict[str, Any], status: int, fields: dict[bytes, list[bytes]], code: str) -> None:
    """Status, headers, the documented envelope, and a length that is true; a wait before the head is kept."""
    late = Plan((Wait(1.0), *STREAM.steps), FIN)
    result = parse_fault(told).rewrite(late, Random(1))
    assert result.steps[0] == Wait(1.0)
    head = result.steps[1]
    assert isinstance(head, Head)
    assert head.status == status
    assert {name: [value for key, value in head.headers if key == name] for name in fields} == fields
    assert json.loads(body(result))["error"]["code"] == code
    assert dict(head.headers)[b"content-length"] == b"%d" % len(body(result))
    assert result.ending == End()


@pytest.mark.parametrize(
    ("settings", "kind", "data"),
    [
        ({"form": "detail"}, b"application/json", b'{"detail":"no"}'),
        (
            {"form": "detail-list"},
            b"application/json",
            b'{"detail":[{"type":"value_error","loc":["body"],"msg":"no","input":null}]}',
        ),
        ({"form": "message"}, b"application/json", b'{"message":"no"}'),
        ({"form": "text"}, b"text/plain; charset=utf-8", b"no"),
        ({"form": "empty"}, None, b""),
        ({"body": "said"}, b"text/plain; charset=utf-8", b"said"),
        ({"body": {"a": 1}}, b"application/json", b'{"a":1}'),
        (
            {"form": "html"},
            b"text/html",
            b"<html><head><title>500</title></head><body><h1>500 no</h1></body></html>\r\n",
        ),
    ],
)
def test_any_status_has_any_form_of_body(settings: dict[str, Any], kind: bytes | None, data: bytes) -> None:
    """The forms that servers use."""
    result = hit(STREAM, "status", status=500, message="no", **settings)
    head = result.steps[0]
    assert isinstance(head, Head)
    assert dict(head.headers).get(b"content-type") == kind
    assert body(result) == data
    assert b"content-length" not in dict(hit(STREAM, "status", status=204, form="empty").steps[0].headers)  # type: ignore[union-attr]  # a head


def test_headers_of_the_limits_on_a_good_answer() -> None:
    """The answer stays, the head says how much is left."""
    result = hit(DOC, "rate-limit-headers", limit=60, remaining=0)
    assert b"\r\nx-ratelimit-limit: 60\r\nx-ratelimit-remaining: 0\r\n" in wire(result)
    assert body(result) == body(DOC)
    assert hit(lower(DOC), "rate-limit-headers", limit=1) == lower(DOC)


CONNECTIONS: list[tuple[dict[str, Any], ConnectionPlan]] = [
    ({"kind": "refused", "reopen_after": 1}, ConnectionPlan(listen="refused", reopen_after=1.0)),
    ({"kind": "syn-black-hole"}, ConnectionPlan(listen="blackhole")),
    ({"kind": "accept-black-hole"}, ConnectionPlan(on_accept="blackhole")),
    ({"kind": "accept-reset"}, ConnectionPlan(on_accept="reset")),
    ({"kind": "accept-close"}, ConnectionPlan(on_accept="close")),
    ({"kind": "accept-delay", "seconds": 1}, ConnectionPlan(accept_delay=1.0)),
    ({"kind": "connection-limit", "limit": 2, "over": "reset"}, ConnectionPlan(limit=2, over_limit="reset")),
    ({"kind": "idle-close", "seconds": 1, "how": "rst"}, ConnectionPlan(idle_after=1.0, idle_how="rst")),
    ({"kind": "reset-nth-request", "n": 3}, ConnectionPlan(reset_on_request=3)),
    ({"kind": "no-read"}, ConnectionPlan(read="none")),
    ({"kind": "early-response"}, ConnectionPlan(read="early")),
]


@pytest.mark.parametrize(
    ("told", "expected"), CONNECTIONS, ids=lambda one: one.get("kind") if isinstance(one, dict) else ""
)
def test_connections(told: dict[str, Any], expected: ConnectionPlan) -> None:
    """They change how connections are treated, and no plan."""
    fault = parse_fault(told)
    assert fault.connect(ORDERLY) == expected
    assert fault.apply(STREAM, Random(1)) is STREAM


def test_connection_faults_add_up() -> None:
    """Delays sum, of two limits the lower holds."""
    delay, limit = (
        parse_fault({"kind": "accept-delay", "seconds": 1}),
        parse_fault({"kind": "connection-limit", "limit": 5}),
    )
    lower_limit = parse_fault({"kind": "connection-limit", "limit": 2})
    both = lower_limit.connect(limit.connect(delay.connect(delay.connect(ORDERLY))))
    assert (both.accept_delay, both.limit) == (2.0, 2)


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "drop", "at": "usage"},
        {"kind": "bad-json", "event": 9},
        {"kind": "duplicate", "event": 9},
        {"kind": "swap", "event": 9},
        {"kind": "insert", "at": "usage", "data": 1},
        {"kind": "stall", "after_events": 9},
        {"kind": "slow-close", "after_events": 9},
        {"kind": "stall", "inside": "newline"},
        {"kind": "done"},
        {"kind": "no-done"},
        {"kind": "hang-after-done"},
        {"kind": "flip", "offset": 999},
        {"kind": "bad-chunk-size", "event": 9},
        {"kind": "heartbeat", "seconds": 1},
        {"kind": "wrong-mode", "to": "json"},
        {"kind": "non-object", "event": 9},
        {"kind": "multi-line-data", "event": 9},
        {"kind": "no-blank-line", "event": 9},
        {"kind": "extra-line", "event": 0},
        {"kind": "bad-text", "event": 9},
        {"kind": "huge-event", "event": 9},
        {"kind": "replace", "event": 9},
        {"kind": "drift", "event": 9},
        {"kind": "duplicate-header", "name": "x-none"},
        {"kind": "half-head", "after_bytes": 999},
        {"kind": "content-type", "when": {"probability": 0}},
    ],
    ids=lambda one: one["kind"],
)
def test_what_finds_nothing_to_do_changes_nothing(told: dict[str, Any]) -> None:
    """The very same plan, so that the fault counts as unused."""
    assert parse_fault(told).apply(DOC, Random(1)) is DOC


def test_corners() -> None:
    """What a plan is makes some faults do nothing, or the same in another frame."""
    low = lower(DOC)
    assert wire(hit(low, "insert", data="x")) == LINE + DOC_TYPE + b'Content-Length: 10\r\n\r\nx{"a":"b"}'
    assert hit(STREAM, "insert", data="") is STREAM
    assert hit(json_plan(), "bad-usage", form="twice") == json_plan()
    assert hit(json_plan(), "role-twice") == json_plan()
    assert hit(Plan((HEAD, Body(b"data: [1]\n\n"))), "drift", event=0).steps[1] == Body(b"data: [1]\n\n")
    assert hit(Plan((HEAD, Body(b'data: {"choices":3}\n\n'))), "choice-index", index=1).ending == End()
    assert hit(low, "until-close") is low
    assert hit(low, "bad-body") is low
    assert hit(Plan((HEAD,)), "bom").steps == (HEAD,)


OTHERS: list[tuple[Any, Any]] = [
    ("a", 7),
    (None, "yes"),
    (True, "yes"),
    (1, "1"),
    (1.5, "1.5"),
    ([], {"not": "a list"}),
    ({}, ["not", "an object"]),
]


@pytest.mark.parametrize(("value", "other"), OTHERS)
def test_every_type_has_another(value: Any, other: Any) -> None:
    """A mutation of the type is one of the type."""
    plan = Plan((Head(200), Body(json.dumps({"x": value}).encode())))
    assert json.loads(body(hit(plan, "mutate", form="type", field="x"))) == {"x": other}
