"""Recordings: read exactly, judged by the same laws, and broken only where the field notes say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import recorded
from contracts.exchange import post
from contracts.judge import Effort, judge
from contracts.law import NotRecorded, laws
from contracts.notes import notes, to_markdown
from contracts.recorded import read_call

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("server", recorded.servers())
def test_the_field_notes_are_true(server: str) -> None:
    """A recorded server breaks exactly the laws that its notes list."""
    target = recorded.load(server)
    verdicts = {law.id: judge(law, target, Effort()) for law in laws("server")}
    broken = {law_id for law_id, verdict in verdicts.items() if verdict.word in ("failed", "broken")}
    assert broken == set(notes()[server].breaks)
    assert sum(verdict.word == "ok" for verdict in verdicts.values()) > 30


def test_there_are_notes_on_every_recorded_server() -> None:
    """Five servers, each with a word about it."""
    assert sorted(notes()) == recorded.servers()
    assert len(recorded.servers()) == 5
    assert all(note.about for note in notes().values())


@pytest.mark.parametrize("server", recorded.servers())
def test_what_is_left_out_is_told(server: str) -> None:
    """Nearly every recorded exchange is read; the others say why they are not."""
    target = recorded.load(server)
    assert len(target.log) > 9 * len(target.odd) - 20
    assert all(odd.reason for odd in target.odd)
    assert target.model


def test_a_recording_answers_only_what_it_holds() -> None:
    """The same request again, beyond what was recorded, is not recorded; a new case may ask again."""
    target = recorded.load("engine-0.1.0")
    call = next(exchange.call for exchange in target.log if exchange.name == "chat_stream")
    assert target.send(call).status == 200
    with pytest.raises(NotRecorded):
        target.send(call)
    target.begin()
    assert target.send(call).is_stream
    with pytest.raises(NotRecorded):
        target.send(post("/v1/completions", {"model": "never"}))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
    ],
)
def test_odd_requests_are_not_plain_calls(data: bytes) -> None:
    """What is no single well-formed HTTP/1.1 request is left out."""
    assert read_call(data) is None


def test_the_field_notes_are_documented() -> None:
    """docs/field-notes.md is what `python -m contracts.notes` prints."""
    assert (DOCS / "field-notes.md").read_text(encoding="utf-8") == to_markdown()
