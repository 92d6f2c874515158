"""Framing: what a stream is made of, byte by byte, before anyone asks what it says."""

from __future__ import annotations

import json

from contracts.answers import DONE, documents, ok
from contracts.domains import CALLS, QUIET_STREAMS, STREAMS, WHOLE
from contracts.exchange import Call, Exchange
from contracts.law import Unjudged, Unsupported, expect, law
from contracts.target import Target

STREAMING = "api.md, Streaming"
SSE = "HTML standard, 9.2"
HTTP = "RFC 9112"


def stream(target: Target, call: Call) -> Exchange:
    """The stream that answers the call; `Unjudged` when it is none."""
    exchange = ok(target.send(call))
    if not exchange.is_stream:
        raise Unjudged("the answer is no event stream (S-FRAME-01 judges that)")
    return exchange


@law("S-FRAME-01", over=STREAMS, source=STREAMING)
def a_stream_is_an_event_stream(target: Target, call: Call) -> None:
    """A request with stream=true is answered with Content-Type text/event-stream.

    A client chooses its reader by this field; JSON in answer to stream=true leaves the caller with no event at all.
    """
    exchange = ok(target.send(call))
    expect(exchange.says_stream, "Content-Type: text/event-stream", exchange.response.field("content-type"))


@law("S-FRAME-02", over=STREAMS, source=STREAMING)
def every_event_is_one_json_object(target: Target, call: Call) -> None:
    """The data of every event is one JSON object, or exactly [DONE].

    Readers parse each event alone. Half a document, two documents, `[done]` or a bare string break them.
    """
    for event in stream(target, call).events:
        if event.data.strip() == DONE:
            continue
        try:
            document = json.loads(event.data)
        except (ValueError, RecursionError):
            document = None
        expect(isinstance(document, dict), "data: {one JSON object}, or data: [DONE]", event.data)


@law("S-FRAME-03", over=STREAMS, source=STREAMING)
def done_is_the_last_event(target: Target, call: Call) -> None:
    """A stream has exactly one [DONE], and it is the last event.

    Without it a reader cannot tell a whole answer from one that a proxy has cut.
    """
    exchange = stream(target, call)
    if not target.profile.done:
        return
    datas = [event.data.strip() for event in exchange.events]
    expect(DONE in datas, "a last event 'data: [DONE]'", f"no [DONE]; the last of {len(datas)} events is {datas[-1:]}")
    expect(datas.count(DONE) == 1, "one [DONE]", f"{datas.count(DONE)} of them")
    expect(datas[-1] == DONE, "nothing after [DONE]", datas[datas.index(DONE) + 1 :])


@law("S-FRAME-04", over=STREAMS, source=SSE)
def a_stream_is_utf8(target: Target, call: Call) -> None:
    """The bytes of a stream are valid UTF-8, and none is a byte order mark at the beginning."""
    body = stream(target, call).response.body
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        expect(
            False,
            "valid UTF-8",
            f"{error.reason} at byte {error.start}: {body[max(0, error.start - 20) : error.end + 5]!r}",
        )
    expect(not body.startswith(b"\xef\xbb\xbf"), "a stream without a byte order mark", body[:20])


@law("S-FRAME-05", over=STREAMS, source=f"{HTTP}, 6.3 and 7.1")
def a_stream_ends_by_its_own_framing(target: Target, call: Call) -> None:
    """The body of a stream is whole by HTTP's own rules: the last chunk is there, or the promised length.

    A body that merely stops is what a cut looks like; a reader must take it for one.
    """
    exchange = stream(target, call)
    response = exchange.response
    expect(response.complete, f"the end of a body framed by {response.framing}", f"it stopped: {exchange.ended}")


@law("S-FRAME-06", over=STREAMS, source=SSE)
def an_event_is_ended_by_an_empty_line(target: Target, call: Call) -> None:
    """Every event is ended by an empty line, also the last.

    By the standard an event that the end of the stream leaves unfinished is thrown away.
    """
    exchange = stream(target, call)
    expect(not exchange.reader[1].pending, "an empty line after the last event", exchange.response.body[-60:])


@law("S-FRAME-07", over=STREAMS, level="should", source=SSE)
def a_stream_has_only_known_fields(target: Target, call: Call) -> None:
    """A stream uses the fields data, event, id and retry, and comments, and nothing else."""
    reader = stream(target, call).reader[1]
    expect(not reader.unknown, "fields data, event, id, retry, or a comment", reader.unknown[:3])


