"""What can be known to be wrong with a command line before anything is started."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path

from contracts import baseline
from contracts.adapters import subject
from contracts.database import check as check_database
from contracts.files import is_folder, readable, writable
from contracts.law import beginning


def checked(options: argparse.Namespace, foreign: bool) -> baseline.Baseline | None:
    """The baseline, if any. `foreign`: the servers are given, not ours. Raises `LookupError`, `ValueError`."""
    sides = {"client"} if options.command == "clients" else {"server"}
    if options.command == "run" and not foreign and not options.no_clients:
        sides = {"server", "client"}
    for name in options.law:
        _of_side(name, sides)
    for name in getattr(options, "client", []):
        _startable(name)
    for option in ("json", "junit", "markdown", "html"):
        if path := getattr(options, option):
            writable(f"--{option}", path)
    if options.save:
        is_folder("--save", options.save)
    if options.database:
        check_database(options.database)
    if not options.baseline:
        if options.update_baseline or options.prune_baseline:
            raise ValueError("--update-baseline and --prune-baseline need --baseline FILE")
        return None
    if not options.update_baseline:
        readable("--baseline", options.baseline, "; --update-baseline makes it")
    return baseline.load(options.baseline, missing_ok=options.update_baseline)


def _of_side(name: str, sides: set[str]) -> None:
    """Raises `LookupError` unless a law that this command judges has that id, or one that begins so."""
    found = beginning(name)
    if not any(law.side in sides for law in found):
        side = found[0].side
        what = f"{found[0].id} is a {side} law" if len(found) == 1 else f"the laws {name.upper()}... are {side} laws"
        command = "inferneo-contracts clients" if side == "client" else "inferneo-contracts run URL"
        raise LookupError(f"{what}; use `{command}`")


def _startable(name: str) -> None:
    """Raises `LookupError` for an unknown client, `ValueError` for a command that cannot be started."""
    if not name.startswith("command:"):
        subject(name)
        return
    words = shlex.split(name.removeprefix("command:"))
    if not words:
        raise ValueError(f"--client {name!r} has no command; expected command:CMD")
    if shutil.which(words[0]) is None:
        problem = "it is not executable" if Path(words[0]).exists() else "no such program"
        raise ValueError(f"cannot start {words[0]!r}: {problem}")
