"""The pytest plugin of inferneo: a fake server for each test, one process-wide listener for all of them.

It is a top-level module and imports nothing but pytest and the standard library until a fixture is used, so a run that
does not use it pays about a millisecond, and another distribution's `mockserver` package cannot keep pytest from
starting: only the fixtures fail then, with one sentence that names the distribution in the way.

Fixtures: `inferneo_mock` (a session of the fake server, fresh for the test), `inferneo_url` (its URL), `openai_env`
(the environment of OpenAI's SDKs, pointed at it), `inferneo_client` and `async_inferneo_client` (clients of that
session). Marker: `inferneo(strict=..., unsafe=..., profile=..., seed=..., script=...)`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from inferneo import AsyncInferneoClient, InferneoClient
    from mockserver.serving.server import MockServer
    from mockserver.serving.session import Session

pytest.register_assert_rewrite("contracts")

MARKER = (
    "inferneo(strict=None, unsafe=False, profile='docs', seed=0, script=None): settings of this test's inferneo_mock "
    "session. strict=False: requests that no rule matches are answered like a model, and unused rules or faults do not "
    "fail the test. unsafe=True: rules may answer requests that a real server would refuse."
)
SETTINGS = {"strict", "unsafe", "profile", "seed", "script"}
FAILED = pytest.StashKey[bool]()
INSIDE = {
    ("inferneo._errors", "InferneoError"): ("inferneo._", "httpcore", "h11"),
    ("mockserver.errors", "MockError"): ("mockserver.", "concurrent.futures", "dataclasses"),
}
"""An error that is raised on purpose: the modules between it and the test, of the client and of the fake server."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """`pytest --pyargs contracts.suite --inferneo-url URL` works without `-p contracts.plugin`."""
    named = any(argument.startswith("contracts.suite") for argument in args)
    if named and not early_config.pluginmanager.has_plugin("contracts.plugin"):
        early_config.pluginmanager.import_plugin("contracts.plugin")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember whether the test itself failed: then the session's problems are told, not raised on top of it."""
    ours = call.excinfo is not None and hasattr(item, "_inferneo_session")
    with _inside_hidden(call.excinfo.value if ours and call.excinfo is not None else None):
        report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
        if report.failed and (session := getattr(item, "_inferneo_session", None)) is not None:
            report.sections.append(("inferneo_mock", _told(item, session)))
    return report


@contextmanager
def _inside_hidden(error: BaseException | None) -> Iterator[None]:
    """An error that our client or the fake server raises on purpose is shown where the test met it, without 60 lines
    of theirs.

    `--full-trace` shows them all the same; a mistake in the client (a `TypeError`) is always shown whole.
    """
    hidden = []
    for (module, name), inside in INSIDE.items():
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            between = [vars(found) for known, found in list(sys.modules.items()) if known.startswith(inside)]
            hidden = [names for names in between if "__tracebackhide__" not in names]
    for names in hidden:
        names["__tracebackhide__"] = True
    try:
        yield
    finally:
        for names in hidden:
            del names["__tracebackhide__"]


def _told(item: pytest.Item, session: Session, explained: bool = True) -> str:
    """The session in a few lines, and the command that replays it, if there is anything to replay; not `explained`: its
    problems were told before.
    """
    told = [_part("the session cannot be described", lambda: session.describe(explained))]
    told.append(_part("nothing is known of the default session", lambda: _astray(item)))
    if not session.journal:
        told.append(_part("the session does not answer", lambda: _nothing_came(session)))
        return "\n".join(filter(None, told))
    told.append(_part("the verdicts cannot be told", lambda: _beside_the_replay(session)))
    told.append(_part("there is no replay", lambda: f"replay: {_command(_write_bundle(item, session))}"))
    return "\n".join(filter(None, told))


def _part(instead: str, make: Callable[[], str]) -> str:
    """A part of a report; one that fails does not take the others with it, and an error in a hook would end the run."""
    try:
        return make()
    except Exception as error:
        return f"{instead}: {type(error).__name__}: {error}"


def _beside_the_replay(session: Session) -> str:
    """What a replay does not show, where a verdict has found something."""
    if all(verdict.ok for verdict in session.verdicts()):
        return ""
    return (
        "the replay sends the requests to the fake server again; the verdict is on your client, which is no part of it"
    )


def _astray(item: pytest.Item) -> str:
    """The requests of this test's time that came to no test's session, as where the URL's prefix was forgotten."""
    server, before = item._inferneo_before  # type: ignore[attr-defined]  # the fixture has put it there
    came = [one for one in server.session().journal if one.number > before]
    if not came:
        return ""
    from mockserver.count import counted

    first = came[0]
    many = f"{counted(len(came), 'request')} came to the default session"
    whose = "its" if len(came) == 1 else "their"
    told = f"{first.request.method} {first.request.path}, answered {first.status}"
    return f"{many} (no /@NAME in {whose} URL): {told}"


def _nothing_came(session: Session) -> str:
    """Where the client under test should have asked, if it did not ask; else that the journal was cleared."""
    if session.state["requests"]:
        return "the journal was cleared and no request came after that, so there is nothing to replay"
    nothing = "so there is nothing to replay; is that the client's base URL?"
    return f"no request reached the session at {session.url}, {nothing}"


def _command(bundle: Path) -> str:
    """What replays `bundle`, as it can be pasted into a shell: the command, where the shell would find ours."""
    import shlex
    import shutil

    ours = Path(sys.executable).parent / "inferneo-mock"
    found = shutil.which("inferneo-mock")
    here = found is not None and Path(found).parent.resolve() == ours.parent.resolve()
    words = ["inferneo-mock"] if here else [str(ours)] if ours.exists() else [sys.executable, "-m", "mockserver"]
    return shlex.join([*words, "replay", str(bundle)])


