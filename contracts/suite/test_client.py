"""Every client law on every client, against the fake."""

from __future__ import annotations

import pytest

from contracts.adapters import DEFAULT, subject
from contracts.bench import Bench
from contracts.judge import judge
from contracts.law import Law, laws
from contracts.mock import Door, MockProcess
from contracts.options import Options, in_order
from contracts.plugin import RUN, Run, describe


def pairs(options: Options) -> list[tuple[str, Law]]:
    """Each client with each law: a budget that ends before the laws do leaves the same laws of all clients unjudged."""
    chosen = in_order([law for law in laws("client") if options.wants(law)])
    return [(name, law) for law in chosen for name in options.clients or DEFAULT]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = pairs(metafunc.config.stash[RUN].options)
    metafunc.parametrize(("client", "law"), [pytest.param(name, law, id=f"{law.id}-{name}") for name, law in found])


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
