"""Start mocktopus, a fake whose answers are rules in a file, with the file that it makes for a new user.

`python tools/targets/mocktopus.py --cache DIR` prints `mocktopus listening on http://127.0.0.1:PORT (model mock)`.
It is made of aiohttp, sends a stream by letters of a word at a time and sleeps between them.
"""

from __future__ import annotations

import json
import sys

from _install import Packages
from _run import Place, Target, main

HELLO = "Hello! I'm a mocked LLM response. This is working great!"
ANY = "I understand your request, but I'm just a mock response."


def command(place: Place) -> list[str]:
    """Write the scenario (JSON is YAML) and name its own command line."""
    rules = [
        {
            "type": "llm.openai",
            "when": {"messages_contains": "hello"},
            "respond": {"content": HELLO, "usage": {"input_tokens": 10, "output_tokens": 12}},
        },
        {
            "type": "llm.openai",
            "when": {"model": "*"},
            "respond": {"content": ANY, "usage": {"input_tokens": 20, "output_tokens": 22}},
        },
    ]
    scenario = place.directory / "mocktopus.yaml"
    scenario.write_text(json.dumps({"version": 1, "rules": rules}), "utf-8")
    mocktopus = str(place.python.parent / "mocktopus")
    return [mocktopus, "serve", "--scenario", str(scenario), "--port", str(place.port)]


TARGET = Target(
    name="mocktopus",
    model="mock",
    packages=Packages(pinned=("mocktopus==0.2.0", "aiohttp==3.14.5")),
    command=command,
    environment={},
    ready_path="/v1/models",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
