"""The shared database: a case that failed once is the first that is tried again, under the law's own name."""

from __future__ import annotations

import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import strategies as st
from hypothesis.database import (
    DirectoryBasedExampleDatabase,
    GitHubArtifactDatabase,
    InMemoryExampleDatabase,
    MultiplexedDatabase,
)

from contracts.database import LawDatabase, check, of_law, open_database
from contracts.domains import Domain
from contracts.files import FOLDER
from contracts.judge import Effort, judge
from contracts.law import Law, expect
from contracts.profile import PROFILES


class Counter:
    """A target that answers nothing."""

    live = True
    name = "counter"
    url = "http://127.0.0.1:9"
    profile = PROFILES["docs"]

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.sent: list[Any] = []

    def begin(self) -> None:
        """Nothing to forget."""


def a_law(cases: list[int]) -> Law:
    """Broken by numbers that are rarely drawn."""

    def check(target: Any, number: int) -> None:
        cases.append(number)
        expect(number != 987_654_321, "another number", number)

    numbers: Domain[int] = Domain("a number", lambda target: st.integers(0, 2**40) | st.just(987_654_321))
    return Law("S-TEST-01", check, numbers, frozenset(), "must", "test", 200, False)


def test_what_failed_is_tried_first_on_the_next_machine() -> None:
    """Found with many cases, found again at once with one; the database holds it under the law's id."""
    shared = InMemoryExampleDatabase()
    first: list[int] = []
    assert judge(a_law(first), Counter(), Effort(1, 1.0, 20.0, 1.0, shared)).word == "failed"
    assert set(shared.data) >= {b"inferneo-contracts/S-TEST-01"}
    second: list[int] = []
    assert judge(a_law(second), Counter(), Effort(99, 0.005, 20.0, 1.0, shared)).word == "failed"
    assert second[0] == 987_654_321


def test_each_law_has_its_own_part() -> None:
    """Saved, fetched and forgotten for one law only."""
    shared = InMemoryExampleDatabase()
    one, other = LawDatabase(shared, "S-ID-01"), LawDatabase(shared, "S-ID-02")
    one.save(b"digest.secondary", b"v")
    assert set(one.fetch(b"another digest.secondary")) == {b"v"}
    assert not set(one.fetch(b"digest")) | set(other.fetch(b"digest.secondary"))
    one.delete(b"digest.secondary", b"v")
    assert not set(one.fetch(b"digest.secondary"))
    assert of_law(None, "S-ID-01") is None


def test_a_directory_and_an_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are Hypothesis's own; an artifact is read, what is found goes to this machine."""
    monkeypatch.chdir(tmp_path)
    found = open_database(str(tmp_path / "new" / "folder"))
    assert found == DirectoryBasedExampleDatabase(tmp_path / "new" / "folder")
    assert isinstance(open_database("github:o/r/cases"), MultiplexedDatabase)


def test_a_case_in_an_artifact_is_tried_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a CI run uploaded (the folder of its --database) is read here; what is found here stays here."""
    uploaded = DirectoryBasedExampleDatabase(tmp_path / "uploaded")
    cases: list[int] = []
    assert judge(a_law(cases), Counter(), Effort(1, 1.0, 20.0, 1.0, uploaded)).word == "failed"
    kept = tmp_path / ".hypothesis" / "github-artifacts" / "cases"
    kept.mkdir(parents=True)
    name = datetime.now(UTC).isoformat().replace(":", "_")
    with ZipFile(kept / f"{name}.zip", "w") as archive:
        for file in (tmp_path / "uploaded").rglob("*"):
            archive.write(file, file.relative_to(tmp_path / "uploaded"))
    monkeypatch.setenv(FOLDER, str(tmp_path))
    check("github:o/r/cases")
    again: list[int] = []
    shared = open_database("github:o/r/cases")
    assert judge(a_law(again), Counter(), Effort(99, 0.005, 20.0, 1.0, shared)).word == "failed"
    assert again[0] == 987_654_321
    assert (tmp_path / ".hypothesis" / "examples").is_dir()


def test_an_artifact_that_cannot_be_fetched_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the run, with what is missing; a warning in the run would break every law."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setattr(GitHubArtifactDatabase, "_fetch_artifact", lambda self: None)
    with pytest.raises(ValueError, match=r"cannot be used: Couldn't acquire .* set GITHUB_TOKEN") as caught:
        check("github:o/r/cases")
    assert "\n" not in str(caught.value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = of_law(open_database("github:o/r/cases"), "S-ID-01")
        assert found is not None
        assert found.fetch(b"x") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("github:nobody", "names no repository; expected github:OWNER/REPO"),
        ("s3://bucket", "is none that is known; expected a directory"),
        ("redis://127.0.0.1:1/0", "needs the package redis"),
        ("/dev/null/x", "is no directory"),
    ],
)
def test_a_bad_value_is_one_line(text: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is judged."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ValueError, match=words) as caught:
        open_database(text)
    assert "\n" not in str(caught.value)


class FakeRedis:
    """As much of the package as is asked before the first case."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ping(self) -> None:
        """Refuses port 1."""
        if ":1/" in self.url:
            raise ConnectionError("refused")

    @classmethod
    def from_url(cls, url: str, socket_connect_timeout: float) -> FakeRedis:
        """A server by its URL."""
        return cls(url)


def test_a_redis_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked before anything is judged."""
    module: Any = ModuleType("redis")
    module.Redis, module.RedisError = FakeRedis, ConnectionError
    monkeypatch.setitem(sys.modules, "redis", module)
    monkeypatch.delitem(sys.modules, "hypothesis.extra.redis", raising=False)
    with pytest.raises(ValueError, match="cannot be used: refused"):
        open_database("redis://127.0.0.1:1/0")
    assert type(open_database("redis://127.0.0.1:2/0")).__name__ == "RedisExampleDatabase"
    monkeypatch.delitem(sys.modules, "hypothesis.extra.redis")
