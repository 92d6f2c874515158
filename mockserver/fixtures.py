"""Where the wire as data lies: `mockserver/_fixtures` in an installed wheel, `fixtures/` in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def path() -> Path:
    """The directory of fixtures. Raises FileNotFoundError that says where it looked."""
    here = Path(__file__).resolve().parent
    for found in (here / "_fixtures", here.parent / "fixtures"):
        if (found / "profiles").is_dir():
            return found
    raise FileNotFoundError(f"no fixtures: neither {here / '_fixtures'} nor {here.parent / 'fixtures'} holds profiles/")


def script_file(name: str | Path) -> Path:
    """A script's file: what `name` names, or one of ours by its name (`wire/b12_bad_chunk`); else `name` itself."""
    found = Path(name)
    if found.exists():
        return found
    ours = path() / "scripts"
    named = [ours / f"{name}{ending}" for ending in ("", ".json", ".yaml")]
    return next((one for one in named if one.is_file()), found)
