"""Does what an exchange asks for, blocking."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from inferneo._coding import decoders
from inferneo._config import Config
from inferneo._errors import InferneoError
from inferneo._exchange import Command, Key, Opened, ReadAll, Send, Sleep, exchange
from inferneo._http import Reply, now, translate
from inferneo._requests import Call
from inferneo._retry import Retry, skip_sleep
from inferneo._stream import Core, Stream
from inferneo._wire_sync import MAX_ERROR_BODY, Wire


def read_all(wire: Wire, reply: Reply, lenient: bool) -> bytes:
    """The rest of a body. `lenient`: an error reply, of which what came in time is enough."""
    read = reply.bounds.read
    read.until = None  # the body is a phase of its own
    begun = now()
    parts: list[bytes] = []
    size = came = 0
    try:
        coding = decoders(reply.coding)
        for part in wire.segments(reply):
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
        wire.free(reply)
        if lenient:
            return b"".join(parts)
        if wire.closed:
            raise InferneoError("the client was closed during the request") from error
        raise translate(error, reply.bounds, reply.target.url) from error
    except BaseException:
        wire.free(reply)
        raise
    wire.free(reply)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def do(wire: Wire, command: Command, policy: Retry) -> Any:
    """The result of one command. Raises `InferneoError`."""
    if type(command) is Send:
        return wire.send(command.target)
    if type(command) is ReadAll:
        return read_all(wire, command.reply, command.lenient)
    if type(command) is Sleep:
        if not skip_sleep(command.seconds):
            policy.sleep(command.seconds)
        return None
    assert type(command) is Key  # an `Opened` ends the run
    try:
        return command.source()
    except Exception as error:
        raise InferneoError(f"the api_key callable raised {type(error).__name__}: {error}") from error


class Run:
    """Runs exchanges of one policy."""

    __slots__ = ("policy",)

    def __init__(self, policy: Retry) -> None:
        self.policy = policy

    def __call__(self, wire: Wire, steps: Generator[Command, Any, Any], error: InferneoError | None = None) -> Any:
        """To the answer, or to the `Opened` of a stream."""
        try:
            command = next(steps) if error is None else steps.throw(error)
            while type(command) is not Opened:
                try:
                    result = do(wire, command, self.policy)
                except InferneoError as failure:
                    command = steps.throw(failure)
                else:
                    command = steps.send(result)
        except StopIteration as stop:
            return stop.value
        finally:
            del error  # its traceback holds this frame: no cycle
        return command


def perform(wire: Wire, config: Config, call: Call) -> Any:
    """The answer to a call: an object, or a `Stream`."""
    run = Run(call.policy)
    steps = exchange(config, call)
    answer = run(wire, steps)
    if type(answer) is Opened:
        return Stream(Core(wire, call, steps, answer, run))
    return answer
