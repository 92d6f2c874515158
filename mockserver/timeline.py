"""What would be sent and when: a plan as lines that people read. Pure."""

from __future__ import annotations

from typing import Any

from mockserver.plan import Body, Close, End, Head, Plan, Raw, Repeat, Stall, Wait
from mockserver.sentence import error_sentence

SHOWN = 60
"""Characters shown of one piece."""

TELLING = ('"delta":', '"message":', '"text":', '"embedding":', '"usage":')
"""Where a document begins to say what it is for; before stand ids and names."""

REFUSING = ('{"error"', '{"detail"', '{"message"', '{"object":"error"')
"""How the document of an error begins: its sentence is told whole, for at its end stands what would be right."""

LINES = 40
"""Lines shown of one plan: the first, and the last five."""


def timeline(plan: Plan) -> list[dict[str, Any]]:
    """`at` (seconds from the start), `what` (head, body, raw, repeat, end, close, stall), `mark`, `bytes`, `shown`."""
    rows: list[dict[str, Any]] = []
    now = 0.0
    for step in plan.steps:
        match step:
            case Wait(seconds):
                now += seconds
            case Head(status):
                rows.append({"at": round(now, 6), "what": "head", "shown": str(status)})
            case Body(data, mark) | Raw(data, mark):
                what = "body" if isinstance(step, Body) else "raw"
                rows.append(
                    {"at": round(now, 6), "what": what, "mark": mark, "bytes": len(data), "shown": _shown(data)}
                )
            case Repeat(_, times):
                rows.append(
                    {"at": round(now, 6), "what": "repeat", "shown": "for ever" if times is None else f"{times}x"}
                )
    match plan.ending:
        case End():
            rows.append({"at": round(now, 6), "what": "end", "shown": "the connection stays open"})
        case Close(how):
            rows.append({"at": round(now, 6), "what": "close", "shown": how})
        case Stall(silence):
            shown = "until the peer leaves" if silence is None else f"{silence:g} s"
            rows.append({"at": round(now, 6), "what": "stall", "shown": shown})
    return rows


def lines(plan: Plan) -> list[str]:
    """The timeline, one line per write."""
    rows = timeline(plan)
    told = [f"{row['at']:8.3f} s  {row['what']:<6} {row.get('mark', ''):<12} {row['shown']}".rstrip() for row in rows]
    if len(told) > LINES:
        told = [*told[: LINES - 5], f"           ... {len(told) - LINES} more", *told[-5:]]
    return told


def _shown(data: bytes) -> str:
    """The beginning; of a long document from where it says what differs from the others of its kind."""
    text = data.decode("utf-8", "backslashreplace").replace("\r", "\\r").replace("\n", "\\n")
    if len(text) <= SHOWN:
        return text
    if text.startswith(REFUSING) and (sentence := error_sentence(data)):
        return f"error: {sentence}"
    told = min((place for place in map(text.find, TELLING) if place > 0), default=0)
    if told <= SHOWN // 2:
        return text[: SHOWN - 3] + "..."
    rest = text[told:]
    return f"...{rest}" if len(rest) <= SHOWN - 3 else f"...{rest[: SHOWN - 6]}..."
