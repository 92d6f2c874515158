"""`inferneo-contracts`: judge servers and clients by laws.

Exit codes: 0 all laws kept, 1 a law broken (or a target that died or could not be judged), 2 a mistake in the command,
no server, or interrupted: one line on stderr, no traceback. What a command needs is imported when it is called, so that
`--help` and `--version` do without the extra.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from contracts.extra import missing

EPILOG = """begin with
  inferneo-contracts run http://127.0.0.1:8000          judge a server
  inferneo-contracts run                                see a run: the embedded fake server and the clients
  inferneo-contracts explain S-FRAME-03                 what a law of the report says, and why
  inferneo-contracts run URL --save failures/           a file for each failure
  inferneo-contracts replay failures/                   judge only those again, once the server is mended

exit code: 0 all laws kept or known, 1 a law broken, or a server that died or could not be judged,
2 a mistake in the command, no server, or interrupted
"""


class Parser(argparse.ArgumentParser):
    """argparse with one line per mistake, and a guess for a misspelt word."""

    def error(self, message: str) -> NoReturn:
        kind, _, word = message.partition("invalid choice: ")
        names = [str(choice) for a in self._actions if f"argument {_named(a)}: " == kind for choice in a.choices or ()]
        message += _near(word.split("'")[1], names) if word.startswith("'") else ""
        print(f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)

    def refuse(self, command: str, unread: Sequence[str]) -> NoReturn:
        """What no option of the command took, with a guess for a misspelt option."""
        (below,) = (a.choices[command] for a in self._actions if isinstance(a, argparse._SubParsersAction))
        word = next((one.partition("=")[0] for one in unread if one.startswith("--")), "")
        known = [option for action in below._actions for option in action.option_strings if option != "--help"]
        hint = "; a server's URL stands by itself, without an option" if word == "--url" else _near(word, known)
        below.error(f"unrecognized arguments: {' '.join(unread)}{hint if word else ''}")
        raise AssertionError("an error ends the process")


def _named(action: argparse.Action) -> str:
    """As argparse names an argument in a message."""
    return "/".join(action.option_strings) or str(action.metavar)


def _near(word: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, names, 1, 0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


AFTER = "explain LAW says what a law of the report means; replay FILE judges again a failure that --save wrote."


class _Version(argparse.Action):
    """Prints the version and ends; it is looked up only then."""

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        from importlib import metadata

        print(f"inferneo-contracts {metadata.version('inferneo')}")
        raise SystemExit(0)


def parser() -> Parser:
    """The command line."""
    top = Parser(
        prog="inferneo-contracts",
        description="Judge inference servers and clients by laws.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, says: str, then: str = "") -> Parser:
        """A command: what it does, and which one comes next."""
        return commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.", epilog=then)

    run = add("run", "judge servers by URL; with none, the embedded fake server and the clients", AFTER)
    run.add_argument("urls", nargs="*", metavar="URL", help="base URL, like http://127.0.0.1:8000")
    _common(run)
    run.add_argument("--profile", choices=("docs", "engine", "openai"), help="what the server promises (default: seen)")
    run.add_argument("--model", default="", help="model to ask for (default: the first that the server lists)")
    run.add_argument("--api-key", default="", help="key to send as Authorization: Bearer")
    run.add_argument("--recorded", action="store_true", help="with a URL: judge the recordings of real servers too")
    run.add_argument("--no-recorded", action="store_true", help="leave the recordings of real servers out")
    run.add_argument("--no-clients", action="store_true", help="leave the client laws out")
    run.add_argument(
        "--target", metavar="FILE", help="a TOML file: url, model, profile, restart_cmd, [capabilities] of a target"
    )
    run.add_argument("--restart-cmd", default="", metavar="CMD", help="shell command that starts the server again")
    clients = add("clients", "judge clients against the fake server", AFTER)
    clients.add_argument(
        "--client", action="append", default=[], help="inferneo, inferneo-async, openai, ... or command:CMD"
    )
    clients.add_argument("--mock-url", default="", help="a running fake server (default: an embedded one)")
    _common(clients)
    again = add(
        "replay", "judge again the one case of a failure that run --save wrote", "LAW of a file: explain LAW says why."
    )
    again.add_argument("files", nargs="+", metavar="FILE", help="a file of --save, or a folder of them")
    where = again.add_mutually_exclusive_group()
    where.add_argument("--url", default="", help="the server to judge (default: the file's; the fake if it has none)")
    where.add_argument("--as-saved", action="store_true", help="the answers that were saved: they break the law again")
    again.add_argument("--client", default="", help="the client to judge (default: the file's)")
    again.add_argument("--model", default="", help="model to ask for (default: the first that the server lists)")
    again.add_argument("--api-key", default="", help="key to send as Authorization: Bearer")
    again.add_argument("--profile", choices=("docs", "engine", "openai"), help="what is promised (default: the file's)")
    listing = add("list", "show all laws", "explain LAW shows one at length; run --law LAW judges by it alone.")
    listing.add_argument("--json", action="store_true", help="as JSON")
    explain = add(
        "explain",
        "show one law: what it says, why, and where it comes from",
        "list shows the ids of all laws; run --law LAW judges by it alone.",
    )
    explain.add_argument("law", metavar="LAW", help="an id, like S-FRAME-03")
    return top


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--level", choices=("must", "should"), default="should", help="must leaves the SHOULD laws out"
    )
    budget = "time for the run, which is kept, like 10s, 5m, 1h (default: about 60s, no law left out)"
    command.add_argument("--budget", default="", metavar="TIME", help=budget)
    command.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything that is drawn")
    command.add_argument("--law", action="append", default=[], metavar="ID", help="only this law, or ids that begin so")
    command.add_argument("--junit", metavar="FILE", help="write the verdicts as JUnit XML")
    command.add_argument("--json", metavar="FILE", help="write the verdicts as JSON")
    command.add_argument("--markdown", metavar="FILE", help="write a summary as Markdown")
    command.add_argument("--html", metavar="FILE", help="write a page: law x target, the wire of each failure")
    command.add_argument("--table", action="store_true", help="show each law on each target, also what is kept")
    command.add_argument("--save", metavar="DIR", help="write one JSON file for each broken law; see replay")
    command.add_argument(
        "--baseline", metavar="FILE", help="a TOML file of known failures, which fail no run; see --update-baseline"
    )
    command.add_argument(
        "--update-baseline",
        action="store_true",
        help="add what is broken to the baseline, which is made if it is not there",
    )
    command.add_argument("--prune-baseline", action="store_true", help="take out of it what is no longer broken")
    command.add_argument(
        "--database", default="", metavar="WHERE", help="keep failing cases in DIR, github:OWNER/REPO or redis://..."
    )
    parallel = "judge in N processes, or auto (default: auto on the fake, else 1)"
    command.add_argument("-n", dest="workers", default="", metavar="N", help=parallel)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    made = parser()
    options, unread = made.parse_known_args(arguments)
    if unread:
        made.refuse(options.command, unread)
    try:
        return _called(options)
    except ModuleNotFoundError as error:
        if not (needed := missing(error)):
            raise
        print(f"inferneo-contracts: {options.command} needs {needed}", file=sys.stderr)
    except KeyboardInterrupt:
        print("inferneo-contracts: interrupted", file=sys.stderr)
    return 2


def _called(options: argparse.Namespace) -> int:
    from contracts.connect import Unreachable
    from contracts.law import Unjudgeable
    from contracts.mock import MockFailed

    try:
        match options.command:
            case "list":
                return _list(options)
            case "explain":
                return _explain(options)
            case "replay":
                from contracts.replay import replay

                return replay(options)
            case _:
                from contracts.run import run

                return run(options)
    except (Unreachable, MockFailed, Unjudgeable, LookupError, ValueError, OSError) as error:
        print(f"inferneo-contracts: {_one_line(error)}", file=sys.stderr)
        return 2


def _one_line(error: BaseException) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__


def _list(options: argparse.Namespace) -> int:
    from contracts.law import laws

    found = laws()
    if options.json:
        print(json.dumps([law.to_json() for law in found], indent=2, ensure_ascii=False))
        return 0
    for law in found:
        print(f"{law.id:<14} {law.level:<7} {law.title}")
    sides = [sum(law.side == side for law in found) for side in ("server", "client")]
    print(f"{sides[0]} server laws, {sides[1]} client laws; inferneo-contracts explain LAW shows one at length")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from contracts.law import find
    from contracts.notes import notes

    law = find(options.law)
    print(f"{law.id} ({law.level.upper()}), {law.side} law, family {law.family}\n\n{law.description}\n")
    needs = law.needs | (law.over.needs if law.over else frozenset())
    print(f"over:   {law.over.name if law.over else 'nothing drawn'}")
    where = " (in the project's docs/reference)" if ".md" in law.source else ""
    print(f"needs:  {', '.join(sorted(needs)) or 'nothing'}\nsource: {law.source}{where}")
    module = sys.modules[law.check.__module__]
    print(f"code:   {Path(str(module.__file__)).name}, {law.check.__name__}")
    for name, note in sorted(notes().items()):
        if law.id in note.breaks:
            print(f"broken by {name}: {note.breaks[law.id]}")
    judge = "run URL" if law.side == "server" else "clients"
    print(f"\nto judge by it alone: inferneo-contracts {judge} --law {law.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
