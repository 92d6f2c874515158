"""The HTML page: whole by itself, safe whatever a server said, and drawn by a real browser where one is installed."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from stranger import serving
from wrong_servers import NoDone

from contracts import page
from contracts.cli import main
from contracts.law import laws
from contracts.options import Options
from contracts.report import Report, collect
from contracts.timeline import Row, of_exchange, of_scene, to_svg, words

EVIL = "</pre><script>alert(1)</script><img src=http://evil.example/x>\x00\x1b[31m\udc80"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "link", "input", "img", "br", "wbr", "line", "circle", "rect", "path"}


class Elements(HTMLParser):
    """All start tags with their attributes; an element that is not closed in its order is a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def stream(body: str, ended: str = "whole") -> dict[str, Any]:
    """An exchange whose answer is a stream."""
    return {
        "request": {"method": "POST", "path": "/v1/chat/completions", "headers": [["X", EVIL]], "body": EVIL},
        "response": {"status": 200, "headers": [["Content-Type", "text/event-stream"]], "body": body},
        "ended": ended,
        "seconds": 0.5,
        "arrivals": [[0.1, 90], [0.5, 60 + len(body.encode())]],
    }


def verdict(law: str, word: str, exchange: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A line of the results."""
    failure = None
    if exchange:
        failure = {"expected": EVIL, "got": EVIL, "case": "", "seen": "3 of 3", "seed": 0, "curl": [EVIL]}
        failure |= {"exchanges": [exchange, {**exchange, "response": None, "ended": "none"}], "value": None}
    line = {
        "kind": "verdict",
        "where": "live",
        "target": "http://127.0.0.1:1",
        "reason": EVIL,
        "cases": 1,
        "seconds": 0.1,
    }
    return {**line, "law": law, "word": word, "failure": failure, **more}


def a_report() -> Report:
    """Every word, one failing stream."""
    lines = [
        verdict("S-FRAME-03", "failed", stream('data: {"choices": [{"delta": {"content": "a"}}]}\n\n')),
        verdict("S-FRAME-02", "ok"),
        verdict("S-FRAME-04", "unsupported"),
        verdict("S-FRAME-07", "lenient", stream("data: [DONE]\n\n")),
        verdict("C-READ-01", "broken", where="client", target="httpx"),
        {"kind": "fatal", "target": "http://127.0.0.1:1", "law": "S-ID-01", "request": EVIL, "problem": "x"},
        {"kind": "surprise", "server": "engine-0.1.0", "text": EVIL},
    ]
    return collect(lines, Options(), "", 1.0)


def test_the_page_is_whole_and_loads_nothing() -> None:
    """Every element is closed, every link stays inside, and the policy forbids the rest."""
    elements = Elements(page.to_html(a_report()))
    assert elements.open == []
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 1
    assert "img" not in tags
    for tag, attributes in elements.found:
        for name in ("src", "href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    (policy,) = [a["content"] for t, a in elements.found if t == "meta" and a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "url(" not in (Path(page.__file__).parent / "page.css").read_text()


def test_every_link_of_the_matrix_has_its_place() -> None:
    """Each failure is one click away, with the picture of its stream; the filters know every row."""
    text = page.to_html(a_report())
    elements = Elements(text)
    links = {a["href"] for t, a in elements.found if t == "a"}
    places = {f"#{a['id']}" for t, a in elements.found if t == "article"}
    assert links == places
    assert len(places) == 3
    rows = [a for t, a in elements.found if t in ("tr", "article") and "data-law" in a]
    assert len(rows) == 8
    columns = {a["data-column"] for _, a in elements.found if a.get("data-column")}
    assert {one[0] for row in rows for one in json.loads(row["data-words"] or "")} <= columns
    assert {a["value"] for t, a in elements.found if a.get("type") == "checkbox"} == {
        "ok", "lenient", "failed", "broken", "unsupported",
    }  # fmt: skip
    assert sum(t == "svg" for t, _ in elements.found) == 2
    assert "the response ends, without [DONE]" in text
    assert "DIED during S-ID-01" in text


def test_rows_of_a_stream_are_at_their_times() -> None:
    """An event came with the bytes that end it."""
    body = 'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\ndata: [DONE]\n\n'
    rows = of_exchange(stream(body, "fin"))
    assert rows[0] == Row(500.0, "role assistant")
    assert rows[-1] == Row(500.0, "the connection was closed", "end")
    whole = {**stream(body), "arrivals": [[0.1, 47 + 56], [0.5, 47 + len(body)]]}
    assert [row.at for row in of_exchange(whole)] == [100.0, 500.0, 500.0]
    assert of_exchange({**stream(body), "response": None}) == []


def test_rows_of_a_scene_show_both_sides() -> None:
    """What the fake sent, when, and what the client made of it."""
    plan = {
        "steps": [{"head": 200}, {"wait": 0.2}, {"body": "data: x\n\n", "mark": "role"}, {"raw": {"base64": "AAAA"}}]
    }
    outcome = {"pieces": ["a", "b"], "seconds": 0.1, "problem": {"kind": "leak", "name": "X"}}
    scene = {"journal": [{"plan": plan, "ended": "rst", "seconds": 0.3}], "outcomes": [outcome]}
    rows = of_scene(scene)
    assert [row.at for row in rows] == pytest.approx([0, 200, 200, 300, 300])
    assert rows[1].label == "role x"
    assert rows[3] == Row(300.0, "the fake resets the connection", "bad-end")
    assert rows[4].label == "the client gave 'ab' in 2 pieces, then leak: X"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[DONE]", "[DONE]"),
        ('{"choices": [{"index": 1, "text": "x", "finish_reason": "stop"}]}', "[1] 'x', finish: stop"),
        ('{"choices": [], "usage": {"total_tokens": 1}}', "usage"),
        ('{"choices": [{"delta": {"tool_calls": [{}]}}]}', "tool call"),
        ('{"error": {"message": "no"}}', 'error: {"message": "no"}'),
        ("{broken", "{broken"),
        ("[1]", "[1]"),
        ('{"choices": 3}', '{"choices": 3}'),
        ("", "(no data)"),
    ],
)
def test_an_event_in_words(data: str, said: str) -> None:
    """Whatever an event holds."""
    assert words(data) == said


def test_a_long_stream_is_cut_in_the_middle() -> None:
    """The picture stays a picture; its beginning and its end are there."""
    rows = [Row(float(at), f"event {at}") for at in range(500)]
    picture = to_svg(rows, "t")
    assert picture.count("<circle") <= 41
    assert "event 0<" in picture
    assert "event 499<" in picture
    assert "461 more" in picture
    assert to_svg([], "t") == ""


def pixels(data: bytes) -> set[bytes]:
    """The colours of an 8-bit PNG, read without a library: rows are unfiltered one by one."""
    width, height, _, kind = struct.unpack(">IIBB", data[16:26])
    size = {2: 3, 6: 4}[kind]
    packed = b"".join(
        data[at + 8 : at + 8 + length]
        for at, length in _chunks(data)
        if data[at + 4 : at + 8] == b"IDAT"
    )  # fmt: skip
    raw, line, found = zlib.decompress(packed), bytearray(width * size), set()
    for y in range(height):
        start = y * (width * size + 1)
        how, row = raw[start], bytearray(raw[start + 1 : start + 1 + width * size])
        for x in range(len(row)):
            a, b, c = (row[x - size] if x >= size else 0), line[x], (line[x - size] if x >= size else 0)
            near = min((a, b, c), key=lambda one: (abs(a + b - c - one), (a, b, c).index(one)))
            row[x] = (row[x] + (0, a, b, (a + b) // 2, near)[how]) & 255
        found |= {bytes(row[x : x + 3]) for x in range(0, len(row), size)}
        line = row
    return found


def _chunks(data: bytes) -> list[tuple[int, int]]:
    at, found = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((at, length))
        at += length + 12
    return found


@pytest.mark.slow
def test_a_browser_draws_the_page(tmp_path: Path) -> None:
    """Chromium builds the page, runs its filters and paints it; the structure is asserted without a browser too."""
    file = tmp_path / "r.html"
    with serving(NoDone) as url:
        run = ["run", url, "--law", "S-FRAME", "--no-recorded", "--budget", "30s", "--profile", "openai"]
        assert main([*run, "--html", str(file)]) == 1
    elements = Elements(file.read_text(encoding="utf-8"))
    assert elements.open == []
    assert [t for t, _ in elements.found].count("svg") >= 1
    if BROWSER is None:
        return
    base = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    base += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,700", "--hide-scrollbars"]
    shown = subprocess.run([*base, "--dump-dom", file.as_uri()], capture_output=True, timeout=60, check=True)
    drawn = shown.stdout.decode()
    count = sum(law.family == "FRAME" for law in laws("server"))
    assert re.search(rf'<span id="shown"[^>]*>{count} laws</span>', drawn), "the script has counted the rows"
    assert "--bar: " in drawn
    picture = tmp_path / "r.png"
    subprocess.run([*base, f"--screenshot={picture}", file.as_uri()], capture_output=True, timeout=60, check=True)
    colours = pixels(picture.read_bytes())
    assert {bytes.fromhex(one) for one in ("1a7f37", "c62828")} <= colours, "verdicts in green and red"
