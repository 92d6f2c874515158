"""What follows from a law that is red is no further finding: one cause is told once.

A law that cannot judge an answer, because another law is broken by it, names that law in its reason. Where the named
law is told for the same target, the verdict `broken` becomes `unsupported`; where it is kept, nobody would tell what
is wrong, so the verdict stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, TypeVar

NAMED = re.compile(r"\([^()]*judges? that\)")
LAW = re.compile(r"\b[SC]-[A-Z]+(?:-\d+)?\b")
Key = TypeVar("Key", bound=Hashable)


def named(reason: str) -> list[str]:
    """The laws, or families, of which a reason says that they judge what is wrong."""
    return [law for words in NAMED.findall(reason) for law in LAW.findall(words)]


def quiet(verdicts: dict[Key, dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """The verdicts, those on consequences of told laws as `unsupported`."""
    found = dict(verdicts)
    while True:
        told = {(v["target"], v["law"]) for v in found.values() if v["word"] in ("failed", "lenient")}
        told |= {(v["target"], v["law"]) for key, v in found.items() if v is not verdicts[key]}
        fresh = [
            key
            for key, v in found.items()
            if v["word"] == "broken"
            and any(target == v["target"] and law.startswith(tuple(named(v["reason"]))) for target, law in told)
        ]
        if not fresh:
            return found
        for key in fresh:
            found[key] = {**found[key], "word": "unsupported"}
