"""The requests of a failure as lines that a reader can paste, also where the server that was asked is gone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

SERVED = "http://127.0.0.1:8000"
"""Where `inferneo-mock serve` listens, unless told otherwise."""


def standing(verdict: dict[str, Any], fakes: Mapping[str, str]) -> dict[str, Any]:
    """The verdict with requests to a server that its reader can start, where the one that was asked is gone. `fakes`:
    servers that end with the run, by URL, with the command that starts one alike."""
    failure = verdict["failure"]
    if not failure:
        return verdict
    for url, start in fakes.items():
        if any(url in line for line in failure["curl"]):
            failure = {**failure, "curl": [line.replace(url, SERVED) for line in failure["curl"]], "start": start}
    return {**verdict, "failure": failure}


def request_of(verdict: dict[str, Any]) -> list[str]:
    """The request of a failure as lines to paste; of an embedded server, first how to start one like it."""
    failure = verdict["failure"] or {}
    start = [f"# first, in another terminal: {failure['start']}"] if failure.get("start") else []
    return [*start, *_counted(failure.get("curl", []))]


def _counted(lines: list[str]) -> list[str]:
    """The lines; one that comes again at once is told once, with how often, and can still be pasted."""
    runs = [(line, len(list(same))) for line, same in itertools.groupby(lines)]
    return [f"{line}  # {count} times" if count > 1 else line for line, count in runs]
