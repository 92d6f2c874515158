"""Every server law on every target given by URL."""

from __future__ import annotations

import os
from typing import Any

import pytest

from contracts.judge import Verdict, judge
from contracts.law import Law, laws
from contracts.options import in_order
from contracts.plugin import RUN, Run, describe
from contracts.restart import fatal, killer, lost, restart


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    options = metafunc.config.stash[RUN].options
    chosen = in_order([law for law in laws("server") if options.wants(law)])
    # contracts.schedule reads these ids.
    pairs = [pytest.param(url, law, id=f"{law.id}-{url}") for url in options.urls for law in chosen]
    metafunc.parametrize(("url", "law"), pairs)


def test_server_law(run: Run, url: str, law: Law) -> None:
    """The target keeps the law."""
    target = run.target(url)
    if not target.died and not target.listens():
        buried(run, target, run.before.get(url, "nothing"), "")
    if target.died:
        pytest.skip(f"not judged: {target.died}")
    if late := run.late(law.id, target.name):
        run.verdict("live", late)
        pytest.skip(late.reason)
    verdict = judged(run, target, law)
    run.before[url] = law.id
    run.verdict("live", verdict)
    if verdict.word in ("failed", "broken", "lost"):
        pytest.fail(describe(verdict), pytrace=False)
    if verdict.word == "unsupported":
        pytest.skip(verdict.reason)


def judged(run: Run, target: Any, law: Law) -> Verdict:
    """The verdict; where the server died of it, the server is started again or given up."""
    count = sum(run.options.wants(one) for one in laws("server"))
    shared = "PYTEST_XDIST_WORKER" in os.environ
    for last in (False, True):
        target.silent = None
        verdict = judge(law, target, run.effort(target.url, count))
        how = lost(target, verdict)
        if not how:
            return verdict
        if last or not shared or not run.options.restart_cmd:
            break
        # Another worker's request may have been the one: this law is judged again before it is blamed.
        if restart(target, run.options.restart_cmd):
            break
    verdict = fatal(law, verdict, target, how)
    buried(run, target, law.id, killer(verdict), how)
    return verdict


def buried(run: Run, target: Any, law: str, request: str, how: str = "died") -> None:
    """Tells that the server was lost and starts it again, where there is a command for it; else it is given up."""
    command = run.options.restart_cmd
    problem = restart(target, command) if command else "give --restart-cmd to start it again"
    if problem:
        since = "since" if how == "hangs" else "during"
        target.died = f"the server {how} {since} {law}; {problem}"
    run.tell("fatal", target=target.name, law=law, request=request, problem=problem, how=how)
