"""Every wrong client: the laws that it names turn red, and no other law does. On the right one none is red."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.adapters import subject
from contracts.judge import Effort
from contracts.mock import Door, MockProcess

from .client_catalogue import CLIENTS
from .judging import judge_client, judged_client
from .run_servers import tell
from .wrong_client import WrongClient


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """A fake server in a process of its own."""
    with MockProcess() as mock:
        yield Door(mock.url)


@pytest.mark.parametrize("wrong", CLIENTS, ids=lambda one: one.name)
def test_a_wrong_client_is_found(door: Door, wrong: WrongClient) -> None:
    """Its laws are red, and no other but those that were written down as consequences of the same defect."""
    found = judged_client(wrong, door)
    tell("client", wrong.name, sorted(found.red), sorted(wrong.red), found.seconds)
    assert wrong.red <= set(found.red), f"{wrong.defect} Not found: {sorted(wrong.red - set(found.red))}"
    others = {law: why for law, why in found.red.items() if law not in wrong.red | wrong.consequences}
    assert not others, f"{wrong.defect} Other laws are red: {others}"


@pytest.mark.parametrize("name", ["inferneo", "inferneo-async"])
def test_the_right_client_is_not_blamed(door: Door, name: str) -> None:
    """No law is red or cannot be judged on our client, in both forms."""
    found = judge_client(subject(name), door, Effort(1, 0.3, 30.0, 0.5))
    tell("clean", name, sorted(found.red), [], found.seconds)
    assert (found.red, found.broken) == ({}, {})
