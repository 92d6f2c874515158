"""The command `inferneo-mock`. A user's mistake is one line on stderr and exit code 2, never a traceback.

`serve` prints one ready line to stdout when it answers, and ends at once, with 0, on Ctrl-C and SIGTERM. A subcommand
is a module of its own with `configure(parser)` and `run(options)`, named in `COMMANDS`, imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from mockserver.errors import MockError
from mockserver.suggest import did_you_mean

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("mockserver.commands.serve", "run the fake server"),
    "ctl": ("mockserver.commands.ctl", "ask or arm a running server through its door"),
    "schema": ("mockserver.commands.schema", "print the JSON Schema of a script"),
    "lint": ("mockserver.commands.lint", "find what is wrong or suspicious in scripts"),
    "replay": ("mockserver.commands.replay", "run a failed test's session again from its bundle"),
    "faults": ("mockserver.commands.faults", "list the faults, or show one"),
    "docs": ("mockserver.commands.docs", "list the pages of the manual, or print one"),
}
"""Name of a subcommand: the module that has its `configure(parser)` and `run(options) -> int`, and one line of help."""


class Parser(argparse.ArgumentParser):
    """argparse with one line per mistake, and a guess for a misspelt choice."""

    def error(self, message: str) -> NoReturn:
        for action in self._actions:
            if action.choices is not None and "invalid choice: " in message:
                word = message.split("invalid choice: ", 1)[1].split("'")[1:2]
                if word and f"argument {'/'.join(action.option_strings) or action.metavar}:" in message:
                    choices = [str(choice) for choice in action.choices]
                    message += _guess(word[0], choices)
        fail(f"{self.prog}: {message}; see {self.prog} --help")

    def chosen(self, command: str | None) -> Parser:
        """The parser of a command; without one, this."""
        for action in self._actions:
            if command is not None and isinstance(action, argparse._SubParsersAction):
                below: Parser = action.choices[command]
                return below
        return self

    def refuse(self, unread: Sequence[str]) -> NoReturn:
        """What no option took, with a guess for a misspelt option, or one whose dashes were forgotten."""
        options = _options(self)
        word = next((one.partition("=")[0] for one in unread if one.startswith("--")), "")
        near = did_you_mean(word, options) if word else f"; did you mean '--{unread[0]}'?"
        if not word and f"--{unread[0]}" not in options:
            near = ""
        self.error(f"unrecognized arguments: {' '.join(unread)}{near}")


def _guess(word: str, choices: Sequence[str]) -> str:
    """What was meant by a misspelt choice; what is no command may be an action of one."""
    if "ctl" not in choices:
        return did_you_mean(word, choices)
    from mockserver.commands.ctl import ACTIONS

    elsewhere = [name for name in ACTIONS if name not in choices]
    near = did_you_mean(word, [*choices, *elsewhere])
    return next((near.replace(f"'{name}'", f"'ctl {name}'") for name in elsewhere if f"'{name}'" in near), near)


def _options(of: argparse.ArgumentParser) -> list[str]:
    """The options of a parser and of what stands below it."""
    found: list[str] = []
    for action in of._actions:
        found += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            found += [option for below in action.choices.values() for option in _options(below)]
    return found


def fail(message: str) -> NoReturn:
    """One line on stderr, exit code 2."""
    print(" ".join(message.split("\n")), file=sys.stderr)
    raise SystemExit(2)


def parser(command: str | None) -> Parser:
    """The command line. Only `command` (None: all) gets its options: the others stay unimported."""
    made = Parser(prog="inferneo-mock", description="A fake Inferneo server that can send every wrong byte on purpose.")
    made.add_argument("--version", action="store_true", help="print the version and end")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (module, words) in COMMANDS.items():
        sub = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        if command == name:
            loaded = _imported(module, name)
            loaded.configure(sub)
            run: Callable[[argparse.Namespace], int] = loaded.run
            sub.set_defaults(run=run)
    return made


def _imported(module: str, command: str) -> Any:
    """The module of a command. A library that is not installed is one line that names the extra."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        fail(missing(f"inferneo-mock {command}", error))


def missing(what: str, error: ModuleNotFoundError) -> str:
    """The sentence for a library that only an extra brings."""
    if (error.name or "").partition(".")[0] in ("mockserver", "inferneo"):
        raise error
    return f"{what} needs {error.name!r}, which is not installed: pip install 'inferneo[mock]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), None)
    made = parser(command)
    options, unread = made.parse_known_args(words)
    if unread:
        made.chosen(options.command).refuse(unread)
    if options.version:
        from importlib import metadata

        print(f"inferneo-mock {metadata.version('inferneo')}")
        return 0
    if options.command is None:
        made.error(f"a command is needed: {', '.join(COMMANDS)}")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`); what is left must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MockError as error:
        fail(f"inferneo-mock {options.command}: {error}")
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        fail(f"inferneo-mock {options.command}: {error.strerror or error}{where}")
    except ModuleNotFoundError as error:
        fail(missing(f"inferneo-mock {options.command}", error))
    except KeyboardInterrupt:
        return 0
    return code


def until_stopped(ready: Callable[[], object] = lambda: None) -> None:
    """Call `ready`, return at the first SIGINT or SIGTERM (also one that comes with it); handlers are restored."""
    stopped = threading.Event()

    def stop(number: int, frame: Any) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ready()
        stopped.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def environment(name: str, default: str) -> str:
    """A setting from the environment (`INFERNEO_HOST`, ...), else the default."""
    return os.environ.get(name) or default
