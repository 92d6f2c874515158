"""Wire cases that were written to break the client: one for each way somebody thought of. Same vocabulary."""

from __future__ import annotations

import gzip
import json
from typing import Any

from own_cases import (
    ANSWER,
    BUSY,
    DONE,
    FIN,
    GOOD,
    HEL,
    HELLO,
    KEEP,
    LO,
    RST,
    STOP,
    Step,
    case,
    delta,
    event,
    fails,
    ok,
    one_chunk,
    open_stream,
    plain,
    stream,
)
from wire_cases import EVENT_HEAD, chunked

from inferneo import Retry

LATE = ANSWER | {"choices": [{"index": 0, "message": {"role": "assistant", "content": "unasked"}}]}
UNASKED: str = plain(200, LATE)[0]["raw"]
NO_CONTENT = f"HTTP/1.1 204 No Content\r\nContent-Length: {len(UNASKED)}\r\n\r\n"
NEXT = {"then_ok": True, "then_text": "Hello"}
AGAIN: Step = {"wait_s": 0.02}


def whole(head: str, body: bytes, *end: Step) -> list[Step]:
    return [{"raw": head + "\r\n\r\n" + body.decode("latin-1")}, *(end or (KEEP,))]


def chat(name: str, expect: dict[str, Any], *attempts: list[Step], **more: Any) -> dict[str, Any]:
    return case(name, "chat", expect, *attempts, **more)


POISON = [
    chat(
        "unasked-answer", OKAY := {"ok": True, "text": "Hello"} | NEXT, [{"raw": GOOD[0]["raw"] + UNASKED}, KEEP], GOOD
    ),
    chat("unasked-answer-late", OKAY | {"pause_s": 0.05}, [*GOOD[:1], AGAIN, {"raw": UNASKED}, KEEP], GOOD),
    chat("unasked-half", OKAY, [{"raw": GOOD[0]["raw"] + "HTTP/1.1 200 OK\r\nX-"}, KEEP], GOOD),
    chat("unasked-garbage", OKAY, [{"raw": GOOD[0]["raw"] + "\0\xff"}, KEEP], GOOD),
    chat("unasked-empty-line", OKAY, [{"raw": GOOD[0]["raw"] + "\r\n"}, KEEP], GOOD),
    chat(
        "length-too-short",
        {"err": ["protocol"]} | NEXT,
        [{"raw": GOOD[0]["raw"].replace("Length: 2", "Length: 1")}, KEEP],
        GOOD,
    ),
    chat("body-on-204", {"err": ["protocol"], "msg_has": "204"} | NEXT, [{"raw": NO_CONTENT + UNASKED}, KEEP], GOOD),
    chat("body-on-204-late", {"err": ["protocol"]} | NEXT, [{"raw": NO_CONTENT}, AGAIN, {"raw": UNASKED}, KEEP], GOOD),
    chat(
        "body-on-304",
        {"err": ["status"], "status": 304} | NEXT,
        [{"raw": "HTTP/1.1 304 X\r\n\r\n" + UNASKED}, KEEP],
        GOOD,
    ),
    chat(
        "unasked-after-error", {"err": ["status"]} | NEXT, [{"raw": plain(400, BUSY)[0]["raw"] + UNASKED}, KEEP], GOOD
    ),
    ok("unasked-after-stream", [{"raw": EVENT_HEAD + chunked(HELLO) + UNASKED}, KEEP], GOOD, expect=NEXT),
    ok("unasked-in-pieces", [{"raw": EVENT_HEAD + chunked(HELLO) + UNASKED, "segment": 40}, KEEP], GOOD, expect=NEXT),
]


DEEP = 20_000  # far beyond any recursion limit
NESTED = b'{"error":{"message":' + b"[" * DEEP + b"]" * DEEP + b"}}"
NESTED_DETAIL = b'{"detail":' * DEEP + b'"deep"' + b"}" * DEEP
TOOL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}

