"""Laws that need a key or a limit are judged where there is one."""

from __future__ import annotations

from contracts.connect import connect
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.mock import MockProcess
from contracts.options import Options


def test_keys_are_judged_where_one_is_asked_for() -> None:
    """The fake refuses every wrong form of its key."""
    with MockProcess("docs", 0, "--api-key", "sk-good") as mock:
        target = connect(mock.url, Options(api_key="sk-good"))
        for law in ("S-SECURE-01", "S-SECURE-02", "S-SECURE-10"):
            assert judge(find(law), target, Effort(seed=1, examples=2)).word == "ok", law


def test_limits_are_judged_where_they_are_told() -> None:
    """The fake tells its documented limits."""
    with MockProcess("docs", 0, "--limits", "documented") as mock:
        target = connect(mock.url, Options())
        for law in ("S-RATE-01", "S-RATE-03", "S-RATE-04"):
            assert judge(find(law), target, Effort()).word == "ok", law
