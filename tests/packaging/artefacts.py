"""Wheel, sdist and environments for `test_wheel.py`: built once, outside the checkout, from the files that git knows.

What must be in the artefacts is computed from `git ls-files` by rules written here, not read from `pyproject.toml`: a
second opinion. Files that are new and not ignored count as known.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("inferneo", "mockserver", "contracts")
PLUGIN = "_inferneo_pytest.py"
IN_SDIST = (*PACKAGES, "fixtures", "tests", "docs", "benchmarks", "tools")
"""Directories of the checkout that the sdist holds whole."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A built file: its path and the bytes of each file in it, by name."""

    path: Path
    files: Mapping[str, bytes]


def known_files() -> list[str]:
    """The files of the checkout that git knows or would add, by their path with `/`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = run(command, cwd=CHECKOUT).stdout.split("\0")
    return sorted({name for name in names if name and (CHECKOUT / name).is_file()})


def wheel_files(known: Iterable[str], version: str) -> set[str]:
    """What the wheel must hold: the packages, the plugin, fixtures and documents in `mockserver`, and the metadata."""
    info = f"inferneo-{version}.dist-info"
    code = {name for name in known if name == PLUGIN or name.split("/")[0] in PACKAGES}
    data = {f"mockserver/_{name}" for name in known if name.startswith(("fixtures/", "docs/"))}
    metadata = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    return code | data | metadata


def sdist_files(known: Iterable[str], version: str) -> set[str]:
    """What the sdist must hold: everything that is needed to build the wheel and to run the tests again."""
    folders = {name for name in known if name.split("/")[0] in IN_SDIST}
    single = {name for name in known if "/" not in name and (name.endswith(".md") or name == PLUGIN)}
    project = {"pyproject.toml", "tox.ini", "LICENSE", ".gitignore", "PKG-INFO"}
    return {f"inferneo-{version}/{name}" for name in folders | single | project}


def build(folder: Path) -> tuple[Artefact, Artefact]:
    """Wheel and sdist, built by a stranger's command from a copy of the known files; the wheel of the sdist."""
    copy, out = folder / "copy", folder / "dist"
    for name in known_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, copy / name)
    run([sys.executable, "-m", "build", "--outdir", out, copy], cwd=folder)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(sdist) as tar:
        in_sdist = {m.name: found.read() for m in tar.getmembers() if (found := tar.extractfile(m)) is not None}
    return Artefact(wheel, in_wheel), Artefact(sdist, in_sdist)


class Environment:
    """An empty virtual environment outside the checkout, with what pip installed into it."""

    def __init__(self, folder: Path, *requirements: str) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=True, symlinks=os.name != "nt")
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.install(*requirements)

    def install(self, *requirements: str | Path) -> None:
        """`pip install` into the environment."""
        self.run("python", "-m", "pip", "install", "-q", *map(str, requirements), timeout=300)

    def run(self, program: str, *arguments: str, check: bool = True, timeout: float = 60) -> Result:
        """A program of the environment, run in an empty directory with nothing of the checkout on its path."""
        here = self.folder / "empty"
        here.mkdir(exist_ok=True)
        return run([str(self.bin / program), *arguments], cwd=here, check=check, timeout=timeout)

    def pytest(self, source: str, *arguments: str) -> Result:
        """A foreign project's test run: one file, no configuration."""
        project = self.folder / "foreign"
        project.mkdir(exist_ok=True)
        (project / "test_foreign.py").write_text(source)
        command = [
            str(self.bin / "python"),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *arguments,
            "test_foreign.py",
        ]
        return run(command, cwd=project, check=False, timeout=120)


@dataclass(frozen=True, slots=True)
class Result:
    """What a program said."""

    code: int
    stdout: str
    stderr: str


def clean_environ() -> dict[str, str]:
    """The environment variables without those that would let the checkout or another environment in."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "COVERAGE", "TOX", "PYTEST", "INFERNEO", "COLUMNS")
    return {key: value for key, value in os.environ.items() if not key.startswith(hidden)} | {"PYTHONUTF8": "1"}


def run(command: Iterable[str | Path], cwd: Path, check: bool = True, timeout: float = 300) -> Result:
    """A program to its end. With `check` its failure fails the test, with all that it said."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=clean_environ(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return Result(done.returncode, done.stdout, done.stderr)


def lookalike(folder: Path) -> Path:
    """A wheel of another distribution that also brings a top-level `mockserver`, as `mockserver-client` does."""
    info = "mockserver_lookalike-9.0.dist-info"
    files = {
        "mockserver/__init__.py": '"""Not ours."""\n',
        "mockserver/serving/server.py": "",
        "mockserver/cli.py": "def main() -> None: ...\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: mockserver-lookalike\nVersion: 9.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/top_level.txt": "mockserver\n",
    }
    record = [f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    path = folder / "mockserver_lookalike-9.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
