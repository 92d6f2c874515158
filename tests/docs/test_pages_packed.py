"""Every document is in the wheel, and nothing else that lies about in their folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_page_is_packed() -> None:
    """A new page has to be named in pyproject.toml: force-include of the whole folder takes what tests left in it."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    packed = {name for name in wheel["force-include"] if name.startswith("docs")}
    docs = ROOT / "docs"
    pages = {f"docs/{one.name}" for one in docs.iterdir() if not one.name.startswith((".", "__"))}
    assert packed == pages
    assert all(wheel["force-include"][name] == f"mockserver/_{name}" for name in packed)
