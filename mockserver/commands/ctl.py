"""`inferneo-mock ctl`: the door of a running server on the command line. Answers are JSON on stdout; `explain` is text.

What the server refuses is one line on stderr and exit code 2, as every mistake.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockserver.cli import environment
from mockserver.errors import MockError
from mockserver.faults.where import HOME
from mockserver.suggest import did_you_mean

URL, TOKEN = "INFERNEO_MOCK_URL", "INFERNEO_MOCK_TOKEN"


class DoorError(MockError):
    """The server is not there, or has refused."""


def ask(
    options: argparse.Namespace, method: str, path: str, data: bytes | None = None, file: str = "", /, **query: Any
) -> Any:
    """The JSON that the door answers; `file`: where `data` was read. Raises `DoorError`."""
    session = f"/@{urllib.parse.quote(options.session, safe='')}" if options.session else ""
    words = urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
    url = f"{options.url.rstrip('/')}{session}/_mock{path}{f'?{words}' if words else ''}"
    headers = {"content-type": "application/json"}
    if options.token:
        headers["authorization"] = f"Bearer {options.token}"
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=600) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
        if error.code == 408:
            return json.loads(body)
        try:
            told = json.loads(body)["error"]
            where = f"{named(told['at'], file)}: " if "at" in told else ""
            raise DoorError(f"{where}{told.get('path', '$')}: {told['message']}") from None
        except (ValueError, KeyError, TypeError):
            raise DoorError(f"{url} answered {error.code}, it is no door of a fake Inferneo server") from None
    except (urllib.error.URLError, ValueError, OSError) as error:
        if not options.url.startswith(("http://", "https://")):
            raise DoorError(f"{options.url!r} is no URL of a server; expected http://HOST:PORT") from None
        reason = getattr(error, "reason", error)
        raise DoorError(f"nothing answers at {options.url}: {reason}; start one with inferneo-mock serve") from None


def named(place: str, file: str) -> str:
    """The place that a server told of what it was sent (`line 2, column 5`), as `file:2:5`."""
    seen = re.fullmatch(r"line (\d+), column (\d+)", place)
    return f"{file}:{seen[1]}:{seen[2]}" if file and seen else place


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _asked(options: argparse.Namespace) -> bytes:
    if options.file is not None:
        return _read(options.file)
    if options.number is not None:
        page = ask(options, "GET", "/journal", after=options.number - 1, limit=1)["exchanges"]
        if not page or page[0]["number"] != options.number:
            raise DoorError(f"the journal has no request {options.number}")
        return json.dumps({**page[0]["request"], "connection": page[0]["connection"]}).encode()
    message = {"model": options.model, "messages": [{"role": "user", "content": options.text}]}
    headers = {} if options.key is None else {"authorization": f"Bearer {options.key}"}
    return json.dumps({"headers": headers, "body": {**message, "stream": options.stream}}).encode()


def _script(options: argparse.Namespace) -> Any:
    if options.put is not None:
        return ask(options, "PUT", "/script", _read(options.put), options.put)
    if options.add is not None:
        return ask(options, "PATCH", "/script", _read(options.add), options.add)
    return ask(options, "GET", "/script")


def _journal(options: argparse.Namespace) -> Any:
    if options.clear:
        return ask(options, "DELETE", "/journal")
    wanted = ("limit", "after", "wait_for", "within", "path", "rule", "status", "ended", "contains", "connection")
    return ask(options, "GET", "/journal", **{name: getattr(options, name) for name in wanted})


def _explain(options: argparse.Namespace) -> Any:
    found = ask(options, "POST", "/explain", _asked(options))
    return found if options.json else found["text"]


def _clock(options: argparse.Namespace) -> Any:
    for name in ("advance", "freeze", "set", "run"):
        value = getattr(options, f"clock_{name}")
        if value is not None:
            change = {name: None if value == "now" else _number_or_text(value)}
            return ask(options, "PUT", "/clock", json.dumps(change).encode())
    return ask(options, "GET", "/clock")


def _number_or_text(value: Any) -> Any:
    try:
        return value if isinstance(value, bool) else float(value)
    except ValueError:
        return value


def _faults(options: argparse.Namespace) -> Any:
    given = options.faults
    if given.lstrip()[:1] in ("[", "{"):
        data = given.encode()
    elif given == "-" or Path(given).exists():
        data = _read(given)
    elif given in HOME:
        data = json.dumps(given).encode()
    else:
        near = did_you_mean(given, HOME)
        raise DoorError(f"{given!r} is no JSON, no file, and no kind of fault (inferneo-mock faults){near}")
    return ask(options, "PUT", "/faults", data)


ACTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], Any]]] = {
    "script": ("show, put or add to the script", _script),
    "journal": ("what happened", _journal),
    "state": ("counters, unused rules and faults", lambda options: ask(options, "GET", "/state")),
    "explain": ("which rule a request gets, why, and what would be sent", _explain),
    "faults": ("faults for every request: JSON, a file, or a kind alone", _faults),
    "heal": ("no fault from now on", lambda options: ask(options, "POST", "/heal")),
    "seed": ("where chance comes from", lambda options: ask(options, "PUT", "/seed", str(options.seed).encode())),
    "clock": ("the session's own time: show, stop, set, advance", _clock),
    "release": (
        "let go what waits at a barrier",
        lambda options: ask(
            options, "POST", "/release", json.dumps({"barrier": options.barrier, "times": options.times}).encode()
        ),
    ),
    "bundle": ("the session in one document, for replay", lambda options: ask(options, "GET", "/bundle")),
    "reset": ("the session as if it was never used", lambda options: ask(options, "DELETE", "/")),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of every action. Those of the server may stand before the action or behind it."""
    url, token = environment(URL, "http://127.0.0.1:8000"), environment(TOKEN, "")
    behind = argparse.ArgumentParser(add_help=False)
    for add, given in ((parser.add_argument, True), (behind.add_argument, False)):
        for name, default, words in (
            ("--url", url, f"the server ({url.replace('%', '%%')}; {URL})"),
            ("--session", "", "the session; without it the default one"),
            ("--token", token, f"the server's --admin-token ({TOKEN})"),
        ):
            add(name, default=default if given else argparse.SUPPRESS, metavar=name[2:].upper(), help=words)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    made = {}
    for name, (words, _) in ACTIONS.items():
        told = f"{words[0].upper()}{words[1:]}."
        made[name] = actions.add_parser(name, parents=[behind], help=words, description=told)
    made["script"].add_argument("--put", metavar="FILE", help="another script (YAML or JSON; - for stdin)")
    made["script"].add_argument("--add", metavar="FILE", help="more rules behind those there")
    journal = made["journal"].add_argument
    for name, kind, words in (
        ("--limit", int, "at most so many exchanges"),
        ("--after", int, "only behind this number"),
        ("--wait-for", int, "wait until so many have ended"),
        ("--within", float, "seconds to wait"),
        ("--path", str, "only this path"),
        ("--rule", str, "only this rule; 'none' for those that no rule matched"),
        ("--status", int, "only this status"),
        ("--ended", str, "only those that ended like this"),
        ("--contains", str, "only where the request's body has this text"),
        ("--connection", int, "only this connection"),
    ):
        journal(name, type=kind, default=None, help=words)
    journal("--clear", action="store_true", help="the journal begins anew")
    explain = made["explain"].add_argument
    explain("--text", default="Hello!", help="what the user says (%(default)s)")
    explain("--model", default="meta-llama/Llama-2-7b-chat-hf", help="%(default)s")
    explain("--key", default=None, help="with this API key")
    explain("--stream", action="store_true", help="ask for a stream")
    explain("--number", type=int, default=None, help="a request of the journal instead")
    explain("--file", default=None, help="a request as JSON instead: method, path, headers, body (- for stdin)")
    explain("--json", action="store_true", help="all of it as JSON")
    made["faults"].add_argument("faults", metavar="JSON|FILE|KIND", help="a fault, or a list of them")
    made["seed"].add_argument("seed", type=int)
    clock = made["clock"].add_mutually_exclusive_group().add_argument
    clock("--advance", dest="clock_advance", metavar="SECONDS", help="so many seconds pass at once")
    clock("--freeze", dest="clock_freeze", metavar="AT", nargs="?", const="now", help="it stands, at AT or now")
    clock("--set", dest="clock_set", metavar="AT", help="it is AT now: 2026-12-31T23:59:59Z, or Unix seconds")
    clock("--run", dest="clock_run", action="store_const", const=True, help="it goes on from where it stands")
    made["release"].add_argument("barrier", nargs="?", default="hold", help="its name (%(default)s)")
    made["release"].add_argument(
        "--times", type=int, default=None, help="let only so many go; without it: all, for good"
    )


def run(options: argparse.Namespace) -> int:
    """Ask, and print. Raises `DoorError`, `OSError`."""
    found = ACTIONS[options.action][1](options)
    print(found if isinstance(found, str) else json.dumps(found, indent=1, ensure_ascii=False))
    if options.session and _only_asks(options) and _is_empty(ask(options, "GET", "/state")):
        print(
            f"inferneo-mock ctl: nothing was ever done to the session {options.session!r}: it has no rule, no fault "
            "and no request; asking for it has made it, if it was not there",
            file=sys.stderr,
        )
    return 0


def _only_asks(options: argparse.Namespace) -> bool:
    """Whether the action changes nothing."""
    if options.action == "script":
        return options.put is None and options.add is None
    return options.action in ("state", "explain") or (options.action == "journal" and not options.clear)


def _is_empty(state: dict[str, Any]) -> bool:
    """Whether a session is as it is made: without a word of a script of its own, and without a request."""
    return not (state["requests"] or state["hits"] or state["unused_faults"] or state["faults_in_force"])
