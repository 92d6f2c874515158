"""Every listed wire case, byte for byte from raw sockets, in sync and async: each right, no leak, no lie, no hang."""

from __future__ import annotations

from typing import Any

import pytest
from hard_cases import CASES as HARD
from own_cases import CASES as OWN
from raw_player import Player
from wire_cases import check, listed_cases, run_async, run_sync

CASES = listed_cases()


def timed(case: dict[str, Any]) -> Any:
    """Slow when it is about time: something is waited for, or must not be."""
    about_time = case["expect"].keys() & {"min_s", "max_s"}
    return pytest.param(case, id=case["id"], marks=[pytest.mark.slow] if about_time else [])


@pytest.mark.parametrize("run", [run_sync, run_async], ids=["sync", "async"])
@pytest.mark.parametrize("case", [timed(case) for case in CASES])
def test_listed(case: dict[str, Any], run: Any) -> None:
    """The case's own expectation."""
    with Player(case["attempts"]) as player:
        check(case, run(case, player.url), player)


@pytest.mark.parametrize("run", [run_sync, run_async], ids=["sync", "async"])
@pytest.mark.parametrize("case", [timed(case) for case in OWN + HARD])
def test_own(case: dict[str, Any], run: Any) -> None:
    """The same for the cases of ours."""
    with Player(case["attempts"]) as player:
        check(case, run(case, player.url), player)
