"""The same mutants before Schemathesis, from our OpenAPI file: what it finds of them, and in what time.

Run inside an environment of its own (`pip install schemathesis`), as a command: Schemathesis sees only a URL. A mutant
counts as found when the run fails with a check that does not fail on the right server.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECK = re.compile(r"- (ST\d+ .+)")
PATHS = "^/(v1/(chat/)?completions|v1/models.*|v1/info|health|metrics)$"
"""The paths that our laws speak of; one expression, as Schemathesis heeds only the last that it is given."""
LIMIT = 600.0
"""Seconds after which a run is an error: Schemathesis tells what it found only at its end."""


@dataclass(frozen=True, slots=True)
class Run:
    """The checks that failed, and the time it took."""

    failed: frozenset[str]
    seconds: float


def run(command: Path, url: str, schema: Path, examples: int = 5, key: str = "") -> Run:
    """All checks on the server at `url`, with a fixed seed. Raises `OSError` when it cannot be started."""
    words = [str(command), "run", str(schema), "--url", url, "--seed", "1", "--max-examples", str(examples)]
    words += ["--include-path-regex", PATHS]
    words += ["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color", "--request-timeout", "5"]
    words += ["-H", f"Authorization: Bearer {key}"] if key else []
    started = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT)
    if done.returncode not in (0, 1):
        raise OSError(f"schemathesis ended with {done.returncode}: {done.stderr[-500:] or done.stdout[-500:]}")
    return Run(frozenset(titles(done.stdout)), time.monotonic() - started)


def titles(output: str) -> list[str]:
    """The operation and the title of each failed check in the report of a run."""
    found, place = [], ""
    for line in output.splitlines():
        if head := re.match(r"_{3,} (\S+ \S+) _{3,}", line):
            place = head[1]
        elif failed := CHECK.fullmatch(line):
            found.append(f"{place} {failed[1]}")
    return found


def schema_of(url: str, folder: Path) -> Path:
    """Our OpenAPI document, as the fake tells it, in a file.

    The model of a request is narrowed to one that is served: with any string, as the document has it, nearly every
    request of Schemathesis would be a 404, and it would never see an answer.
    """
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=10) as response:  # our own server on loopback
        document = json.load(response)
    with urllib.request.urlopen(f"{url}/v1/models", timeout=10) as response:
        model = json.load(response)["data"][0]["id"]
    _narrow(document, model)
    path = folder / "openapi.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _narrow(document: Any, model: str) -> None:
    """Every `model` of a request's schema becomes the one that is served."""
    if isinstance(document, list):
        for one in document:
            _narrow(one, model)
    elif isinstance(document, dict):
        asked = isinstance(document.get("properties"), dict) and {"messages", "prompt"} & set(document["properties"])
        if asked and "model" in document["properties"]:
            document["properties"]["model"] = {"type": "string", "enum": [model]}
        for one in document.values():
            _narrow(one, model)
