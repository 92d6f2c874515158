"""Where failing cases are kept between runs and shared between machines: a directory, GitHub's artifacts, or Redis.

All three are Hypothesis's own databases. Only the key is ours: it is the law's id, so that a case found by one version
of the judge, on one machine, on one target, is the first that every other one tries.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from hypothesis.database import (
    DirectoryBasedExampleDatabase,
    ExampleDatabase,
    GitHubArtifactDatabase,
    MultiplexedDatabase,
    ReadOnlyDatabase,
)
from hypothesis.errors import HypothesisWarning

from contracts.files import FOLDER

FORMS = "a directory, github:OWNER/REPO, github:OWNER/REPO/ARTIFACT or redis://HOST:PORT/N"
KINDS = (b".secondary", b".pareto")


class LawDatabase(ExampleDatabase):
    """The part of a database that belongs to one law."""

    def __init__(self, whole: ExampleDatabase, law: str) -> None:
        super().__init__()
        self.whole = whole
        self.law = law

    def _key(self, key: bytes) -> bytes:
        kind = next((kind for kind in KINDS if key.endswith(kind)), b"")
        return b"inferneo-contracts/" + self.law.encode() + kind

    def save(self, key: bytes, value: bytes) -> None:
        """Keeps a case."""
        self.whole.save(self._key(key), value)

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """The cases that are kept."""
        with warnings.catch_warnings():
            # An artifact that is older than a day is better than none; that none is there was said before the run.
            warnings.simplefilter("ignore", HypothesisWarning)
            return list(self.whole.fetch(self._key(key)))

    def delete(self, key: bytes, value: bytes) -> None:
        """Forgets a case."""
        self.whole.delete(self._key(key), value)


def of_law(whole: ExampleDatabase | None, law: str) -> LawDatabase | None:
    """The part of one law; None where nothing is kept."""
    return None if whole is None else LawDatabase(whole, law)


def open_database(text: str) -> ExampleDatabase:
    """The database that the words name. Raises `ValueError`, in one line, when it is none or cannot be reached."""
    if text.startswith("redis:") or text.startswith("rediss:"):
        return _redis(text)
    if text.startswith("github:"):
        match = re.fullmatch(r"github:([\w.-]+)/([\w.-]+)(?:/([\w.-]+))?", text)
        if match is None:
            raise ValueError(f"--database {text!r} names no repository; expected github:OWNER/REPO[/ARTIFACT]")
        owner, repository, artifact = match[1], match[2], match[3] or "hypothesis-example-db"
        # What is found here goes into a directory of this machine: an artifact is only read.
        home = Path(os.environ.get(FOLDER, "")).absolute() / ".hypothesis"
        kept = home / "github-artifacts" / artifact
        shared = GitHubArtifactDatabase(owner, repository, artifact, path=kept)
        return MultiplexedDatabase(DirectoryBasedExampleDatabase(home / "examples"), ReadOnlyDatabase(shared))
    if re.match(r"\w+:", text):
        raise ValueError(f"--database {text!r} is none that is known; expected {FORMS}")
    path = Path(text).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--database {text!r} is no directory: {error.strerror}; expected {FORMS}") from None
    return DirectoryBasedExampleDatabase(path)


def check(text: str) -> None:
    """Reads from the database once, before anything is judged: an artifact is fetched here. Raises `ValueError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", HypothesisWarning)
        warnings.filterwarnings("ignore", "Using an expired artifact", HypothesisWarning)
        try:
            list(open_database(text).fetch(b"inferneo-contracts/nothing"))
        except HypothesisWarning as error:
            hint = "" if os.environ.get("GITHUB_TOKEN") else "; set GITHUB_TOKEN to a token that may read its artifacts"
            raise ValueError(f"--database {text!r} cannot be used: {' '.join(str(error).split())}{hint}") from None


def _redis(url: str) -> ExampleDatabase:
    try:
        redis: Any = import_module("redis")
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise ValueError(f"--database {url!r} needs the package redis; pip install redis") from None
    try:
        server: Any = redis.Redis.from_url(url, socket_connect_timeout=3.0)
        server.ping()
    except (ValueError, redis.RedisError) as error:
        raise ValueError(f"--database {url!r} cannot be used: {error}") from None
    return RedisExampleDatabase(server)
