"""The watched calls of a session, told to the one whose test fails, and to the one who forgot to ask.

Law: one call that cannot be told does not keep the others from being told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mockserver.record.saw import shown_error

if TYPE_CHECKING:
    from mockserver.record.callwatch import CallWatch

NEVER = "unreported"
"""What is no finding where nobody asked: `pytest.raises` inside the block has seen what the call did not."""


def told(watches: Iterable[CallWatch], unasked: bool = True) -> list[str]:
    """Per call the error that its user saw, and what was found, unless the test's own mistake ended it (`void`); not
    `unasked`: what `forgotten` says is left out.
    """
    found: list[str] = []
    for watch in watches:
        try:
            found += _told(watch, unasked)
        except Exception as error:  # a report that raises tells nothing of the other calls
            found.append(_untold(watch, error))
    return found


def _told(watch: CallWatch, unasked: bool) -> list[str]:
    saw = watch.saw
    lines = [f"call {watch.name!r}: the user saw: {shown_error(saw.error)}"] if saw.error is not None else []
    if watch.over and not watch.void and (unasked or not _forgotten(watch)) and (verdict := watch.peek()).findings:
        lines.append(f"verdict on {verdict}")
    return lines


def forgotten(watches: Iterable[CallWatch]) -> list[str]:
    """One text per call that is over, in which something is wrong (or which cannot be told), and whose verdict nobody
    asked for.
    """
    found: list[str] = []
    for watch in watches:
        try:
            if _forgotten(watch):
                found.append(
                    f"nobody asked for the verdict on {watch.peek()}\n  say `assert call.verdict()` behind the block, "
                    f"or inferneo_mock.call({watch.name!r}, judge=False) where the findings are no matter"
                )
        except Exception as error:  # as in `told`
            found.append(_untold(watch, error))
    return found


def _untold(watch: CallWatch, error: Exception) -> str:
    return f"call {watch.name!r} cannot be told: {type(error).__name__}: {error}"


def _forgotten(watch: CallWatch) -> bool:
    if watch.judged or watch.void or not watch.over:
        return False
    return any(finding.level == "fail" and finding.id != NEVER for finding in watch.peek().findings)
