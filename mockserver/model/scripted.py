"""A scripted reply becomes the response of one request, in the shapes of its profile.

The script is obeyed: what is wrong with the request does not matter. A text that names no finish reason is treated as
the model's own words: an explicit `max_tokens` and the stop strings cut it. Errors wear the profile's error body.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from mockserver.errors import ScriptError
from mockserver.model import ask, generate, pages, prompt, recorded, render
from mockserver.model.embeddings import unit
from mockserver.model.model import Choice, complete
from mockserver.model.prepared import HOLES
from mockserver.model.profile import Profile
from mockserver.model.refuse import error_body, respond
from mockserver.model.tokenizer import split
from mockserver.model.tools import calling
from mockserver.plan import Body, Head, Headers, Plan
from mockserver.reply import (
    Choices,
    Embedding,
    Error,
    Fixture,
    Function,
    Json,
    RawBytes,
    Reply,
    Template,
    Text,
    ToolCalls,
)
from mockserver.request import Request

_ENDLESS = 1 << 40


def plan(
    profile: Profile,
    request: Request,
    action: str,
    reply: Reply,
    frame: render.Frame,
    streamed: bool = False,
    shape_name: str = "",
) -> Plan:
    """The plan of a reply, without its pacing and with the holes of `mockserver.model.prepared`.

    `action` is what the path means, empty for a path the profile does not know; `streamed`: whatever the request says.
    `shape_name` names other documents than those of the endpoint.
    """
    if isinstance(reply, Template | Function):
        raise ScriptError(f"a {type(reply).__name__.lower()} is made into a reply before it is planned", "reply")
    headers = reply.headers
    if isinstance(reply, Json):
        return respond(reply.status, render.over(profile.headers["json"], headers), msgspec.json.encode(reply.json))
    if isinstance(reply, Error):
        error = reply.error
        body = error_body(profile, error.message, error.type or _type(error.status), error.code, error.param)
        return respond(error.status, render.over(profile.headers["json"], headers), body)
    if isinstance(reply, RawBytes):
        framed = any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)
        length = () if framed else ((b"content-length", b"%d" % len(reply.raw)),)
        return Plan((Head(reply.status, (*length, *headers)), *((Body(reply.raw),) if reply.raw else ())))
    if isinstance(reply, Fixture):
        return _fixture(profile, request, action, reply, frame, streamed)
    if isinstance(reply, Embedding):
        grammar = profile.grammars.get("embedding") or profile.grammars["completion"]
        return _embedding(profile, ask.read_leniently(grammar, request.body), reply)
    chat, response, wants = said(profile, request, action, reply)
    shape = profile.shapes[shape_name or ("chat" if chat else "completion")]
    return render.plan(profile, shape, response, frame, streamed or wants, headers)


def said(
    profile: Profile, request: Request, action: str, reply: Text | ToolCalls | Choices
) -> tuple[bool, render.Response, bool]:
    """Whether it is a chat, what it says, and whether the request wants a stream."""
    if action not in ("chat", "completion", "batch") or action not in profile.grammars:
        action = "chat" if "chat" in request.path or b'"messages"' in request.body else "completion"
    asked = ask.read_leniently(profile.grammars[action], request.body)
    choices = _choices(profile, asked, reply, b'"max_tokens"' in request.body)
    chat = action == "chat"
    if chat:
        prompts = [prompt.of_chat(profile, asked.messages or ())]
    else:
        prompts = prompt.of_completion((asked.prompts if action == "batch" else asked.prompt) or "")
    text = "\0".join(one.text for one in prompts)
    response = generate.response(profile, chat, asked, HOLES, choices, text, sum(one.tokens for one in prompts))
    return chat, response, bool(asked.stream)


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    if status in (401, 403):
        return "authentication_error"
    return "invalid_request_error" if status < 500 else "server_error"


def _choices(profile: Profile, asked: Any, reply: Text | ToolCalls | Choices, limited: bool) -> list[Choice]:
    """The choices a script asks for. Only a limit that the request itself sent cuts a text, no default."""
    limit = asked.max_completion_tokens or (asked.max_tokens if limited else None) or _ENDLESS
    if isinstance(reply, Choices):
        return [_choice(profile, asked, one, limit, number) for number, one in enumerate(reply.choices)]
    count = asked.n if isinstance(reply, Text) else 1
    return [_choice(profile, asked, reply, limit, 0)] * count


def _choice(profile: Profile, asked: Any, reply: Text | ToolCalls, limit: int, number: int) -> Choice:
    if isinstance(reply, ToolCalls):
        calls = [
            (call.name, call.arguments if isinstance(call.arguments, str) else _json(call.arguments))
            for call in reply.tool_calls
        ]
        ids = [call.id for call in reply.tool_calls]
        return calling(calls, _ENDLESS, f"{number}", profile.option("call_id", "call_"), ids, reply.text)
    pieces = split(reply.text) if reply.text else []
    if reply.finish_reason is not None:
        return Choice(pieces, reply.finish_reason, len(pieces) + profile.end_token)
    stops = (asked.stop,) if isinstance(asked.stop, str) else asked.stop or ()
    return complete(pieces, True, limit, stops, profile.end_token)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _embedding(profile: Profile, asked: Any, reply: Embedding) -> Plan:
    texts = prompt.of_completion(asked.input or "")
    vectors = [reply.embedding or unit([1.0])] * len(texts)
    return _with(pages.embedded(profile, asked, vectors, sum(one.tokens for one in texts)), reply.headers)


def _fixture(
    profile: Profile, request: Request, action: str, reply: Fixture, frame: render.Frame, streamed: bool
) -> Plan:
    """A reply of `fixtures/replies`, or a recorded response as its server sent it."""
    found = recorded.find(reply.fixture)
    made = found if isinstance(found, Plan) else plan(profile, request, action, found, frame, streamed)
    return _with(made, reply.headers)


def _with(made: Plan, headers: Headers) -> Plan:
    first, *rest = made.steps
    if not headers or not isinstance(first, Head):
        return made
    return Plan((Head(first.status, render.over(first.headers, headers)), *rest), made.ending)
