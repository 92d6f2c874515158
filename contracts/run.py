"""One run of the command: starts the fake if needed, lets pytest do the judging in a process of its own, reports."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path

from contracts import baseline, forms, report, terminal
from contracts.adapters import DEFAULT
from contracts.checked import checked
from contracts.child import Suite
from contracts.connect import Unreachable, connect, require_model
from contracts.files import readable
from contracts.law import laws
from contracts.mock import Door, MockProcess
from contracts.options import USUAL, Options, parse_budget
from contracts.progress import Progress
from contracts.target_file import TargetFile
from contracts.target_file import load as load_target

ENDING = 1.0
"""Seconds of a budget of ten or more that are left for the end: processes, files, the report."""

SERVER = "contracts.suite.test_server"
RECORDED = "contracts.suite.test_recorded"
CLIENT = "contracts.suite.test_client"
SWEEPING = "S-REFUSE-07"
"""The law that tells all crashes at once, for others that see them too."""


def run(options: argparse.Namespace) -> int:
    """Judges what the options say; returns the exit code. Raises `KeyboardInterrupt` once what was judged until then is
    told in every form."""
    started = time.monotonic()
    budget = parse_budget(options.budget or USUAL)
    clients_only = options.command == "clients"
    target = TargetFile()
    if not clients_only and options.target:
        readable("--target", options.target)
        target = load_target(options.target)
    urls = [] if clients_only else [*options.urls, *([target.url] if target.url else [])]
    known = checked(options, bool(urls))
    # The fake is ours and bears company; a server that is not is judged by one process unless -n says more.
    workers = parse_workers(options.workers or ("1" if urls else "auto"))
    with ExitStack() as stack:
        mock, fakes = "", dict[str, str]()
        if clients_only and options.mock_url:
            mock = options.mock_url
            Door(mock).check()
        elif not urls:
            profile = target.profile or getattr(options, "profile", None) or "docs"
            mock = stack.enter_context(MockProcess(profile)).url
            fakes[mock] = f"inferneo-mock serve --profile {profile}"
        embedded = not urls and not clients_only
        settings = Options(
            urls=(mock,) if embedded else tuple(urls),
            model=target.model or getattr(options, "model", ""),
            api_key=target.api_key or getattr(options, "api_key", ""),
            profile=target.profile or getattr(options, "profile", None) or ("docs" if embedded else ""),
            level=options.level,
            only=tuple(options.law),
            clients=tuple(getattr(options, "client", ())),
            recorded=not getattr(options, "no_recorded", False) and (embedded or getattr(options, "recorded", False)),
            capabilities=target.capabilities,
            context=target.context,
            restart_cmd=getattr(options, "restart_cmd", "") or target.restart_cmd,
            database=options.database
            if ":" in options.database or not options.database
            else _absolute(options.database),
            until=started + budget - min(ENDING, ENDING * budget / 10) if options.budget else 0.0,
        )
        loud, today = [], date.today()  # noqa: DTZ011 - the day on the calendar of whoever runs it
        for url in settings.urls:
            judged = connect(url, settings)
            # What is taken into a baseline now is known to the next run.
            if options.update_baseline or (known and known.excuses(SWEEPING, fakes.get(url, judged.name), today)):
                loud.append(url)
            if settings.model:
                require_model(judged)
        settings = replace(settings, loud=tuple(loud))
        wants_clients = bool(mock) and not getattr(options, "no_clients", False)
        if embedded and wants_clients and workers > 1:
            # What clients do to a fake must not be noticed by the laws on the other.
            mock = stack.enter_context(MockProcess("docs")).url
            fakes[mock] = "inferneo-mock serve --profile docs"
        arguments = _arguments(options, settings, mock if wants_clients else "")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inferneo-contracts-")))
        suite = Suite(folder, budget, _total(settings, clients_only, wants_clients), started, settings.api_key)
        modules = [] if clients_only else [SERVER]
        modules += [CLIENT] if wants_clients else []
        modules += [RECORDED] if settings.recorded and not clients_only else []
        interrupted = False
        try:
            with Progress(suite.total) as progress:
                if workers == 1 or embedded or clients_only:
                    suite.judge([*modules, *arguments], workers, "loadgroup", progress)
                else:
                    # What measures or breaks a server would be noticed by the laws beside it: it comes after them.
                    suite.judge([*modules, *arguments, "--inferneo-part", "together"], workers, "load", progress)
                    suite.judge([SERVER, *arguments, "--inferneo-part", "alone"], 1, "", progress)
                    if not suite.lines():
                        raise Unreachable("no law was judged in either part of the suite")
        except KeyboardInterrupt:
            interrupted = True
        seconds = time.monotonic() - suite.started
        found = report.collect(suite.lines(), settings, "embedded mock" if embedded else "", seconds, fakes)
    found.baseline, found.given = known, options
    if interrupted:
        count = len(found.of("live", "client"))
        found.interrupted = f"interrupted after {count} of {suite.total} laws"
    elif known is not None:
        _keep_baseline(found, options)
    terminal.show(found, options)
    forms.write(found, options)
    if interrupted:
        raise KeyboardInterrupt
    return report.exit_code(found)


def parse_workers(text: str) -> int:
    """The number of processes of `-n`. Raises `ValueError`."""
    if text == "auto":
        # One more than there are cores: client laws wait for what the fake delays.
        return len(os.sched_getaffinity(0)) + 1
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"-n {text!r} is no number of processes; expected auto, 1, 2, ...")
    return int(text)


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


def _keep_baseline(found: report.Report, options: argparse.Namespace) -> None:
    """Writes the baseline anew, where that was asked for; the report is then held against the new one."""
    assert found.baseline is not None
    new = found.baseline
    if options.prune_baseline:
        new = baseline.pruned(new, found.gone())
    if options.update_baseline:
        broken = [(v["law"], found.name(v["target"]), v["reason"]) for v in found.red()]
        targets = {found.name(target) for where, target in found.columns if where != "recorded"}
        new = baseline.updated(new, broken, found.today, targets)
    if options.prune_baseline or options.update_baseline:
        forms.put(new.path, baseline.to_toml(new))
        found.baseline = new


def _total(settings: Options, clients_only: bool, wants_clients: bool) -> int:
    """How many verdicts a run gives, those on recordings left out."""
    sides = {side: sum(settings.wants(law) for law in laws(side)) for side in ("server", "client")}
    servers = 0 if clients_only else sides["server"] * len(settings.urls)
    return servers + (sides["client"] * len(settings.clients or DEFAULT) if wants_clients else 0)


def _arguments(options: argparse.Namespace, settings: Options, mock: str) -> list[str]:
    found = ["--inferneo-seed", str(options.seed)]
    if options.budget:
        found += ["--inferneo-budget", options.budget, "--inferneo-until", str(settings.until)]
    found += ["--inferneo-level", options.level]
    for url in settings.urls:
        found += ["--inferneo-url", url]
    for flag, value in (
        ("--inferneo-mock-url", mock),
        ("--inferneo-model", settings.model),
        ("--inferneo-profile", settings.profile),
        ("--inferneo-restart-cmd", settings.restart_cmd),
        ("--inferneo-database", settings.database),
        ("--inferneo-context", str(settings.context or "")),
    ):
        found += [flag, value] if value else []
    for flag, values in (
        ("--inferneo-law", settings.only),
        ("--inferneo-client", settings.clients),
        ("--inferneo-loud", settings.loud),
        ("--inferneo-capability", tuple(f"{name}={'yes' if has else 'no'}" for name, has in settings.capabilities)),
    ):
        for value in values:
            found.append(f"{flag}={value}")
    return [*found, "--inferneo-recorded" if settings.recorded else "--inferneo-no-recorded"]
