"""Every server law on every target given by URL."""

from __future__ import annotations

import pytest

from contracts.judge import Verdict, judge
from contracts.law import Law, laws
from contracts.options import in_order
from contracts.plugin import RUN, Run, describe


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    options = metafunc.config.stash[RUN].options
    chosen = in_order([law for law in laws("server") if options.wants(law)])
    pairs = [pytest.param(url, law, id=f"{law.id}-{url}") for url in options.urls for law in chosen]
    metafunc.parametrize(("url", "law"), pairs)


def test_server_law(run: Run, url: str, law: Law) -> None:
    """The target keeps the law."""
    target = run.target(url)
    count = sum(run.options.wants(one) for one in laws("server"))
    if target.died:
        verdict = Verdict(law.id, target.name, "broken", f"the server died: {target.died}")
    else:
        verdict = judge(law, target, run.effort(url, count))
        if verdict.word != "ok" and "refused" in verdict.reason and not target.alive():
            request = (verdict.failure.curl or [""])[-1] if verdict.failure else ""
            target.died = f"during {law.id}; last request: {request[:500]}"
    run.verdict("live", verdict)
    if verdict.word in ("failed", "broken"):
        pytest.fail(describe(verdict), pytrace=False)
    if verdict.word == "unsupported":
        pytest.skip(verdict.reason)
