"""The extra `contracts`: the client and the fake server do without it, so it may not be installed."""

from __future__ import annotations

EXTRA = {"hypothesis", "pytest", "_pytest", "xdist", "jsonschema", "rich"}
"""What the extra `contracts` brings."""


def missing(error: ModuleNotFoundError) -> str:
    """Which module is not installed, and what installs it; "" where it is one of ours, which is no user's mistake."""
    name = (error.name or "").partition(".")[0]
    if name in ("contracts", "inferneo", "mockserver"):
        return ""
    what = "'inferneo[contracts]'" if name in EXTRA else name
    return f"{name!r}, which is not installed: pip install {what}"
