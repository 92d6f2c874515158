"""What client laws are quantified over: replies, places to cut, faults out of the fake's own catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hypothesis import strategies as st

from contracts.domains import Domain

Endpoint: TypeAlias = Literal["chat", "text"]
ENDPOINTS: st.SearchStrategy[Any] = st.sampled_from(["chat", "text"])
HARD_TEXTS = (
    "Hello there",
    "The café robot said 😀 then stopped.",
    "👨‍👩‍👧 family",
    "日本語 テキスト",
    "a\u2028b\u2029c\u0085d",
    "data: [DONE]\n\ndata: x",
    'quote " backslash \\ slash /',
    "\u0000nul",
    "  spaces  kept  ",
    "line\r\nbreaks\n\rkept",
)
LEGAL: tuple[dict[str, Any], ...] = (
    {"kind": "slice", "bytes": 1},
    {"kind": "slice", "bytes": 3},
    {"kind": "newlines", "form": "crlf"},
    {"kind": "newlines", "form": "cr"},
    {"kind": "extra-line", "event": 1, "form": "comment"},
    {"kind": "no-space"},
    {"kind": "multi-line-data", "event": 1},
    {"kind": "bom"},
    {"kind": "huge-event", "event": 1, "bytes": 100_000},
    {"kind": "chunk-extension", "bytes": 20},
    {"kind": "trailers", "headers": {"x-trailer": "late"}},
    {"kind": "split-chunks", "bytes": 7},
    {"kind": "one-flush"},
    {"kind": "informational", "status": 103, "count": 2},
    {"kind": "headers", "set": {"x-request-id": "req-1"}, "remove": []},
    {"kind": "rate-limit-headers", "limit": 60, "remaining": 0, "reset": 1_700_000_000},
    {"kind": "until-close", "how": "fin"},
    {"kind": "many-headers", "count": 50},
    {"kind": "split", "inside": "character", "gap": 0.005},
)
"""Faults that are none: whatever a reader makes of them, the events are the same."""
SLOW = {"accept-black-hole", "stall", "no-read", "hang-after-done", "upgrade", "slow-close", "bandwidth", "heartbeat"}
LISTENER = "connection"
QUICK = {"seconds": 0.03, "gap": 0.001, "jitter": 0.01}
"""The times of the catalogue's examples are cut to so many seconds: a law asks what happens, not for how long."""
POISON = ("extra-response", "body-on-204")
"""Faults that leave an answer behind on the connection for the next request to find."""


def replies() -> st.SearchStrategy[str]:
    """Texts for the fake to say."""
    return st.sampled_from(HARD_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@dataclass(frozen=True, slots=True)
class Said:
    """An endpoint, and the text that the fake says there."""

    what: Endpoint
    text: str


@dataclass(frozen=True, slots=True)
class CutAt:
    """A text, and the place in the body where the connection ends: `share` of its bytes, by `how`."""

    what: Endpoint
    text: str
    after: int
    how: Literal["fin", "rst", "half"]


@dataclass(frozen=True, slots=True)
class Faulty:
    """A text, a fault out of the catalogue, and whether a stream is asked for."""

    what: Endpoint
    text: str
    fault: dict[str, Any]
    stream: bool


SAID: Domain[Said] = Domain("a text to say", lambda bench: st.builds(Said, ENDPOINTS, replies()))
CUTS: Domain[CutAt] = Domain(
    "a text and a place to cut its stream",
    lambda bench: st.builds(
        CutAt, ENDPOINTS, st.sampled_from(HARD_TEXTS[:4]), st.integers(0, 1400), st.sampled_from(["fin", "rst"])
    ),
)
LEGALS: Domain[Faulty] = Domain(
    "a text and a legal way to send it",
    lambda bench: st.builds(Faulty, ENDPOINTS, replies(), st.sampled_from(LEGAL), st.just(True)),
)


def catalogue() -> list[dict[str, Any]]:
    """The examples of the fake's whole fault catalogue, but those of the listener, which all sessions share."""
    from mockserver.faults import kinds

    found = []
    for name, kind in kinds().items():
        if kind.group == LISTENER:
            continue
        quick = {k: min(v, QUICK[k]) if k in QUICK else v for k, v in dict(kind.example).items()}
        found.append({"kind": name, **quick})
    return found


def _faulty(bench: Any) -> st.SearchStrategy[Faulty]:
    quick = [fault for fault in catalogue() if fault["kind"] not in SLOW]
    return st.builds(
        Faulty, ENDPOINTS, st.just("The café robot said 😀 then stopped."), st.sampled_from(quick), st.booleans()
    )


FAULTS: Domain[Faulty] = Domain("a fault out of the fake's catalogue", _faulty)
