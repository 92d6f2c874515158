"""One run of a session as one JSON document, and whether another run was the same. Pure.

Laws: a bundle holds all that decides what is sent: profile, seed, script, the faults of the door, and the requests in
their order with the connection each came on. Two runs are the same where every request met the same rule, reply,
faults, status and bytes, and ended alike; times and the date are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.errors import ScriptError
from mockserver.record.journal import Exchange

VERSION = 1

COMPARED = ("rule", "reply", "status", "faults", "ended", "sent_bytes")


def bundle(report: Mapping[str, Any], script: Mapping[str, Any], exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """The bundle of a session; `report` is its state as the door shows it."""
    return {
        "inferneo_bundle": VERSION,
        "profile": report["profile"],
        "seed": report["seed"],
        "script": dict(script),
        "exchanges": [exchange.to_json() for exchange in exchanges],
    }


def check(document: Any) -> dict[str, Any]:
    """The bundle, if it is one. Raises `ScriptError` that says what is missing."""
    if not isinstance(document, dict) or document.get("inferneo_bundle") != VERSION:
        seen = document.get("inferneo_bundle") if isinstance(document, dict) else type(document).__name__
        raise ScriptError(f"a bundle has 'inferneo_bundle': {VERSION}; got {seen!r}")
    for key, kind in (("profile", str), ("seed", int), ("script", dict), ("exchanges", list)):
        if not isinstance(document.get(key), kind):
            raise ScriptError(f"expected {kind.__name__}, got {document.get(key)!r}", f"$.{key}")
    return document


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is not the same in two exchanges, one line each."""
    found = []
    for key in COMPARED:
        if key == "ended" and "client" in (before[key], after[key]):
            continue  # when a client leaves is its own affair
        if key == "sent_bytes" and ("client" in (before["ended"], after["ended"]) or before["ended"] == "open"):
            continue
        if before[key] != after[key]:
            found.append(f"{key}: was {before[key]!r}, is {after[key]!r}")
    return found
