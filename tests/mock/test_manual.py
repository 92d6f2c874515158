"""The manual on the command line: every document has a name, and what the texts refer to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mockserver import cli, manual

ROOT = Path(__file__).parents[2]


def test_every_document_is_listed_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, none empty, the documents before the examples."""
    assert cli.main(["docs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines]
    files = [file for file in (ROOT / "docs").rglob("*") if file.suffix in manual.ENDINGS]
    assert sorted(names) == sorted(file.relative_to(ROOT / "docs").with_suffix("").as_posix() for file in files)
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)
    assert names.index("verdicts") < names.index("reference/faults") < names.index("examples/test_first")
    assert "verdicts" in dict(line.split(maxsplit=1) for line in lines)
    assert dict(line.split(maxsplit=1) for line in lines)["verdicts"] == "Verdicts: was the client right?"


@pytest.mark.parametrize("name", ["verdicts", "verdicts.md", "docs/verdicts.md"])
def test_a_page_is_printed_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By its name, or as others refer to it."""
    assert cli.main(["docs", name]) == 0
    assert capsys.readouterr().out == (ROOT / "docs/verdicts.md").read_text("utf-8")


def test_a_misspelt_page_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["docs", "verdict"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("inferneo-mock docs: unknown page 'verdict'; known: client, ")
    assert said.endswith("did you mean 'verdicts'?\n")


def test_the_wheel_has_them_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`_docs` beside the module goes first, then `docs` beside the package; else it is said where they were sought."""
    package = tmp_path / "mockserver"
    monkeypatch.setattr(manual, "__file__", str(package / "manual.py"))
    with pytest.raises(FileNotFoundError, match=r"neither .*_docs nor .*docs holds how-to.md"):
        manual.path()
    for folder in (tmp_path / "docs", package / "_docs"):
        folder.mkdir(parents=True)
        (folder / "how-to.md").write_text("\n")
        assert manual.path() == folder
    assert manual.summary(package / "_docs" / "how-to.md") == ""


def test_what_the_texts_refer_to_is_a_page() -> None:
    """`inferneo-mock docs NAME` in a help, an error, a docstring or a document names a page."""
    known = manual.pages()
    places = [ROOT / "README.md", ROOT / "_inferneo_pytest.py"]
    for folder, kind in (("mockserver", "*.py"), ("contracts", "*.py"), ("inferneo", "*.py"), ("docs", "*.md")):
        places += (ROOT / folder).rglob(kind)
    named = {
        name.removesuffix("/")
        for place in places
        for name in re.findall(r"inferneo-mock docs ([a-z][a-z/_-]*)", place.read_text("utf-8"))
    }
    assert len(named) >= 3
    assert named - set(known) == set()
