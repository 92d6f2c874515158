"""Virtual environments for strangers: one per set of pins, in a cache, never the project's own.

Law: the same pins give the same environment; an interrupted install is made anew; two starts at once install once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class TargetError(Exception):
    """The server could not be installed or started; the message says which step and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Packages:
    """What pip installs: `pinned` with what it depends on, `bare` without (for a package that asks for gigabytes it
    does not need to serve)."""

    pinned: tuple[str, ...]
    bare: tuple[str, ...] = ()

    def digest(self) -> str:
        """Eight hex digits that change with any pin or with the interpreter: the name of the environment."""
        text = json.dumps([self.pinned, self.bare, sys.version_info[:2]])
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def tail(text: str, lines: int = 15) -> str:
    """The end of a log, where the reason stands."""
    return "\n".join(text.splitlines()[-lines:])


def cache_directory(given: Path | None) -> Path:
    base = given or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = base.resolve() / "inferneo-targets"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two starts at once install once: the second waits for the first."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(name: str, packages: Packages, cache: Path) -> Path:
    """The interpreter of the environment for `packages`, made when it is not there whole.

    The environment counts as whole once `.complete` lies in it: an install that was interrupted is made anew.
    """
    directory = cache / f"{name}-{packages.digest()}"
    python = directory / "bin" / "python"
    with _alone(cache / f"{name}.lock"):
        if (directory / ".complete").exists():
            return python
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=bool(packages.pinned or packages.bare))
        for wanted, options in ((packages.pinned, ()), (packages.bare, ("--no-deps",))):
            if wanted:
                pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
                done = subprocess.run([*pip, *wanted], capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise TargetError(f"{name}: pip could not install {wanted}:\n{tail(done.stderr)}")
        (directory / ".complete").touch()
    return python
