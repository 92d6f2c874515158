"""The pytest side of a run: options, targets, and one JSON line per verdict for whoever started it.

Use: `pytest -p contracts.plugin --pyargs contracts.suite --inferneo-url http://127.0.0.1:8000`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from contracts.extra import missing

try:
    from contracts.adapters import DEFAULT
    from contracts.child import KEY
    from contracts.judge import NO_TIME, Effort, Verdict
    from contracts.options import FLAGS, USUAL, Options, parse_budget, parse_capability
    from contracts.secret import masked
except ModuleNotFoundError as error:
    if not missing(error):
        raise
    raise pytest.UsageError(f"contracts.suite needs {missing(error)}") from None

RUN = pytest.StashKey["Run"]()
FIRST = 5.0
"""Seconds that the first law of a process has at least."""


class Run:
    """One run: its options, its targets by URL, its results file."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.targets: dict[str, Any] = {}
        self.unreachable: dict[str, str] = {}
        self.mock: Any = None
        self.began: dict[str, float] = {}
        self.before: dict[str, str] = {}
        self.total = 0
        self.done = 0
        self._database: Any = None

    def target(self, url: str) -> Any:
        """The target of that URL, connected and probed once; a test of one that cannot be judged fails in one line."""
        from contracts.connect import Unreachable, connect

        if url not in self.targets and url not in self.unreachable:
            try:
                self.targets[url] = connect(url, self.options)
            except Unreachable as error:
                self.unreachable[url] = str(error)
        if url in self.unreachable:
            pytest.fail(self.unreachable[url], pytrace=False)
        return self.targets[url]

    def database(self) -> Any:
        """Where failing cases are kept; None: nowhere."""
        from contracts.database import open_database

        if self._database is None and self.options.database:
            self._database = open_database(self.options.database)
        return self._database

    def effort(self, side: str, laws: int) -> Effort:
        """How hard the next of a side's laws is tried; once the side's part of the budget is used up, one case each."""
        total = max(self.total, laws, 1)
        began = self.began.setdefault(side, time.monotonic())
        if self.options.until:
            until = max(self.options.until, time.monotonic() + FIRST if self.done == 1 else 0.0)
            effort = replace(self.options, until=until).within(until - time.monotonic(), self._left(side, laws))
            return replace(effort, database=self.database())
        effort = replace(self.options.effort(total), database=self.database())
        late = time.monotonic() - began > self.options.budget * laws / total
        return replace(effort, seconds=0.0, shrink_seconds=1.0) if late else effort

    def _left(self, side: str, laws: int) -> int:
        """How many laws this process has still to judge, as far as one of several can know."""
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        if workers == 1:
            return max(1, self.total - self.done)
        if side == "server":
            return max(1, (laws if self.options.part == "all" else laws // workers) - self.done)
        return max(1, laws // max(1, workers - len(self.options.urls)) - self.done)

    def late(self, law: str, target: str) -> Verdict | None:
        """The verdict on a law whose turn comes after the end of the budget. The first of all is judged anyway."""
        self.done += 1
        if self.done > 1 and 0 < self.options.until < time.monotonic():
            return Verdict(law, target, "unjudged", NO_TIME)
        return None

    def tell(self, kind: str, **values: Any) -> None:
        """Appends one line to the results; each worker of pytest-xdist has a file of its own beside it."""
        if self.options.results:
            worker = os.environ.get("PYTEST_XDIST_WORKER", "")
            path = Path(f"{self.options.results}.{worker}" if worker else self.options.results)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **values}) + "\n")

    def describe(self) -> None:
        """Tells what the judged servers are, and what they were found to have."""
        chosen = "given" if self.options.profile else "seen in its answers"
        for target in self.targets.values():
            if hasattr(target, "model"):
                key = getattr(target, "api_key", None)
                known = {name: (has, masked(why, key)) for name, (has, why) in target.known.items()}
                more = {"model": target.model, "profile": target.profile.name, "chosen": chosen}
                self.tell("target", name=target.name, **more, capabilities=known)

    def verdict(self, where: str, verdict: Any) -> None:
        """Tells a verdict. `where`: live, recorded or client."""
        self.tell("verdict", where=where, **asdict(verdict))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("inferneo contracts")
    for flag, settings in FLAGS.items():
        group.addoption(flag, **settings)


