"""How a wire case is run against the client and what is checked; see the README of the cases for the vocabulary."""

from __future__ import annotations

import asyncio
import json
import time
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from raw_player import Player

import inferneo
from inferneo import AsyncInferneoClient, InferneoClient, InferneoError, Limits

CLASS_OF_KIND = {
    "status": inferneo.InferneoAPIError,
    "timeout": inferneo.InferneoTimeoutError,
    "connection": inferneo.InferneoConnectionError,
    "protocol": inferneo.InferneoProtocolError,
    "stream_error": inferneo.InferneoStreamError,
    "truncated": inferneo.InferneoStreamTruncatedError,
}
MESSAGES = [{"role": "user", "content": "Hi"}]
EVENT_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(data: bytes, size: int = 0) -> str:
    """The data in HTTP chunks, with the last one."""
    size = size or max(len(data), 1)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return body.decode("latin-1")


def huge_line(length: int, size: int) -> list[list[dict[str, Any]]]:
    chunk = {"choices": [{"index": 0, "delta": {"content": "x" * length}, "finish_reason": "stop"}]}
    data = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
    return [[{"raw": EVENT_HEAD + chunked(data, size)}]]


def listed_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(Path(__file__).with_name("wire_cases.json").read_text("utf-8"))
    for case in cases:
        if case.get("generate"):
            case["attempts"] = huge_line(1 << 20, 64)
            case["expect"]["max_work_s"] = case["expect"].pop("max_s")  # about quadratic buffers: work, not waiting
    return cases


@dataclass
class Outcome:
    """What a client made of a case."""

    chunks: list[Any] = field(default_factory=list)
    answer: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    work: float = 0.0
    """Seconds that this thread worked: what others do on the machine does not count."""
    broke: int = 0
    then: Any = None

    @property
    def text(self) -> str:
        if self.answer is not None:
            return self.answer.choices[0].message.content or ""
        return "".join(c.delta.content or "" for chunk in self.chunks for c in chunk.choices if c.index == 0)

    @property
    def finish(self) -> str | None:
        found = None
        for holder in [self.answer] if self.answer is not None else self.chunks:
            for choice in holder.choices:
                found = choice.finish_reason or found
        return found


def settings(case: dict[str, Any], url: str) -> dict[str, Any]:
    known: dict[str, Any] = {"base_url": url, "timeout": case["timeout_s"], "max_retries": case["max_retries"]}
    if case["expect"].get("break_ok"):
        known["limits"] = Limits(max_connections=3, max_keepalive_connections=3)
    known.update(case.get("client", {}))
    return known


def run_sync(case: dict[str, Any], url: str) -> Outcome:
    outcome = Outcome()
    expect = case["expect"]
    extra = case.get("create", {})
    with InferneoClient(**settings(case, url)) as client:
        create = client.chat.completions.create
        began, worked = time.monotonic(), time.thread_time()
        try:
            if expect.get("break_ok"):
                for _ in range(8):
                    for _chunk in create(model="m", messages=MESSAGES, stream=True):
                        outcome.broke += 1
                        break
            elif case["call"] == "chat":
                outcome.answer = create(model="m", messages=MESSAGES, **extra)
            else:
                for _ in range(2 if expect.get("reuse") else 1):
                    outcome.chunks.clear()
                    for chunk in create(model="m", messages=MESSAGES, stream=True, **extra):
                        outcome.chunks.append(chunk)
        except BaseException as error:
            outcome.error = error
        outcome.seconds, outcome.work = time.monotonic() - began, time.thread_time() - worked
        if expect.get("then_ok"):
            time.sleep(expect.get("pause_s", 0))  # part of the case: the bytes are there when the next call begins
            outcome.then = create(model="m", messages=MESSAGES)
    return outcome


async def play_async(case: dict[str, Any], url: str) -> Outcome:
    outcome = Outcome()
    expect = case["expect"]
    extra = case.get("create", {})
    async with AsyncInferneoClient(**settings(case, url)) as client:
        create = client.chat.completions.create
        began, worked = time.monotonic(), time.thread_time()
        try:
            if expect.get("break_ok"):
                for _ in range(8):
                    async for _chunk in create(model="m", messages=MESSAGES, stream=True):
                        outcome.broke += 1
                        break
            elif case["call"] == "chat":
                outcome.answer = await create(model="m", messages=MESSAGES, **extra)
            else:
                for _ in range(2 if expect.get("reuse") else 1):
                    outcome.chunks.clear()
                    async for chunk in await create(model="m", messages=MESSAGES, stream=True, **extra):
                        outcome.chunks.append(chunk)
        except BaseException as error:
            outcome.error = error
        outcome.seconds, outcome.work = time.monotonic() - began, time.thread_time() - worked
        if expect.get("then_ok"):
            await asyncio.sleep(expect.get("pause_s", 0))
            outcome.then = await create(model="m", messages=MESSAGES)
    return outcome


