"""Every snippet of the client's reference runs as it is printed, but for the URL, against the fake server."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import typing
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

import inferneo
from inferneo import AsyncInferneoClient, InferneoClient

PAGE = Path(__file__).parents[2] / "docs" / "python-client.md"
BLOCKS = re.findall(r"^### ?(?P<title>.*?)$|```python\n(?P<code>.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def titled_blocks() -> list[tuple[str, str]]:
    title, found = "Quick Start", []
    for heading, code in BLOCKS:
        if heading:
            title = heading
        else:
            found.append((title, code))
    return found


def is_signature(code: str) -> bool:
    """`client.models.get(model_id: str) -> Model` is no program: it is a promise about a signature."""
    try:
        compiled(code)
    except SyntaxError:
        return True
    return bool(re.match(r"client[\w.]*\(.*\) -> ", code))


def compiled(code: str) -> CodeType:
    made: CodeType = compile(code, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return made


ALL = titled_blocks()
SIGNATURES = [(title, code) for title, code in ALL if is_signature(code)]
CLASSES = [(title, code) for title, code in ALL if not is_signature(code) and code.startswith("class ")]
PROGRAMS = [(title, code) for title, code in ALL if not is_signature(code) and not code.startswith("class ")]


def test_every_block_of_the_page_is_checked_in_one_way() -> None:
    """Nothing of the page is left out: signatures, classes and programs are all its blocks."""
    assert (len(SIGNATURES), len(CLASSES), len(PROGRAMS)) == (6, 4, 14)


async def run(code: str, names: dict[str, Any]) -> None:
    result = eval(compiled(code), names)
    if inspect.iscoroutine(result):
        await result


@pytest.mark.inferneo(strict=False)
@pytest.mark.parametrize(("title", "code"), PROGRAMS, ids=[f"{n}-{title}" for n, (title, _) in enumerate(PROGRAMS)])
def test_program(title: str, code: str, inferneo_url: str) -> None:
    """The snippet runs to its end; what it prints is text."""
    with InferneoClient(inferneo_url) as client:
        names: dict[str, Any] = {"client": client, "InferneoClient": InferneoClient}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            asyncio.run(run(code.replace("http://localhost:8000", inferneo_url), names))
        if "make_request_with_retry" in names:
            answer = names["make_request_with_retry"](client, [{"role": "user", "content": "Hello"}])
            assert answer.choices[0].message.content
        if "responses" in names:
            assert [len(answer.choices) for answer in names["responses"]] == [1, 1, 1]
    if "print(" in code:
        assert printed.getvalue().strip(), f"{title}: printed nothing"
    for value in names.values():
        if isinstance(value, InferneoClient):
            value.close()
        if isinstance(value, AsyncInferneoClient):
            asyncio.run(value.close())


def parsed_signature(code: str) -> tuple[list[str], ast.arguments]:
    """A signature block as the attribute path it names and the arguments it promises."""
    path, rest = re.match(r"([\w.]+)(\(.*)", code.strip(), re.DOTALL).groups()  # type: ignore[union-attr] # every block matches
    rest = rest if "->" in rest else rest + " -> None"
    function = ast.parse(f"def f{rest}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return path.split("."), function.args


@pytest.mark.parametrize("which", [InferneoClient, AsyncInferneoClient])
@pytest.mark.parametrize(("title", "code"), SIGNATURES, ids=[title for title, _ in SIGNATURES])
def test_signature(title: str, code: str, which: type[Any]) -> None:
    """Parameters have the page's names, order and defaults."""
    path, promised = parsed_signature(code)
    target: Any = which
    if path[0] == "client":
        target = which("http://127.0.0.1:9")
        for name in path[1:]:
            target = getattr(target, name)
    actual = inspect.signature(target).parameters
    names = [argument.arg for argument in promised.args]
    positional = [name for name, parameter in actual.items() if parameter.kind is not parameter.KEYWORD_ONLY]
    assert positional[: len(names)] == names or set(names) <= set(actual), title
    for name, default in zip(names[len(names) - len(promised.defaults) :], promised.defaults, strict=True):
        assert actual[name].default in (ast.literal_eval(default), None), f"{title}: {name}"
    if promised.kwarg:
        assert any(parameter.kind is parameter.VAR_KEYWORD for parameter in actual.values())


@pytest.mark.parametrize(("title", "code"), CLASSES, ids=[title for title, _ in CLASSES])
def test_class(title: str, code: str) -> None:
    """Each class of the page is exported and has each attribute that the page names."""
    for node in ast.parse(code).body:
        assert isinstance(node, ast.ClassDef)
        hints = typing.get_type_hints(getattr(inferneo, node.name))
        promised = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}  # type: ignore[union-attr] # names only
        assert promised <= set(hints), f"{title}: {node.name} lacks {sorted(promised - set(hints))}"
