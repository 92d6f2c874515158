"""The settings of a run: the same for the command and for `pytest --pyargs contracts.suite`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from contracts.judge import Effort
from contracts.law import Law

USUAL = "60s"
"""The budget of a run that is given none: it is then no promise, and each law is judged by one case at least."""
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
LATE = ("REFUSE", "HEALTH", "SECURE", "STATE")
"""Families that abuse the server come late, so that what they break is not blamed on others."""
LONG = ("TOOL", "JSON", "ALONE", "WS")
"""Families whose every case takes many requests, or many tokens."""
WAITING = ("CONN", "RETRY")
"""Families of client laws in whose cases the client waits before it tries again."""
LAST = (
    "S-STATE-01",
    "S-STATE-02",
    "S-LIMIT-16",
    "S-HEALTH-09",
    "S-REFUSE-15",
    "S-HEALTH-01",
    "S-HEALTH-16",
    "S-LIMIT-13",
)
"""Laws that send what is very large, or ask for endless text: after them a server may be busy for ever."""


def parse_capability(text: str) -> tuple[str, bool]:
    """`det=yes` or `n=no`. Raises `ValueError`."""
    name, _, value = text.partition("=")
    if value not in ("yes", "no"):
        raise ValueError(f"{text!r} declares nothing; expected NAME=yes or NAME=no")
    return known_capability(name), value == "yes"


def known_capability(name: str) -> str:
    """The name itself. Raises `ValueError` that names the nearest."""
    import difflib

    from contracts.capabilities import PROBES

    if name in PROBES:
        return name
    near = difflib.get_close_matches(name, PROBES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown capability {name!r}; known: {', '.join(sorted(PROBES))}{hint}")


def parse_budget(text: str) -> float:
    """Seconds of `60s`, `5m`, `1h` or a bare number. Raises `ValueError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no budget; expected a time like 60s, 5m or 1h")
    return float(match[1]) * UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class Options:
    """What to judge and how hard. `level` must leaves the SHOULD laws out; `only` are ids or beginnings of ids.

    `capabilities` are declared, and not probed, and so is `context`, the tokens that a prompt may have (0: not told).
    `part`: `together` are the laws that bear others at the same time, `alone` the rest of them. `until`: the moment of
    the monotonic clock at which the budget is used up; 0: it is no promise.
    `loud`: the URLs of servers on which S-REFUSE-07 is known, so that each law tells what crashes them."""

    urls: tuple[str, ...] = ()
    mock_url: str = ""
    model: str = ""
    api_key: str = ""
    profile: str = ""
    level: str = "should"
    budget: float = 60.0
    seed: int = 0
    only: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    results: str = ""
    recorded: bool = True
    capabilities: tuple[tuple[str, bool], ...] = ()
    context: int = 0
    restart_cmd: str = ""
    database: str = ""
    part: str = "all"
    until: float = 0.0
    loud: tuple[str, ...] = ()

    def wants(self, law: Law) -> bool:
        """Whether the law takes part."""
        if self.level == "must" and law.level != "must":
            return False
        if self.part != "all" and alone(law) != (self.part == "alone"):
            return False
        return not self.only or any(law.id.startswith(one.upper()) for one in self.only)

    def effort(self, laws: int) -> Effort:
        """How hard each law is tried within the budget, of so many laws in the whole run."""
        share = self.budget / max(1, laws)
        examples = max(0.2, min(50.0, self.budget / 60.0))
        least = min(1.0, self.budget / 40.0)
        return Effort(self.seed, examples, max(least, share * 3), max(least, min(20.0, share * 4)))

    def within(self, room: float, laws: int) -> Effort:
        """The same where the budget is a promise: `room` is what is left of it, for so many laws."""
        share = max(0.0, room) / max(1, laws)
        effort = self.effort(laws)
        return replace(effort, seconds=share * 1.5, shrink_seconds=max(0.2, min(20.0, share * 3)), until=self.until)


def alone(law: Law) -> bool:
    """Whether the law needs the server for itself: what it measures, or breaks, others would notice."""
    return law.side == "server" and (law.live or law.family in LATE)


def in_order(found: list[Law]) -> list[Law]:
    """The order of judging: the families that abuse the server late, then what takes long, and last the laws that may
    leave it hanging. Where the budget ends before the laws do, what finds most in the least time was judged."""
    place = {law: at for at, law in enumerate(LAST, 4)}

    def rank(law: Law) -> int:
        return place.get(law.id, 1 if law.family in LATE else 2 if law.family in (*LONG, *WAITING) else 0)

    return sorted(found, key=lambda law: (rank(law), law.id))


FLAGS: dict[str, dict[str, Any]] = {
    "--inferneo-url": {"action": "append", "default": [], "help": "base URL of a server to judge; may be repeated"},
    "--inferneo-mock-url": {"default": "", "help": "base URL of a running fake server for the client laws"},
    "--inferneo-model": {"default": "", "help": "model to ask for (default: the first that the server lists)"},
    "--inferneo-api-key": {"default": "", "help": "key to send as Authorization: Bearer"},
    "--inferneo-profile": {"default": "", "help": "what the server promises: docs, engine or openai (default: seen)"},
    "--inferneo-level": {"default": "should", "help": "must leaves the SHOULD laws out"},
    "--inferneo-budget": {
        "default": "",
        "help": "time for the run, which is kept, like 10s, 5m, 1h (default: about 60s, no law left out)",
    },
    "--inferneo-until": {"default": 0.0, "type": float, "help": "when the budget ends: for inferneo-contracts itself"},
    "--inferneo-seed": {"default": 0, "type": int, "help": "seed of everything that is drawn"},
    "--inferneo-law": {"action": "append", "default": [], "help": "judge only this law, or laws whose ids begin so"},
    "--inferneo-client": {"action": "append", "default": [], "help": "client to judge (default: inferneo, both kinds)"},
    "--inferneo-capability": {
        "action": "append",
        "default": [],
        "help": "declare a capability instead of probing it, like det=yes or n=no; may be repeated",
    },
    "--inferneo-context": {
        "default": 0,
        "type": int,
        "help": "tokens of the model's context (default: as it is listed)",
    },
    "--inferneo-restart-cmd": {"default": "", "help": "shell command that starts the server again after it died"},
    "--inferneo-database": {
        "default": "",
        "help": "where failing cases are kept: a directory, github:... or redis:...",
    },
    "--inferneo-part": {"default": "all", "help": "together: laws that bear others beside them; alone: the others"},
    "--inferneo-loud": {
        "action": "append",
        "default": [],
        "help": "URL on which S-REFUSE-07 is known: each law tells the crashes that it sees",
    },
    "--inferneo-results": {"default": "", "help": "file to append one JSON line per verdict to"},
    "--inferneo-recorded": {
        "action": "store_true",
        "default": False,
        "help": "with a URL: judge the recordings of real servers too",
    },
    "--inferneo-no-recorded": {"action": "store_true", "default": False, "help": "leave the recordings out"},
}
