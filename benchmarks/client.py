"""CPU time of the client, side by side with raw httpx and openai-python (extra `bench`), in one run.

    python benchmarks/client.py            # prints the table
    python benchmarks/client.py --write    # and writes docs/performance-client.md

Every number is this process's CPU time (user and system), the best of several rounds: the server runs in a process of
its own. openai-python is left out when it is not installed. Ratios are what to read: both sides pay for the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from inferneo import AsyncInferneoClient, InferneoClient
from inferneo._http import family, library

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Tell me something about the sea."}]
CHUNKS = 500
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def _plain() -> bytes:
    body = json.dumps(ANSWER).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _stream() -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [head]
    for index in range(CHUNKS):
        finish = "stop" if index == CHUNKS - 1 else None
        choice = {"index": 0, "delta": {"content": "hello "}, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
        parts.append(b"%x\r\n%s\r\n" % (len(data), data))
    done = b"data: [DONE]\n\n"
    return b"".join([*parts, b"%x\r\n%s\r\n0\r\n\r\n" % (len(done), done)])


async def _serve(ready: Any) -> None:
    plain, stream = _plain(), _stream()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = head.lower().partition(b"content-length:")[2]
                body = await reader.readexactly(int(found.partition(b"\r\n")[0] or 0))
                writer.write(stream if b'"stream":true' in body.replace(b" ", b"") else plain)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 20)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _server(ready: Any) -> None:
    asyncio.run(_serve(ready))


def best(rounds: int, times: int, work: Callable[[], Any]) -> float:
    """CPU seconds per time, the best round."""
    work()
    found = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times)
    return min(found)


def best_async(rounds: int, times: int, work: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[float]]:
    """The same for what is awaited."""

    async def run() -> float:
        await work()
        found = []
        for _ in range(rounds):
            gc.collect()
            began = time.process_time()
            for _ in range(times):
                await work()
            found.append((time.process_time() - began) / times)
        return min(found)

    return run


def import_cost(module: str) -> float:
    """CPU seconds of a bare `import`, over those of a bare Python."""

    def cpu(code: str) -> float:
        found = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(found)

    return max(0.0, cpu(f"import {module}") - cpu("pass"))


def memory_per_client(make: Callable[[], Any], count: int = 20) -> float:
    """Bytes per client that was made and not used, by tracemalloc."""
    make()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    clients = [make() for _ in range(count)]
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / len(clients)


def _openai() -> Any:
    try:
        return importlib.import_module("openai")
    except ImportError:
        return None


class Numbers:
    """CPU seconds (bytes for memory) by measurement and by party: ours, raw, openai."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, float]] = {}

    def put(self, row: str, party: str, value: float) -> None:
        self.rows.setdefault(row, {})[party] = value


def measure(url: str, rounds: int) -> Numbers:
    numbers = Numbers()
    body = {"model": "m", "messages": MESSAGES}
    path = f"{url}/v1/chat/completions"
    openai = _openai()

    ours = InferneoClient(url)
    raw = library().Client()

    def ours_stream() -> None:
        for _ in ours.chat.completions.create(model="m", messages=MESSAGES, stream=True):
            pass

    def raw_stream() -> None:
        with raw.stream("POST", path, json=body | {"stream": True}) as response:
            for _ in response.iter_bytes():
                pass

    numbers.put("plain call", "ours", best(rounds, 200, lambda: ours.chat.completions.create("m", MESSAGES)))
    numbers.put("plain call", "raw", best(rounds, 200, lambda: raw.post(path, json=body).json()))
    numbers.put("streamed chunk", "ours", best(rounds, 5, ours_stream) / CHUNKS)
    numbers.put("streamed chunk", "raw", best(rounds, 5, raw_stream) / CHUNKS)
    numbers.put("construction", "ours", best(rounds, 50, lambda: InferneoClient(url)))
    numbers.put("construction", "raw", best(rounds, 3, lambda: library().Client()))
    numbers.put("with_options", "ours", best(rounds, 500, lambda: ours.with_options(timeout=5.0)))
    numbers.put("memory per client", "ours", memory_per_client(lambda: InferneoClient(url)))
    numbers.put("memory per client", "raw", memory_per_client(lambda: library().Client()))
    numbers.put("import", "ours", import_cost("inferneo"))
    numbers.put("import", "raw", import_cost(family()))
    if openai is not None:
        theirs = openai.OpenAI(base_url=f"{url}/v1", api_key="k")
        messages: Any = MESSAGES

        def their_stream() -> None:
            for _ in theirs.chat.completions.create(model="m", messages=messages, stream=True):
                pass

        def their_call() -> Any:
            return theirs.chat.completions.create(model="m", messages=messages)

        numbers.put("plain call", "openai", best(rounds, 100, their_call))
        numbers.put("streamed chunk", "openai", best(rounds, 3, their_stream) / CHUNKS)
        numbers.put("construction", "openai", best(rounds, 3, lambda: openai.OpenAI(base_url=f"{url}/v1", api_key="k")))
        numbers.put("with_options", "openai", best(rounds, 200, lambda: theirs.with_options(timeout=5.0)))
        numbers.put(
            "memory per client",
            "openai",
            memory_per_client(lambda: openai.OpenAI(base_url=f"{url}/v1", api_key="k")),
        )
        numbers.put("import", "openai", import_cost("openai"))
    asyncio.run(measure_async(url, rounds, numbers, openai))
    return numbers


