"""Calls of tools: the model calls one when `tool_choice` asks for it, with arguments that the tool's schema accepts.

`auto` is answered with text: a fake that calls tools when it likes makes loops that never end. The arguments are a JSON
text, in pieces when streamed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from mockserver.model.ask import Ask
from mockserver.model.model import Call, Choice
from mockserver.model.profile import Profile
from mockserver.model.refuse import refuse
from mockserver.model.structured import Unsatisfiable, draw
from mockserver.model.tokenizer import count, split
from mockserver.plan import Plan


def chosen(profile: Profile, ask: Ask) -> Mapping[str, Any] | Plan | None:
    """The function to call; None: none is asked for. A choice that does not fit the tools is refused."""
    choice = ask.tool_choice
    if choice in (None, "none", "auto"):
        return None
    functions = {tool["function"]["name"]: tool["function"] for tool in ask.tools or ()}
    if not functions:
        return refuse(profile, "tools_missing", input=choice)
    name = next(iter(functions)) if choice == "required" else choice["function"]["name"]
    if name not in functions:
        return refuse(profile, "unknown_tool", name=name)
    try:
        draw(functions[name].get("parameters") or {"type": "object"}, b"")
    except Unsatisfiable as error:
        return refuse(profile, "bad_schema", reason=str(error), where="tools")
    found: Mapping[str, Any] = functions[name]
    return found


def caller(profile: Profile, function: Mapping[str, Any]) -> Callable[[bytes, int, Sequence[str]], Choice]:
    """What makes the choices of a request that asks for a call of `function`."""
    schema = function.get("parameters") or {"type": "object"}

    def call(key: bytes, limit: int, stops: Sequence[str]) -> Choice:
        text = json.dumps(draw(schema, key), ensure_ascii=False, separators=(",", ":"))
        return calling(
            [(str(function["name"]), text)],
            limit,
            blake2b(key, digest_size=2).hexdigest(),
            profile.option("call_id", "call_"),
        )

    return call


def calling(
    calls: Sequence[tuple[str, str]],
    limit: int,
    key: str,
    prefix: str,
    ids: Sequence[str] = (),
    said: str | None = None,
) -> Choice:
    """A choice that calls functions by name and arguments (a text, JSON or not), cut at `limit` tokens.

    An id that is not given is `prefix`, the id of the response (a NUL stands for it) and what sets it apart in there.
    """
    made = []
    pieces = None if said is None else split(said)
    tokens = len(pieces or ())
    cut = False
    for number, (name, text) in enumerate(calls):
        arguments = split(text)
        room = max(0, limit - tokens - count(name))
        cut = cut or len(arguments) > room
        given = ids[number] if number < len(ids) else ""
        made.append(Call(given or f"{prefix}\0{key}{number}", name, tuple(arguments[:room])))
        tokens += count(name) + min(room, len(arguments))
    return Choice(pieces, "length" if cut else "tool_calls", min(tokens, limit), tuple(made))
