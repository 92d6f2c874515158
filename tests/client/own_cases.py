"""Our own wire cases: one for each thing the client promises that the listed ones do not show. Same vocabulary."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from wire_cases import EVENT_HEAD, chunked, huge_line

from inferneo import Retry

BASE = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
Step = dict[str, Any]
KEEP: Step = {"end": "keep"}
FIN: Step = {"end": "fin"}
RST: Step = {"end": "rst"}


def delta(content: Any = None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return BASE | {
        "choices": [
            {"index": index, "delta": ({"content": content} if content else {}) | more, "finish_reason": finish}
        ]
    }


def event(value: Any, ending: bytes = b"\n\n") -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return b"data: " + text.encode("utf-8", "surrogatepass") + ending


HEL, LO, STOP = event(delta("Hel")), event(delta("lo")), event(delta(finish="stop"))
DONE = b"data: [DONE]\n\n"
HELLO = HEL + LO + STOP + DONE


def stream(*parts: bytes, head: str = EVENT_HEAD) -> list[Step]:
    return [{"raw": head + chunked(b"".join(parts))}, KEEP]


def open_stream(*parts: bytes) -> list[Step]:
    """A chunked stream whose body has no end yet."""
    return [{"raw": EVENT_HEAD + "".join(one_chunk(part) for part in parts)}]


def one_chunk(data: bytes) -> str:
    return f"{len(data):x}\r\n{data.decode('latin-1')}\r\n"


def plain(status: int, body: Any, *headers: str, kind: str = "application/json") -> list[Step]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers]
    return [{"raw": "\r\n".join(lines) + "\r\n\r\n" + data.decode("latin-1")}, KEEP]


GOOD = plain(200, ANSWER)
BUSY = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}


def case(
    name: str,
    call: str,
    expect: dict[str, Any],
    *attempts: list[Step],
    retries: int = 0,
    limit: float = 1.5,
    **more: Any,
) -> dict[str, Any]:
    if retries and "min_s" not in expect:
        more.setdefault("client", {"retry": Retry(base=0.02)})  # that it waits is shown by those with `min_s`
    return {
        "id": name,
        "call": call,
        "timeout_s": limit,
        "max_retries": retries,
        "expect": expect,
        "attempts": list(attempts),
        **more,
    }


OK = {"ok": True, "text": "Hello", "finish": "stop"}


def ok(name: str, *attempts: list[Step], **more: Any) -> dict[str, Any]:
    return case(name, "chat stream", OK | more.pop("expect", {}), *attempts, **more)


def fails(name: str, kinds: str, *attempts: list[Step], **more: Any) -> dict[str, Any]:
    return case(name, "chat stream", {"err": kinds.split()} | more.pop("expect", {}), *attempts, **more)


def segmented(size: int, *parts: bytes) -> list[Step]:
    return [{"raw": EVENT_HEAD + chunked(b"".join(parts), 7), "segment": size, "gap_s": 0.0}, KEEP]


GRAMMAR = [
    ok("crlf", stream(HELLO.replace(b"\n", b"\r\n"))),
    ok("cr", stream(HELLO.replace(b"\n", b"\r"))),
    ok("crlf-split", stream(HELLO.replace(b"\n", b"\r\n")), expect={}),
    ok("byte-at-a-time", segmented(1, HELLO.replace(b"\n", b"\r\n"))),
    ok("bom", stream(b"\xef\xbb\xbf" + HELLO)),
    ok("bom-then-comment", stream(b"\xef\xbb\xbf: hi\n\n" + HELLO)),
    ok("comments", stream(b": hi\n\n", HEL, b":\n", LO, b": x\r\n\r\n", STOP, DONE)),
    ok("multi-line", stream(b'data: {"choices":[{"delta":\ndata: {"content":"Hel"}}]}\n\n', LO, STOP, DONE)),
    ok("no-space", stream(HELLO.replace(b"data: ", b"data:"))),
    ok("two-spaces", stream(HELLO.replace(b"data: ", b"data:  "))),
    ok("tab-space", stream(HELLO.replace(b"data: ", b"data:\t"))),
    ok("empty-data", stream(HEL, b"data:\n\n", LO, b"data\n\n", STOP, DONE)),
    ok("retry-only", stream(b"retry: 100\n\n", HEL, b"retry: 1_0\n\n", LO, b"retry: x\n\n", STOP, DONE)),
    ok("id-only", stream(b"id: 1\n\n", HEL, b"id: a\0b\n\n", LO, b"event: x\n\n", STOP, DONE)),
    ok("done-padded", stream(HEL, LO, STOP, b"data:   [DONE]  \n\n")),
    ok("done-unterminated", stream(HEL, LO, b"data: [DONE]"), expect={"finish": None}),
    ok("done-one-newline", stream(HEL, LO, b"data: [DONE]\n"), expect={"finish": None}),
    ok("done-no-finish", stream(HEL, LO, DONE), expect={"finish": None}),
    ok("last-event-unterminated", stream(HEL, LO, STOP, event(delta("junk"), b"")), expect={}),
    fails("unterminated-finish", "truncated", stream(HEL, LO, STOP[:-2]), expect={"partial": "Hello"}),
    ok("done-named", stream(HEL, LO, STOP, b"event: done\ndata: [DONE]\n\n")),
    ok("message-name", stream(HELLO.replace(b"data: {", b"event: message\ndata: {"))),
    ok("own-name", stream(HELLO.replace(b"data: {", b"event: completion.chunk\ndata: {"))),
    ok("ping-event", stream(HEL, b"event: ping\ndata: pong\n\n", LO, b'event: ping\ndata: {"a":1}\n\n', STOP, DONE)),
    ok("charset", stream(HELLO, head=EVENT_HEAD.replace("event-stream", "event-stream;charset=utf-8"))),
    ok("content-type-missing", stream(HELLO, head=EVENT_HEAD.replace("Content-Type: text/event-stream\r\n", ""))),
    ok("content-type-plain", stream(HELLO, head=EVENT_HEAD.replace("text/event-stream", "text/plain"))),
    ok("content-type-lies", stream(HELLO, head=EVENT_HEAD.replace("text/event-stream", "application/json"))),
    case("lone-surrogate", "chat stream", {"ok": True, "text": "a\ud83e"}, stream(event(delta("a\ud83e")), STOP, DONE)),
    case(
        "split-pair",
        "chat stream",
        {"ok": True, "text": "\ud83e\udd84"},
        stream(event(delta("\ud83e")), event(delta("\udd84")), STOP, DONE),
    ),
    case(
        "nel-in-text",
        "chat stream",
        {"ok": True, "text": "a\u0085b\u2028c\x0bd"},
        stream(b'data: {"choices":[{"delta":{"content":"a\xc2\x85b\xe2\x80\xa8c\\u000bd"}}]}\n\n', STOP, DONE),
    ),
    case(
        "split-utf8",
        "chat stream",
        {"ok": True, "text": "\u2603\U0001f984"},
        segmented(1, b'data: {"choices":[{"delta":{"content":"\xe2\x98\x83\xf0\x9f\xa6\x84"}}]}\n\n', STOP, DONE),
    ),
    case(
        "huge-line",
        "chat stream",
        {"ok": True, "text_len": 8 << 20, "max_s": 8},
        huge_line(8 << 20, 1 << 16)[0],
        limit=8,
    ),
    case(
        "many-events",
        "chat stream",
        {"ok": True, "text": "x" * 300},
        stream(event(delta("x")) * 300, STOP, DONE),
        limit=8,
    ),
]

ENDS = [
    fails("truncated", "truncated", stream(HEL, LO), expect={"partial": "Hello", "attempts": 1}, retries=2),
    fails(
        "truncated-length",
        "truncated connection",
        [
            {
                "raw": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5000\r\n\r\n"
                + HEL.decode()
            },
            FIN,
        ],
        expect={"partial": "Hel"},
    ),
    ok(
        "close-delimited", [{"raw": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + HELLO.decode()}, FIN]
    ),
    ok("cut-after-done", [*open_stream(HELLO), RST]),
    ok("cut-after-finish", [*open_stream(HEL, LO, STOP), FIN]),
    ok("reset-after-finish", [*open_stream(HEL, LO, STOP), {"wait_s": 0.05}, RST]),
    ok("stall-after-done", [*open_stream(HELLO), {"end": "stall"}], expect={"max_s": 1.2}),
    ok("stall-after-finish", [*open_stream(HEL, LO, STOP), {"end": "stall"}], expect={"max_s": 3}, limit=0.3),
    ok("bad-chunk-after-done", [*open_stream(HELLO), {"raw": "ZZ\r\n"}, FIN]),
    fails("empty", "protocol", stream(b""), expect={"msg_has": "empty"}),
    fails("blank", "protocol", stream(b"\n\n\r\n"), expect={"msg_has": "empty"}),
    fails("only-comments", "truncated", stream(b": hi\n\n: ho\n\n")),
    ok("only-done", stream(DONE), expect={"text": "", "finish": None}),
    fails("204", "protocol", [{"raw": "HTTP/1.1 204 No Content\r\n\r\n"}, KEEP], expect={"msg_has": "204"}),
    fails("html", "protocol", plain(200, b"<html>login</html>", kind="text/html"), expect={"msg_has": "login"}),
    fails("json-answer", "protocol", plain(200, ANSWER), expect={"msg_has": "application/json"}),
    fails("plain-text", "protocol", plain(200, b"hello", kind="text/plain"), expect={"msg_has": "hello"}),
    fails(
        "json-error",
        "status",
        plain(200, {"error": {"message": "no room", "code": 503}}),
        expect={"msg_has": "no room", "status": 503},
    ),
    fails("json-detail", "status", plain(200, {"detail": "no such thing"}), expect={"msg_has": "no such thing"}),
    fails("n-2-one-unfinished", "truncated", stream(HEL, event(delta("x", index=1)), STOP), expect={"partial": "Hel"}),
    ok("n-2-both", stream(HEL, event(delta("x", "stop", 1)), LO, STOP)),
    case(
        "reuse-drained",
        "chat stream",
        OK | {"reuse": True},
        [{"raw": EVENT_HEAD + one_chunk(HELLO)}, {"wait_s": 0.01}, {"raw": "0\r\n\r\n"}, KEEP],
    ),
    fails(
        "rst-mid-event",
        "connection truncated",
        [*open_stream(HEL, b'data: {"id"'), {"wait_s": 0.05}, RST],
        expect={"partial": "Hel"},
    ),
    fails("done-quoted", "protocol", stream(HEL, b'data: "[DONE]"\n\n', DONE), expect={"partial": "Hel"}),
    fails("done-with-more", "protocol", stream(HEL, b"data: [DONE]\ndata: x\n\n", DONE), expect={"partial": "Hel"}),
]

JSON = [
    ok("choices-null", stream(HEL, event({"choices": None}), LO, STOP, DONE)),
    ok("choices-missing", stream(HEL, event({"id": "x"}), LO, STOP, DONE)),
    ok("choices-empty-first", stream(event({"choices": []}), HELLO)),
    ok("delta-null", stream(HEL, event({"choices": [{"delta": None}]}), LO, STOP, DONE)),
    ok("content-null", stream(HEL, event(delta(role="assistant", content=None)), LO, STOP, DONE)),
    ok("data-null", stream(HEL, event("null"), LO, STOP, DONE)),
    ok("index-null", stream(HEL, event({"choices": [{"index": None, "delta": {"content": "lo"}}]}), STOP, DONE)),
    ok(
        "nulls-everywhere",
        stream(
            HEL,
            event(
                {
                    "id": None,
                    "object": None,
                    "created": None,
                    "model": None,
                    "usage": None,
                    "choices": [
                        {
                            "index": 0,
                            "delta": {"content": "lo", "role": None, "tool_calls": None},
                            "logprobs": None,
                            "finish_reason": None,
                        }
                    ],
                }
            ),
            STOP,
            DONE,
        ),
    ),
    ok("finish-empty", stream(event(delta("Hel", "")), event(delta("lo", "")), STOP, DONE)),
    fails("finish-empty-is-none", "truncated", stream(event(delta("Hel", ""))), expect={"partial": "Hel"}),
    ok("created-float", stream(HEL.replace(b'"created": 1', b'"created": 1.0'), LO, STOP, DONE)),
    ok("nan", stream(HEL.replace(b'"created": 1', b'"created": 1, "x": NaN, "y": -Infinity'), LO, STOP, DONE)),
    ok("huge-int", stream(HEL.replace(b'"created": 1', b'"seq": ' + b"9" * 5000), LO, STOP, DONE)),
    ok("huge-known-int", stream(HEL.replace(b'"created": 1', b'"created": ' + b"9" * 40), LO, STOP, DONE)),
    ok("1e400", stream(HEL.replace(b'"created": 1', b'"x": 1e400'), LO, STOP, DONE)),
    ok("deep", stream(HEL.replace(b'"created": 1', b'"x": ' + b"[" * 20000 + b"]" * 20000), LO, STOP, DONE)),
    ok("duplicate-key", stream(HEL.replace(b'"created": 1', b'"created": 1, "created": 2'), LO, STOP, DONE)),
    ok("escaped-slash", stream(HEL.replace(b'"m"', b'"a\\/b\\u00e9"'), LO, STOP, DONE)),
    ok("white-space", stream(HEL.replace(b"data: {", b"data: \t {"), LO, STOP, DONE)),
    fails("control-char", "protocol", stream(HEL, event('{"id":"a\x01"}'), DONE), expect={"partial": "Hel"}),
    fails("trailing-comma", "protocol", stream(HEL, event('{"id":"a",}'), DONE), expect={"partial": "Hel"}),
    fails("single-quotes", "protocol", stream(HEL, event("{'id':'a'}"), DONE), expect={"partial": "Hel"}),
    fails("two-values", "protocol", stream(HEL, event('{"id":"a"}{"id":"b"}'), DONE), expect={"partial": "Hel"}),
    fails("cut-string", "protocol", stream(HEL, event('{"id":"a'), DONE), expect={"partial": "Hel"}),
    fails("text", "protocol", stream(HEL, event("hello"), DONE), expect={"partial": "Hel", "msg_has": "hello"}),
    fails("array", "protocol", stream(HEL, event("[]"), DONE), expect={"partial": "Hel"}),
    fails("string", "protocol", stream(HEL, event('"x"'), DONE), expect={"partial": "Hel"}),
    fails("true", "protocol", stream(HEL, event("true"), DONE), expect={"partial": "Hel"}),
    fails("choices-object", "protocol", stream(HEL, event({"choices": {}}), DONE), expect={"msg_has": "$.choices"}),
    fails("choice-null", "protocol", stream(HEL, event({"choices": [None]}), DONE), expect={"msg_has": "$.choices[0]"}),
    fails(
        "delta-text",
        "protocol",
        stream(HEL, event({"choices": [{"delta": "lo"}]}), DONE),
        expect={"msg_has": "$.choices[0].delta"},
    ),
    fails(
        "content-list",
        "protocol",
        stream(HEL, event(delta(content=["lo"])), DONE),
        expect={"msg_has": "$.choices[0].delta.content"},
    ),
    fails(
        "finish-number",
        "protocol",
        stream(HEL, event({"choices": [{"finish_reason": 1}]}), DONE),
        expect={"msg_has": "finish_reason"},
    ),
    fails(
        "usage-text", "protocol", stream(HEL, event({"choices": [], "usage": "5"}), DONE), expect={"msg_has": "$.usage"}
    ),
    fails(
        "created-true",
        "protocol",
        stream(HEL, event({"created": True, "choices": []}), DONE),
        expect={"msg_has": "$.created"},
    ),
    fails(
        "index-float",
        "protocol",
        stream(HEL, event({"choices": [{"index": 0.5}]}), DONE),
        expect={"msg_has": "$.choices[0].index"},
    ),
    case(
        "extra",
        "chat stream",
        {"ok": True, "extra": {"x": [1, {"y": None}]}},
        stream(event(delta("Hello", "stop") | {"x": [1, {"y": None}]}), DONE),
    ),
    case(
        "extra-plain",
        "chat",
        {"ok": True, "extra": {"x": 1e3, "z": "\ud83e"}},
        plain(200, ANSWER | {"x": 1e3, "z": "\ud83e"}),
    ),
    case(
        "usage",
        "chat stream",
        {"ok": True, "usage": 5, "chunks": 4},
        stream(HEL, LO, STOP, event({"choices": [], "usage": {"total_tokens": 5, "prompt_tokens": None}}), DONE),
    ),
]

TOOLS = [
    ok(
        "tool-pieces",
        stream(
            event(
                delta(
                    tool_calls=[{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]
                )
            ),
            event(delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}])),
            event(delta("Hello", "stop")),
            DONE,
        ),
    ),
    ok(
        "tool-nulls",
        stream(
            event(delta(tool_calls=[{"index": None, "id": None, "type": None, "function": None}])),
            event(delta(tool_calls=[{"function": {"name": None, "arguments": None}}])),
            event(delta(tool_calls=[])),
            event(delta(tool_calls=None, function_call=None)),
            HELLO,
        ),
    ),
    fails(
        "tool-arguments-object",
        "protocol",
        stream(event(delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": {"a": 1}}}])), DONE),
        expect={"msg_has": "tool_calls[0].function.arguments"},
    ),
    fails(
        "tool-not-list",
        "protocol",
        stream(event(delta(tool_calls={"index": 0})), DONE),
        expect={"msg_has": "tool_calls"},
    ),
    fails(
        "tool-index-text",
        "protocol",
        stream(event(delta(tool_calls=[{"index": "0"}])), DONE),
        expect={"msg_has": "tool_calls[0].index"},
    ),
    fails(
        "tool-cut",
        "truncated",
        stream(event(delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]))),
    ),
    ok(
        "logprobs-inf",
        stream(
            b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop","logprobs":'
            b'{"content":[{"token":"a","logprob":-Infinity,"bytes":null,"top_logprobs":[]}]}}]}\n\n',
            DONE,
        ),
    ),
]

IN_STREAM = [
    fails(name, "stream_error", stream(HEL, bad, LO, DONE), expect={"partial": "Hel", "msg_has": "boom"} | more)
    for name, bad, more in [
        (
            "error-object",
            event({"error": {"message": "boom", "type": "t", "code": "c", "param": "p"}}),
            {"code": "c", "type": "t", "param": "p"},
        ),
        ("error-number", event({"error": {"message": "boom", "code": 500}}), {"code": "500"}),
        ("error-text", event({"error": "boom"}), {}),
        ("error-typed", event({"error": "boom", "error_type": "generation"}), {"type": "generation"}),
        ("error-and-choices", event(delta("x") | {"error": {"message": "boom"}}), {}),
        ("error-event-json", b'event: error\ndata: {"message":"boom","code":"c"}\n\n', {"code": "c"}),
        ("error-event-nested", b'event: error\ndata: {"error":{"message":"boom"}}\n\n', {}),
        ("error-event-text", b"event: error\ndata: boom\n\n", {}),
        ("error-event-lines", b"event: error\ndata: boom\ndata: bang\n\n", {}),
        ("object-error", event({"object": "error", "message": "boom", "type": "t", "code": 400}), {"code": "400"}),
        ("detail", event({"detail": "boom"}), {}),
        ("detail-list", event({"detail": [{"loc": ["body", "n"], "msg": "boom"}]}), {"msg_has": "body.n: boom"}),
        (
            "error-anthropic",
            event({"type": "error", "error": {"type": "overloaded_error", "message": "boom"}}),
            {"type": "overloaded_error"},
        ),
        ("other-event", b'event: failed\ndata: {"error":{"message":"boom"}}\n\n', {}),
        ("error-in-surrogate", event({"error": {"message": "boom \ud83e"}}), {}),
    ]
] + [
    fails(
        "error-first", "stream_error", stream(event({"error": {"message": "boom"}})), expect={"attempts": 1}, retries=2
    ),
    ok(
        "error-first-retried",
        stream(event({"error": {"message": "boom", "code": 429}})),
        stream(HELLO),
        retries=1,
        expect={"attempts": 2, "same_idem": True},
    ),
    ok("error-falsy", stream(HEL.replace(b'"created"', b'"error": "", "created"'), LO, STOP, DONE)),
    ok("detail-with-choices", stream(HEL.replace(b'"created"', b'"detail": "note", "created"'), LO, STOP, DONE)),
]

PIECES: list[Step] = [{"raw": one_chunk(HEL)}, {"wait_s": 0.08}] * 6
HEAD_DRIP: list[Step] = [{"raw": "HTTP/1.1 200 OK\r\nX-A: " + "a" * 60, "segment": 1, "gap_s": 0.1}]
PINGS: list[Step] = [{"raw": one_chunk(b": ping\n\n")}, {"wait_s": 0.1}] * 30
NAMED_PINGS: list[Step] = [{"raw": one_chunk(b"event: ping\ndata: {}\n\n")}, {"wait_s": 0.1}] * 30
TIME = [
    ok(
        "slow-but-steady",
        [{"raw": EVENT_HEAD}, *PIECES, {"raw": one_chunk(STOP + DONE) + "0\r\n\r\n"}, KEEP],
        expect={"text": "Hel" * 6},
        limit=0.4,
    ),
    fails("head-dripped", "timeout", HEAD_DRIP, expect={"max_s": 3, "phase": "read"}, limit=0.3),
    case("head-dripped-plain", "chat", {"err": ["timeout"], "max_s": 3, "phase": "read"}, HEAD_DRIP, limit=0.3),
    fails(
        "idle",
        "timeout",
        [*open_stream(HEL), {"end": "stall"}],
        limit=0.3,
        expect={"max_s": 3, "partial": "Hel", "phase": "idle", "attempts": 1},
        retries=2,
    ),
    fails(
        "idle-before-first",
        "timeout",
        [*open_stream(b": hi\n\n"), {"end": "stall"}],
        limit=0.3,
        expect={"max_s": 3, "phase": "idle", "attempts": 1},
    ),
    fails(
        "idle-comments",
        "timeout",
        [*open_stream(HEL), *PINGS],
        limit=0.3,
        expect={"max_s": 3, "phase": "idle"},
    ),
    fails(
        "idle-pings",
        "timeout",
        [*open_stream(HEL), *NAMED_PINGS],
        limit=0.3,
        expect={"max_s": 3, "phase": "idle"},
    ),
    fails(
        "idle-dripped-event",
        "timeout",
        [*open_stream(HEL), {"raw": "fff\r\n" + "d" * 60, "segment": 1, "gap_s": 0.1}],
        limit=0.3,
        expect={"max_s": 3, "phase": "idle"},
    ),
    fails(
        "idle-apart",
        "timeout",
        [*open_stream(HEL), {"end": "stall"}],
        limit=30,
        expect={"max_s": 3, "phase": "idle"},
        client={"stream_idle_timeout": 0.3},
    ),
    fails(
        "total-stream",
        "timeout",
        [{"raw": EVENT_HEAD}, *PIECES, *PIECES, *PIECES],
        limit=30,
        expect={"max_s": 3, "phase": "total"},
        client={"total_timeout": 0.6},
    ),
    case(
        "total-plain",
        "chat",
        {"err": ["timeout"], "max_s": 3, "phase": "total", "attempts": 1},
        [{"end": "stall"}],
        limit=30,
        retries=3,
        client={"total_timeout": 0.4},
    ),
    case(
        "total-with-retries",
        "chat",
        {"err": ["status", "timeout"], "max_s": 3},
        plain(503, BUSY, "Retry-After: 0.3"),
        retries=9,
        client={"total_timeout": 0.7},
    ),
    case(
        "total-per-call",
        "chat",
        {"err": ["timeout"], "max_s": 3, "phase": "total"},
        [{"end": "stall"}],
        limit=30,
        create={"total_timeout": 0.3},
    ),
    case(
        "timeout-per-call",
        "chat",
        {"err": ["timeout"], "max_s": 3, "phase": "read"},
        [{"end": "stall"}],
        limit=30,
        create={"timeout": 0.3},
    ),
    case(
        "body-stall",
        "chat",
        {"err": ["timeout"], "max_s": 3, "phase": "read"},
        [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"}, {"end": "stall"}],
        limit=0.3,
    ),
    case(
        "error-body-dripped",
        "chat",
        {"err": ["status"], "status": 400, "max_s": 3},
        [{"raw": "HTTP/1.1 400 X\r\nContent-Length: 99\r\n\r\n"}, {"raw": "{" * 60, "segment": 1, "gap_s": 0.1}],
        limit=0.3,
    ),
    case(
        "timeout-retried",
        "chat",
        {"ok": True, "text": "Hello", "attempts": 2, "max_s": 2.5, "same_idem": True},
        [{"end": "stall"}],
        GOOD,
        limit=0.3,
        retries=1,
    ),
]

WIRE = [
    ok("gzip", stream(gzip.compress(HELLO), head=EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"))),
    ok(
        "gzip-bytewise",
        [
            {
                "raw": EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: x-gzip\r\n\r\n")
                + chunked(gzip.compress(HELLO), 3)
            },
            KEEP,
        ],
    ),
    ok(
        "gzip-members",
        stream(
            gzip.compress(HEL),
            gzip.compress(LO + STOP + DONE),
            head=EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"),
        ),
    ),
    ok(
        "deflate",
        stream(zlib.compress(HELLO), head=EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: deflate\r\n\r\n")),
    ),
    ok(
        "deflate-raw",
        stream(
            zlib.compress(HELLO)[2:-4], head=EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: deflate\r\n\r\n")
        ),
    ),
    fails(
        "gzip-cut",
        "truncated",
        stream(gzip.compress(HELLO)[:60], head=EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n")),
    ),
    fails("brotli", "protocol", stream(HELLO, head=EVENT_HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: br\r\n\r\n"))),
    case(
        "gzip-plain",
        "chat",
        {"ok": True, "text": "Hello"},
        plain(200, gzip.compress(json.dumps(ANSWER).encode()), "Content-Encoding: gzip"),
    ),
    case(
        "gzip-error",
        "chat",
        {"err": ["status"], "status": 400, "msg_has": "slow down"},
        plain(400, gzip.compress(json.dumps(BUSY).encode()), "Content-Encoding: gzip"),
    ),
    case("gzip-bad-plain", "chat", {"err": ["protocol"]}, plain(200, ANSWER, "Content-Encoding: gzip")),
    fails("http09", "protocol connection", [{"raw": "hello\r\n"}, FIN]),
    fails("status-line-bad", "protocol connection", [{"raw": "HTTP/1.1 abc OK\r\n\r\n"}, FIN]),
    fails("header-huge", "protocol connection", [{"raw": "HTTP/1.1 200 OK\r\nX: " + "a" * 3000 + "\r\n\r\n"}, FIN]),
    fails("length-bad", "protocol connection", [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}, FIN]),
    fails("length-negative", "protocol connection", [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}, FIN]),
    fails(
        "chunk-size-bad",
        "protocol connection truncated",
        [*open_stream(HEL), {"raw": "-5\r\nxxxxx\r\n"}, FIN],
        expect={"partial": "Hel"},
    ),
    fails("head-cut", "connection protocol", [{"raw": "HTTP/1.1 200 OK\r\nContent-"}, FIN]),
    case(
        "100-continue",
        "chat",
        {"ok": True, "text": "Hello"},
        [{"raw": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + GOOD[0]["raw"]}, KEEP],
    ),
    case("http10", "chat", {"ok": True, "text": "Hello"}, [{"raw": GOOD[0]["raw"].replace("1.1", "1.0")}, FIN]),
    case("no-reason", "chat", {"ok": True, "text": "Hello"}, [{"raw": GOOD[0]["raw"].replace(" X", "", 1)}, KEEP]),
    case("body-bom", "chat", {"ok": True, "text": "Hello"}, plain(200, b"\xef\xbb\xbf" + json.dumps(ANSWER).encode())),
    case(
        "body-space", "chat", {"ok": True, "text": "Hello"}, plain(200, b"\n\n  " + json.dumps(ANSWER).encode() + b"\n")
    ),
    case("body-text-plain", "chat", {"ok": True, "text": "Hello"}, plain(200, ANSWER, kind="text/plain")),
    case(
        "body-cut", "chat", {"err": ["connection"]}, [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"}, FIN]
    ),
    case(
        "body-rst",
        "chat",
        {"err": ["connection"]},
        [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"}, {"wait_s": 0.05}, RST],
    ),
    case("body-empty", "chat", {"err": ["protocol"], "msg_has": "empty"}, plain(200, b"")),
    case("body-list", "chat", {"err": ["protocol"]}, plain(200, [])),
    case("body-object", "chat", {"err": ["protocol"], "msg_has": "$.choices"}, plain(200, {})),
    case("body-choices-null", "chat", {"err": ["protocol"], "msg_has": "$.choices"}, plain(200, {"choices": None})),
    case(
        "body-message-null",
        "chat",
        {"err": ["protocol"], "msg_has": "$.choices[0].message"},
        plain(200, {"choices": [{"message": None}]}),
    ),
    case(
        "body-content-number",
        "chat",
        {"err": ["protocol"], "msg_has": "content"},
        plain(200, {"choices": [{"message": {"content": 5}}]}),
    ),
    case(
        "body-sse",
        "chat",
        {"err": ["protocol"], "msg_has": "text/event-stream"},
        plain(200, HELLO, kind="text/event-stream"),
    ),
    case(
        "body-bad-utf8",
        "chat",
        {"ok": True, "text": "a\ufffd"},
        plain(200, b'{"choices":[{"message":{"content":"a\xff"}}]}'),
    ),
    case(
        "redirect-302",
        "chat",
        {"err": ["status"], "status": 302, "msg_has": "/else", "last_method": "POST"},
        plain(302, {}, "Location: /else"),
    ),
    case("redirect-303", "chat", {"err": ["status"], "status": 303, "attempts": 1}, plain(303, {}, "Location: /else")),
    case(
        "redirect-307",
        "chat",
        {"ok": True, "text": "Hello", "last_method": "POST"},
        plain(307, {}, "Location: /v2/chat"),
        GOOD,
    ),
    case(
        "redirect-308", "chat", {"ok": True, "text": "Hello", "same_idem": True}, plain(308, {}, "Location: /x"), GOOD
    ),
    case(
        "redirect-elsewhere",
        "chat",
        {"err": ["status"], "status": 307, "attempts": 1},
        plain(307, {}, "Location: http://127.0.0.2:1/v1"),
    ),
    case("redirect-loop", "chat", {"err": ["status"], "status": 307}, plain(307, {}, "Location: /loop")),
    case("redirect-nowhere", "chat", {"err": ["status"], "status": 307}, plain(307, {})),
    case("304", "chat", {"err": ["status"], "status": 304}, [{"raw": "HTTP/1.1 304 Not Modified\r\n\r\n"}, KEEP]),
    ok("redirect-stream", plain(307, {}, "Location: /v2"), stream(HELLO)),
]

STATUS_ROWS: list[tuple[str, int, Any, str, dict[str, Any], list[str]]] = [
    (
        "400",
        400,
        {"error": {"message": "m", "code": "c", "type": "t", "param": "p"}},
        "m",
        {"code": "c", "type": "t", "param": "p"},
        [],
    ),
    ("401", 401, {"message": "no key"}, "no key", {}, []),
    ("403", 403, {"error": {"message": "not you"}}, "not you", {}, ["X-Request-Id: r-1"]),
    ("404", 404, {"detail": "Not Found"}, "Not Found", {"request_id": None}, []),
    (
        "422",
        422,
        {"detail": [{"loc": ["body", "messages", 0], "msg": "Field required", "type": "missing"}]},
        "body.messages.0: Field required",
        {},
        [],
    ),
    ("413", 413, b"too big", "too big", {}, []),
    ("418", 418, {"title": "teapot"}, "teapot", {}, []),
    ("500-list", 500, [{"error": {"message": "gem"}}], "gem", {}, []),
    ("500-empty", 500, b"", "500", {}, []),
    ("500-null", 500, b"null", "500", {}, []),
    ("500-number", 500, b"42", "500", {}, []),
    ("500-nested", 500, {"detail": {"error": {"message": "deep"}}}, "deep", {}, []),
    ("500-surrogate", 500, {"error": {"message": "bad \ud83e"}}, "bad", {}, []),
    ("500-bad-utf8", 500, b'{"error":{"message":"bad \xff"}}', "bad", {}, []),
    ("500-cut-json", 500, b'{"error":{"mess', "500", {}, []),
    ("501", 501, {"error": "no"}, "no", {}, []),
    ("599", 599, {"error": "odd"}, "odd", {}, []),
]
STATUS = [
    case(
        f"status-{name}",
        "chat",
        {"err": ["status"], "status": status, "msg_has": text} | more,
        plain(status, body, *head),
    )
    for name, status, body, text, more, head in STATUS_ROWS
] + [
    case("status-id", "chat", {"err": ["status"], "request_id": "r-9"}, plain(404, {}, "X-Request-Id: r-9")),
    case(
        "error-in-200",
        "chat",
        {"err": ["status"], "msg_has": "boom", "status": 200},
        plain(200, {"error": {"message": "boom"}}),
    ),
    case("error-in-200-typed", "chat", {"err": ["status"], "status": 429}, plain(200, BUSY)),
    case(
        "error-in-200-object",
        "chat",
        {"err": ["status"], "msg_has": "boom"},
        plain(200, {"object": "error", "message": "boom", "code": 404}),
    ),
]


def retried(name: str, *first: list[Step], expect: dict[str, Any] | None = None, retries: int = 1) -> dict[str, Any]:
    more = {"ok": True, "text": "Hello", "attempts": len(first) + 1, "same_idem": True, "max_s": 3} | (expect or {})
    return case(name, "chat", more, *first, GOOD, retries=retries, limit=3)


def raised(name: str, *first: list[Step], expect: dict[str, Any] | None = None) -> dict[str, Any]:
    return case(name, "chat", {"err": ["status"], "attempts": 1} | (expect or {}), *first, GOOD, retries=3)


NOW = "retry-after-ms: 1"
RETRY = [
    *[retried(f"retry-{status}", plain(status, BUSY, NOW)) for status in (408, 409, 429, 500, 502, 503, 504, 529)],
    *[raised(f"no-retry-{status}", plain(status, BUSY, NOW)) for status in (400, 401, 403, 404, 422, 501, 505)],
    raised("quota-code", plain(429, {"error": {"message": "m", "code": "insufficient_quota"}})),
    raised("quota-type", plain(429, {"error": {"message": "m", "type": "insufficient_quota"}})),
    raised("should-not", plain(503, BUSY, "x-should-retry: false")),
    retried("should", plain(400, BUSY, "x-should-retry: true", NOW)),
    retried("closed", [FIN]),
    retried("reset", [RST]),
    retried("cut-head", [{"raw": "HTTP/1.1 200"}, FIN]),
    retried("cut-body", [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"}, FIN]),
    retried("ms-wins", plain(429, BUSY, "Retry-After: 30", "retry-after-ms: 1"), expect={"max_s": 3}),
    retried("ms-garbage", plain(429, BUSY, "Retry-After: 0", "retry-after-ms: soon"), expect={"max_s": 3}),
    retried(
        "date",
        plain(429, BUSY, "Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:28:01 GMT"),
        expect={"min_s": 0.95, "max_s": 2},
    ),
    *[
        retried(f"garbage-{index}", plain(429, BUSY, f"Retry-After: {text}"), expect={"min_s": 0.2, "max_s": 3})
        for index, text in enumerate(["-1", "1e3"])  # the rest: test_client_retry.py
    ],
    raised("too-long", plain(429, BUSY, "Retry-After: 61"), expect={"max_s": 3, "retry_after": 61.0}),
    raised("far-too-long", plain(429, BUSY, "Retry-After: " + "9" * 400), expect={"max_s": 3}),
    case("runs-out", "chat", {"err": ["status"], "attempts": 3, "same_idem": True}, plain(503, BUSY, NOW), retries=2),
    case(
        "per-call",
        "chat",
        {"err": ["status"], "attempts": 1},
        plain(503, BUSY, NOW),
        retries=2,
        create={"max_retries": 0},
    ),
    ok(
        "stream-reset-before-first",
        [*open_stream(b": hi\n\n"), {"wait_s": 0.05}, RST],
        stream(HELLO),
        retries=1,
        expect={"attempts": 2, "same_idem": True, "max_s": 2},
    ),
    ok("stream-cut-before-first", [*open_stream(b": hi\n\n"), FIN], stream(HELLO), retries=1, expect={"attempts": 2}),
    fails(
        "stream-cut-after-first",
        "truncated",
        [*open_stream(HEL), FIN],
        stream(HELLO),
        retries=3,
        expect={"attempts": 1, "partial": "Hel"},
    ),
    fails(
        "stream-bad-json-not-retried", "protocol", stream(event("{")), stream(HELLO), retries=3, expect={"attempts": 1}
    ),
    fails("stream-status-runs-out", "status", plain(500, BUSY, NOW), retries=1, expect={"attempts": 2}),
    case("then", "chat", {"err": ["status"], "then_ok": True}, plain(400, BUSY), GOOD),
    fails("then-after-cut", "truncated", [*open_stream(HEL), FIN], GOOD, expect={"then_ok": True}),
    fails("then-after-garbage", "protocol", stream(HEL, event("{")), GOOD, expect={"then_ok": True}),
]

CASES = GRAMMAR + ENDS + JSON + TOOLS + IN_STREAM + TIME + WIRE + STATUS + RETRY
