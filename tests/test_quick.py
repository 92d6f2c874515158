"""`pytest` alone is quick; every other way runs every test, first of all tox."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
EVERYTHING = ["-m", "slow or not slow"]
FAST_AND_SLOW = """
import pytest

def test_fast():
    pass

@pytest.mark.slow
def test_slow():
    pass
"""


def commands() -> list[tuple[str, list[str]]]:
    """Each pytest command of tox: its environment, and the words after `python -m pytest` without the user's own."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    lines = [(name, line) for name in tox.sections() for line in tox[name].get("commands", "").splitlines()]
    found = [(name, shlex.split(re.sub(r"\{posargs[^}]*\}", "", line))) for name, line in lines if "pytest" in line]
    assert all(words[:3] == ["python", "-m", "pytest"] for _, words in found), found
    return [(name, words[3:]) for name, words in found]


TOX = commands()


@pytest.fixture
def checkout(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """A checkout with the real configuration and a fast and a slow test in each file and folder that tox names."""
    pytester.path.joinpath("pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    files = {"tests/client/test_one.py"}
    for word in (word for _, words in TOX for word in words if word.startswith("tests/")):
        files.add(word if word.endswith(".py") else f"{word}/test_in_{word.rpartition('/')[2]}.py")
    for name in files:
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)  # the real file of that name
        pytester.path.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        pytester.path.joinpath(name).write_text(FAST_AND_SLOW, "utf-8")
    pytester.path.joinpath("tests/conftest.py").write_text((ROOT / "tests/conftest.py").read_text("utf-8"), "utf-8")
    profile = settings.get_current_profile_name()
    yield pytester
    settings.load_profile(profile)  # the conftest of the checkout has chosen its own in this process


def counts(result: pytest.RunResult) -> tuple[int, int]:
    """How many ran, how many were left out."""
    outcomes = result.parseoutcomes()
    return outcomes.get("passed", 0), outcomes.get("deselected", 0)


def test_pytest_alone_is_quick(checkout: pytest.Pytester) -> None:
    """The fast ones run; how many are left out is said, and how to have them."""
    result = checkout.runpytest_inprocess()
    ran, left = counts(result)
    assert ran == left > 1
    result.stdout.fnmatch_lines(["quick: *`pytest tests` runs all"])


@pytest.mark.parametrize(
    "words",
    [["tests"], ["tests/client/test_one.py"], ["-k", "test"], ["-m", "slow or not slow"], ["--lf"]],
    ids=lambda words: words[0],
)
def test_what_is_named_is_run(checkout: pytest.Pytester, words: list[str]) -> None:
    """A path, a keyword, a mark, what failed last: nothing of it is left out, and nobody says so."""
    result = checkout.runpytest_inprocess(*words)
    ran, left = counts(result)
    assert ran >= 2
    assert ran % 2 == left == 0
    result.stdout.no_fnmatch_line("quick: *")


@pytest.mark.parametrize("words", [words for _, words in TOX], ids=[name for name, _ in TOX])
def test_tox_leaves_nothing_out(checkout: pytest.Pytester, words: list[str]) -> None:
    """Each command of tox runs the slow tests of what it names."""
    ran, left = counts(checkout.runpytest_inprocess(*words))
    assert ran >= 2
    assert ran % 2 == left == 0


def test_the_whole_suite_is_in_tox() -> None:
    """The environment of each Python names no path, so it has all of `testpaths`, and says that it wants all."""
    assert ("testenv", EVERYTHING) in TOX
    assert not {"-k", "--deselect", "--ignore"} & {word for _, words in TOX for word in words}


@pytest.mark.slow
def test_several_processes_make_the_same_choice(checkout: pytest.Pytester) -> None:
    """xdist's workers collect for themselves; they are told."""
    alone = counts(checkout.runpytest_inprocess())[0]
    assert counts(checkout.runpytest_subprocess("-n", "2"))[0] == alone
    assert counts(checkout.runpytest_subprocess("-n", "2", *EVERYTHING))[0] == 2 * alone
