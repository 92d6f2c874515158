"""`inferneo-mock schema`: the JSON Schema of a script, for editors and for those who write scripts by machine."""

from __future__ import annotations

import argparse
import json

from mockserver.scripting.script import script_schema


def configure(parser: argparse.ArgumentParser) -> None:
    """The options: there are none."""
    parser.epilog = "In an editor: # yaml-language-server: $schema=script.json"


def run(options: argparse.Namespace) -> int:
    """Print it."""
    print(json.dumps(script_schema(), indent=1, ensure_ascii=False))
    return 0