def _write_bundle(item: pytest.Item, session: Session) -> Path:
    """The session as a file: in $INFERNEO_BUNDLES, else in a folder of ours among the temporary files."""
    import json
    from hashlib import sha256

    chosen = os.environ.get("INFERNEO_BUNDLES")
    folder = Path(chosen).absolute() if chosen else _own_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", item.nodeid)[-100:].strip("-")
    whose = sha256(f"{item.config.rootpath} {item.nodeid}".encode()).hexdigest()[:8]  # others have tests of this name
    path = folder / f"{name}-{whose}.json"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(session.bundle()), encoding="utf-8")
    unfinished.replace(path)
    return path


@cache
def _own_folder() -> Path:
    """`inferneo-bundles-UID` among the temporary files, where it is ours alone; else one that nobody could foresee.

    Anybody may have made that name first, as a folder that they can read or as a link to one of ours.
    """
    import stat
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"inferneo-bundles-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and (user == "" or (found.st_uid == user and not found.st_mode & 0o077)):
        return folder
    return Path(tempfile.mkdtemp(prefix="inferneo-bundles-"))


def _in_the_way() -> str:
    """The sentence that explains a `mockserver` package that is not ours, or a missing extra."""
    from importlib import metadata

    owners = sorted(set(metadata.packages_distributions().get("mockserver", ())) - {"inferneo"})
    if owners:
        return (
            f"inferneo: the import package 'mockserver' belongs to the distribution {', '.join(map(repr, owners))} "
            "here, not to 'inferneo'; uninstall it or give the tests an environment of their own, then reinstall "
            "'inferneo[mock]'"
        )
    return "inferneo: the fixture needs the fake server's own dependencies; install 'inferneo[mock]'"


def _mock_server_class() -> type[MockServer]:
    try:
        from mockserver.serving.server import MockServer
    except ImportError as error:
        pytest.fail(f"{_in_the_way()} ({error})", pytrace=False)
    return MockServer


@pytest.fixture(scope="session")
def _inferneo_server() -> Iterator[MockServer]:
    """One fake server for the whole process (with pytest-xdist: one per worker), on a free port of the loopback."""
    with _mock_server_class()() as server:
        yield server


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The markers of the test, the nearest last word; an unknown setting is an error of the test."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("inferneo"))):
        unknown = set(marker.kwargs) - SETTINGS
        if marker.args or unknown:
            got = ", ".join([*map(repr, marker.args), *sorted(unknown)])
            pytest.fail(f"@pytest.mark.inferneo takes the keywords {', '.join(sorted(SETTINGS))}; got {got}", False)
        settings |= marker.kwargs
    return settings


def _new_session(server: MockServer, settings: dict[str, Any]) -> Session:
    """The session of a test; a setting that means nothing is one line, without our own inside."""
    try:
        return server.new_session(**settings)
    except (ValueError, sys.modules["mockserver.errors"].MockError) as error:
        told = str(error)
    except OSError as error:
        told = f"script: {error.strerror or error}: {str(settings.get('script'))!r}, sought from {Path.cwd()}"
    pytest.fail(f"@pytest.mark.inferneo: {told}", pytrace=False)


@pytest.fixture
def inferneo_mock(request: pytest.FixtureRequest, _inferneo_server: MockServer) -> Iterator[Session]:
    """A session of the fake server for this test alone: its own rules, faults, seed and journal.

    With no rule it answers like a model. Once it has one, a request that no rule matches, a rule or fault that was
    never used, and a request that a rule answered though a real server would refuse it fail the test at teardown
    (relaxed by `@pytest.mark.inferneo(strict=False)`, the last alone by `unsafe=True`).
    """
    settings = _settings(request)
    session = _new_session(_inferneo_server, settings)
    request.node._inferneo_before = (_inferneo_server, _inferneo_server.run(lambda: _inferneo_server.core("").requests))
    request.node._inferneo_session = session
    yield session
    try:
        problems = session.problems() if settings.get("strict") is not False else []
        description = _told(request.node, session, explained=False) if problems else ""
    finally:
        del request.node._inferneo_session
        session.close()
    if problems and not request.node.stash.get(FAILED, False):
        pytest.fail("\n".join([f"inferneo_mock: {problems[0]}", *problems[1:], description]), False)


@pytest.fixture
def inferneo_url(inferneo_mock: Session) -> str:
    """The base URL of this test's session, for any client: `http://127.0.0.1:PORT/@NAME`."""
    return inferneo_mock.url


@pytest.fixture
def openai_env(inferneo_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Points OpenAI's SDKs, and what is built on them, at this test's session: base URL and a dummy key."""
    base = f"{inferneo_url}/v1"
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-dummy")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return base


@pytest.fixture
def inferneo_client(inferneo_url: str) -> Iterator[InferneoClient]:
    """A client of this test's session; closed after the test."""
    from inferneo import InferneoClient

    with InferneoClient(inferneo_url) as client:
        yield client


@pytest.fixture
def async_inferneo_client(inferneo_url: str) -> Iterator[AsyncInferneoClient]:
    """An asynchronous client of this test's session; usable in whatever event loop the test runs."""
    import asyncio

    from inferneo import AsyncInferneoClient

    client = AsyncInferneoClient(inferneo_url)
    yield client
    asyncio.run(client.close())
