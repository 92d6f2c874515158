"""A stream as a picture: a row for each event, a dot where it came, and how the stream ended. Inline SVG, no script.

Times are milliseconds since the request was sent. The arrivals of an exchange count the bytes of the whole response;
an event came with the arrival that holds its last byte, give or take the framing of a chunk.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from html import escape
from typing import Any

from contracts.oracle import EventReader

ROW = 18
LEFT = 64
PLOT = 340
WIDTH = 1080
SHOWN = 40
"""More rows than these are cut in the middle."""
SLACK = 8
"""Bytes of a chunk's framing that may still be missing when an event is told to be there."""

ENDS = {
    "end": "the fake ends in order",
    "fin": "the fake closes the connection",
    "rst": "the fake resets the connection",
    "half": "the fake closes its half of the connection",
    "stall": "the fake falls silent",
    "client": "the client leaves",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture: what it is, in a few words, and when (milliseconds).

    `kind`: event, end, bad-end or note."""

    at: float
    label: str
    kind: str = "event"


def of_exchange(exchange: dict[str, Any]) -> list[Row]:
    """The rows of an exchange with a server, as `Exchange.to_json` gives it; none where it is no stream."""
    response = exchange.get("response")
    if not response:
        return []
    kind = next((value for name, value in response["headers"] if name.lower() == "content-type"), "")
    if not kind.lower().startswith("text/event-stream"):
        return []
    body = base64.b64decode(response["body_base64"]) if "body_base64" in response else response["body"].encode()
    arrivals = exchange.get("arrivals") or [[exchange["seconds"], len(body)]]
    total = arrivals[-1][1]
    head = min(total, sum(len(name) + len(value) + 4 for name, value in response["headers"]) + 19)
    share = len(body) / max(1, total - head)
    reader, rows, offset, done = EventReader(), [], 0, False
    for piece in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", body):
        offset += len(piece)
        at = next((s for s, size in arrivals if (size - head) * share + SLACK >= offset), arrivals[-1][0])
        for event in reader.feed(piece):
            rows.append(Row(at * 1000, words(event.data)))
            done = done or event.data.strip() == "[DONE]"
    ends = {"whole": "the response ends", "fin": "the connection was closed", "reset": "the connection was reset"}
    end = ends.get(exchange["ended"], "nothing more came")
    good = done and exchange["ended"] in ("whole", "fin")
    label = end if done else f"{end}, without [DONE]"
    return [*rows, Row(exchange["seconds"] * 1000, label, "end" if good else "bad-end")]


def of_scene(scene: dict[str, Any]) -> list[Row]:
    """The rows of what the fake sent to a client, and what the client made of it."""
    rows: list[Row] = []
    at = 0.0
    for number, exchange in enumerate(scene["journal"], 1):
        if len(scene["journal"]) > 1:
            rows.append(Row(at, f"request {number}", "note"))
        plan = exchange.get("plan") or {"steps": [], "ending": {}}
        for step in plan["steps"]:
            if "wait" in step:
                at += float(step["wait"] or 0) * 1000
            elif "head" in step:
                rows.append(Row(at, f"status {step['head']}"))
            elif "body" in step or "raw" in step:
                rows.append(Row(at, words(_text(step.get("body", step.get("raw"))), str(step.get("mark") or ""))))
        at = max(at, float(exchange.get("seconds") or 0) * 1000)
        ended = exchange.get("ended")
        rows.append(Row(at, ENDS.get(ended, f"the fake's end: {ended}"), "end" if ended == "end" else "bad-end"))
    for outcome in scene["outcomes"]:
        pieces = outcome.get("pieces") or []
        problem = outcome.get("problem")
        said = "".join(pieces)
        made = f"the client gave {_cut(said)!r} in {len(pieces)} pieces" if pieces else "the client gave no text"
        end = f", then {problem['kind']}: {problem['name']}" if problem else ", and ended in order"
        rows.append(Row(max(at, float(outcome.get("seconds") or 0) * 1000), made + end, "note"))
    return rows


def _text(data: Any) -> str:
    if isinstance(data, dict):
        return base64.b64decode(data.get("base64", "")).decode("utf-8", "replace")
    return str(data or "")


def words(data: str, mark: str = "") -> str:
    """What an event says, in a few words."""
    text = data.strip()
    text = text.removeprefix("data:").strip() if text.startswith("data:") else text
    if text == "[DONE]":
        return "[DONE]"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return f"{mark + ' ' if mark else ''}{_cut(text)}" if text else mark or "(no data)"
    if document.get("error"):
        return f"error: {_cut(json.dumps(document['error'], ensure_ascii=False))}"
    found = [one for choice in _choices(document) for one in _choice(choice)]
    if document.get("usage"):
        found.append("usage")
    return ", ".join(found) or mark or _cut(text)


def _choices(document: dict[str, Any]) -> list[dict[str, Any]]:
    choices = document.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _choice(choice: dict[str, Any]) -> list[str]:
    holder = next((choice[key] for key in ("delta", "message") if isinstance(choice.get(key), dict)), choice)
    found = [f"role {holder['role']}"] if holder.get("role") else []
    text = holder.get("content", holder.get("text"))
    if isinstance(text, str) and (text or not found):
        found.append(_cut(repr(text)))
    if holder.get("tool_calls"):
        found.append("tool call")
    if choice.get("finish_reason"):
        found.append(f"finish: {choice['finish_reason']}")
    if found and choice.get("index"):
        found[0] = f"[{choice['index']}] {found[0]}"
    return found


def _cut(text: str, limit: int = 44) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def to_svg(rows: list[Row], title: str) -> str:
    """The picture; "" where there is nothing to draw."""
    if not rows:
        return ""
    longest = max(0.001, *(row.at for row in rows))
    shown = rows
    if len(rows) > SHOWN:
        cut = len(rows) - SHOWN + 1
        middle = Row(rows[SHOWN // 2].at, f"… {cut} more …", "note")
        shown = [*rows[: SHOWN // 2], middle, *rows[SHOWN // 2 + cut :]]
    height = ROW * len(shown) + 34
    parts = [
        f'<svg class="timeline" role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<title>{escape(title)}</title>",
    ]
    for tick in range(5):
        x = LEFT + PLOT * tick / 4
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height - 8}"/>')
        anchor = "end" if tick == 4 else "middle" if tick else "start"
        parts.append(f'<text class="tick" x="{x:.1f}" y="13" text-anchor="{anchor}">{_ms(longest * tick / 4)}</text>')
    before = None
    for number, row in enumerate(shown):
        y = 34 + ROW * number
        x = LEFT + PLOT * row.at / longest
        if before is not None:
            parts.append(f'<path class="step" d="M{before[0]:.1f} {before[1]} V{y} H{x:.1f}"/>')
        shape = f'<circle class="{row.kind}" cx="{x:.1f}" cy="{y}" r="4"/>'
        if row.kind.endswith("end"):
            shape = f'<rect class="{row.kind}" x="{x - 4:.1f}" y="{y - 4}" width="8" height="8"/>'
        parts.append(f'<text class="time" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{_ms(row.at)}</text>')
        parts.append(shape)
        parts.append(f'<text class="{row.kind}" x="{LEFT + PLOT + 14}" y="{y + 4}">{escape(_clean(row.label))}</text>')
        before = (x, y)
    return "".join([*parts, "</svg>"])


def _clean(text: str) -> str:
    return "".join(c if c >= " " and not "\ud800" <= c <= "\udfff" else "\ufffd" for c in text)


def _ms(value: float) -> str:
    if value < 10:
        return f"{value:.2f} ms"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
