"""Whether an exchange went as before: the same rule, reply, status, faults, bytes and ending. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mockserver.record.heard import Heard, first_difference

COMPARED = ("rule", "reply", "status", "faults", "ended", "sent_bytes")


def differences(before: Mapping[str, Any], after: Mapping[str, Any], data: bytes | None = None) -> list[str]:
    """What is not the same in two exchanges, one line each; `data`: the bytes that were sent now, if they are known."""
    found = []
    answer: Heard | None = before.get("answer")
    left = "client" in (before["ended"], after["ended"]) or before["ended"] == "open"
    for key in COMPARED:
        if key == "ended" and "client" in (before[key], after[key]):
            continue  # when a client leaves is its own affair
        if key == "sent_bytes" and (left or (answer is not None and answer.unlike)):
            continue
        if before[key] != after[key]:
            found.append(f"{key}: was {before[key]!r}, is {after[key]!r}")
    if answer is None or data is None:
        return found
    different = first_difference(answer, data, whole=not left)
    return [*found, different] if different else found
