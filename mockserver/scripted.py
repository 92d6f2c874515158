"""A scripted reply becomes the response of one request, in the shapes of its profile.

The script is obeyed: what is wrong with the request does not matter. A text that names no finish reason is treated as
the model's own words: an explicit `max_tokens` and the stop strings cut it. Errors wear the profile's error body.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import msgspec

from mockserver import ask, generate, latency, pages, prompt, recorded, render
from mockserver.embeddings import unit
from mockserver.model import Choice, complete
from mockserver.plan import Body, Head, Plan
from mockserver.profile import Profile
from mockserver.refuse import error_body, respond
from mockserver.reply import NO_PACING, Choices, Embedding, Error, Fixture, Json, RawBytes, Reply, Text, ToolCalls
from mockserver.request import Request
from mockserver.tokenizer import split
from mockserver.tools import calling

_ENDLESS = 1 << 40


def plan(
    profile: Profile,
    request: Request,
    action: str,
    reply: Reply,
    head: dict[str, bytes],
    frame: render.Frame,
    seed: int = 0,
    always: bool = False,
) -> Plan:
    """The plan of a reply. `action` is what the path means, empty for a path the profile does not know."""
    if isinstance(reply, Fixture):
        return _fixture(profile, request, action, reply, head, frame, seed, always)
    made, tokens = _plan(profile, request, action, reply, head, frame, always)
    if reply.pacing != NO_PACING:
        made = latency.pace(made, latency.gaps(reply.pacing, seed), tokens)
    return made


def _plan(
    profile: Profile,
    request: Request,
    action: str,
    reply: Reply,
    head: dict[str, bytes],
    frame: render.Frame,
    always: bool,
) -> tuple[Plan, int]:
    headers = reply.headers
    if isinstance(reply, Json):
        return respond(reply.status, _over(profile.headers["json"], headers), msgspec.json.encode(reply.json)), 1
    if isinstance(reply, Error):
        error = reply.error
        body = error_body(profile, error.message, error.type or _type(error.status), error.code, error.param)
        return respond(error.status, _over(profile.headers["json"], headers), body), 1
    if isinstance(reply, RawBytes):
        framed = any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)
        length = () if framed else ((b"content-length", b"%d" % len(reply.raw)),)
        body_steps = (Body(reply.raw),) if reply.raw else ()
        return Plan((Head(reply.status, (*length, *headers)), *body_steps)), 1
    if action not in profile.grammars:
        action = _guess(profile, request)
    asked = ask.read_leniently(profile.grammars[action], request.body)
    if isinstance(reply, Embedding):
        return _embedding(profile, asked, reply), 1
    if isinstance(reply, Fixture):
        raise TypeError("a fixture is resolved before")  # pragma: no cover - plan() sees to it
    chat = action == "chat"
    limit = asked.max_completion_tokens or (asked.max_tokens if _sent(request.body) else None) or _ENDLESS
    choices = _choices(profile, asked, reply, limit, head)
    if action not in ("chat", "completion", "batch"):
        text = "".join(choice.text for choice in choices)
        plain = ((b"content-type", b"text/plain; charset=utf-8"),)
        return respond(200, _over(plain, headers), text.encode()), 1
    response = generate.response(profile, chat, asked, head, choices, _prompt_tokens(profile, action, asked))
    if not (asked.stream or always):
        body = render.whole(profile, profile.shapes["chat" if chat else "completion"], response)
        made = respond(200, _over(profile.headers["json"], headers), body)
    else:
        shape = profile.shapes["chat" if chat else "completion"]
        events = render.stream(profile, shape, response, frame)
        made = Plan((Head(200, _over(profile.headers["stream"], headers)), *events))
    return made, sum(choice.tokens for choice in choices)


def _sent(body: bytes) -> bool:
    """Whether the request itself limits the tokens: the profile's default is no wish of the caller."""
    return b'"max_tokens"' in body


def _over(headers: Any, more: Any) -> Any:
    """Header fields with those of the script in place of ours of the same name."""
    if not more:
        return headers
    names = {name.lower() for name, _ in more}
    return (*(field for field in headers if field[0].lower() not in names), *more)


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    if status in (401, 403):
        return "authentication_error"
    return "invalid_request_error" if status < 500 else "server_error"


def _guess(profile: Profile, request: Request) -> str:
    """What a path that the profile does not know was meant for."""
    if "chat" in request.path or b'"messages"' in request.body:
        return "chat"
    if "embedding" in profile.grammars and ("embed" in request.path or b'"input"' in request.body):
        return "embedding"
    return "completion"


def _choices(profile: Profile, asked: Any, reply: Any, limit: int, head: dict[str, bytes]) -> list[Choice]:
    if isinstance(reply, Choices):
        return [_choice(profile, asked, one, limit, head, number) for number, one in enumerate(reply.choices)]
    count = asked.n if isinstance(reply, Text) else 1
    return [_choice(profile, asked, reply, limit, head, 0)] * count


def _choice(
    profile: Profile, asked: Any, reply: Text | ToolCalls, limit: int, head: dict[str, bytes], number: int
) -> Choice:
    if isinstance(reply, ToolCalls):
        calls = [
            (call.name, call.arguments if isinstance(call.arguments, str) else _json(call.arguments))
            for call in reply.tool_calls
        ]
        key = blake2b(head["id"] + b"%d" % number).digest()
        ids = [call.id for call in reply.tool_calls]
        return calling(calls, _ENDLESS, key, profile.option("call_id", "call_"), ids, reply.text)
    pieces = split(reply.text) if reply.text else []
    if reply.finish_reason is not None:
        return Choice(pieces, reply.finish_reason, len(pieces) + profile.end_token)
    stops = (asked.stop,) if isinstance(asked.stop, str) else asked.stop or ()
    return complete(pieces, True, limit, stops, profile.end_token)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _prompt_tokens(profile: Profile, action: str, asked: Any) -> int:
    if action == "chat":
        return prompt.of_chat(profile, asked.messages or ()).tokens
    return sum(one.tokens for one in prompt.of_completion((asked.prompts if action == "batch" else asked.prompt) or ""))


def _embedding(profile: Profile, asked: Any, reply: Embedding) -> Plan:
    texts = prompt.of_completion(asked.input or "")
    vectors = [reply.embedding or unit([1.0])] * len(texts)
    made = pages.embedded(profile, asked, vectors, sum(one.tokens for one in texts))
    head = made.steps[0]
    if reply.headers and isinstance(head, Head):
        made = Plan((Head(head.status, _over(head.headers, reply.headers)), *made.steps[1:]))
    return made


def _fixture(
    profile: Profile,
    request: Request,
    action: str,
    reply: Fixture,
    head: dict[str, bytes],
    frame: render.Frame,
    seed: int,
    always: bool,
) -> Plan:
    """A reply of `fixtures/replies`, or a recorded response as its server sent it."""
    found = recorded.find(reply.fixture)
    if isinstance(found, Plan):
        first = found.steps[0]
        if reply.headers and isinstance(first, Head):
            found = Plan((Head(first.status, _over(first.headers, reply.headers)), *found.steps[1:]))
        if reply.pacing != NO_PACING:
            found = latency.pace(found, latency.gaps(reply.pacing, seed))
        return found
    made = plan(profile, request, action, found, head, frame, seed, always)
    first = made.steps[0]
    if reply.headers and isinstance(first, Head):
        made = Plan((Head(first.status, _over(first.headers, reply.headers)), *made.steps[1:]))
    if reply.pacing != NO_PACING:
        made = latency.pace(made, latency.gaps(reply.pacing, seed))
    return made
