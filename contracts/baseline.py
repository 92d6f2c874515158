"""Known failures: a TOML file of laws that a target breaks, each with its reason, ticket and expiry.

A known failure does not fail a run. It fails again from the day it expires; one that is no longer seen is said, so that
the file does not outlive the bugs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from contracts.law import find

KEYS = {"law", "target", "reason", "ticket", "expires"}
LOOPBACK = re.compile(r"(https?://(?:127(?:\.\d+){3}|localhost|\[::1\])):\d+", re.IGNORECASE)
DAYS = 90
"""How long an entry lasts that `--update-baseline` makes."""
HEAD = """# Known failures. Each has a reason; `target` may have * in it (absent: every target; a server of this machine
# has * for its port, which may be another next time); from `expires` it fails again.
# inferneo-contracts run --baseline FILE --update-baseline wrote it; edit reason, ticket and expires.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """One known failure. `target` is a pattern; `expires` None: never."""

    law: str
    reason: str
    target: str = "*"
    ticket: str = ""
    expires: date | None = None

    def covers(self, law: str, target: str) -> bool:
        """Whether it speaks of that law on that target."""
        pattern = ".*".join(map(re.escape, self.target.split("*")))
        return law == self.law and re.fullmatch(pattern, target, re.DOTALL) is not None

    def is_expired(self, today: date) -> bool:
        """Whether it counts no more."""
        return self.expires is not None and today >= self.expires

    def __str__(self) -> str:
        words = [self.reason, self.ticket, f"until {self.expires}" if self.expires else ""]
        return ", ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Baseline:
    """All entries, in the order of the file."""

    path: Path
    entries: tuple[Known, ...] = ()

    def find(self, law: str, target: str) -> Known | None:
        """The entry that speaks of that law on that target."""
        return next((one for one in self.entries if one.covers(law, target)), None)

    def excuses(self, law: str, target: str, today: date) -> bool:
        """Whether a failure of that law on that target is known on that day."""
        entry = self.find(law, target)
        return entry is not None and not entry.is_expired(today)


def load(path: str, missing_ok: bool = False) -> Baseline:
    """The file. Raises `OSError`; `ValueError` that names the file, the entry and what would be right."""
    file = Path(path)
    if missing_ok and not file.exists():
        return Baseline(file)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    entries = document.get("known", [])
    if set(document) - {"known"} or not isinstance(entries, list):
        raise ValueError(f"{path} is no baseline: it holds {', '.join(sorted(document))}; expected [[known]] tables")
    return Baseline(file, tuple(_known(path, number, entry) for number, entry in enumerate(entries, 1)))


def _known(path: str, number: int, entry: Any) -> Known:
    where = f"{path}: [[known]] number {number}"
    if not isinstance(entry, dict) or not {"law", "reason"} <= set(entry):
        raise ValueError(f"{where} needs law and reason")
    if unknown := sorted(set(entry) - KEYS):
        raise ValueError(f"{where} has the unknown key {unknown[0]!r}; known keys: {', '.join(sorted(KEYS))}")
    if not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise ValueError(f"{where} ({entry['law']}) has no reason: say why it is known")
    expires = entry.get("expires")
    if expires is not None and type(expires) is not date:
        raise ValueError(f"{where} has expires {expires!r}; expected a date like 2027-01-31, without quotes")
    try:
        law = find(str(entry["law"])).id
    except LookupError as error:
        raise ValueError(f"{where}: {error}") from None
    return Known(law, entry["reason"], str(entry.get("target", "*")), str(entry.get("ticket", "")), expires)


def updated(
    baseline: Baseline, broken: list[tuple[str, str, str]], today: date, targets: Collection[str] = ()
) -> Baseline:
    """With an entry for each (law, target, reason) that has none, and new life for those that had expired. `targets`
    are all that the run judged."""
    entries = list(baseline.entries)
    until = today + timedelta(days=DAYS)
    for law, target, reason in broken:
        at = next((at for at, one in enumerate(entries) if one.covers(law, target)), None)
        if at is None:
            entries.append(Known(law, f"not yet explained: {reason}", pattern(target, targets), "", until))
        elif entries[at].is_expired(today):
            entries[at] = replace(entries[at], expires=until)
    return replace(baseline, entries=tuple(entries))


def pattern(target: str, others: Collection[str]) -> str:
    """What an entry calls the target: of a server on this machine, whose port is another in each run, any port, unless
    one of the `others` of the run would be meant too."""
    named = LOOPBACK.sub(r"\1:*", target, count=1)
    return target if any(LOOPBACK.sub(r"\1:*", one, count=1) == named for one in others if one != target) else named


def pruned(baseline: Baseline, gone: list[Known]) -> Baseline:
    """Without these entries."""
    return replace(baseline, entries=tuple(one for one in baseline.entries if one not in gone))


def to_toml(baseline: Baseline) -> str:
    """The file's text; `load` of it gives the same entries."""
    blocks = [HEAD]
    for one in baseline.entries:
        lines = ["[[known]]", f"law = {_quoted(one.law)}"]
        lines += [f"target = {_quoted(one.target)}"] if one.target != "*" else []
        lines.append(f"reason = {_quoted(one.reason)}")
        lines += [f"ticket = {_quoted(one.ticket)}"] if one.ticket else []
        lines += [f"expires = {one.expires.isoformat()}"] if one.expires else []
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    found = []
    for char in text:
        if char in '"\\':
            found.append("\\" + char)
        elif char < " " or char == "\x7f":
            found.append(f"\\u{ord(char):04x}")
        else:
            found.append("\ufffd" if "\ud800" <= char <= "\udfff" else char)
    return '"' + "".join(found) + '"'
