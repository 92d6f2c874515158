"""What a peer was really sent, read back from a plan and a count of bytes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from mockserver.lower import lower
from mockserver.plan import Body, Close, Head, Plan, Raw, Repeat, Wait
from mockserver.record.calls import question
from mockserver.record.saw import piece_text
from mockserver.record.sent import Sent, sent
from mockserver.request import Request

SSE = ((b"content-type", b"text/event-stream"),)
ASK = Request("POST", "/v1/chat/completions")


def chunk(delta: Any, **more: Any) -> Body:
    return Body(b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": delta, **more}]}).encode())


def read(*steps: Any, count: int = 1 << 20, request: Request = ASK) -> Sent:
    return sent(Plan(tuple(steps), Close()), request, count)


def test_tool_calls_are_seen() -> None:
    """Names and arguments are what a user can have acted upon."""
    call = {"index": 0, "function": {"name": "f", "arguments": '{"a"'}}
    told = read(
        Head(200, SSE), chunk({"tool_calls": [call]}), chunk({"tool_calls": [{"function": {"arguments": ": 1}"}}]})
    )
    assert told.text == 'f{"a": 1}'
    assert told.visible
    assert not told.whole


def test_an_endless_stream_is_read_as_far_as_it_was_sent() -> None:
    """A repeat is unrolled only up to the count."""
    word = chunk({"content": "x"})
    plan = Plan((Head(200, SSE), Repeat((word,), None)))
    size = len(lower(Plan((Head(200, SSE), word), Close()), date=b"x" * 29).steps[0].data)  # type: ignore[union-attr]
    framed = len(b"%x\r\n%b\r\n" % (len(word.data), word.data))
    assert sent(plan, ASK, size + 3 * framed).text == "xxx"
    assert sent(Plan((Repeat((Wait(1),), 3), Head(200))), ASK, 0).silence == 1


def test_only_what_is_framed_whole_is_an_answer() -> None:
    """A body shorter than its length is none; HEAD, 204, and a body until the close are."""
    answer = json.dumps({"choices": [{"message": {"content": "x"}}]}).encode()
    length = (b"content-length", b"%d" % len(answer))
    assert read(Head(200, (length,)), Body(answer)).text == "x"
    assert not read(Head(200, (length,)), Body(answer[:-1])).whole
    assert read(Head(200, (length,)), request=Request("HEAD", "/")).whole
    assert read(Head(204)).whole
    assert read(Head(200), Body(answer), request=Request("POST", "/", http_version="1.0")).text == "x"
    assert read(Head(200), Body(b"<html>")).text == ""
    assert not read(Head(200), Body(answer)).framed  # chunks without the last one
    assert not read(Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")).framed


def test_what_is_no_http_has_no_status() -> None:
    """Garbage, half a head, nothing; an informational response is not the answer."""
    assert read(Raw(b"SSH-2.0\r\n\r\n")).status is None
    assert read(Raw(b"HTTP/1.1 200 OK\r\nx: y")).status is None
    assert read(Head(103), Head(204)).status == 204


def test_odd_documents_say_nothing() -> None:
    """No shape of JSON makes the reader fail."""
    odd: tuple[Any, ...] = (7, [], {"choices": 7}, {"choices": [7]}, {"choices": [{"delta": 7}]})
    for value in (*odd, {"choices": [{"delta": {}}]}):
        told = read(Head(200, SSE), Body(b"data: %b\n\n" % json.dumps(value).encode()))
        assert (told.text, told.finished) == ("", False)
        assert told.damaged is not isinstance(value, dict)
    assert read(Head(200, SSE), Body(b": comment\n\n")).events == ()


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        ("a", "a"),
        (SimpleNamespace(text="b"), "b"),
        (SimpleNamespace(choices=[SimpleNamespace(delta=SimpleNamespace(content="c"))]), "c"),
        (SimpleNamespace(choices=[SimpleNamespace(text="d")]), "d"),
        ({"choices": [{"text": "e"}]}, "e"),
        ({"choices": [{"delta": {"role": "assistant"}}]}, None),
        ({"choices": []}, None),
        (7, None),
    ],
)
def test_the_text_of_a_piece_is_found(piece: Any, text: str | None) -> None:
    """Texts, chunks as objects and as JSON; else nothing."""
    assert piece_text(piece) == text


def test_a_body_that_is_no_json_is_its_own_question() -> None:
    """Byte by byte."""
    assert question(Request("POST", "/", body=b"{")) == ("body", "POST", "/", "{")
    assert question(Request("GET", "/")) == ("body", "GET", "/", "")
