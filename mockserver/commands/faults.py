"""`inferneo-mock faults`: the catalogue on the command line."""

from __future__ import annotations

import argparse
import inspect
import json

from mockserver.errors import ScriptError
from mockserver.faults import kinds
from mockserver.scripting.catalogue import GROUPS, example_script, listing, summary
from mockserver.suggest import unknown


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("kind", nargs="?", help="one kind; without it all are listed")
    parser.add_argument("--json", action="store_true", help="kinds, settings and examples as JSON")
    parser.add_argument("--example", action="store_true", help="a script that shows the kind, as YAML")
    parser.epilog = "In Python: .fail(fault(KIND, setting=...)). What a peer sees of each: inferneo-mock docs faults"


def run(options: argparse.Namespace) -> int:
    """Print it; `bad_json` is `bad-json`. Raises `ScriptError` for a kind that is not known."""
    if options.kind is not None and options.kind not in kinds():
        hyphened = options.kind.replace("_", "-")
        options.kind = hyphened if hyphened in kinds() else options.kind
    if options.kind is not None and options.kind not in kinds():
        raise ScriptError(unknown("fault kind", options.kind, kinds()), "KIND")
    if options.example and options.kind is None:
        raise ScriptError("--example needs a kind", "KIND")
    told = [one for one in listing() if options.kind in (None, one["kind"])]
    if options.json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
    elif options.example:
        print(example_script(options.kind), end="")
    elif options.kind is not None:
        print(_one(told[0]))
    else:
        print(_all())
    return 0


def _one(told: dict[str, object]) -> str:
    rows = [(row["name"], row["type"], row["default"] or "required") for row in _rows(told)]
    settings = "".join(f"\n  {name}: {kind.replace('`', '')} [{default.strip('`')}]" for name, kind, default in rows)
    return f"{told['kind']} ({told['group']})\n{told['sees']}\n{settings}"


def _rows(told: dict[str, object]) -> list[dict[str, str]]:
    rows = told["settings"]
    return rows if isinstance(rows, list) else []


def _all() -> str:
    lines = []
    width = max(map(len, kinds()))
    for group, title in GROUPS.items():
        lines.append(f"\n{title}")
        of_group = [(kind, cls) for kind, cls in kinds().items() if cls.group == group]
        lines.extend(f"  {kind:{width}}  {summary(cls)}" for kind, cls in of_group)
    return inspect.cleandoc("\n".join(lines))
