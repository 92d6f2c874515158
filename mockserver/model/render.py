"""Choices into bytes: the documents of a profile, filled in, for a whole response or for each event of a stream.

The text of the events of a choice, joined, is the text of the whole response. One event is one `Body` with its mark;
events of several choices take turns, as tokens of a real server do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from mockserver.filled import Account
from mockserver.flow import ID
from mockserver.model.model import Choice
from mockserver.model.profile import Profile, Shape
from mockserver.model.refuse import respond
from mockserver.plan import Body, Head, Headers, Plan

_MARKS = tuple(f"content[{number}]" for number in range(4096))
_HEAD = ("id", "created", "model", "index", "text", "logprobs", "finish")
_PLAIN = frozenset(_HEAD)
_ASKED = frozenset((*_HEAD, "no_usage"))
_NULL = b"null"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around each JSON text of a stream, and what ends the stream (None: nothing)."""

    before: bytes
    after: bytes
    done: bytes | None


@dataclass(frozen=True, slots=True)
class Response:
    """All that a response of generated text says. Values of `head` are JSON texts: `id`, `created`, `model`.

    `logprobs` gives the JSON value for pieces `start` to `end` of a choice; None: they were not asked for.
    """

    head: dict[str, bytes]
    choices: Sequence[Choice]
    usage: bytes
    account: Account
    include_usage: bool = False
    logprobs: Callable[[int, int, int], Any] | None = None


def usage(profile: Profile, prompt_tokens: int, completion_tokens: int) -> bytes:
    """The usage object: its total is the sum, by construction."""
    return profile.documents["usage"].fill(
        {
            "prompt_tokens": b"%d" % prompt_tokens,
            "completion_tokens": b"%d" % completion_tokens,
            "total_tokens": b"%d" % (prompt_tokens + completion_tokens),
        }
    )


def whole(profile: Profile, shape: Shape, response: Response) -> bytes:
    """The body of a response that is not streamed."""
    encode = profile.style.encode
    choices = []
    for number, choice in enumerate(response.choices):
        values = {
            "index": b"%d" % number,
            "text": _NULL if choice.pieces is None else encode(choice.text),
            "finish": encode(choice.finish),
            "logprobs": _NULL,
        }
        if response.logprobs is not None:
            values["logprobs"] = encode(response.logprobs(number, 0, len(choice.pieces or ())))
            values["has_logprobs"] = values["logprobs"]
        if choice.calls:
            values["tool_calls"] = _list(profile, [_call(profile, call) for call in choice.calls])
        choices.append(shape.choice.fill(values))
    return shape.whole.fill({**response.head, "choices": _list(profile, choices), "usage": response.usage})


def _list(profile: Profile, items: list[bytes]) -> bytes:
    return b"[" + (b", " if profile.style.spaced else b",").join(items) + b"]"


def _call(profile: Profile, call: Any) -> bytes:
    encode = profile.style.encode
    values = {"call": _call_id(profile, call.id), "name": encode(call.name), "text": encode("".join(call.pieces))}
    return profile.documents["tool_call"].fill(values)


def _call_id(profile: Profile, name: str) -> bytes:
    """The id of a call; a NUL in it stands for the id of the response."""
    return profile.style.encode(name).replace(b"\\u0000", ID)


def plan(profile: Profile, shape: Shape, response: Response, frame: Frame, streamed: bool, more: Headers = ()) -> Plan:
    """The plan of a response: one body, or one body per event. `more` are header fields that replace ours."""
    if streamed:
        return Plan((Head(200, over(profile.headers["stream"], more)), *stream(profile, shape, response, frame)))
    return respond(200, over(profile.headers["json"], more), whole(profile, shape, response))


def over(headers: Headers, more: Headers) -> Headers:
    """Header fields with those of `more` in place of ours of the same name."""
    if not more:
        return headers
    names = {name.lower() for name, _ in more}
    return (*(field for field in headers if field[0].lower() not in names), *more)


def stream(profile: Profile, shape: Shape, response: Response, frame: Frame) -> list[Body]:
    """The events of a streamed response, in order."""
    if len(response.choices) == 1:
        events = _events(profile, shape, response, frame, 0)
    else:
        rows = [_events(profile, shape, response, frame, number) for number in range(len(response.choices))]
        events = [event for turn in zip_longest(*rows) for event in turn if event is not None]
    if response.include_usage and shape.usage is not None:
        document = shape.usage.fill({**response.head, "usage": response.usage})
        events.append(Body(frame.before + document + frame.after, "usage"))
    if frame.done is not None:
        events.append(Body(frame.before + frame.done + frame.after, "done"))
    return events


def _events(profile: Profile, shape: Shape, response: Response, frame: Frame, number: int) -> list[Body]:
    choice = response.choices[number]
    encode = profile.style.encode
    before, after = frame.before, frame.after
    tag = f"{number}:" if number else ""
    values = {**response.head, "index": b"%d" % number, "text": b"", "logprobs": _NULL, "finish": _NULL}
    names = _PLAIN
    if response.include_usage:
        values["no_usage"] = _NULL
        names = _ASKED
    events = []
    if shape.role is not None:
        events.append(Body(before + shape.role.given(names).fill(values) + after, tag + "role"))
    pieces: Sequence[str] = choice.pieces or ()
    if shape.finish is None and not pieces and not choice.calls:
        pieces = ("",)
    if response.logprobs is None:
        prefix, suffix = shape.content.given(names).around("text", values)
        prefix, suffix = before + prefix, suffix + after
        if tag or len(pieces) > len(_MARKS):
            events += [Body(prefix + encode(piece) + suffix, f"{tag}content[{i}]") for i, piece in enumerate(pieces)]
        else:
            events += [Body(prefix + encode(piece) + suffix, mark) for piece, mark in zip(pieces, _MARKS, strict=False)]
    else:
        for i, piece in enumerate(pieces):
            logprobs = encode(response.logprobs(number, i, i + 1))
            filled = {**values, "text": encode(piece), "logprobs": logprobs, "has_logprobs": logprobs}
            events.append(Body(before + shape.content.fill(filled) + after, f"{tag}content[{i}]"))
    events += _calls(profile, shape, choice, values, frame, tag)
    values["finish"] = encode(choice.finish)
    if shape.finish is not None:
        events.append(Body(before + shape.finish.given(names).fill(values) + after, tag + "finish"))
    else:  # the last event says it, one without text behind the calls of tools
        values["text"] = encode("" if choice.calls else pieces[-1])
        if not choice.calls:
            events.pop()
        events.append(Body(before + shape.content.given(names).fill(values) + after, tag + "finish"))
    return events


def _calls(
    profile: Profile, shape: Shape, choice: Choice, values: dict[str, bytes], frame: Frame, tag: str
) -> list[Body]:
    """The id and the name stand in a call's first delta only; the arguments follow piece by piece."""
    encode = profile.style.encode
    events: list[Body] = []
    if shape.tool is None or shape.arguments is None:
        return events
    at = 0
    for number, call in enumerate(choice.calls):
        filled = {**values, "tool": b"%d" % number, "call": _call_id(profile, call.id), "name": encode(call.name)}
        first = shape.tool.fill(filled)
        events.append(Body(frame.before + first + frame.after, f"{tag}tool[{at}]"))
        at += 1
        prefix, suffix = shape.arguments.given(frozenset(filled)).around("text", filled)
        for piece in call.pieces:
            events.append(Body(frame.before + prefix + encode(piece) + suffix + frame.after, f"{tag}tool[{at}]"))
            at += 1
    return events
