"""What a verdict weighs: whether an answer gave a reason to raise, and where an error stood in a stream."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.plan import Body, Close, End, Head, Plan, Wait
from mockserver.record.case import clean, error_at, wire_text
from mockserver.record.journal import Exchange
from mockserver.record.sent import Sent
from mockserver.request import Request
from mockserver.scripting.decide import Decision


def exchange(body: bytes, **more: Any) -> Exchange:
    """An exchange that was answered with this document."""
    plan = Plan(
        (Head(200, ((b"content-type", b"application/json"),)), Wait(0.1), Body(body)), more.get("ending", End())
    )
    made = Exchange(Request("POST", "/v1/x", headers=more.get("headers", ())), Decision(plan), 0.0)
    made.ended, made.sent_bytes = more.get("ended", "end"), 10_000
    return made


@pytest.mark.parametrize(
    ("body", "text", "found"),
    [
        (b'{"data": []}', "", True),
        (b'{"choices": []}', "", False),
        (b'{"choices": [{"text": "a"}]}', "a", True),
        (b'{"error": {"message": "no"}}', "", False),
        (b"no json", "", False),
        (b"[1]", "", False),
    ],
)
def test_a_clean_answer_says_something(body: bytes, text: str, found: bool) -> None:
    """Documents that say nothing, or an error, are a reason to raise."""
    assert clean(exchange(body), Sent(200, framed=True, text=text), 30.0) is found


def test_a_clean_answer_is_a_success_and_came_in_time() -> None:
    """Status, framing, silence, ending."""
    one = exchange(b"{}")
    assert clean(one, Sent(200, framed=True), 30.0)
    assert not clean(one, Sent(503, framed=True), 30.0)
    assert not clean(one, Sent(200, framed=False), 30.0)
    assert not clean(one, Sent(200, framed=True, silence=31.0), 30.0)
    assert not clean(exchange(b"{}", ended="client"), Sent(200, framed=True), 30.0)


def test_the_place_of_an_error_is_counted_from_one() -> None:
    """Events that are no JSON, or no object, are passed over; 0: there is none."""
    events = ("nonsense", "[1]", '{"choices": []}', '{"error": {}}', '{"error": {"message": "x"}}')
    assert error_at(Sent(200, streamed=True, events=events)) == 5
    assert error_at(Sent(200, streamed=True, events=events[:4])) == 0


def test_the_body_is_read_as_it_stood_on_the_wire() -> None:
    """As many bytes as were sent, whatever the request said of the connection."""
    for headers in ((), ((b"connection", b"close"),)):
        made = exchange(b'{"a": 1}', headers=headers, ending=Close())
        assert '{"a": 1}' in wire_text(made)
    made.sent_bytes = 5
    assert wire_text(made) == ""
