"""`inferneo-mock replay BUNDLE`: a failed test again: the same script and seed, the same requests, byte for byte.

The requests come in the order they came, on the connections they came on; what overlapped overlaps, what was done to
the session between them is done again, a response that its client had left is left after as many bytes. Exit code 0:
everything went as before; 1: something did not, and it is said what; 2: this is no bundle.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from mockserver.cli import until_stopped
from mockserver.count import counted
from mockserver.errors import ScriptError
from mockserver.record.bundle import VERSION, Bundle, BundleError, read_bundle
from mockserver.record.standin import has_predicate, is_function
from mockserver.serving.recordedbrain import waiting_kinds
from mockserver.serving.rerun import Outcome, Rerun, server_of

LIMIT = 1 << 30
"""The largest file that is read, in bytes; a session that is full makes a third of it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.description = (
        "Run a failed test's session again from its bundle. Exit code 0: everything went as before; "
        "1: something did not; 2: this is no bundle."
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="a file that a failing test, or ctl bundle, has written")
    parser.add_argument("--serve", action="store_true", help="only serve its script, for a client of your own")
    parser.add_argument("--port", type=int, default=0, help="port to serve on (0: a free one)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what was received")


def run(options: argparse.Namespace) -> int:
    """Replay, or serve. Raises `MockError` for what is no bundle, `OSError`."""
    path = Path(options.bundle)
    size = path.stat().st_size
    if size > LIMIT:
        raise BundleError(f"{path} is no bundle: it has {size >> 20} MiB, and a bundle has at most {LIMIT >> 20}")
    bundle = read_bundle(path.read_bytes(), str(path))
    return _serve(bundle, options.port) if options.serve else _replay(bundle, options.verbose)


def _serve(bundle: Bundle, port: int) -> int:
    """The last script that was in force, for a client of the user's own."""
    script = bundle.script
    for event in bundle.events:
        script = event.get("load") or event.get("script") or script
    for number, rule in enumerate(script.get("rules", [])):
        replies = rule.get("replies", [rule.get("reply")])
        if has_predicate(rule.get("match")) or any(map(is_function, replies)):
            label = rule.get("name") or f"rules[{number}]"
            named = bundle.python.get(label, "a function")
            raise ScriptError(
                f"rule {label} asks the Python function {named}, which only the test's own process has, so it cannot "
                "answer new requests; without --serve the replay answers by the record of what it said"
            )
    with server_of(bundle, port, script) as server:
        line = f"inferneo-mock listening on {server.url} (profile {server.profile})"
        until_stopped(lambda: print(line, flush=True))
    return 0


def _replay(bundle: Bundle, verbose: bool) -> int:
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print("\n".join(_told(outcome, verbose)), flush=True)

    for label, function in bundle.python.items():
        print(f"rule {label} answers by the record of what the Python function {function} said")
    if bundle.inferneo_bundle < VERSION:
        print(f"a bundle of version {bundle.inferneo_bundle}: of the answers only the number of bytes is compared")
    if kinds := sorted({*waiting_kinds(bundle.script), *waiting_kinds(bundle.events)}):
        print(f"no time passes for {', '.join(kinds)}: connections are accepted at once, stay open, and ports listen")
    if bundle.missing:
        gone = counted(bundle.missing, "request or change was", "requests or changes were")
        print(f"{gone} too old to be kept: counters and states may differ")
    try:
        asyncio.run(Rerun(bundle, tell).run())
    except KeyboardInterrupt:
        print(f"stopped after {len(outcomes)} of {counted(len(bundle.exchanges), 'request')}")
        return 1
    wrong = sum(bool(outcome.differences) for outcome in outcomes)
    print(f"{counted(len(outcomes), 'request')}, {len(outcomes) - wrong} as before, {wrong} not")
    return 1 if wrong else 0


def _told(outcome: Outcome, verbose: bool) -> list[str]:
    before, after = outcome.before, outcome.after
    line = f"{before.number}. {before.request.method} {before.request.path}"
    if after is not None:
        by = "no rule" if after["rule"] is None else f"rule {after['rule']}"
        beside = f", while {', '.join(map(str, outcome.beside))} went on" if outcome.beside else ""
        unlike = before.answer.unlike if before.answer is not None else ""
        beside += f"; its bytes are not compared: {unlike}" if unlike else ""
        line += f": {after['status']} by {by}, ended {after['ended']}{beside}"
    shown = [outcome.data.decode("utf-8", "backslashreplace")] if verbose else []
    return [line, *(f"   {one}" for one in outcome.differences), *shown]
