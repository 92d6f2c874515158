"""Commands that a report prints: whole, so that they judge what was judged, and quoted, so that they can be pasted."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from contracts.adapters import NAMES

CHOOSES = (
    "target",
    "profile",
    "model",
    "client",
    "mock_url",
    "law",
    "seed",
    "budget",
    "level",
    "restart_cmd",
    "database",
    "baseline",
)
"""The options that choose what is judged, and how; those that say where the report goes are left out."""
KEY = '--api-key "$API_KEY"'
"""No key is printed."""
USUAL = {"level": "should"}


def command(given: argparse.Namespace, **changes: Any) -> str:
    """The command that was given, with some options changed; "" or an empty list takes one out."""
    options = {**vars(given), **changes}
    words = ["inferneo-contracts", options.get("command", "run"), *options.get("urls", [])]
    for name in CHOOSES:
        value = options.get(name)
        if value and value != USUAL.get(name):
            flag = f"--{name.replace('_', '-')}"
            words += [word for one in (value if isinstance(value, list) else [value]) for word in _option(flag, one)]
    return " ".join([shlex.join(words), *([KEY] if options.get("api_key") else [])])


def _option(flag: str, value: Any) -> list[str]:
    """A value that looks like an option is bound to its flag."""
    text = str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def again(given: argparse.Namespace, verdict: dict[str, Any], embedded: bool) -> str:
    """The command that judges the verdict's law alone on its target with the same cases. `embedded`: the target is the
    fake server of the run."""
    target = verdict["target"]
    alone = {"law": [verdict["law"]], "seed": str(verdict["failure"]["seed"]), "level": "", "baseline": ""}
    if verdict["where"] == "client":
        foreign = [name for name in getattr(given, "client", []) if name not in NAMES] or ["command:CMD"]
        client = [target] if target in NAMES else foreign
        model = {"command": "clients", "urls": [], "target": "", "profile": "", "model": "", "api_key": ""}
        return command(given, **alone, **model, client=client, restart_cmd="")
    filed = getattr(given, "target", "") and target not in getattr(given, "urls", [])
    return command(given, **alone, command="run", urls=[] if embedded or filed else [target])
