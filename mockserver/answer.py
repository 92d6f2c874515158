"""A request becomes a plan: what a real server of this profile would send, or what the script says, in its words.

Pure: the same (profile, models, seed, request, now) give the same bytes, and nothing here knows sockets or time.
`Answerer.plan` answers HTTP, `Answerer.messages` gives the events of a completion for a WebSocket. Ids follow from the
seed, the bytes of the request and its number in the session, so they differ between requests and come again in a rerun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from mockserver import ask, generate, pages, render, route, scripted
from mockserver.models_list import Models
from mockserver.plan import Body, Head, Plan
from mockserver.profile import Profile, load_profile
from mockserver.refuse import refuse, respond
from mockserver.reply import Reply
from mockserver.request import Request
from mockserver.status import Status

SSE_BEFORE, SSE_AFTER = b"data: ", b"\n\n"
_GENERATED = {"chat", "completion", "batch"}


class _Named(msgspec.Struct):
    """The only field of a message that the socket itself cares for."""

    request_id: str | int | None = None


class Answerer:
    """Answers like a model in the words of one profile. `models`: names or objects that replace those of the profile."""

    def __init__(
        self, profile: Profile | str = "docs", *, models: Sequence[str | Mapping[str, Any]] | None = None
    ) -> None:
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.models = Models(self.profile, models)
        self._sse = render.Frame(SSE_BEFORE, SSE_AFTER, self.profile.done)
        self._message = render.Frame(b"", b"", None)

    def plan(
        self,
        request: Request,
        reply: Reply | None = None,
        *,
        seed: int = 0,
        now: float = 0.0,
        status: Status = Status(),  # noqa: B008 - a frozen value
    ) -> Plan:
        """The plan for a request; `now` is Unix seconds, `status` is what the server knows of itself."""
        profile = self.profile
        if reply is not None:
            return self._scripted(request, reply, seed, now)
        found = route.find(profile, request)
        if isinstance(found, Plan):
            return found
        action = found.action
        if action in _GENERATED:
            plan = self._generated(request, action, seed, now, self._sse)
        elif action == "embedding":
            plan = pages.embeddings(profile, self.models, request)
        else:
            plan = pages.page(profile, self.models, action, found.rest, now, status)
        if found.head:
            plan = Plan(tuple(step for step in plan.steps if not isinstance(step, Body)))
        if profile.option("cors"):
            plan = with_headers(plan, route.shared(profile, request))
        return plan

    def messages(self, request: Request, reply: Reply | None = None, *, seed: int = 0, now: float = 0.0) -> Plan:
        """The answer for a WebSocket: each `Body` is one JSON message, the head says whether it is an error.

        The body of `request` is the message that came, its path the path of the socket; it is always streamed, and a
        `request_id` in it comes back in every message.
        """
        action = "chat" if "chat" in request.path else "completion"
        if reply is not None:
            plan = scripted.plan(
                self.profile, request, action, reply, self.head(request, seed, now), self._message, seed, always=True
            )
        else:
            plan = self._generated(request, action, seed, now, self._message, always=True)
        return echo_request_id(plan, request.body)

    def refuse(self, name: str, **values: Any) -> Plan:
        """A named error of the profile (`too_large`, `overloaded`, ...); `values` fill its message."""
        return refuse(self.profile, name, **values)

    def head(self, request: Request, seed: int, now: float) -> dict[str, bytes]:
        """The values that all events of one response share, without the prefix of the id."""
        number = b"%d\0%d\0" % (seed, request.number)
        digest = blake2b(number + request.path.encode("utf-8", "replace") + b"\0" + request.body, digest_size=16)
        return {"id": digest.hexdigest().encode(), "created": b"%d" % now}

    def _generated(
        self, request: Request, action: str, seed: int, now: float, frame: render.Frame, always: bool = False
    ) -> Plan:
        profile = self.profile
        grammar = profile.grammars[action]
        asked = ask.read(profile, grammar, request)
        if isinstance(asked, Plan):
            return asked
        if not self.models.knows(asked.model):
            return refuse(profile, "model_not_found", model=asked.model)
        head = self.head(request, seed, now)
        response = generate.respond(profile, self.models, action, asked, head, seed)
        if isinstance(response, Plan):
            return response
        return send(profile, action, response, frame, bool(asked.stream) or always)

    def _scripted(self, request: Request, reply: Reply, seed: int, now: float) -> Plan:
        found = route.find(self.profile, request)
        action = "" if isinstance(found, Plan) else found.action
        return scripted.plan(self.profile, request, action, reply, self.head(request, seed, now), self._sse, seed)


def send(profile: Profile, action: str, response: render.Response, frame: render.Frame, streamed: bool) -> Plan:
    """The plan of a generated response: one body, or one body per event."""
    shape = profile.shapes["chat" if action == "chat" else "completion"]
    if not streamed:
        return respond(200, profile.headers["json"], render.whole(profile, shape, response))
    return Plan((Head(200, profile.headers["stream"]), *render.stream(profile, shape, response, frame)))


def with_headers(plan: Plan, headers: Sequence[tuple[bytes, bytes]]) -> Plan:
    """The plan with more header fields on its head: rate limits, origins."""
    if not headers:
        return plan
    steps = tuple(
        Head(step.status, (*step.headers, *headers), step.reason) if isinstance(step, Head) else step
        for step in plan.steps
    )
    return Plan(steps, plan.ending)


def echo_request_id(plan: Plan, message: bytes) -> Plan:
    """The plan with the `request_id` of a WebSocket message in each of its messages."""
    if b'"request_id"' not in message:
        return plan
    try:
        found = msgspec.json.decode(message, type=_Named).request_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return plan
    if found is None:
        return plan
    more = b',"request_id":' + msgspec.json.encode(found) + b"}"
    steps = (Body(step.data[:-1] + more, step.mark) if isinstance(step, Body) else step for step in plan.steps)
    return Plan(tuple(steps), plan.ending)
