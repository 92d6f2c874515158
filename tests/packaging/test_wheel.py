"""The artefacts, as a stranger meets them: exactly the right files, and they work outside the checkout.

Not part of the ordinary run (it builds, and installs from the package index): `tox -e package`, or
`python -m pytest tests/packaging --confcutdir tests/packaging`.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
import urllib.request
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from artefacts import (
    CHECKOUT,
    PACKAGES,
    PLUGIN,
    Artefact,
    Environment,
    build,
    clean_environ,
    known_files,
    lookalike,
    sdist_files,
    wheel_files,
)

PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: str = PROJECT["version"]


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artefact, Artefact]:
    """Wheel and sdist."""
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def wheel(artefacts: tuple[Artefact, Artefact]) -> Artefact:
    """The wheel."""
    return artefacts[0]


@pytest.fixture(scope="module")
def full(wheel: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and all extras."""
    return Environment(tmp_path_factory.mktemp("full"), f"inferneo[all] @ {wheel.path.as_uri()}")


@pytest.fixture(scope="module")
def plain(wheel: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel alone."""
    return Environment(tmp_path_factory.mktemp("plain"), str(wheel.path))


@pytest.fixture(scope="module")
def plain_with_pytest(wheel: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel alone, and pytest for other reasons."""
    return Environment(tmp_path_factory.mktemp("pytest"), str(wheel.path), "pytest")


def test_wheel_holds_exactly_its_files(wheel: Artefact) -> None:
    """Nothing extra, nothing missing: three packages, the plugin, fixtures and documents in `mockserver`, metadata."""
    assert set(wheel.files) == wheel_files(known_files(), VERSION)
    tops = {name.split("/")[0] for name in wheel.files}
    assert tops == {*PACKAGES, PLUGIN, f"inferneo-{VERSION}.dist-info"}


def test_sdist_holds_exactly_its_files(artefacts: tuple[Artefact, Artefact]) -> None:
    """The sdist builds the wheel (this one was built of it) and holds the tests and the documents."""
    assert set(artefacts[1].files) == sdist_files(known_files(), VERSION)


def test_fixtures_are_byte_identical(artefacts: tuple[Artefact, Artefact]) -> None:
    """Recorded bytes are exact: nothing on the way to wheel and sdist touches an end of line."""
    names = [name for name in known_files() if name.startswith("fixtures/")]
    assert len(names) > 500
    for name in names:
        data = (CHECKOUT / name).read_bytes()
        assert artefacts[0].files[f"mockserver/_{name}"] == data, name
        assert artefacts[1].files[f"inferneo-{VERSION}/{name}"] == data, name


def test_metadata_says_what_is_needed(wheel: Artefact) -> None:
    """The client needs two distributions; everything else is behind an extra. All three packages are typed."""
    metadata = message_from_bytes(wheel.files[f"inferneo-{VERSION}.dist-info/METADATA"])
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert sorted(need.split("<")[0].split(">")[0] for need in needs) == ["httpx", "msgspec"]
    assert set(metadata.get_all("Provides-Extra", [])) >= {"mock", "contracts", "httpx2", "all"}
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.files)
    entries = wheel.files[f"inferneo-{VERSION}.dist-info/entry_points.txt"].decode()
    assert "[pytest11]\ninferneo = _inferneo_pytest\n" in entries
    assert "inferneo-mock = mockserver.cli:main" in entries
    assert "inferneo-contracts = contracts.cli:main" in entries


def test_the_packages_are_those_of_the_wheel(full: Environment) -> None:
    """Outside the checkout the three packages and the plugin are imported from the environment, fixtures included."""
    names = (*PACKAGES, "_inferneo_pytest", "mockserver.serving.server", "contracts.law")
    said = full.run(
        "python",
        "-W",
        "error",
        "-c",
        f"import importlib\nfor n in {names}: print(importlib.import_module(n).__file__)\n"
        "from mockserver import fixtures; print(fixtures.path())",
    )
    places = said.stdout.splitlines()
    assert len(places) == len(names) + 1
    assert all("site-packages" in place for place in places), places
    assert places[-1].endswith("_fixtures")


@pytest.mark.parametrize("script", ["inferneo-mock", "inferneo-contracts"])
def test_a_console_script_helps(full: Environment, script: str) -> None:
    """Both scripts are installed and explain themselves."""
    said = full.run(script, "--help")
    assert f"usage: {script}" in said.stdout
    assert not said.stderr


def test_the_contracts_script_lists_the_laws(full: Environment) -> None:
    """The laws are in the wheel: both sides, by id."""
    said = full.run("inferneo-contracts", "list")
    assert "S-" in said.stdout
    assert "C-" in said.stdout


def test_the_manual_is_in_the_wheel(plain: Environment) -> None:
    """Without an extra, and outside the checkout: the list, and a page whole."""
    assert "verdicts " in plain.run("inferneo-mock", "docs").stdout
    said = plain.run("inferneo-mock", "docs", "verdicts")
    assert said.stdout == (CHECKOUT / "docs/verdicts.md").read_text("utf-8")


