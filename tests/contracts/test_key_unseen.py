"""Who lists the processes of the machine does not read the user's key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stranger import Stranger, serving

from contracts.child import KEY as VARIABLE
from contracts.child import Suite
from contracts.cli import main

KEY = "sk-in-no-list-of-processes"


def command_lines() -> list[str]:
    """What `ps` shows of each process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found


class Watching(Stranger):
    """Reads the list of processes at each request."""

    got: set[str]
    shown: list[str]

    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        self.got.add(self.headers.get("Authorization") or "")
        self.shown += [line for line in command_lines() if KEY in line]
        super().do_POST()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_key_is_on_no_command_line(workers: str, tmp_path: Path) -> None:
    """It comes to the server from each process of the run, and stands in the words of none."""
    Watching.got, Watching.shown = set(), []
    file = tmp_path / "t.toml"
    with serving(Watching) as url:
        file.write_text(f'url = "{url}"\napi_key = "{KEY}"\nprofile = "openai"\n')
        run = ["run", "--target", str(file), "--law", "S-PLAIN-01", "--law", "S-REFUSE-09", "-n", workers]
        assert main([*run, "--no-recorded", "--budget", "5s"]) == 0
    assert Watching.got == {f"Bearer {KEY}"}
    assert Watching.shown == []


@pytest.mark.slow
@pytest.mark.parametrize("key", [KEY, ""])
def test_the_suite_alone_takes_a_key(key: str, tmp_path: Path) -> None:
    """`--inferneo-api-key` is for who calls pytest himself, and comes before the variable, which nobody inherits."""

    Watching.got, Watching.shown = set(), []
    (tmp_path / "inherits.py").write_text(
        f"import os\ndef pytest_collection_finish(): assert {VARIABLE!r} not in os.environ\n"
    )
    with serving(Watching) as url:
        words = ["--inferneo-url", url, "--inferneo-law", "S-PLAIN-01", "--inferneo-profile", "openai"]
        plugins = ["-p", "contracts.plugin", "-p", "inherits", "-p", "no:cacheprovider"]
        flag = ["--inferneo-api-key", key] if key else []
        said = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, "--pyargs", "contracts.suite.test_server", *words, *flag],
            cwd=tmp_path,
            env={**os.environ, VARIABLE: "of the variable"},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert said.returncode == 0, said.stdout + said.stderr
    assert Watching.got == {f"Bearer {key or 'of the variable'}"}


def test_an_older_key_of_the_environment_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a key sends none."""
    seen: dict[str, Any] = {}

    def popen(command: list[str], env: dict[str, str], **_: object) -> None:
        seen.update(env=env)
        raise OSError("nothing is started here")

    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr("contracts.child.subprocess.Popen", popen)
    for given in ("", "another"):
        with pytest.raises(OSError, match="nothing is started"):
            Suite(tmp_path, 1.0, 1, 0.0, given).judge([], 1, "", None)  # type: ignore[arg-type]  # shows nothing
        assert seen["env"].get(VARIABLE, "") == given
