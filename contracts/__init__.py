"""Laws for inference servers and clients. `from contracts import S_FRAME_03` is one law, to be called in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.one import Check


def __getattr__(name: str) -> Check:
    """A law by its id with underscores; nothing is imported until one is asked for.

    Raises `ImportError` for a law that there is not: of an `AttributeError` an import shows no word.
    """
    if not name.startswith(("S_", "C_")):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contracts.one import named

    return named(name)
