"""One run of the command: starts the fake if needed, lets pytest do the judging in a process of its own, reports.

pytest runs as a subprocess because a package that is already imported cannot have its asserts rewritten, and because
a law that hangs or crashes must not take the report with it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from contracts import report
from contracts.adapters import subject
from contracts.connect import Unreachable, connect
from contracts.law import laws
from contracts.mock import MockProcess
from contracts.options import Options, parse_budget
from contracts.progress import Progress

HARD_LIMIT = 10.0
"""A run that takes this many times its budget (and a minute) is ended."""


def run(options: argparse.Namespace) -> int:
    """Judges what the options say; returns the exit code."""
    budget = parse_budget(options.budget)
    clients_only = options.command == "clients"
    urls = [] if clients_only else list(options.urls)
    target = _target_file(options) if not clients_only else {}
    if target.get("url"):
        urls.append(target["url"])
    known = [law for law in laws() if not options.law or any(law.id.startswith(one.upper()) for one in options.law)]
    if not known:
        raise LookupError(f"no law's id begins with {' or '.join(options.law)}; inferneo-contracts list shows all")
    for name in getattr(options, "client", []):
        if not name.startswith("command:"):
            subject(name)
    with ExitStack() as stack:
        mock = ""
        if clients_only and options.mock_url:
            mock = options.mock_url
        elif not urls:
            mock = stack.enter_context(
                MockProcess(target.get("profile") or getattr(options, "profile", None) or "docs")
            ).url
        embedded = not urls and not clients_only
        if embedded:
            urls = [mock]
        settings = Options(
            urls=tuple(urls),
            model=str(target.get("model") or getattr(options, "model", "")),
            api_key=str(target.get("api_key") or getattr(options, "api_key", "")),
            profile=str(target.get("profile") or getattr(options, "profile", None) or ("docs" if embedded else "")),
        )
        for url in urls:
            connect(url, settings)
        wants_clients = bool(mock) and not getattr(options, "no_clients", False)
        arguments = _arguments(options, settings, mock if wants_clients else "")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inferneo-contracts-")))
        results, started = folder / "results.jsonl", time.monotonic()
        modules = [] if clients_only else ["contracts.suite.test_server", "contracts.suite.test_recorded"]
        modules += ["contracts.suite.test_client"] if wants_clients else []
        lines, output = _pytest([*modules, *arguments, "--inferneo-results", str(results)], results, folder, budget)
        found = report.collect(lines, settings, "embedded mock" if embedded else "", time.monotonic() - started)
        found.output = output
    report.show(found)
    report.write(found, options)
    return report.exit_code(found)


def _target_file(options: argparse.Namespace) -> dict[str, Any]:
    """The TOML target file, checked. Raises `ValueError` that names the key."""
    if not options.target:
        return {}
    import tomllib

    try:
        document = tomllib.loads(Path(options.target).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{options.target} is no TOML: {error}") from None
    known = {"url", "model", "api_key", "profile"}
    if unknown := set(document) - known:
        raise ValueError(
            f"{options.target}: unknown key {sorted(unknown)[0]!r}; known keys: {', '.join(sorted(known))}"
        )
    return document


def _arguments(options: argparse.Namespace, settings: Options, mock: str) -> list[str]:
    found = [
        "--inferneo-budget",
        options.budget,
        "--inferneo-seed",
        str(options.seed),
        "--inferneo-level",
        options.level,
    ]
    for url in settings.urls:
        found += ["--inferneo-url", url]
    for flag, value in (
        ("--inferneo-mock-url", mock),
        ("--inferneo-model", settings.model),
        ("--inferneo-api-key", settings.api_key),
        ("--inferneo-profile", settings.profile),
    ):
        found += [flag, value] if value else []
    for law in options.law:
        found += ["--inferneo-law", law]
    for client in getattr(options, "client", []):
        found += ["--inferneo-client", client]
    if getattr(options, "no_recorded", False):
        found.append("--inferneo-no-recorded")
    return found


def _pytest(arguments: list[str], results: Path, folder: Path, budget: float) -> tuple[list[dict[str, Any]], str]:
    """Runs the suite and follows its results. Raises `Unreachable` when it could not run at all."""
    command = [sys.executable, "-m", "pytest", "-p", "contracts.plugin", "-p", "no:cacheprovider", "-q", "--tb=short"]
    command += ["--rootdir", str(folder), "-c", os.devnull, "-W", "error", "--pyargs", *arguments]
    output = folder / "pytest.txt"
    limit = time.monotonic() + 60 + HARD_LIMIT * budget * 2
    with output.open("wb") as file, Progress() as progress:
        child = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, env=_environment()
        )
        try:
            while child.poll() is None and time.monotonic() < limit:
                time.sleep(0.1)
                progress.show(_read(results))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    lines, text = _read(results), output.read_text(encoding="utf-8", errors="replace")
    if child.returncode not in (0, 1, 5) or not any(line["kind"] == "verdict" for line in lines):
        last = [line for line in text.strip().splitlines() if line.strip()][-12:]
        raise Unreachable(f"the suite did not run (pytest exit {child.returncode}): {' | '.join(last)}")
    return lines, text


def _environment() -> dict[str, str]:
    """Ours without what would bring other plugins or options into the run; the checkout stays importable."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    paths = [str(Path(__file__).resolve().parent.parent), kept.get("PYTHONPATH", "")]
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


def _read(results: Path) -> list[dict[str, Any]]:
    if not results.exists():
        return []
    text = results.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
