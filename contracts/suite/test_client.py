"""Every client law on every client, against the fake."""

from __future__ import annotations

import pytest

from contracts.adapters import DEFAULT, subject
from contracts.bench import Bench
from contracts.judge import judge
from contracts.law import Law, laws
from contracts.mock import Door, MockProcess
from contracts.plugin import RUN, Run, describe


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    options = metafunc.config.stash[RUN].options
    chosen = [law for law in laws("client") if options.wants(law)]
    pairs = [pytest.param(name, law, id=f"{law.id}-{name}") for name in options.clients or DEFAULT for law in chosen]
    metafunc.parametrize(("client", "law"), pairs)


def bench_of(run: Run, client: str) -> Bench:
    """The client's bench: made once, with the fake that was given or one of our own."""
    if client not in run.targets:
        if run.mock is None and not run.options.mock_url:
            run.mock = MockProcess()
        run.targets[client] = Bench(subject(client), Door(run.options.mock_url or run.mock.url))
    return run.targets[client]  # type: ignore[no-any-return]


def test_client_law(run: Run, client: str, law: Law) -> None:
    """The client keeps the law."""
    bench = bench_of(run, client)
    if late := run.late(law.id, bench.name):
        run.verdict("client", late)
        pytest.skip(late.reason)
    count = sum(run.options.wants(one) for one in laws("client")) * len(run.options.clients or DEFAULT)
    verdict = judge(law, bench, run.effort("client", count))
    run.verdict("client", verdict)
    if verdict.word in ("failed", "broken"):
        pytest.fail(describe(verdict), pytrace=False)
    if verdict.word == "unsupported":
        pytest.skip(verdict.reason)
