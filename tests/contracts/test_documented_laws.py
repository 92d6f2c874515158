"""The examples of docs/writing-a-law.md run: each is a law that is kept by a right server or client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from stranger import Stranger, serving
from wrong_servers import NoDone

from contracts import law as registry
from contracts.adapters import subject
from contracts.bench import Bench
from contracts.connect import connect
from contracts.judge import Effort, judge
from contracts.mock import Door, MockProcess
from contracts.options import Options

TEXT = (Path(__file__).parents[2] / "docs" / "writing-a-law.md").read_text(encoding="utf-8")


def example(name: str) -> dict[str, Any]:
    """The names that the example of that name defines."""
    found = re.search(rf"<!-- law: {name} -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(found[1], "writing-a-law.md", "exec"), names)
    return names


def test_the_server_law_runs() -> None:
    """It is registered by being defined, and a right server keeps it."""
    example("example")
    made = registry._LAWS.pop("S-SHAPE-99")
    with serving(Stranger) as url:
        assert judge(made, connect(url, Options()), Effort()).word == "ok"
    assert made.title == "A chat message does not end with an empty line"


def test_the_client_law_runs() -> None:
    """Our client keeps it."""
    example("client example")
    made = registry._LAWS.pop("C-READ-99")
    with MockProcess() as mock:
        assert judge(made, Bench(subject("inferneo"), Door(mock.url)), Effort()).word == "ok"


def test_one_law_in_a_strangers_test_runs() -> None:
    """One law by its id, on a URL: silent about a right server, and not about a wrong one."""
    for server, red in ((Stranger, False), (NoDone, True)):
        with serving(server) as url:
            try:
                example("own tests")["test_our_server_ends_its_streams"](url)
            except AssertionError:
                assert red
            else:
                assert not red
