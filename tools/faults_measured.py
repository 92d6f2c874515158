"""What HTTP clients do under every fault of the catalogue, asked and written down: `docs/faults-measured.md`.

    python tools/faults_measured.py              # the page into docs/
    python tools/faults_measured.py --print cut stall   # only these kinds, to stdout

Each client is asked for the same chat answer twice on one client object, as a stream and as one document, from a port
that has only this fault, with short time limits and without retries. httpx, requests and aiohttp are asked for bytes,
openai and inferneo for what they make of them. A client that is not installed is said to be missing. Nothing is
judged: whoever reads a clean `ok` beside a fault that cut the answer knows enough.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mockserver import MockServer
from mockserver.faults import kinds
from mockserver.scripting.catalogue import GROUPS, example_fault
from mockserver.serving.session import Session

PAGE = Path(__file__).resolve().parent.parent / "docs" / "faults-measured.md"
LIMIT = 0.5
"""Seconds that a client waits for a connection, for a read and for a write."""
SLOW = 0.4
"""Seconds from which on the time is told."""
PATIENCE = 8.0
"""Seconds after which the measurement gives up on a client that does not come back."""
TEXT = "Grüße, one two three four."
BODY: dict[str, Any] = {
    "model": "meta-llama/Llama-2-7b-chat-hf",
    "messages": [{"role": "user", "content": "Hi"}],
}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
SHOWN: dict[str, dict[str, Any]] = {"key-expired": {"calls": 1}, "connection-limit": {"limit": 1}}
"""Settings that show a fault within two calls, where the catalogue's example needs more."""

Call = Callable[[], str]


@contextmanager
def httpx_client(url: str, stream: bool, body: dict[str, Any]) -> Iterator[Call]:
    """Bytes, by httpx."""
    import httpx

    with httpx.Client(timeout=LIMIT, trust_env=False) as client:

        def call() -> str:
            with client.stream("POST", f"{url}/v1/chat/completions", json={**body, "stream": stream}) as response:
                return received(response.status_code, sum(len(part) for part in response.iter_bytes()))

        yield call


@contextmanager
def requests_client(url: str, stream: bool, body: dict[str, Any]) -> Iterator[Call]:
    """Bytes, by requests (urllib3)."""
    import requests

    with requests.Session() as client:
        client.trust_env = False

        def call() -> str:
            asked = {**body, "stream": stream}
            with client.post(f"{url}/v1/chat/completions", json=asked, timeout=LIMIT, stream=True) as response:
                return received(response.status_code, sum(len(part) for part in response.iter_content(None)))

        yield call


@contextmanager
def aiohttp_client(url: str, stream: bool, body: dict[str, Any]) -> Iterator[Call]:
    """Bytes, by aiohttp."""
    import aiohttp

    limits = aiohttp.ClientTimeout(total=None, sock_connect=LIMIT, sock_read=LIMIT)

    async def ask(client: aiohttp.ClientSession) -> str:
        async with client.post(f"{url}/v1/chat/completions", json={**body, "stream": stream}) as response:
            return received(response.status, sum([len(part) async for part in response.content.iter_any()]))

    async def made() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=limits)

    with asyncio.Runner() as runner:
        client = runner.run(made())
        try:
            yield lambda: runner.run(ask(client))
        finally:
            runner.run(client.close())


@contextmanager
def openai_client(url: str, stream: bool, body: dict[str, Any]) -> Iterator[Call]:
    """What openai-python makes of it."""
    import openai

    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, timeout=LIMIT) as client:
        create: Any = client.chat.completions.create
        yield lambda: understood(create(**body, stream=stream), stream)


@contextmanager
def inferneo_client(url: str, stream: bool, body: dict[str, Any]) -> Iterator[Call]:
    """What our own client makes of it."""
    from inferneo import InferneoClient

    with InferneoClient(url, api_key="k", max_retries=0, timeout=LIMIT) as client:
        create: Any = client.chat.completions.create
        yield lambda: understood(create(**body, stream=stream), stream)


CLIENTS = {
    "httpx": httpx_client,
    "requests": requests_client,
    "aiohttp": aiohttp_client,
    "openai": openai_client,
    "inferneo": inferneo_client,
}


def received(status: int, size: int) -> str:
    """What a client of bytes tells."""
    return f"{status}, {size} B"


def understood(answer: Any, stream: bool) -> str:
    """What a client of the API tells: the text, the calls of tools, how it finished."""
    text, calls, finish = "", 0, None
    if stream:
        for chunk in answer:
            for choice in getattr(chunk, "choices", None) or ():
                text += getattr(choice.delta, "content", None) or ""
                calls += len(getattr(choice.delta, "tool_calls", None) or ())
                finish = choice.finish_reason or finish
    else:
        for choice in answer.choices:
            text += choice.message.content or ""
            calls += len(getattr(choice.message, "tool_calls", None) or ())
            finish = choice.finish_reason or finish
    what = "all" if text == TEXT or (calls and not text) else f"{len(text)} of {len(TEXT)} letters"
    return f"ok, {what}" + ("" if finish in ("stop", "tool_calls") else f", finish {finish!r}")


