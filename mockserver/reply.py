"""What a scripted server answers: a value, before anyone knows whether it will be streamed.

A reply says the content; the model side (`model.answer`) turns it into a plan for one request in the words of a
profile. Wrong content is just another reply (`RawBytes`, `Json`); wrong transport or timing is a fault. Times are
seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from mockserver.errors import ScriptError
from mockserver.plan import Headers
from mockserver.settings import (
    Codec,
    JsonValue,
    Seconds,
    Status,
    child,
    dump_object,
    object_schema,
    parse_object,
    settings_of,
    wrong,
)
from mockserver.suggest import unknown


@dataclass(frozen=True, slots=True)
class Pacing:
    """When the pieces of a reply are due: `ttft` seconds to the first token, then `itl` between tokens.

    Each gap is lengthened or shortened by up to `jitter` seconds, drawn from `seed` (None: the session's seed), never
    below 0. A reply that is not streamed is due when its last token would be. `coalesce`: events that are due at once
    share a write, which is cheaper for load tests, but a client that takes each read for an event is not found out; the
    events of a response that a fault has changed are sent one by one.
    """

    ttft: Seconds = 0.0
    itl: Seconds = 0.0
    jitter: Seconds = 0.0
    seed: int | None = None
    coalesce: bool = False


NO_PACING = Pacing()


@dataclass(frozen=True, slots=True)
class Text:
    """The assistant says `text`. `finish_reason` None: `stop`, or `length` where `max_tokens` cuts the text."""

    text: str
    finish_reason: str | None = None
    pacing: Pacing = NO_PACING
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `arguments` is any JSON value, sent as JSON text; a text is sent as it is, broken or not.

    `id` empty: made from the seed.
    """

    name: str
    arguments: JsonValue = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """The assistant calls tools, `finish_reason` `tool_calls`; `text` is said before, None: nothing."""

    tool_calls: tuple[ToolCall, ...]
    text: str | None = None
    pacing: Pacing = NO_PACING
    headers: Headers = ()


def _parse_choice(value: Any, path: str) -> Text | ToolCalls:
    reply = parse_reply(value, path)
    if not isinstance(reply, Text | ToolCalls):
        raise wrong("a choice: a text, {text: ...} or {tool_calls: [...]}", value, path)
    return reply


def _choice_schema() -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, object_schema(Text), object_schema(ToolCalls)]}


_CHOICE = Codec(_parse_choice, dump_object, _choice_schema)


@dataclass(frozen=True, slots=True)
class Choices:
    """Several choices, in order of their index; whatever `n` the request asked for. Their own pacing is ignored."""

    choices: tuple[Annotated[Text | ToolCalls, _CHOICE], ...]
    pacing: Pacing = NO_PACING
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Json:
    """The body is exactly this JSON value, whatever was asked, with `status`.

    `unsafe`: it may break the schema of the response; `lint` says nothing.
    """

    json: JsonValue
    status: Status = 200
    pacing: Pacing = NO_PACING
    headers: Headers = ()
    unsafe: bool = False


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The parts of an error, put into the error body of the profile."""

    status: Status = 500
    message: str = "the script says so"
    type: str | None = None
    code: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The server refuses with `error.status` and the profile's error body."""

    error: ErrorBody
    pacing: Pacing = NO_PACING
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of each input."""

    embedding: tuple[float, ...]
    pacing: Pacing = NO_PACING
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class RawBytes:
    """The body is exactly these bytes, with `status` and no other headers than `headers` (and the framing)."""

    raw: bytes
    status: Status = 200
    pacing: Pacing = NO_PACING
    headers: Headers = ()
    unsafe: bool = False


@dataclass(frozen=True, slots=True)
class Fixture:
    """A reply, or a recorded exchange, by its name under `fixtures/`."""

    fixture: str
    pacing: Pacing = NO_PACING
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A text made by a Jinja2 template, in a sandbox, when the request comes.

    It sees `request` (the body as JSON), `text` (all that was said), `last` (its last line), `messages`, `model`,
    `stream`, `headers`, `path`, `method`, `seed`, `call` (of the rule, from 1), `number` (of the request), `states` and
    `random` (0 to 1, from the seed). `renders` `json`: what it makes is the body, as JSON.
    """

    template: str
    renders: Literal["text", "json"] = "text"
    pacing: Pacing = NO_PACING
    headers: Headers = ()

    def __post_init__(self) -> None:
        """Refuse a template that cannot be compiled."""
        from mockserver.scripting.dynamic import check

        check(self.template)


@dataclass(frozen=True, slots=True)
class Function:
    """What a Python function gives for the request (`scripting.dynamic.Asked`): a reply, now or when awaited.

    Only in Python: JSON shows its name and cannot give it back.
    """

    function: Callable[[Any], Any]
    pacing: Pacing = NO_PACING
    headers: Headers = ()


Reply: TypeAlias = Text | ToolCalls | Choices | Json | Error | Embedding | RawBytes | Fixture | Template | Function

_FORMS: dict[str, type] = {
    "tool_calls": ToolCalls,
    "text": Text,
    "choices": Choices,
    "json": Json,
    "error": Error,
    "embedding": Embedding,
    "raw": RawBytes,
    "fixture": Fixture,
    "template": Template,
}
"""Which key makes an object which reply; the first that is there."""


def parse_reply(value: Any, path: str = "$") -> Reply:
    """A reply from JSON; a text is short for `{text: ...}`. Raises `ScriptError`."""
    if isinstance(value, Reply):
        return value
    if isinstance(value, str):
        value = {"text": value}
    if callable(value):
        return Function(value)
    if isinstance(value, Mapping) and "function" in value:
        raise ScriptError("a function is written in Python: on(...).reply(function)", child(path, "function"))
    if not isinstance(value, Mapping):
        raise wrong("a reply: a text or an object", value, path)
    for key, form in _FORMS.items():
        if key in value:
            reply: Reply = parse_object(form, value, path)
            return reply
    known = {setting.key for form in _FORMS.values() for setting in settings_of(form)}
    for key in value:
        if key not in known:
            raise ScriptError(unknown("key", key, known), child(path, str(key)))
    raise ScriptError(f"a reply has one of the keys {', '.join(_FORMS)}; got {sorted(map(str, value))}", path)


def reply_to_json(reply: Reply) -> Any:
    """The reply as JSON; `parse_reply` gives it back."""
    if isinstance(reply, Function):
        return {"function": getattr(reply.function, "__qualname__", repr(reply.function))}
    return dump_object(reply)


def reply_schema() -> dict[str, Any]:
    """The JSON Schema of a reply."""
    return {"anyOf": [{"type": "string"}, *(object_schema(form) for form in _FORMS.values())]}
