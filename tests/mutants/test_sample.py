"""A sample of the mutants, in the ordinary suite: a change that blinds the judge shows at once; and the catalogue."""

from __future__ import annotations

from collections import Counter

import pytest

from contracts.judge import Effort
from contracts.law import find, laws

from .catalogue import SERVERS
from .client_catalogue import CLIENTS
from .judging import judge_server
from .mutant import Mutant, consequences
from .wrong_client import WrongClient

SAMPLE = (
    "no-done",
    "first-token-lost",
    "sum-one-too-many",
    "stop-ignored",
    "clips",
    "key-shown",
)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_wrong_server_is_found(name: str) -> None:
    """The laws that a mutant names turn red on it, and keep the right server."""
    wrong = next(one for one in SERVERS if one.name == name)
    chosen = [find(law) for law in sorted(wrong.red)]
    effort = Effort(1, wrong.tries, 10.0, 0.0)
    assert set(judge_server(wrong.change, chosen, effort).red) == wrong.red
    assert judge_server(lambda turn: turn.plan, chosen, effort).red == {}


def test_there_are_enough_and_none_twice() -> None:
    """At least 100 servers and 40 clients, each with a name of its own, a defect in a sentence and laws that exist."""
    known = {law.id for law in laws()}
    assert len(SERVERS) >= 100
    assert len(CLIENTS) >= 40
    kinds: tuple[tuple[Mutant | WrongClient, ...], ...] = (SERVERS, CLIENTS)
    for found in kinds:
        assert max(Counter(one.name for one in found).values()) == 1
        for one in found:
            assert one.defect.endswith((".", ")")), one.name
            assert one.red, one.name
            assert one.red | one.consequences <= known, one.name
    names = {one.name for one in SERVERS} | {f"client {one.name}" for one in CLIENTS}
    assert set(consequences()) <= names