async def measure_async(url: str, rounds: int, numbers: Numbers, openai: Any) -> None:
    body = {"model": "m", "messages": MESSAGES}
    path = f"{url}/v1/chat/completions"
    row, many = "64 concurrent async calls, each", 64

    async def together(one: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.gather(*[one() for _ in range(many)])

    async with AsyncInferneoClient(url) as ours, library().AsyncClient() as raw:

        async def raw_one() -> None:
            (await raw.post(path, json=body)).json()

        async def ours_stream() -> None:
            async for _ in ours.chat.completions.create(model="m", messages=MESSAGES, stream=True):
                pass

        async def raw_stream() -> None:
            async with raw.stream("POST", path, json=body | {"stream": True}) as response:
                async for _ in response.aiter_bytes():
                    pass

        mine = best_async(rounds, 3, lambda: together(lambda: ours.chat.completions.create("m", MESSAGES)))
        numbers.put(row, "ours", await mine() / many)
        numbers.put(row, "raw", await best_async(rounds, 3, lambda: together(raw_one))() / many)
        numbers.put("streamed chunk, async", "ours", await best_async(rounds, 5, ours_stream)() / CHUNKS)
        numbers.put("streamed chunk, async", "raw", await best_async(rounds, 5, raw_stream)() / CHUNKS)
    if openai is not None:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as theirs:

            async def their_one() -> None:
                await theirs.chat.completions.create(model="m", messages=MESSAGES)

            async def their_stream() -> None:
                async for _ in await theirs.chat.completions.create(model="m", messages=MESSAGES, stream=True):
                    pass

            numbers.put(row, "openai", await best_async(rounds, 2, lambda: together(their_one))() / many)
            numbers.put("streamed chunk, async", "openai", await best_async(rounds, 3, their_stream)() / CHUNKS)


# row -> (goal in words, whether it is met)
GOALS: dict[str, tuple[str, Callable[[dict[str, float]], bool]]] = {
    "plain call": ("<= 1.5x raw", lambda n: n["ours"] <= 1.5 * n["raw"]),
    "streamed chunk": (
        "<= 20 us and <= 1/5 of openai",
        lambda n: n["ours"] <= 20e-6 and n["ours"] <= n.get("openai", 1.0) / 5,
    ),
    "64 concurrent async calls, each": ("<= 1.3x raw", lambda n: n["ours"] <= 1.3 * n["raw"]),
    "construction": ("<= 1 ms", lambda n: n["ours"] <= 1e-3),
    "with_options": ("<= 20 us", lambda n: n["ours"] <= 20e-6),
    "memory per client": ("<= 20 KiB", lambda n: n["ours"] <= 20 * 1024),
    "import": ("<= 120 ms", lambda n: n["ours"] <= 0.12),
}


def shown(row: str, value: float | None) -> str:
    if value is None:
        return "-"
    if row.startswith("memory"):
        return f"{value / 1024:.1f} KiB"
    return f"{value * 1e3:.1f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} us"


def table(numbers: Numbers) -> str:
    """The table in Markdown."""
    lines = [
        f"| CPU time | inferneo | raw {family()} | openai-python | ours / raw | ours / openai | goal | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row, found in numbers.rows.items():
        ours, raw, openai = found["ours"], found.get("raw"), found.get("openai")
        goal, met = GOALS.get(row, ("", lambda _: True))
        cells = [
            row,
            shown(row, ours),
            shown(row, raw),
            shown(row, openai),
            f"{ours / raw:.2f}" if raw else "-",
            f"{ours / openai:.2f}" if openai else "-",
            goal,
            ("yes" if met(found) else "NO") if goal else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in (family(), "openai", "msgspec"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{platform.python_implementation()} {platform.python_version()}, {', '.join(found)}, {os.cpu_count()} cores"


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU time of the client beside raw httpx and openai-python.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement; the best counts")
    parser.add_argument("--write", action="store_true", help="write docs/performance-client.md")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ready, theirs = context.Pipe()
    server = context.Process(target=_server, args=(theirs,), daemon=True)
    server.start()
    try:
        numbers = measure(f"http://127.0.0.1:{ready.recv()}", options.rounds)
    finally:
        server.terminate()
        server.join()
    text = table(numbers)
    print(text)
    print(versions())
    if options.write:
        page = Path(__file__).resolve().parent.parent / "docs" / "performance-client.md"
        page.write_text(
            "# What the client costs\n\n"
            "CPU time per operation (user and system, the best of several rounds), all parties in one run, the server\n"
            f"in a process of its own, {CHUNKS} chunks per stream. Made by `python benchmarks/client.py --write` with\n"
            f"{versions()}.\n\n{text}\n",
            "utf-8",
        )
    return 0 if all(met(numbers.rows[row]) for row, (_, met) in GOALS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
