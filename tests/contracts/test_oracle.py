"""The oracle against the standards: hand-written cases, and a second reading by regular expressions."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.oracle import Event, EventReader, Malformed, read_events, read_response

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def by_regex(body: bytes) -> list[Event]:
    """A second reader of event streams, written another way: whole text, regular expressions, no state machine."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.split(r"\r\n|\n|\r", text)[:-1]
    events: list[Event] = []
    block: list[str] = []
    last_id = ""
    for line in lines:
        if line:
            block.append(line)
            continue
        pairs = [(m[1], m[2] or "") for one in block if (m := re.match(r"(?s)([^:]*)(?::(?: ?)(.*))?\Z", one))]
        ids = [value for name, value in pairs if name == "id" and "\0" not in value]
        last_id = ids[-1] if ids else last_id
        names = [value for name, value in pairs if name == "event"]
        datas = [value for name, value in pairs if name == "data"]
        if datas:
            events.append(Event("\n".join(datas), (names[-1] if names else "") or "message", last_id))
        block = []
    return events


STREAM_CASES = [
    (b"data: a\n\n", [Event("a")]),
    (b"data:a\n\n", [Event("a")]),
    (b"data:  a\n\n", [Event(" a")]),
    (b"data: a\r\n\r\n", [Event("a")]),
    (b"data: a\r\r", [Event("a")]),
    (b"data: a\r\n\ndata: b\n\r\n", [Event("a"), Event("b")]),
    (b"\xef\xbb\xbfdata: a\n\n", [Event("a")]),
    (b"data: a\ndata: b\n\n", [Event("a\nb")]),
    (b"data\n\n", [Event("")]),
    (b"data:\n\n", [Event("")]),
    (b": comment\n\ndata: a\n\n", [Event("a")]),
    (b"event: x\ndata: a\n\ndata: b\n\n", [Event("a", "x"), Event("b")]),
    (b"id: 7\ndata: a\n\ndata: b\n\n", [Event("a", id="7"), Event("b", id="7")]),
    (b"id: 7\x00\ndata: a\n\n", [Event("a")]),
    (b"retry: 5\nfoo: bar\ndata: a\n\n", [Event("a")]),
    (b"event: x\n\n", []),
    (b"data: a\n", []),
    (b"data: a", []),
    (b"data: \xe2\x80\xa8\xc2\x85\n\n", [Event("\u2028\u0085")]),
    (b"data: \xff\n\n", [Event("\ufffd")]),
    (b"", []),
]


@pytest.mark.parametrize(("body", "events"), STREAM_CASES)
def test_events_by_the_standard(body: bytes, events: list[Event]) -> None:
    """Each case is read as the HTML standard says, by both readers."""
    assert read_events(body) == events
    assert by_regex(body) == events


PIECES = [
    b"data: a",
    b"data:",
    b"data",
    b"id: 1",
    b"event: e",
    b":c",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"x",
    b"\xc3",
    b"\xa9",
    b"\xef\xbb\xbf",
    b"\0",
]


@given(st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_both_readers_agree(body: bytes) -> None:
    """Whatever the bytes, the state machine reads what the regular expressions read."""
    assert read_events(body) == by_regex(body)


@given(st.lists(st.sampled_from(PIECES)).map(b"".join), st.sets(st.integers(0, 60)))
def test_any_split_gives_the_same_events(body: bytes, cuts: set[int]) -> None:
    """Fed in any pieces, the reader gives the events of the whole."""
    reader = EventReader()
    places = sorted({0, len(body), *(cut for cut in cuts if cut <= len(body))})
    fed = [event for start, end in pairwise(places) for event in reader.feed(body[start:end])]
    assert fed == read_events(body)


def test_an_open_event_is_told() -> None:
    """`pending` says that the stream ended inside an event."""
    reader = EventReader()
    reader.feed(b"data: a\n\n")
    assert not reader.pending
    reader.feed(b"data: b\n")
    assert reader.pending


def test_a_counted_body() -> None:
    """Content-Length ends the body; what follows is the rest."""
    response = read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef")
    assert response is not None
    assert (response.body, response.rest, response.complete, response.framing) == (b"abc", b"def", True, "length")
    short = read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", closed=True)
    assert short is not None
    assert not short.complete


def test_a_chunked_body() -> None:
    """Chunks are joined, extensions and trailers are read over, and without the last chunk the body is not whole."""
    body = b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n"
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = read_response(head + body + b"0\r\nX-Trailer: 1\r\n\r\nrest")
    assert whole is not None
    assert (whole.body, whole.chunks, whole.complete, whole.rest) == (b"abcdefg", (b"abc", b"defg"), True, b"rest")
    for end in range(len(body) + 1):
        part = read_response(head + body[:end], closed=True)
        assert part is not None
        assert not part.complete
        assert b"abcdefg".startswith(part.body)


def test_a_body_until_close() -> None:
    """Without a length the body goes on until the connection ends; only then is it whole."""
    response = read_response(HEAD + b"\r\nabc", closed=True)
    assert response is not None
    assert (response.body, response.framing, response.complete) == (b"abc", "close", True)
    still = read_response(HEAD + b"\r\nabc")
    assert still is not None
    assert not still.complete


@pytest.mark.parametrize("data", [b"", b"HTTP", b"HTTP/1.1 200 OK\r\nA: b\r\n"])
def test_a_head_that_is_not_whole(data: bytes) -> None:
    """Until the empty line there is no response."""
    assert read_response(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"<html>\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
    ],
)
def test_what_is_no_http(data: bytes) -> None:
    """What the standard forbids is refused."""
    with pytest.raises(Malformed):
        read_response(data)


def test_interim_responses_are_counted() -> None:
    """1xx come before the response and are not it."""
    response = read_response(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    )
    assert response is not None
    assert (response.status, response.interim, response.framing) == (204, 2, "none")


def test_fields_of_one_name_are_joined() -> None:
    """RFC 9110, 5.3."""
    response = read_response(b"HTTP/1.1 200 OK\r\nAllow: GET\r\nallow:  POST \r\nContent-Length: 0\r\n\r\n")
    assert response is not None
    assert response.field("ALLOW") == "GET, POST"
    assert response.field("x") is None