GRAMMAR = [
    ok("end-of-line-apart", stream(HEL[:-1], b"\n", LO, STOP, DONE)),
    ok("cr-then-lf-is-one-end", [{"raw": EVENT_HEAD + chunked(HELLO.replace(b"\n", b"\r\n"), 1)}, KEEP]),
    ok("bom-in-pieces", [{"raw": EVENT_HEAD + chunked(b"\xef\xbb\xbf" + HELLO, 1)}, KEEP]),
    ok("fields-in-capitals-are-unknown", stream(b"DATA: x\nData: y\n\n", HELLO)),
    ok("space-before-colon-is-unknown", stream(b"data : x\n\n", HELLO)),
    ok("leading-space-is-unknown", stream(b" data: x\n\n", HELLO)),
    ok("long-comment", stream(b":" + b"x" * 300_000 + b"\n", HELLO)),
    ok("many-empty-lines", stream(b"\n" * 5000, HEL, b"\r\n" * 5000, LO, STOP, DONE)),
    ok("done-on-two-lines", stream(HEL, LO, STOP, b"data:\ndata: [DONE]\n\n")),
    ok(
        "lines-inside-json",
        stream(
            b"".join(
                b"data: " + line + b"\n" for line in b'{"choices":\n[{"delta":\n{"content"\n:"Hel"}}]}'.split(b"\n")
            ),
            b"\n",
            LO,
            STOP,
            DONE,
        ),
    ),
    fails(
        "line-inside-a-string",
        "protocol",
        stream(HEL, b'data: {"id":"a\ndata: b"}\n\n', DONE),
        expect={"partial": "Hel"},
    ),
    fails("done-lower-case", "protocol", stream(HEL, b"data: [done]\n\n", DONE), expect={"partial": "Hel"}),
    fails("done-only-in-id", "truncated", stream(HEL, b"id: [DONE]\n\n"), expect={"partial": "Hel"}),
    ok("utf16-comment", stream(b": \xff\xfe\x00\n", HELLO)),
    case("nul-in-text", "chat stream", {"ok": True, "text": "a\0b"}, stream(event(delta("a\0b")), STOP, DONE)),
]

ENDS = [
    fails("done-inside-text", "truncated", stream(event(delta("[DONE]"))), expect={"partial": "[DONE]"}),
    ok("done-twice", stream(HELLO, DONE)),
    ok("garbage-after-done", stream(HELLO, b"data: {\n\nevent: error\ndata: no\n\n")),
    ok("finish-then-more-text", stream(event(delta("Hel", "stop")), event(delta("lo")))),
    fails("unfinished-second-choice", "truncated", stream(STOP, event(delta("x", index=1)))),
    ok("usage-after-finish-no-done", stream(HEL, LO, STOP, event({"choices": [], "usage": {"total_tokens": 5}}))),
    fails("usage-only-no-done", "truncated", stream(event({"choices": [], "usage": {"total_tokens": 5}}))),
    fails("role-only", "truncated", stream(event(delta(role="assistant")))),
    fails(
        "length-short-in-event",
        "truncated connection",
        whole(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(HEL) + 9}", HEL + LO, KEEP),
        GOOD,
        expect={"partial": "Hel"} | NEXT,
    ),
    ok(
        "length-right",
        whole(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(HELLO)}", HELLO),
        expect={"reuse": True},
    ),
    ok("http10-stream", whole("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream", HELLO, FIN)),
    ok("trailers", [{"raw": EVENT_HEAD + one_chunk(HELLO) + "0\r\nX-Late: 1\r\n\r\n"}, KEEP], expect={"reuse": True}),
    ok("chunk-extensions", [{"raw": EVENT_HEAD + f"{len(HELLO):X};a=b\r\n{HELLO.decode()}\r\n0;x\r\n\r\n"}, KEEP]),
    fails("space-only-body", "protocol", stream(b"   ")),
    fails(
        "json-line-in-a-stream", "protocol", stream(json.dumps(ANSWER).encode()), expect={"msg_has": "chat.completion"}
    ),
    fails("xml-200", "protocol", plain(200, b"<a/>", kind="application/xml"), expect={"msg_has": "application/xml"}),
    fails(
        "problem-json-200",
        "status protocol",
        plain(200, {"title": "boom", "detail": "boom"}, kind="application/problem+json"),
        expect={"msg_has": "boom"},
    ),
    fails("205", "protocol", [{"raw": "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"}, KEEP]),
    ok("201-stream", stream(HELLO, head=EVENT_HEAD.replace("200 OK", "201 Created"))),
]

