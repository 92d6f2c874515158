"""The SSE decoder against an independent slow one, for any bytes and any split; and that it is linear."""

from __future__ import annotations

import re
import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inferneo import Event, SSEDecoder

WORDS = [b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"x", b"[DONE]", b"\0",
         b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\xff", b"12", b"{}"]  # fmt: skip
BODIES = st.lists(st.sampled_from(WORDS) | st.binary(max_size=3), max_size=40).map(b"".join)


def slow(body: bytes) -> list[tuple[str | None, str]]:
    """WHATWG HTML 9.2.6 over the whole text at once, in its own words."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.split("\r\n|\r|\n", text)[:-1]  # what follows the last line end is no line yet
    events: list[tuple[str | None, str]] = []
    data, name = "", ""
    for line in lines:
        if line == "":
            if data:
                events.append((name or None, data[:-1]))
            data, name = "", ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "data":
                data += value + "\n"
            elif field == "event":
                name = value
    return events


def decode(parts: list[bytes]) -> list[tuple[str | None, str]]:
    return [(event.name, event.text) for event in SSEDecoder().feed_all(parts)]


@given(BODIES, st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_any_split(body: bytes, cuts: list[int]) -> None:
    """client(bytes) == oracle(bytes), whatever the segments, also byte by byte."""
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    parts = [body[a:b] for a, b in pairwise(places)]
    expected = slow(body)
    assert decode(parts) == expected
    assert decode([body]) == expected
    assert decode([bytes([byte]) for byte in body]) == expected


def test_id_and_retry() -> None:
    """An id with NUL is ignored; retry takes ASCII digits only."""
    decoder = SSEDecoder()
    decoder.feed("id: 7\nretry: 10\n\nid: a\0b\nretry: 1_0\nretry: ٣\nretry:\n\n".encode())
    assert decoder.last_event_id == "7"
    assert decoder.retry_ms == 10


def test_no_data_no_event() -> None:
    """An event without a data line is not dispatched, and its name does not stick."""
    assert decode([b"event: a\n\ndata: x\n\n"]) == [(None, "x")]


def test_empty_segments() -> None:
    """Nothing is nothing, also between CR and LF."""
    assert decode([b"", b"data: x\r", b"", b"\n\r", b"", b"\n"]) == [(None, "x")]


def test_unterminated_done_counts_alone() -> None:
    """`data: [DONE]` at the end counts without its empty line, and only when it is all of the data."""
    for ending, counts in [
        (b"data: [DONE]", True),
        (b"data:[DONE]\n", True),
        (b"data: [DONE]\r\n", True),
        (b"data: [DON", False),
        (b"data: [DONE]x", False),
        (b"data: [DONE]\ndata: x", False),
        (b"event: [DONE]", False),
        (b"", False),
    ]:
        decoder = SSEDecoder()
        decoder.feed(ending)
        assert decoder.ends_done() is counts, ending


def test_event_text_replaces() -> None:
    """Bad UTF-8 is U+FFFD, never an error."""
    assert Event(None, b"a\xffb").text == "a\ufffdb"


def test_linear() -> None:
    """Ten times the segments of one line cost about ten times, not a hundred."""

    def cost(size: int) -> float:
        segments = [b"data: "] + [b"x" * 64] * size + [b"\n\n"]
        began = time.process_time()
        (event,) = SSEDecoder().feed_all(segments)
        assert len(event.data) == 64 * size
        return time.process_time() - began

    cost(1000)
    assert cost(160_000) < 2.0  # seconds for 10 MiB in 64-byte pieces; quadratic copying would take minutes