@pytest.fixture
def served(full: Environment) -> Iterator[str]:
    """The URL of the installed fake server, run by its console script."""
    command = [str(full.bin / "inferneo-mock"), "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=full.folder, env=clean_environ(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("inferneo-mock listening on http://127.0.0.1:"), line
        yield line.split()[3]
    finally:
        process.terminate()
        code = process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
    assert code == 0


def ask(url: str, method: str = "GET", document: Any = None) -> bytes:
    """The body of the answer of the server at `url`."""
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        body: bytes = response.read()
    return body


def test_the_installed_server_serves_a_fixture(served: str) -> None:
    """The profile is found in the wheel, and a recorded exchange, named in a script, is served byte for byte."""
    assert json.loads(ask(f"{served}/v1/models"))["object"] == "list"
    script = {"rules": [{"match": {"path": "/v1/chat/completions"}, "reply": {"fixture": "engine-0.1.0/chat"}}]}
    ask(f"{served}/_mock/script", "PUT", script)
    body = ask(f"{served}/v1/chat/completions", "POST", {"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    recorded = (CHECKOUT / "fixtures/recorded/engine-0.1.0/chat.http").read_bytes()
    assert len(body) > 100
    assert recorded.endswith(b"\r\n\r\n" + body)


FOREIGN = """
def test_it(inferneo_mock, inferneo_client):
    inferneo_mock.on().reply({"text": "Hello from the wheel."})
    answer = inferneo_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "Hello from the wheel."
"""


def test_the_plugin_works_in_a_foreign_project(full: Environment) -> None:
    """A project that knows nothing of ours but the wheel uses the fixtures, warnings as errors, with xdist too."""
    for arguments in (["-W", "error"], ["-W", "error", "-n", "2"]):
        said = full.pytest(FOREIGN, *arguments)
        assert "1 passed" in said.stdout, said.stdout + said.stderr
        assert "mockserver" not in said.stderr


def test_the_client_alone_is_the_client(plain: Environment) -> None:
    """Without extras `import inferneo` works and brings nothing of the server, the judge, or pytest."""
    said = plain.run(
        "python",
        "-W",
        "error",
        "-c",
        "import sys, inferneo; inferneo.InferneoClient, inferneo.AsyncInferneoClient\n"
        "print(sorted(set(sys.modules) & {'mockserver', 'contracts', 'starlette', 'uvicorn', 'pytest', 'hypothesis'}))",
    )
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["inferneo-mock", "serve", "--port", "0"], "inferneo[mock]"),
        (["inferneo-contracts", "run"], "inferneo[contracts]"),
        (["inferneo-contracts", "list"], "inferneo[contracts]"),
    ],
)
def test_a_script_without_its_extra_says_which(plain: Environment, command: list[str], extra: str) -> None:
    """One line on stderr that names the extra, exit 2, no traceback."""
    said = plain.run(*command, check=False)
    assert said.code == 2, said.stderr
    assert said.stderr.count("\n") == 1, said.stderr
    assert extra in said.stderr
    assert not said.stdout


def test_the_server_without_its_extra_says_which(plain: Environment) -> None:
    """`from mockserver import MockServer` without the extra is an ImportError whose message names it."""
    said = plain.run("python", "-c", "from mockserver import MockServer", check=False)
    assert said.code == 1
    last = said.stderr.strip().splitlines()[-1]
    assert last.startswith(("ImportError: ", "ModuleNotFoundError: ")), said.stderr
    assert "inferneo[mock]" in last


def test_bare_pytest_starts_with_the_client_alone(plain_with_pytest: Environment) -> None:
    """The plugin costs a foreign test run nothing; only a test that asks for the fixture fails, and says what to do."""
    said = plain_with_pytest.pytest("def test_it(): assert True\n", "-W", "error")
    assert "1 passed" in said.stdout, said.stdout + said.stderr
    said = plain_with_pytest.pytest(FOREIGN)
    assert "1 error" in said.stdout
    assert "install 'inferneo[mock]'" in said.stdout
    assert "Traceback" not in said.stdout + said.stderr


def test_another_mockserver_in_the_way_is_named(plain_with_pytest: Environment, tmp_path: Path) -> None:
    """A top-level `mockserver` of another distribution stops no test run; who asks for the fixture is told whose it is.

    Runs last in its environment: the other distribution writes over ours, as pip lets it.
    """
    plain_with_pytest.install("--no-index", lookalike(tmp_path))
    said = plain_with_pytest.pytest("def test_it(): assert True\n", "-W", "error")
    assert "1 passed" in said.stdout, said.stdout + said.stderr
    said = plain_with_pytest.pytest(FOREIGN)
    assert "1 error" in said.stdout
    assert "'mockserver' belongs to the distribution 'mockserver-lookalike'" in said.stdout
    assert "INTERNALERROR" not in said.stdout + said.stderr
