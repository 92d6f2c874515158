"""Every wrong server: the laws that it names turn red, and no other law does. On the right one none is red.

Not part of the ordinary suite (its name is not collected): `pytest -n 2 tests/mutants/run_servers.py`, or
`python -m tests.mutants`, which tells the results in `docs/power.md` as well.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from contracts.judge import Effort
from contracts.law import laws

from .catalogue import SERVERS
from .client_catalogue import CLIENTS
from .judging import judge_server, judged
from .mutant import HERE, Mutant
from .wrong_client import WrongClient


def tell(kind: str, name: str, red: list[str], wanted: list[str], seconds: float) -> None:
    """One line for whoever asked for results."""
    if path := os.environ.get("INFERNEO_MUTANTS_RESULTS"):
        line = {"kind": kind, "name": name, "red": red, "wanted": wanted, "seconds": round(seconds, 2)}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@pytest.mark.parametrize("wrong", SERVERS, ids=lambda one: one.name)
def test_a_wrong_server_is_found(wrong: Mutant) -> None:
    """Its laws are red, and no other but those that were written down as consequences of the same defect."""
    found = judged(wrong)
    tell("server", wrong.name, sorted(found.red), sorted(wrong.red), found.seconds)
    assert wrong.red <= set(found.red), f"{wrong.defect} Not found: {sorted(wrong.red - set(found.red))}"
    others = {law: why for law, why in found.red.items() if law not in wrong.red | wrong.consequences}
    assert not others, f"{wrong.defect} Other laws are red: {others}"


@pytest.mark.parametrize("seed", range(20))
def test_the_right_server_is_not_blamed(seed: int) -> None:
    """No law is red or cannot be judged on the fake as it is, whatever the seed of the judge."""
    found = judge_server(lambda turn: turn.plan, laws("server"), Effort(seed, 0.3, 30.0, 0.5))
    tell("clean", f"seed {seed}", sorted(found.red), [], found.seconds)
    assert (found.red, found.broken) == ({}, {})


def test_each_law_has_a_mutant_of_its_own_or_a_reason() -> None:
    """A law is needed: some mutant is found by it alone, or `unique.toml` says why there is none."""
    every: tuple[Mutant | WrongClient, ...] = (*SERVERS, *CLIENTS)
    alone = {law for one in every for law in one.red if len(one.red) == 1 and not one.consequences}
    reasons: dict[str, str] = tomllib.loads((HERE / "unique.toml").read_text(encoding="utf-8"))
    missing = {law.id for law in laws()} - alone
    assert set(reasons) == missing, "unique.toml must name exactly the laws without a mutant of their own"
    assert all(reason.strip() for reason in reasons.values())