def run_async(case: dict[str, Any], url: str) -> Outcome:
    return asyncio.run(play_async(case, url))


def lies(value: Any, hint: Any, path: str = "$") -> list[str]:
    """Where a value contradicts its type hints."""
    if hint is Any:
        return []
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        found = [lies(value, option, path) for option in typing.get_args(hint)]
        return [] if any(not each for each in found) else found[0]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: {value!r} is not a list"]
        (item,) = typing.get_args(hint)
        return [lie for index, entry in enumerate(value) for lie in lies(entry, item, f"{path}[{index}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{path}: {value!r} is not a dict"]
    if hint is type(None):
        return [] if value is None else [f"{path}: {value!r} is not None"]
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        return [f"{path}: {value!r} is not {hint.__name__}"]
    if isinstance(value, msgspec.Struct):
        hints = typing.get_type_hints(type(value))
        names = [name for name in value.__struct_fields__ if not name.startswith("_")]
        return [lie for name in names for lie in lies(getattr(value, name), hints[name], f"{path}.{name}")]
    return []


def check(case: dict[str, Any], outcome: Outcome, player: Player) -> None:
    """Everything that `expect` says."""
    expect = case["expect"]
    error = outcome.error
    assert error is None or isinstance(error, InferneoError), f"leak: {error!r}"
    for value in [*outcome.chunks, *([outcome.answer] if outcome.answer is not None else [])]:
        assert lies(value, type(value)) == []
    if expect.get("break_ok"):
        assert error is None
        assert outcome.broke == 8
        return
    allowed = tuple(CLASS_OF_KIND[kind] for kind in expect.get("err", ()) or expect.get("or_err", ()))
    if error is None:
        assert expect.get("ok") or expect.get("or_ok") or "or_ok_text" in expect, f"no error, text {outcome.text!r}"
        if "or_ok_text" in expect and "text" not in expect:
            assert outcome.text == expect["or_ok_text"]
        if "text" in expect:
            assert outcome.text == expect["text"]
        if "text_any" in expect:
            assert outcome.text in expect["text_any"]
        if "text_len" in expect:
            assert len(outcome.text) == expect["text_len"]
        if "finish" in expect:
            assert outcome.finish == expect["finish"]
        if "usage" in expect:
            assert [c.usage.total_tokens for c in outcome.chunks if c.usage is not None] == [expect["usage"]]
        if "chunks" in expect:
            assert len(outcome.chunks) == expect["chunks"]
        if "extra" in expect:
            holder = outcome.answer or outcome.chunks[0]
            for name, value in expect["extra"].items():
                assert holder.extra[name] == value
                assert holder.to_dict()[name] == value
    else:
        assert allowed, f"unexpected {error!r}"
        assert isinstance(error, allowed), repr(error)
        assert error.message
        assert error.attempts is not None
        if "partial" in expect:
            assert outcome.text == expect["partial"]
            assert error.partial is not None
            assert error.partial.text == expect["partial"]
        if "msg_has" in expect:
            assert expect["msg_has"] in error.message
        for name in ("code", "request_id", "type", "param", "retry_after", "phase"):
            if name in expect:
                assert getattr(error, name) == expect[name]
        if "status" in expect:
            assert error.status_code == expect["status"]
    if "attempts" in expect:
        assert len(player.seen) == expect["attempts"]
        if error is not None:
            assert error.attempts == expect["attempts"]
    if "min_s" in expect:
        assert outcome.seconds >= expect["min_s"]
    if "max_s" in expect:
        assert outcome.seconds <= expect["max_s"]
    if "max_work_s" in expect:
        assert 0 < outcome.work <= expect["max_work_s"]
    if expect.get("same_idem"):
        assert len({seen.headers["idempotency-key"] for seen in player.seen}) == 1
    if expect.get("reuse"):
        assert len(player.seen) == 2
        assert player.connections == 1
    if "last_method" in expect:
        assert player.seen[-1].method == expect["last_method"]
    if expect.get("then_ok"):
        assert outcome.then.choices
    if "then_text" in expect:
        assert outcome.then.text == expect["then_text"]
