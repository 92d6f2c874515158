"""Does what an exchange asks for, in an event loop."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

from inferneo._coding import decoders
from inferneo._config import Config
from inferneo._errors import InferneoError
from inferneo._exchange import Command, Key, Opened, ReadAll, Send, Sleep, exchange
from inferneo._http import Reply, now, translate
from inferneo._requests import Call
from inferneo._retry import skip_sleep
from inferneo._wire_async import Wire
from inferneo._wire_sync import MAX_ERROR_BODY


async def read_all(wire: Wire, reply: Reply, lenient: bool) -> bytes:
    """The rest of a body. `lenient`: an error reply, of which what came in time is enough."""
    read = reply.bounds.read
    read.until = None  # the body is a phase of its own
    begun = now()
    parts: list[bytes] = []
    size = came = 0
    try:
        coding = decoders(reply.coding)
        async for part in wire.segments(reply):
            came += len(part)
            for decoder in coding:
                part = decoder.feed(part)
            parts.append(part)
            size += len(part)
            if lenient and size > MAX_ERROR_BODY:
                break
            if not lenient:
                read.grow(begun, came)
            if read.left() <= 0:  # our own pools see to it, others do not
                raise TimeoutError  # noqa: TRY301  # worded below
    except Exception as error:
        await wire.free(reply)
        if lenient:
            return b"".join(parts)
        if wire.closed:
            raise InferneoError("the client was closed during the request") from error
        raise translate(error, reply.bounds, reply.target.url) from error
    except BaseException:
        await wire.free(reply)
        raise
    await wire.free(reply)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Session:
    """One exchange on its way."""

    __slots__ = ("call", "config", "steps", "wire")

    def __init__(self, wire: Wire, config: Config, call: Call) -> None:
        self.wire = wire
        self.config = config
        self.call = call
        self.steps: Generator[Command, Any, Any] = exchange(config, call)

    async def do(self, command: Command) -> Any:
        """The result of one command. Raises `InferneoError`."""
        if type(command) is Send:
            return await self.wire.send(command.target)
        if type(command) is ReadAll:
            return await read_all(self.wire, command.reply, command.lenient)
        if type(command) is Sleep:
            if not skip_sleep(command.seconds):
                await self.call.policy.async_sleep(command.seconds)
            return None
        assert type(command) is Key  # an `Opened` ends the run
        try:
            key = command.source()
            return await key if inspect.isawaitable(key) else key
        except Exception as error:
            raise InferneoError(f"the api_key callable raised {type(error).__name__}: {error}") from error

    async def run(self, error: InferneoError | None = None) -> Any:
        """To the answer, or to the `Opened` of a stream; an error is thrown in first."""
        try:
            command = next(self.steps) if error is None else self.steps.throw(error)
            while type(command) is not Opened:
                try:
                    result = await self.do(command)
                except InferneoError as failure:
                    command = self.steps.throw(failure)
                else:
                    command = self.steps.send(result)
        except StopIteration as stop:
            return stop.value
        finally:
            del error  # its traceback holds this frame: no cycle
        return command