CONTENT = [
    fails(name, "protocol", stream(HEL, event(document), DONE), expect={"partial": "Hel", "msg_has": place})
    for name, document, place in [
        ("id-number", {"id": 5, "choices": []}, "$.id: expected text, got 5"),
        ("usage-list", {"choices": [], "usage": []}, "$.usage"),
        ("usage-float", {"choices": [], "usage": {"total_tokens": 1.5}}, "$.usage.total_tokens"),
        ("choices-number", {"choices": 0}, "$.choices"),
        ("choices-false", {"choices": False}, "$.choices"),
        ("delta-list", {"choices": [{"delta": []}]}, "$.choices[0].delta"),
        ("second-choice", {"choices": [{"delta": {}}, {"index": "1"}]}, "$.choices[1].index"),
        ("role-object", delta(role={}), "$.choices[0].delta.role"),
        ("logprobs-list", {"choices": [{"logprobs": []}]}, "$.choices[0].logprobs"),
        ("token-number", {"choices": [{"logprobs": {"content": [{"token": 5}]}}]}, "logprobs.content[0].token"),
        ("tool-name-number", delta(tool_calls=[{"function": {"name": 5}}]), "tool_calls[0].function.name"),
        ("tool-null", delta(tool_calls=[None]), "tool_calls[0]"),
        ("finish-list", {"choices": [{"finish_reason": ["stop"]}]}, "$.choices[0].finish_reason"),
        ("content-true", delta(content=True), "$.choices[0].delta.content"),
        ("surrogate-and-type", {"id": "\ud83e", "choices": [{"delta": {"content": 5}}]}, "$.choices[0].delta.content"),
    ]
] + [
    fails(
        "choices-deep",
        "protocol",
        stream(HEL, b'data: {"choices":[' + b"[" * DEEP + b"]" * DEEP + b"]}\n\n", DONE),
        expect={"partial": "Hel", "msg_has": "$.choices[0]"},
        limit=8,
    ),
    fails("minus-alone", "protocol", stream(HEL, event('{"created":-}'), DONE), expect={"partial": "Hel"}),
    fails("hex-number", "protocol", stream(HEL, event('{"created":0x10}'), DONE), expect={"partial": "Hel"}),
    fails("leading-zero", "protocol", stream(HEL, event('{"created":01}'), DONE), expect={"partial": "Hel"}),
    fails("bad-escape", "protocol", stream(HEL, event('{"id":"\\x"}'), DONE), expect={"partial": "Hel"}),
    ok("index-float-whole", stream(event({"choices": [{"index": 0.0, "delta": {"content": "Hel"}}]}), LO, STOP, DONE)),
    ok("index-huge", stream(HEL, event(delta("x", "stop", 10**25)), LO, STOP, DONE)),
    ok("index-negative", stream(HEL, event(delta("x", "stop", -1)), LO, STOP, DONE)),
    ok("minus-zero", stream(HEL.replace(b'"created": 1', b'"created": -0'), LO, STOP, DONE)),
    ok("unknown-object", stream(HELLO.replace(b"chat.completion.chunk", b"chat.completion"))),
    ok("empty-chunk", stream(HEL, event({}), LO, STOP, DONE)),
    ok(
        "usage-nulls",
        stream(
            HEL,
            event({"choices": [], "usage": {"prompt_tokens_details": {"x": None}, "total_tokens": None}}),
            LO,
            STOP,
            DONE,
        ),
    ),
    ok(
        "usage-null-key",
        stream(HEL, event({"choices": None, "usage": None, "error": None, "detail": None}), LO, STOP, DONE),
    ),
    ok(
        "logprobs-null-inside",
        stream(
            HEL.replace(b'"finish_reason": null', b'"logprobs": {"content": null}, "finish_reason": null'),
            LO,
            STOP,
            DONE,
        ),
    ),
    ok("tool-and-text", stream(event(delta("Hel", tool_calls=[TOOL])), LO, STOP, DONE)),
    ok(
        "tools-interleaved",
        stream(
            HEL,
            event(delta(tool_calls=[TOOL, TOOL | {"index": 1}])),
            event(delta(tool_calls=[{"index": 1, "function": {"arguments": "}"}}])),
            LO,
            STOP,
            DONE,
        ),
    ),
    ok(
        "legacy-function-call",
        stream(
            HEL,
            event(delta(function_call={"name": "f"})),
            event(delta(function_call={"arguments": "{}"})),
            LO,
            STOP,
            DONE,
        ),
    ),
    ok(
        "custom-tool-object",
        stream(
            HEL, event(delta(tool_calls=[{"index": 0, "type": "custom", "custom": {"input": "x"}}])), LO, STOP, DONE
        ),
    ),
    ok("refusal", stream(HEL, event(delta(refusal="no")), LO, STOP, DONE)),
    ok("object-null-error-false", stream(HEL, event({"object": None, "error": False, "choices": []}), LO, STOP, DONE)),
    case(
        "surrogate-extra",
        "chat stream",
        {"ok": True, "extra": {"x": "\udc00", "y": 1e400}},
        stream(
            b'data: {"x":"\\udc00","y":1e400,"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n', DONE
        ),
    ),
    chat(
        "body-surrogate", {"ok": True, "text": "\ud83e"}, plain(200, {"choices": [{"message": {"content": "\ud83e"}}]})
    ),
    chat(
        "body-nan",
        {"ok": True, "text": "a"},
        plain(200, b'{"choices":[{"message":{"content":"a"},"x":NaN}],"y":-Infinity}'),
    ),
    chat(
        "body-deep",
        {"ok": True, "text": "a"},
        plain(200, b'{"x":' + b"[" * DEEP + b"]" * DEEP + b',"choices":[{"message":{"content":"a"}}]}'),
        limit=8,
    ),
    chat("body-no-choices-usage", {"err": ["protocol"], "msg_has": "$.choices: missing"}, plain(200, {"usage": {}})),
    chat("body-choices-empty", {"ok": True}, plain(200, ANSWER | {"choices": []})),
    chat("body-two-values", {"err": ["protocol"]}, plain(200, b"{}{}")),
    chat(
        "body-finish-null",
        {"ok": True, "text": "a", "finish": None},
        plain(200, {"choices": [{"message": {"content": "a"}, "finish_reason": None}]}),
    ),
    chat(
        "body-tool-arguments-object",
        {"err": ["protocol"], "msg_has": "message.tool_calls[0].function.arguments"},
        plain(200, {"choices": [{"message": {"tool_calls": [{"function": {"arguments": {}}}]}}]}),
    ),
]

