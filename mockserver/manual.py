"""The documents by name: `mockserver/_docs` in an installed wheel, `docs/` in a checkout. Reads, changes nothing.

A page is named by its path without the ending: `verdicts`, `reference/faults`, `examples/test_first`.
"""

from __future__ import annotations

from pathlib import Path

from mockserver.errors import MockError
from mockserver.suggest import unknown

ENDINGS = (".md", ".py", ".mjs")


class UnknownPageError(MockError):
    """There is no such page."""


def path() -> Path:
    """The directory of documents. Raises `FileNotFoundError` that says where it looked."""
    here = Path(__file__).resolve().parent
    for found in (here / "_docs", here.parent / "docs"):
        if (found / "how-to.md").is_file():
            return found
    raise FileNotFoundError(f"no documents: neither {here / '_docs'} nor {here.parent / 'docs'} holds how-to.md")


def pages() -> dict[str, Path]:
    """Every page by its name: the documents first, then what they refer to, then the examples."""
    top = path()
    found = [one for one in top.rglob("*") if one.suffix in ENDINGS and one.is_file()]
    names = {one.relative_to(top).with_suffix("").as_posix(): one for one in found}
    return dict(sorted(names.items(), key=lambda one: (one[0].startswith("examples/"), "/" in one[0], one[0])))


def summary(page: Path) -> str:
    """One line about a page: its heading, or the first line of an example's docstring."""
    for line in page.read_text("utf-8").splitlines():
        told = line.strip().strip('#"/*').strip()
        if told:
            return told
    return ""


def page(name: str) -> str:
    """The text of a page; `docs/verdicts.md` is `verdicts`. Raises `UnknownPageError` with the nearest."""
    known = pages()
    wanted = name.removeprefix("docs/")
    for ending in ENDINGS:
        wanted = wanted.removesuffix(ending)
    if wanted not in known:
        raise UnknownPageError(unknown("page", name, known))
    return known[wanted].read_text("utf-8")