def outcome(call: Call) -> str:
    """What a call gave, or the class of what it raised; with the time, where it took long."""
    started = time.monotonic()
    try:
        told = call()
    except Exception as error:  # whatever a client raises is the result
        told = f"**{type(error).__name__}**"
        if (status := getattr(error, "status_code", None)) is not None:
            told += f" {status}"
    seconds = time.monotonic() - started
    return told if seconds < SLOW else f"{told} ({seconds:.1f} s)"


@dataclass(frozen=True)
class Job:
    """One cell of the page."""

    kind: str
    client: str
    stream: bool

    def ask(self, url: str) -> str:
        """Two calls on one client; the second is told where it went otherwise."""
        body = {**BODY, "tools": TOOLS, "tool_choice": "required"} if self.kind == "tool-arguments" else BODY
        with CLIENTS[self.client](url, self.stream, body) as call:
            first = outcome(call)
            if self.kind == "idle-close":
                time.sleep(0.2)
            second = outcome(call)
        return first if first == second else f"{first}; then {second}"


def measure(server: MockServer, job: Job) -> str:
    """The cell: asked on a port of its own."""
    script: dict[str, Any] = {"rules": [{"match": {"tools": ["f"]}}, {"reply": {"text": TEXT}}]}
    if job.kind:
        script["faults"] = [{**example_fault(job.kind), **SHOWN.get(job.kind, {})}]
    session: Session = server.new_session(script=script)
    found: list[str] = []
    try:
        url = server.listener(session)

        def work() -> None:
            try:
                found.append(job.ask(url))
            except Exception as error:  # what a client raises at its end is a result, too
                found.append(f"**{type(error).__name__}** at its end")

        thread = threading.Thread(target=work, daemon=True)
        with ExitStack() as stack:
            if job.kind == "connection-limit":
                port = int(url.rsplit(":", 1)[1])
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            thread.start()
            thread.join(PATIENCE)
        unused = bool(session.state["unused_faults"])
    finally:
        session.close()
    thread.join(2)
    if found and unused:
        return "-"
    return found[0] if found else f"still going after {PATIENCE:g} s"


def installed() -> dict[str, str]:
    """The version of each client; empty: not installed."""
    found = {}
    for name in CLIENTS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def table(wanted: list[str], workers: int = 8) -> dict[Job, str]:
    """All cells of these kinds, and of no fault (the kind of the empty name)."""
    there = [name for name, version in installed().items() if version]
    jobs = [Job(kind, name, stream) for kind in ["", *wanted] for stream in (True, False) for name in there]
    with MockServer(max_sessions=len(jobs) + 2) as server, ThreadPoolExecutor(workers) as pool:
        for name in there:
            measure(server, Job("", name, True))  # a first call imports
        return dict(zip(jobs, pool.map(lambda job: measure(server, job), jobs), strict=True))


def page(wanted: list[str], cells: dict[Job, str]) -> str:
    """The page in Markdown."""
    versions = installed()
    named = ", ".join(f"{name} {version or '(not installed)'}" for name, version in versions.items())
    parts = [
        "# What clients do under each fault\n\n"
        "Made by `python tools/faults_measured.py`; real calls, nothing is edited. Each client asked twice, on one\n"
        f"client object, without retries, with {LIMIT:g} s as its limit for connecting and reading. httpx, requests\n"
        "and aiohttp tell the status and the bytes of the body they were given; openai and inferneo what they made of\n"
        f"them: `all` is the whole answer ({len(TEXT)} letters, or the call of a tool). **Bold** is the class of the\n"
        f"exception, with its status. Times are told from {SLOW:g} s on. `-`: the fault found nothing to do. The\n"
        "settings are those of the example in [faults.md](faults.md).\n\n"
        f"Measured on Python {platform.python_version()}, {platform.system()}: {named}.\n"
    ]
    for stream, title in ((True, "A stream"), (False, "One document")):
        parts.append(f"\n## {title}\n")
        for group, words in {"": "No fault", **GROUPS}.items():
            rows = [kind for kind in ["", *wanted] if (kinds()[kind].group if kind else "") == group]
            if rows:
                parts.append(f"\n### {words}\n\n| fault | {' | '.join(CLIENTS)} |\n|---|{'---|' * len(CLIENTS)}\n")
                for kind in rows:
                    told = (cells.get(Job(kind, name, stream), "not installed") for name in CLIENTS)
                    parts.append(f"| {f'`{kind}`' if kind else 'none'} | {' | '.join(told)} |\n")
    return "".join(parts)


def main(words: list[str] | None = None) -> int:
    """Measure, then write or print."""
    parser = argparse.ArgumentParser(description="Measure what clients do under each fault.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="only these (all)")
    parser.add_argument("--print", action="store_true", help="to stdout, not into docs/faults-measured.md")
    options = parser.parse_args(words)
    strangers = [kind for kind in options.kinds if kind not in kinds()]
    if strangers:
        parser.error(f"unknown fault kind {strangers[0]!r}; known: {', '.join(kinds())}")
    wanted = options.kinds or list(kinds())
    text = page(wanted, table(wanted))
    if options.print or options.kinds:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, "utf-8")
        print(PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