def pytest_configure(config: pytest.Config) -> None:
    value = config.getoption
    # What the suite starts inherits no key; its workers are told it.
    key = os.environ.pop(KEY, "")
    config.option.inferneo_api_key = value("--inferneo-api-key") or getattr(config, "workerinput", {}).get(KEY, key)
    from contracts.law import beginning
    from contracts.profile import profile
    from contracts.wire import parse_url

    started = time.monotonic()
    try:
        budget = parse_budget(value("--inferneo-budget") or USUAL)
        capabilities = tuple(parse_capability(one) for one in value("--inferneo-capability"))
        for name in value("--inferneo-law"):
            beginning(name)
        if value("--inferneo-profile"):
            profile(value("--inferneo-profile"))
        for url in value("--inferneo-url"):
            parse_url(url)
    except (ValueError, LookupError) as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[RUN] = Run(
        Options(
            urls=tuple(value("--inferneo-url")),
            mock_url=value("--inferneo-mock-url"),
            model=value("--inferneo-model"),
            api_key=value("--inferneo-api-key"),
            profile=value("--inferneo-profile"),
            level=value("--inferneo-level"),
            budget=budget,
            seed=value("--inferneo-seed"),
            only=tuple(value("--inferneo-law")),
            clients=tuple(value("--inferneo-client")),
            results=value("--inferneo-results"),
            recorded=not value("--inferneo-no-recorded")
            and (value("--inferneo-recorded") or not value("--inferneo-url")),
            capabilities=capabilities,
            context=value("--inferneo-context"),
            restart_cmd=value("--inferneo-restart-cmd"),
            database=value("--inferneo-database"),
            part=value("--inferneo-part"),
            loud=tuple(value("--inferneo-loud")),
            until=value("--inferneo-until") or (started + budget if value("--inferneo-budget") else 0.0),
        )
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist gets the words of the command, and the key, which is not among them."""
    node.workerinput[KEY] = node.config.option.inferneo_api_key


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from contracts.schedule import scheduler

    return scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    run = config.stash[RUN]
    run.total = sum("law" in getattr(getattr(item, "callspec", None), "params", {}) for item in items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    options = config.stash[RUN].options
    if not options.urls and not options.results:
        whom = ", ".join(options.clients or DEFAULT) + (" and recordings of servers" if options.recorded else "")
        terminalreporter.write_line(
            f"no server was judged, only {whom}: give --inferneo-url URL, like http://127.0.0.1:8000", yellow=True
        )


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run that this session is."""
    found = request.config.stash[RUN]
    yield found
    found.describe()
    if found.mock is not None:
        found.mock.close()


def describe(verdict: Any) -> str:
    """A failing verdict as a reader wants it: the law, the case, the request, what was expected and got."""
    from contracts.law import find

    law = find(verdict.law)
    if verdict.word == "lost":
        what, _, got = verdict.reason.partition(": ")
        lines = [f"{law.id} NOT JUDGED: {what}", f"target: {verdict.target}", f"got: {got}"]
        return "\n".join([*lines, *(f"request: {line}" for line in (verdict.failure.curl if verdict.failure else ()))])
    lines = [f"{law.id} ({law.level.upper()}): {law.title}", f"target: {verdict.target}", f"verdict: {verdict.word}"]
    if verdict.failure is None:
        return "\n".join([*lines, verdict.reason])
    failure = verdict.failure
    lines += [f"expected: {failure.expected}", f"got: {failure.got}", f"case: {failure.case}"]
    lines += [f"request: {line}" for line in failure.curl]
    return "\n".join([*lines, f"seen: {failure.seen}; seed {failure.seed}", f"source: {law.source}", law.description])
