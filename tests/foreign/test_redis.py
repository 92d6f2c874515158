"""The shared database in a real Redis: a case that one machine found is the first that another one tries.

It needs Debian's `redis-server` on the PATH and the package `redis`; without them the test fails, as it should here.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.cli import main
from contracts.database import of_law, open_database

LAW = "C-CUT-04"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A server of the test's own, on a free port; nothing is kept on a disk."""
    program = shutil.which("redis-server")
    assert program, "install it: apt-get install redis-server"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert any("Ready to accept connections" in line for line in server.stdout), "it did not start"
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()


def test_a_failing_case_goes_through_redis(redis_url: str) -> None:
    """The command keeps the case under the law's id; what is read back is what was kept."""
    words = ["clients", "--client", "httpx", "--law", "C-ERROR-04", "--database", redis_url]
    assert main(words) == 1
    kept = of_law(open_database(redis_url), "C-ERROR-04")
    assert kept is not None
    assert list(kept.fetch(b"any key"))
    other = of_law(open_database(redis_url), LAW)
    assert other is not None
    assert not list(other.fetch(b"any key"))


def test_a_redis_that_is_gone_is_one_line(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The real package says it, not a stand-in."""
    gone = redis_url.replace("127.0.0.1", "127.0.0.2")
    assert main(["clients", "--client", "httpx", "--law", LAW, "--database", gone]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be used" in said
