"""A request becomes a plan: what a real server of this profile would send, or what the script says, in its words.

Pure: the same (profile, models, seed, request, now) give the same bytes, and nothing here knows sockets or time.
`Answerer.plan` answers HTTP, `Answerer.messages` gives the events of a completion for a WebSocket. Ids follow from the
seed, the bytes of the request and its number in the session, so they differ between requests and come again in a rerun.
Answers are remembered (`mockserver.model.prepared`), which no caller can tell but by the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import msgspec

from mockserver.filled import Account
from mockserver.flow import Flow
from mockserver.model import ask, generate, latency, pages, recorded, render, route, scripted
from mockserver.model.frames import SOCKET
from mockserver.model.models_list import Models
from mockserver.model.prepared import HOLES, Prepared, prepare
from mockserver.model.profile import Profile, load_profile
from mockserver.model.refuse import refuse
from mockserver.model.status import Status
from mockserver.plan import Body, Head, Headers, Plan
from mockserver.reply import NO_PACING, Choices, Fixture, Json, RawBytes, Reply, Text, ToolCalls
from mockserver.request import Request

_GENERATED = {"chat", "completion", "batch"}
_JSON = b"application/json"
_REMEMBERED, _SMALL = 1024, 8192
_STATUS = Status()


class _Named(msgspec.Struct):
    """The only field of a message that the socket itself cares for."""

    request_id: str | int | None = None


class Answerer:
    """Answers like a model in the words of one profile. `models`: names or objects instead of the profile's."""

    def __init__(
        self, profile: Profile | str = "docs", *, models: Sequence[str | Mapping[str, Any]] | None = None
    ) -> None:
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.models = Models(self.profile, models)
        self._sse = render.Frame(b"data: ", b"\n\n", self.profile.done)
        self._message = render.Frame(b"", b"", None)
        named = self.profile.option("request_id_header")
        self._request_id = None if named is None else named.encode("latin-1")
        self._shares = bool(self.profile.option("cors"))
        self._memory: dict[tuple[str, bytes, int, int], tuple[Reply | None, Prepared]] = {}

    def plan(
        self,
        request: Request,
        reply: Reply | None = None,
        *,
        seed: int = 0,
        now: float = 0.0,
        status: Status = _STATUS,
    ) -> Plan:
        """The plan for a request; `now` is Unix seconds, `status` is what the server knows of itself."""
        if reply is not None:
            return self._scripted(request, reply, seed, now)
        plan = self._plan(request, seed, now, status)
        if self._request_id is not None:
            identity = self._identity(self._seal(request.path, request.body, seed), request.number)
            plan = with_headers(plan, ((self._request_id, b"req_" + identity),))
        return plan

    def _plan(self, request: Request, seed: int, now: float, status: Status) -> Plan:
        profile = self.profile
        if request.method != "POST" and (refused := ask.heads(profile, request)) is not None:
            return refused
        found = route.find(profile, request)
        if isinstance(found, Plan):
            return found if request.method != "HEAD" else _without_body(found)
        action = found.action
        if action in _GENERATED:
            plan = self._generated(request, action, seed, now)
        elif action == "embedding":
            plan = pages.embeddings(profile, self.models, request)
        else:
            plan = pages.page(profile, self.models, action, found.rest, now, status)
        if found.head:
            plan = _without_body(plan)
        return with_headers(plan, route.shared(profile, request)) if self._shares else plan

    def messages(self, request: Request, reply: Reply | None = None, *, seed: int = 0, now: float = 0.0) -> Plan:
        """The answer for a WebSocket: each `Body` is one JSON message, the head says whether it is an error.

        The body of `request` is the message that came, its path the path of the socket; it is always streamed, and a
        `request_id` in it comes back in every message. On a path that the profile lists under `sockets` as `older`,
        the message is `{"content": ...}`.
        """
        shape = "older" if self._is_older(request.path) else ""
        base, request = self._of_message(request)
        if reply is None:
            plan, _ = self._make(request, base, seed, self._message, streamed=True, shape=shape)
        else:
            plan = scripted.plan(self.profile, request, base, reply, self._message, True, shape)
        if reply is None or not _is_verbatim(reply):
            identity = self._identity(self._seal(request.path, request.body, seed), request.number)
            plan = prepare(plan).fill(identity, b"%d" % now)
        if reply is not None:
            plan = self._paced(plan, reply, request, seed)
        return echo_request_id(plan, request.body)

    def objection(self, request: Request) -> Plan | None:
        """The refusal of a request that no model of this profile could serve; None for what has no grammar."""
        if request.http_version == SOCKET:
            action, request = self._of_message(request)
        else:
            where = route.find(self.profile, request)
            action = "" if isinstance(where, Plan) else where.action
        grammar = self.profile.grammars.get(action)
        if grammar is None:
            return None
        asked = ask.read(self.profile, grammar, request, able=True)
        if isinstance(asked, Plan):
            return asked
        return generate.objection(self.profile, asked) if action in _GENERATED else None

    def _is_older(self, path: str) -> bool:
        return bool((self.profile.option("sockets") or {}).get(path) == "older")

    def _of_message(self, request: Request) -> tuple[str, Request]:
        """The action that a message means, and the request that says the same over HTTP."""
        body, action = request.body, "chat" if "chat" in request.path else "completion"
        if self._is_older(request.path):
            action, body = "chat", self._from_older(body)
        headers = ((b"content-type", _JSON),)  # a message has no header fields of its own
        return action, replace(request, headers=headers, body=body)

    def _from_older(self, body: bytes) -> bytes:
        """The chat request that an older message means; one that means none is left to be refused."""
        try:
            message = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return body
        if not isinstance(message, dict) or "content" not in message:
            return body
        said = {"messages": [{"role": "user", "content": message.pop("content")}]}
        model = {} if "model" in message or not self.models.ids else {"model": self.models.ids[0]}
        return msgspec.json.encode({**model, **message, **said})

    def refuse(self, error: str, /, **values: Any) -> Plan:
        """A named error of the profile (`too_large`, `overloaded`, ...); `values` fill its message."""
        return refuse(self.profile, error, **values)

    def _seal(self, kind: str, body: bytes, seed: int) -> bytes:
        """What the ids of equal requests have in common."""
        said = b"%d\0%b\0%b" % (seed, kind.encode("utf-8", "replace"), body)
        return blake2b(said, digest_size=16).hexdigest()[: max(0, self.profile.id_length - 8)].encode()

    def _identity(self, seal: bytes, number: int) -> bytes:
        """The id of request `number`: its last eight digits are the number, strewn (by an odd factor: none twice)."""
        return (b"%b%08x" % (seal, number * 2654435761 & 0xFFFFFFFF))[-self.profile.id_length :]

    def _generated(self, request: Request, action: str, seed: int, now: float) -> Plan:
        """The answer of the model, remembered by the bytes of the request."""
        body = request.body
        key = (action, body, seed, 0)
        plain = ask.is_plain(request)
        found = self._memory.get(key) if plain else None
        if found is None:
            made = prepare(*self._make(request, action, seed, self._sse), self._seal(action, body, seed))
            if plain:
                self._remember(key, None, made)
        else:
            made = found[1]
        return made.fill(self._identity(made.seal, request.number), b"%d" % now)

    def _make(
        self,
        request: Request,
        action: str,
        seed: int,
        frame: render.Frame,
        streamed: bool = False,
        shape: str = "",
    ) -> tuple[Plan, Account | None]:
        profile = self.profile
        asked = ask.read(profile, profile.grammars[action], request)
        if isinstance(asked, Plan):
            return asked, None
        if not self.models.knows(asked.model):
            return refuse(profile, "model_not_found", model=asked.model, served=self.models.served), None
        response = generate.respond(profile, self.models, action, asked, HOLES, seed)
        if isinstance(response, Plan):
            return response, None
        shaped = profile.shapes[shape or ("chat" if action == "chat" else "completion")]
        return render.plan(profile, shaped, response, frame, streamed or bool(asked.stream)), response.account

    def account(self, request: Request, reply: Reply | None = None, *, seed: int = 0) -> Account | None:
        """What the answer to a request costs in tokens; None for what no model says (pages, errors, raw bytes)."""
        if request.http_version == SOCKET:
            action, request = self._of_message(request)
        elif reply is None and (made := self._remembered(request, seed)) is not None:
            return made.account
        else:
            where = route.find(self.profile, request)
            action = "" if isinstance(where, Plan) else where.action
        if isinstance(reply, Fixture):
            kept = recorded.find(reply.fixture)
            reply = reply if isinstance(kept, Plan) else kept
        if reply is not None:
            if isinstance(reply, Text | ToolCalls | Choices):
                found = self._memory.get((request.path, request.body, seed, id(reply)))
                if found is not None and found[0] is reply and found[1].account is not None:
                    return found[1].account
                return scripted.said(self.profile, request, action, reply)[1].account
            return None
        if action not in _GENERATED:
            return None
        return self._make(request, action, seed, self._sse)[1]

    def _remembered(self, request: Request, seed: int) -> Prepared | None:
        """What a request like this one was answered with; one of another content type would have cost the same."""
        where = self.profile.routes.get(request.path)
        action = None if where is None else where.methods.get(request.method)
        found = None if action is None else self._memory.get((action, request.body, seed, 0))
        return None if found is None else found[1]

    def _scripted(self, request: Request, reply: Reply, seed: int, now: float) -> Plan:
        """What the script says, remembered by the reply and the bytes of the request."""
        key = (request.path, request.body, seed, id(reply))
        found = self._memory.get(key)
        if found is not None and found[0] is reply:
            plan = found[1].fill(self._identity(found[1].seal, request.number), b"%d" % now)
        else:
            where = route.find(self.profile, request)
            action = "" if isinstance(where, Plan) else where.action
            plan = scripted.plan(self.profile, request, action, reply, self._sse)
            if not _is_verbatim(reply):
                seal = self._seal(request.path, request.body, seed)
                made = prepare(plan, self.account(request, reply, seed=seed), seal)
                self._remember(key, reply, made)
                plan = made.fill(self._identity(seal, request.number), b"%d" % now)
        return self._paced(plan, reply, request, seed)

    def _paced(self, plan: Plan, reply: Reply, request: Request, seed: int) -> Plan:
        if isinstance(reply, Fixture) and reply.pacing == NO_PACING:
            kept = recorded.find(reply.fixture)
            reply = reply if isinstance(kept, Plan) else kept
        if reply.pacing is NO_PACING or reply.pacing == NO_PACING:
            return plan
        flow, pacing = plan.steps, reply.pacing
        if isinstance(flow, Flow) and pacing.coalesce:
            plan = flow.coalesced().plan(plan.ending)
        if not (pacing.ttft or pacing.itl or pacing.jitter):
            return plan
        streamed = isinstance(flow, Flow) and flow.layout.marked
        cost = None if streamed else self.account(request, reply, seed=seed)
        waits = latency.gaps(pacing, seed * 1_000_003 + request.number)
        return latency.pace(plan, waits, 1 if cost is None else cost.tokens)

    def _remember(self, key: tuple[str, bytes, int, int], reply: Reply | None, made: Prepared) -> None:
        if len(key[1]) > _SMALL or len(made.parts) > _REMEMBERED:
            return
        if len(self._memory) >= _REMEMBERED:
            self._memory.clear()
        self._memory[key] = (reply, made)


def _is_verbatim(reply: Reply) -> bool:
    """Whether a reply is sent byte for byte, so that nothing may be put into it."""
    if isinstance(reply, Fixture):
        found = recorded.find(reply.fixture)
        return isinstance(found, Plan) or _is_verbatim(found)
    return isinstance(reply, RawBytes | Json)


def _without_body(plan: Plan) -> Plan:
    return Plan(tuple(step for step in plan.steps if not isinstance(step, Body)), plan.ending)


def with_headers(plan: Plan, headers: Headers) -> Plan:
    """The plan with more header fields on its head: rate limits, origins."""
    if not headers:
        return plan
    if isinstance(plan.steps, Flow):
        head = plan.steps.head
        return plan.steps.with_head(Head(head.status, (*head.headers, *headers), head.reason)).plan(plan.ending)
    steps = (
        Head(step.status, (*step.headers, *headers), step.reason) if isinstance(step, Head) else step
        for step in plan.steps
    )
    return Plan(tuple(steps), plan.ending)


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
