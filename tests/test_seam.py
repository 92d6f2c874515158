"""The seam to the HTTP library: httpx2 where it is installed, else httpx; a client of the other family is refused."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from inferneo import AsyncInferneoClient, InferneoClient, InferneoConnectionError, InferneoError, InferneoTimeoutError
from inferneo._http import engine, family, library

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}


def answer(request: Any) -> Any:
    """What a transport of the user's own gives back."""
    if json.loads(request.content).get("stream"):
        body = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"
        return library().Response(200, headers={"content-type": "text/event-stream"}, text=body)
    return library().Response(200, json=ANSWER)


def test_family() -> None:
    """httpx2 when it can be imported, else httpx; the engine is the library's own."""
    expected = "httpx2" if find_spec("httpx2") else "httpx"
    assert family() == expected
    assert library().__name__ == expected
    assert engine().__name__ == expected.replace("httpx", "httpcore")


@pytest.mark.slow
def test_falls_back_to_httpx() -> None:
    """Where httpx2 is not installed the client drives httpx's engine: wire cases in a Python that hides httpx2."""
    hide = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'httpx2' else find(name, *a)\n"
        "sys.modules['httpx2'] = sys.modules['httpcore2'] = None\n"
        "import pytest\n"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-k', "
        "'e17 or e19 or e23_no or g21 or g23 or b10 or head-dripped or idle-comments or stall-after-done', "
        "'tests/client/test_wire_cases.py']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide], capture_output=True, text=True, check=False, timeout=120, env=os.environ
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout


@pytest.mark.parametrize("argument", ["http_client", "transport"])
def test_own_client_or_transport(argument: str) -> None:
    """A client of the user's own, or one made of the user's transport, is driven through the library."""
    lib = library()
    transport = lib.MockTransport(answer)

    async def main() -> str:
        own = lib.AsyncClient(transport=transport) if argument == "http_client" else transport
        settings: dict[str, Any] = {argument: own}
        async with AsyncInferneoClient("http://own", **settings) as client:
            assert (await client.chat.completions.create("m", M)).text == "Hello"
            return "".join([chunk.text async for chunk in client.chat.completions.create("m", M, stream=True)])

    settings: dict[str, Any] = {argument: lib.Client(transport=transport) if argument == "http_client" else transport}
    with InferneoClient("http://own", **settings) as client:
        assert client.chat.completions.create("m", M).text == "Hello"
        assert [chunk.text for chunk in client.chat.completions.create("m", M, stream=True)] == ["Hello"]
    assert asyncio.run(main()) == "Hello"
    own = settings[argument]
    if argument == "http_client":
        assert not own.is_closed  # what is the user's, the user closes
        own.close()


def test_errors_of_the_library_are_ours() -> None:
    """Whatever a transport raises."""
    lib = library()
    for raised, kind in [
        (lib.ConnectError("no"), InferneoConnectionError),
        (lib.ReadTimeout("slow"), InferneoTimeoutError),
        (lib.PoolTimeout("full"), InferneoTimeoutError),
        (lib.RemoteProtocolError("odd"), InferneoError),
        (lib.UnsupportedProtocol("x"), InferneoError),
        (lib.DecodingError("x"), InferneoError),
        (RuntimeError("x"), InferneoError),
    ]:

        def fail(_: Any, raised: Exception = raised) -> Any:
            raise raised

        with (
            InferneoClient("http://own", transport=lib.MockTransport(fail), max_retries=0) as client,
            pytest.raises(kind),
        ):
            client.chat.completions.create("m", M)


def test_other_family() -> None:
    """A client of the other family is refused, with both names and what to pass instead."""
    other = "httpx" if family() == "httpx2" else "httpx2"
    if not find_spec(other):
        pytest.skip(f"only {family()} is installed here")
    module = importlib.import_module(other)
    with (
        module.Client() as wrong,
        pytest.raises(InferneoError, match=f"of {other}.*uses {family()}.*{family()}.Client"),
    ):
        InferneoClient(http_client=wrong)
    with library().Client() as wrong, pytest.raises(InferneoError, match="AsyncClient"):
        AsyncInferneoClient(http_client=wrong)