IN_STREAM = [
    fails("error-deep", "stream_error", stream(HEL, b"data: " + NESTED + b"\n\n"), expect={"partial": "Hel"}, limit=8),
    fails(
        "detail-deep",
        "stream_error",
        stream(HEL, b"data: " + NESTED_DETAIL + b"\n\n"),
        expect={"partial": "Hel"},
        limit=8,
    ),
    fails("error-empty-object", "stream_error", stream(HEL, event({"error": {}}))),
    fails(
        "error-true", "stream_error", stream(HEL, event({"error": True, "message": "boom"})), expect={"msg_has": "boom"}
    ),
    fails(
        "error-list", "stream_error", stream(HEL, event({"error": [{"message": "boom"}]})), expect={"msg_has": "boom"}
    ),
    fails("error-event-empty-object", "stream_error", stream(HEL, b"event: error\ndata: {}\n\n")),
    fails("error-event-null", "stream_error", stream(HEL, b"event: error\ndata: null\n\n")),
    ok("error-event-no-data", stream(HEL, b"event: error\n\n", LO, STOP, DONE)),
    fails(
        "error-message-object",
        "stream_error",
        stream(HEL, event({"error": {"message": {"text": "boom"}}})),
        expect={"msg_has": "boom"},
    ),
    fails(
        "error-errors",
        "stream_error",
        stream(HEL, event({"object": "error", "errors": [{"message": "boom"}]})),
        expect={"msg_has": "boom"},
    ),
    fails(
        "error-after-finish",
        "stream_error",
        stream(HEL, LO, STOP, event({"error": {"message": "boom"}}), DONE),
        expect={"msg_has": "boom", "partial": "Hello"},
    ),
    fails(
        "error-huge",
        "stream_error",
        stream(HEL, event({"error": {"message": "boom" * 50_000}})),
        expect={"msg_has": "boom"},
    ),
    fails(
        "error-code-huge",
        "stream_error",
        stream(HEL, event('{"error":{"message":"boom","code":' + "9" * 5000 + "}}")),
        expect={"msg_has": "boom"},
    ),
]