@law("S-FRAME-08", over=WHOLE, source="api.md, REST")
def an_answer_is_one_json_object(target: Target, call: Call) -> None:
    """Without stream=true the answer is application/json: one JSON object in UTF-8, and no stream."""
    exchange = ok(target.send(call))
    kind = (exchange.response.field("content-type") or "").lower()
    expect(kind.startswith("application/json"), "Content-Type: application/json", kind)
    expect(isinstance(exchange.document, dict), "one JSON object", exchange.response.body[:200])


@law("S-FRAME-09", over=WHOLE, source=f"{HTTP}, 6.3")
def an_answer_is_whole(target: Target, call: Call) -> None:
    """The body of an answer has the length that its head promises, and nothing follows it."""
    exchange = ok(target.send(call))
    response = exchange.response
    expect(response.complete, f"the end of a body framed by {response.framing}", f"it stopped: {exchange.ended}")
    expect(not response.rest, "nothing after the body", response.rest[:60])


@law("S-FRAME-10", over=CALLS, source="RFC 9110, 8.4 and 12.5.3")
def no_coding_that_was_not_asked(target: Target, call: Call) -> None:
    """A request without Accept-Encoding is answered without Content-Encoding."""
    exchange = ok(target.send(call))
    coding = exchange.response.field("content-encoding")
    expect(coding in (None, "identity"), "no Content-Encoding", coding)


@law("S-FRAME-11", over=STREAMS, source=STREAMING)
def no_event_is_an_error(target: Target, call: Call) -> None:
    """The stream of a valid request holds no error object.

    Inside a 200 an error is easily taken for an answer; here nothing was wrong with the request.
    """
    for document in documents(target.send(call)):
        expect(not document.get("error"), "chunks", document)


@law("S-FRAME-12", over=STREAMS, level="should", source=SSE)
def events_are_unnamed(target: Target, call: Call) -> None:
    """Chunks come as unnamed events: readers that follow the standard do not see named ones as messages."""
    names = {event.name for event in stream(target, call).events}
    expect(names <= {"message"}, "events without an 'event:' field", sorted(names))


@law("S-FRAME-13", over=STREAMS, live=True, examples=3, source=STREAMING)
def a_stream_is_not_held_back(target: Target, call: Call) -> None:
    """The first event is sent when it is there, not together with the last.

    Judged only where an answer takes long enough to tell: over a second, with 95 % of it before the first byte of the
    body, while the same answer allowed one token comes at least five times sooner.
    """
    exchange = stream(target, call)
    body_at = next((at for at, size in exchange.arrivals if size > len(exchange.response.body) // 2), 0.0)
    if exchange.seconds < 1.0 or body_at < 0.95 * exchange.seconds:
        return
    short = target.send(call.with_(max_tokens=1))
    early = "the first half of the events before 95 % of the time"
    expect(short.seconds > exchange.seconds / 5, early, f"it came after {body_at:.2f} of {exchange.seconds:.2f} s")


@law("S-FRAME-14", over=QUIET_STREAMS, live=True, examples=2, source=f"{HTTP}, 9.3")
def a_connection_serves_again(target: Target, call: Call) -> None:
    """After a whole stream the same connection serves the next request, unless the server said it would close it."""
    with target.connect() as connection:
        connection.send(target.encode(call), call)
        first = target.keep(connection.response(call))
        if first.closes or first.status != 200:
            return
        connection.send(target.encode(call), call)
        second = target.keep(connection.response(call))
        expect(second.status == first.status, f"status {first.status} again", second.status)


@law("S-FRAME-15", over=STREAMS, examples=4, live=True, borne={"openai"}, source="RFC 9112, 6.1")
def an_older_caller_gets_no_chunks(target: Target, call: Call) -> None:
    """A request of HTTP/1.0 is answered without Transfer-Encoding: its sender cannot read chunks.

    A server MUST NOT send chunks to HTTP/1.0, which some load balancers still speak to what is behind them. A server of
    Python gets this wrong with the parser that it prefers, so where no more than to be compatible is promised a breach
    is lenient.
    """
    ok(target.send(call))
    data = target.encode(call, keep=False).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    with target.connect() as connection:
        connection.send(data, call)
        exchange = target.keep(connection.response(call))
    if exchange.status in (400, 426, 505):
        raise Unsupported(f"HTTP/1.0 is answered {exchange.status}")
    coding = exchange.response.field("transfer-encoding")
    expect(coding is None, "no Transfer-Encoding for a request of HTTP/1.0", coding, exchange)
