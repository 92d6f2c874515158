"""The page on the client: its examples run against the fake server, its tables and its tree are what the code has."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from inferneo import InferneoClient, _errors
from inferneo._arguments import OPTIONS
from inferneo._retry import STATUSES, Retry

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r"^## (.*?)$|```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)


def titled() -> list[tuple[str, str]]:
    title, found = "", []
    for heading, code in BLOCKS:
        if heading:
            title = heading
        else:
            found.append((title, code))
    return found


EXAMPLES = titled()
SILENT = ("Retries", "Options")


def quiet_log() -> None:
    for handler in logging.getLogger().handlers[:]:
        if type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)


@pytest.mark.inferneo(strict=False)
@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[f"{n}-{title}" for n, (title, _) in enumerate(EXAMPLES)])
def test_example(title: str, code: str, inferneo_url: str) -> None:
    """It runs to its end, and prints something where it prints."""
    if "transport=" in code:
        pytest.importorskip("websockets", reason="extra 'ws' is not installed")
    names: dict[str, Any] = {}
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code.replace("http://localhost:8000", inferneo_url), "docs/client.md", "exec"), names)
    finally:
        quiet_log()
        for value in names.values():
            if isinstance(value, InferneoClient):
                value.close()
    if title not in SILENT and title != "Logging":
        assert "cut off" not in printed.getvalue()
        assert printed.getvalue().strip() or "InferneoTimeoutError" in code


def test_every_chapter_has_an_example_or_a_table() -> None:
    """A chapter without either would be untested prose."""
    for chapter in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        assert "```python" in chapter or re.search(r"^\|", chapter, re.MULTILINE), chapter[:30]
    assert len(EXAMPLES) == 10


def test_the_tree_is_the_code() -> None:
    """The drawing is that of the module, line by line; each attribute is named."""
    drawing = [line.strip() for line in (_errors.__doc__ or "").splitlines() if "Inferneo" in line and "  " in line]
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    assert [line.strip() for line in shown.group(1).splitlines()] == drawing
    for name in (*_errors.ATTRIBUTES, "retryable", "message"):
        assert f"`{name}`" in PAGE, name


def test_the_tables_are_complete() -> None:
    """Each argument of the constructor, each option of a call, each variable that the code reads."""
    arguments = [name for name in inspect.signature(InferneoClient).parameters if name != "self"]
    for name in (*arguments, *OPTIONS):
        assert f"`{name}`" in PAGE, name
    sources = "\n".join(path.read_text("utf-8") for path in Path(inspect.getfile(InferneoClient)).parent.glob("*.py"))
    read = {f"INFERNEO_{name}" for name in re.findall(r'_env\("(\w+)"\)', sources)}
    read |= set(re.findall(r'environ\.get\("(INFERNEO_\w+)"', sources))
    assert read == set(re.findall(r"^\| `(INFERNEO_\w+)`", PAGE, re.MULTILINE))


def test_the_numbers_are_the_code() -> None:
    """Statuses and seconds of the retry policy."""
    sentence = re.search(r"after ((?:\d{3},? ?(?:and )?)+), three times", PAGE)
    assert sentence
    assert {int(status) for status in re.findall(r"\d{3}", sentence.group(1))} == set(STATUSES)
    policy = Retry()
    assert (policy.max_retries, policy.base, policy.cap, policy.max_retry_delay) == (3, 0.5, 8.0, 60.0)
    assert "0.5 s, then twice as long each time up to 8 s" in PAGE
    assert "(60 s)" in PAGE