DRIP: list[Step] = [
    {"raw": "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"},
    {"raw": " " * 80, "segment": 1, "gap_s": 0.05},
]
SPACES: list[Step] = [{"raw": one_chunk(b" ")}, {"wait_s": 0.1}] * 40
HINTS: list[Step] = [{"raw": "HTTP/1.1 103 Early Hints\r\n\r\n"}, {"wait_s": 0.1}] * 40
WIRE = [
    chat("body-dripped", {"err": ["timeout"], "phase": "read", "max_s": 3}, DRIP, limit=0.3),
    chat(
        "body-dripped-chunked",
        {"err": ["timeout"], "max_s": 3},
        [{"raw": EVENT_HEAD.replace("text/event-stream", "application/json")}, *SPACES],
        limit=0.3,
    ),
    chat(
        "body-slow-but-steady",
        {"ok": True, "text": "Hello", "min_s": 0.45},
        [{"raw": plain(200, ANSWER | {"x": "y" * 9000})[0]["raw"], "segment": 1500, "gap_s": 0.08}, KEEP],
        limit=0.4,
    ),
    chat("early-hints-for-ever", {"err": ["timeout"], "phase": "read", "max_s": 3}, HINTS, limit=0.3),
    chat("100-then-answer", {"ok": True, "text": "Hello"}, [{"raw": "HTTP/1.1 100 Continue\r\n\r\n"}, AGAIN, *GOOD]),
    chat(
        "101",
        {"err": ["status", "protocol", "connection"]} | NEXT,
        [
            {"raw": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
            {"wait_s": 0.05},
            FIN,
        ],
        GOOD,
    ),
    chat(
        "length-twice-same",
        {"ok": True, "text": "Hello"},
        [
            {"raw": GOOD[0]["raw"].replace("\r\n\r\n", f"\r\nContent-Length: {len(json.dumps(ANSWER))}\r\n\r\n", 1)},
            KEEP,
        ],
    ),
    chat(
        "length-twice-different",
        {"err": ["protocol", "connection"]} | NEXT,
        [{"raw": GOOD[0]["raw"].replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\n", 1)}, KEEP],
        GOOD,
    ),
    chat(
        "length-huge",
        {"err": ["timeout"], "max_s": 3},
        [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{"}, {"end": "stall"}],
        limit=0.3,
    ),
    chat(
        "length-too-many-digits",
        {"err": ["protocol", "connection"]},
        [{"raw": "HTTP/1.1 200 OK\r\nContent-Length: " + "9" * 30 + "\r\n\r\n{"}, FIN],
    ),
    chat(
        "coding-unknown",
        {"err": ["protocol", "connection"]},
        [{"raw": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"}, FIN],
    ),
    chat(
        "header-without-colon", {"err": ["protocol", "connection"]}, [{"raw": "HTTP/1.1 200 OK\r\nhello\r\n\r\n"}, FIN]
    ),
    chat(
        "header-with-nul",
        {"err": ["protocol", "connection"]},
        [{"raw": "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}"}, FIN],
    ),
    chat("header-latin1", {"ok": True, "text": "Hello"}, plain(200, ANSWER, "X-Name: caf\xe9")),
    chat("header-folded", {"ok": True, "text": "Hello"}, plain(200, ANSWER, "X-A: a\r\n b")),
    chat(
        "headers-without-end",
        {"err": ["protocol", "connection", "timeout"], "max_s": 3},
        [{"raw": "HTTP/1.1 200 OK\r\n" + "X-A: b\r\n" * 30_000}, {"end": "stall"}],
    ),
    chat("status-99", {"err": ["protocol", "connection", "status"]}, [{"raw": "HTTP/1.1 099 X\r\n\r\n"}, FIN]),
    chat(
        "status-999",
        {"err": ["protocol", "connection", "status"]},
        [{"raw": "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"}, KEEP],
    ),
    chat(
        "http2-preface",
        {"err": ["protocol", "connection"]},
        [{"raw": "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d\0\x04"}, FIN],
    ),
    chat("tls-alert", {"err": ["protocol", "connection"]}, [{"raw": "\x15\x03\x01\0\x02\x02\x46"}, FIN]),
    chat(
        "gzip-cut-plain",
        {"err": ["protocol"]},
        plain(200, gzip.compress(json.dumps(ANSWER).encode())[:-30], "Content-Encoding: gzip"),
    ),
    chat(
        "gzip-without-checksum",
        {"ok": True, "text": "Hello"},
        plain(200, gzip.compress(json.dumps(ANSWER).encode())[:-8], "Content-Encoding: gzip"),
    ),
    chat("gzip-empty", {"err": ["protocol"]}, plain(200, b"", "Content-Encoding: gzip")),
    chat(
        "gzip-twice",
        {"ok": True, "text": "Hello"},
        plain(200, gzip.compress(gzip.compress(json.dumps(ANSWER).encode())), "Content-Encoding: gzip, gzip"),
    ),
    chat("identity", {"ok": True, "text": "Hello"}, plain(200, ANSWER, "Content-Encoding: identity")),
    ok("chunk-size-in-pieces", [{"raw": EVENT_HEAD + chunked(HELLO, 5), "segment": 3}, KEEP], expect={"reuse": True}),
    fails(
        "chunk-size-huge",
        "connection protocol truncated",
        [*open_stream(HEL), {"raw": "f" * 40 + "\r\n"}, FIN],
        expect={"partial": "Hel"},
    ),
    fails(
        "chunk-longer-than-said",
        "connection protocol truncated",
        [{"raw": EVENT_HEAD + f"{len(HEL):x}\r\n{HEL.decode()}xx\r\n"}, FIN],
        expect={"partial": "Hel"},
    ),
    fails("chunk-rst-at-once", "connection", [{"raw": EVENT_HEAD}, RST]),
    fails("stream-is-a-redirect-loop", "status", plain(308, {}, "Location: ?again"), expect={"status": 308}),
    chat(
        "redirect-scheme",
        {"err": ["status"], "status": 308, "attempts": 1},
        plain(308, {}, "Location: https://127.0.0.1/"),
    ),
    chat("redirect-odd", {"err": ["status"], "status": 307, "attempts": 1}, plain(307, {}, "Location: http://[::1")),
    chat(
        "redirect-user",
        {"err": ["status"], "status": 307, "attempts": 1},
        plain(307, {}, "Location: //user@elsewhere/"),
    ),
    chat(
        "redirect-301",
        {"err": ["status"], "status": 301, "attempts": 1, "last_method": "POST"},
        plain(301, {}, "Location: /x"),
    ),
    chat(
        "redirect-then-busy",
        {"ok": True, "text": "Hello", "same_idem": True},
        plain(307, {}, "Location: /x"),
        plain(503, BUSY, "retry-after-ms: 1"),
        GOOD,
        retries=1,
    ),
]

BODIES: list[tuple[str, int, Any, str, list[str]]] = [
    ("null-message", 400, {"error": {"message": None, "code": "c"}}, "HTTP 400", []),
    ("object-message", 400, {"error": {"message": {"text": "boom"}}}, "boom", []),
    ("list-message", 400, {"error": {"message": ["boom", "bang"]}}, "boom", []),
    ("errors", 400, {"errors": [{"message": "boom"}]}, "boom", []),
    ("true", 400, {"error": True, "message": "boom"}, "boom", []),
    ("number-message", 400, {"message": 5}, "5", []),
    ("detail-object", 400, {"detail": {"msg": "boom"}}, "boom", []),
    ("detail-list-of-text", 422, {"detail": ["boom", "bang"]}, "boom; bang", []),
    ("detail-odd", 422, {"detail": [{"loc": "body", "msg": "boom"}, {"loc": ["a", 0]}, 5]}, "body: boom; a.0; 5", []),
    ("detail-in-error", 400, {"error": {"detail": "boom"}}, "boom", []),
    ("bom", 400, b'\xef\xbb\xbf{"error":{"message":"boom"}}', "boom", []),
    ("latin1", 400, b"caf\xe9 boom", "boom", []),
    ("control", 400, b"a\x1b[31mboom", "boom", []),
    ("text-json", 400, b'"boom"', "boom", []),
    ("html", 503, b"<html>boom</html>", "boom", []),
    ("long", 400, b"boom" * 100_000, "boom", []),
    ("deep", 400, NESTED, "HTTP 400", []),
    ("deep-detail", 400, NESTED_DETAIL, "HTTP 400", []),
    ("sse", 400, b'data: {"error":{"message":"boom"}}\n\n', "boom", []),
    ("space", 400, b"  \n", "HTTP 400", []),
    ("coding", 400, {"error": {"message": "boom"}}, "HTTP 400", ["Content-Encoding: br"]),
    ("gzip-lie", 400, {"error": {"message": "boom"}}, "HTTP 400", ["Content-Encoding: gzip"]),
]
STATUS = [
    chat(f"said-{name}", {"err": ["status"], "status": status, "msg_has": text}, plain(status, body, *head), limit=8)
    for name, status, body, text, head in BODIES
] + [
    chat(
        "error-body-stalls",
        {"err": ["status"], "status": 400, "max_s": 3},
        [{"raw": "HTTP/1.1 400 X\r\nContent-Length: 99\r\n\r\n{"}, {"end": "stall"}],
        limit=0.3,
    ),
    chat(
        "error-body-endless",
        {"err": ["status"], "status": 500, "max_s": 3},
        [{"raw": "HTTP/1.1 500 X\r\n\r\n" + "x" * (3 << 20)}, {"end": "stall"}],
    ),
    chat(
        "error-no-length",
        {"err": ["status"], "status": 400, "msg_has": "boom"},
        [{"raw": "HTTP/1.1 400 X\r\n\r\nboom"}, FIN],
    ),
    chat(
        "error-rst",
        {"err": ["status"], "status": 400},
        [{"raw": "HTTP/1.1 400 X\r\nContent-Length: 99\r\n\r\n{"}, {"wait_s": 0.05}, RST],
    ),
    chat("error-deep-in-200", {"err": ["status", "protocol"]}, plain(200, NESTED), limit=8),
    chat(
        "error-code-odd",
        {"err": ["status"], "status": 200},
        plain(200, {"error": {"message": "boom", "code": "0429999"}}),
    ),
    fails("status-of-a-stream", "status", plain(401, {"detail": "boom"}), expect={"status": 401, "msg_has": "boom"}),
]

QUICK = "retry-after-ms: 1"
RETRY = [
    chat(
        "date-in-the-past-of-the-server",
        {"ok": True, "attempts": 2, "max_s": 3},
        plain(503, BUSY, "Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:27:00 GMT"),
        GOOD,
        retries=1,
    ),
    chat(
        "date-far",
        {"err": ["status"], "attempts": 1, "retry_after": 3600.0, "max_s": 3},
        plain(503, BUSY, "Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 08:28:00 GMT"),
        retries=3,
    ),
    chat(
        "zero-point",
        {"ok": True, "attempts": 2, "max_s": 1.5},
        plain(503, BUSY, "Retry-After: 0.0"),
        GOOD,
        retries=1,
        client={"retry": Retry(base=8)},
    ),
    chat(
        "ms-zero",
        {"ok": True, "attempts": 2, "max_s": 1.5},
        plain(503, BUSY, "retry-after-ms: 0", "Retry-After: 50"),
        GOOD,
        retries=1,
        client={"retry": Retry(base=8)},
    ),
    chat(
        "ms-too-long",
        {"err": ["status"], "attempts": 1, "retry_after": 61.0},
        plain(503, BUSY, "retry-after-ms: 61000"),
        retries=3,
    ),
    chat(
        "over-the-total",
        {"err": ["status"], "attempts": 1, "max_s": 3},
        plain(503, BUSY, "Retry-After: 5"),
        GOOD,
        retries=3,
        client={"total_timeout": 2},
    ),
    chat(
        "should-retry-quota",
        {"ok": True, "attempts": 2},
        plain(429, {"error": {"code": "insufficient_quota"}}, QUICK, "x-should-retry: true"),
        GOOD,
        retries=1,
    ),
    chat(
        "should-not-408",
        {"err": ["status"], "attempts": 1},
        plain(408, BUSY, QUICK, "x-should-retry: FALSE"),
        GOOD,
        retries=1,
    ),
    chat(
        "two-kinds",
        {"ok": True, "attempts": 4, "same_idem": True},
        [FIN],
        plain(503, BUSY, QUICK),
        [RST],
        GOOD,
        retries=3,
        client={"retry": Retry(base=0.02)},
    ),
    chat(
        "rst-while-head",
        {"ok": True, "attempts": 2},
        [{"raw": "HTTP/1.1 200 OK\r\nContent"}, {"wait_s": 0.02}, RST],
        GOOD,
        retries=1,
    ),
    chat("not-after-a-200-error", {"err": ["status"], "attempts": 1}, plain(200, BUSY), GOOD, retries=2),
    chat("not-after-a-wrong-body", {"err": ["protocol"], "attempts": 1}, plain(200, {}), GOOD, retries=2),
    ok(
        "stream-busy-then-cut-then-good",
        plain(503, BUSY, QUICK),
        [*open_stream(), FIN],
        stream(HELLO),
        retries=2,
        expect={"attempts": 3, "same_idem": True},
    ),
    fails(
        "stream-idle-not-retried-after-text",
        "timeout",
        [*open_stream(HEL), {"end": "stall"}],
        stream(HELLO),
        retries=2,
        limit=0.3,
        expect={"attempts": 1, "partial": "Hel"},
    ),
    ok(
        "stream-idle-before-text-retried",
        [*open_stream(b": hi\n\n"), {"end": "stall"}],
        stream(HELLO),
        retries=1,
        limit=0.3,
        expect={"attempts": 2},
    ),
    ok(
        "stream-first-is-not-data",
        [*open_stream(b"event: ping\ndata: {}\n\n"), FIN],
        stream(HELLO),
        retries=1,
        expect={"attempts": 2},
    ),
    chat("server-closes-idle", {"ok": True} | NEXT | {"pause_s": 0.05}, [*GOOD[:1], FIN], GOOD),
    chat(
        "connection-close",
        {"ok": True} | NEXT,
        [{"raw": GOOD[0]["raw"].replace("\r\n", "\r\nConnection: close\r\n", 1)}, FIN],
        GOOD,
    ),
]

CASES = POISON + GRAMMAR + ENDS + CONTENT + IN_STREAM + WIRE + STATUS + RETRY
