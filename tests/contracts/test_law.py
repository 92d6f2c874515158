"""The registry: every law says what it asks, whence it comes, and has an id of its own."""

from __future__ import annotations

import re

import pytest

from contracts.capabilities import PROBES
from contracts.law import find, law, laws

ABILITIES = {"family", "models", "model", "info", "retries", "truncation", "partial", "spec", "strict", "async"}


def test_there_are_enough_laws() -> None:
    """The goal of the suite: 80 laws of servers, 50 of clients."""
    assert len(laws("server")) >= 80
    assert len(laws("client")) >= 50
    assert len(laws()) == len(laws("server")) + len(laws("client"))


@pytest.mark.parametrize("one", laws(), ids=lambda one: one.id)
def test_each_law_is_written_to_be_read(one: object) -> None:
    """Id, title, source, needs and level are of use to a reader."""
    from contracts.law import Law

    assert isinstance(one, Law)
    assert re.fullmatch(r"[SC]-[A-Z]+-\d\d", one.id)
    assert one.description.partition("\n")[0].endswith(".")
    assert 15 < len(one.title) < 125
    assert one.source
    assert one.level in ("must", "should")
    assert one.needs <= (set(PROBES) if one.side == "server" else ABILITIES)
    assert one.to_json()["id"] == one.id


def test_two_laws_of_one_id_are_refused() -> None:
    """And both are named."""
    with pytest.raises(
        ValueError, match=r"S-FRAME-03 is both contracts.server_laws.framing.done_is_the_last_event and "
    ):

        @law("S-FRAME-03", source="test")
        def again(target: object) -> None:
            """Again."""


def test_a_law_needs_words() -> None:
    """No docstring, no law."""
    with pytest.raises(ValueError, match=r"needs an id S-\.\.\. or C-\.\.\. and a docstring"):

        @law("S-TEST-99", source="test")
        def silent(target: object) -> None:
            pass


def test_an_unknown_id_is_told_with_the_nearest() -> None:
    """So that a slip of the finger costs nothing."""
    assert find("s-frame-03").id == "S-FRAME-03"
    with pytest.raises(LookupError, match="did you mean S-FRAME-0"):
        find("S-FRME-03")
