"""The door `/_mock/`: arm a session, ask what happened, over HTTP and in JSON. `/@NAME/_mock/...` is session NAME's.

    PUT    script    another script (JSON or YAML)       -> {"rules": n}
    PATCH  script    more rules behind those there       -> {"rules": n}
    GET    script    the script in force
    GET    /         these doors, each with what it does
    DELETE /         the session as if it was never used
    GET    journal   ?limit= &after=NUMBER &wait_for=n &within=SECONDS &arrived=1; of these only
                     &path= &method= &rule=NAME|none &status= &ended= &fault=KIND &contains=TEXT &connection=
    DELETE journal   the journal begins anew
    GET    state     counters, unused rules and faults
    POST   heal      every fault that there is now is over; those given later act
    PUT    faults    faults for every request and connection (a list)   -> {"faults": n}
    PUT    health    "ok", "loading" or "unhealthy": what /health says; null: what script and server say
    PUT    seed      a number: where chance comes from
    GET    clock     the session's own time: {"now", "at", "frozen"}
    PUT    clock     {"advance": seconds}, {"freeze": null|moment}, {"set": moment} or {"run": true}
    PUT    keys      a list of API keys: requests with one of them, and no prefix, are this session's
    POST   release   {"barrier", "times"}: let go what a rule holds   -> {"released": n}
    POST   explain   {"method", "path", "headers", "body", "connection"}: every rule, every field, the plan, its times
    POST   plan      the same request: only the plan and its timeline
    GET    bundle    all of the session, for `inferneo-mock replay`

A mistake is a 400 `{"error": {"message", "path"}}` and has changed nothing. `wait_for` answers as soon as n exchanges
have ended (with `arrived=1`: have come), else after `within` seconds with 408 and what there is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from mockserver.errors import MockError, ScriptError
from mockserver.model.status import Health
from mockserver.record.bundling import Snapshot, written
from mockserver.record.verify import state_of
from mockserver.request import Request
from mockserver.scripting.script import parse_script_text
from mockserver.serving.brain import ScriptBrain
from mockserver.serving.doorkeeper import chosen
from mockserver.serving.sessionclock import SessionClock, change_clock, change_of
from mockserver.serving.sessions import SessionCore, Sessions
from mockserver.suggest import unknown

WITHIN = 10.0
"""Seconds that `wait_for` waits when not told."""

LIMIT = 1000
"""Exchanges in one page of the journal when not told."""

SLICE = 0.002
"""Seconds that a bundle is worked on before the loop does something else."""

PLANNED = ("rule", "call", "reply", "faults", "refused", "queued", "notes", "plan", "timeline")
"""What `POST plan` says of all that `POST explain` does."""

Handler = Callable[[HttpRequest, SessionCore, ScriptBrain], Awaitable[Response]]


def door(sessions: Sessions) -> Starlette:
    """The ASGI application behind `/_mock`; the session's name is in `request.state.session`."""

    def endpoint(handler: Handler) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def run(request: HttpRequest) -> Response:
            if refusal := sessions.doorkeeper.refusal(request.headers):
                return answer({"error": {"message": refusal, "path": "$"}}, 403)
            session = sessions.get(request.state.session)
            try:
                done = await handler(request, session, session.brain)  # type: ignore[arg-type]  # a ScriptBrain
            except ScriptError as error:
                return answer({"error": error.to_json()}, 400)
            except (MockError, OSError) as error:
                return answer({"error": {"message": str(error), "path": "$"}}, 400)
            await settled()
            return done

        return run

    async def settled() -> None:
        if sessions.settled is not None:
            await sessions.settled()

    async def reset(request: HttpRequest) -> Response:
        if refusal := sessions.doorkeeper.refusal(request.headers):
            return answer({"error": {"message": refusal, "path": "$"}}, 403)
        sessions.reset(request.state.session)
        await settled()
        return answer({"reset": True})

    async def put_keys(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
        keys = await _json(request)
        if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
            raise ScriptError(f"the keys are a list of texts, got {keys!r}")
        sessions.use_keys(session.name, keys)
        return answer({"keys": len(keys)})

    own: dict[tuple[str, str], Handler] = {("PUT", "/keys"): put_keys}
    routes = [Route("/", reset, methods=["DELETE"])]
    for (method, path), handler in (HANDLERS | own).items():
        routes.append(Route(path, endpoint(handler), methods=[method]))
    return Starlette(routes=routes, exception_handlers={404: not_found, 405: not_allowed})


def doors() -> dict[tuple[str, str], str]:
    """Every door, by method and path, and what it does."""
    found = {door: (handler.__doc__ or "").partition("\n")[0] for door, handler in HANDLERS.items()}
    return found | {("DELETE", "/"): "The session as if it was never used.", ("PUT", "/keys"): "API keys of its own."}


async def get_doors(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """What there is."""
    known = [{"method": method, "path": path, "does": words} for (method, path), words in sorted(doors().items())]
    return answer({"session": session.name, "doors": sorted(known, key=lambda one: one["path"])})


def answer(document: Any, status: int = 200) -> Response:
    """`document` as JSON."""
    return Response(json.dumps(document), status, media_type="application/json")


async def not_found(request: HttpRequest, error: Exception) -> Response:
    """Says what there is."""
    known = ", ".join(sorted({path for _, path in doors()}))
    return answer({"error": {"message": f"no door {request.url.path!r}; known: {known}", "path": "$"}}, 404)


async def not_allowed(request: HttpRequest, error: Exception) -> Response:
    """Says which methods the path takes."""
    methods = sorted(method for method, path in doors() if path == request.url.path)
    message = f"{request.method} means nothing on {request.url.path!r}; it takes {', '.join(methods)}"
    return answer({"error": {"message": message, "path": "$"}}, 405)


def _number(request: HttpRequest, name: str, default: float | None, kind: type[int] | type[float]) -> Any:
    value = request.query_params.get(name)
    if value is None:
        return default
    try:
        number = kind(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        what = "a whole number" if kind is int else "seconds"
        raise ScriptError(f"{name!r} is {what} from 0, not {value!r}", f"?{name}")
    return number


async def _json(request: HttpRequest) -> Any:
    data = await request.body()
    try:
        return json.loads(data)
    except ValueError as error:
        raise ScriptError(f"the body is no JSON: {error}") from error


async def put_script(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Another script."""
    return answer({"rules": brain.load(parse_script_text(await request.body()))})


async def patch_script(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """More rules."""
    return answer({"rules": brain.add(parse_script_text(await request.body()))})


async def get_script(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """The script in force."""
    return answer(brain.script.to_json())


async def get_journal(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """A page of exchanges, after waiting for them if told to."""
    chosen((), request.query_params)
    limit = _number(request, "limit", LIMIT, int)
    after = _number(request, "after", 0, int)
    count = _number(request, "wait_for", None, int)
    within = _number(request, "within", WITHIN, float)
    arrived = request.query_params.get("arrived", "0") not in ("0", "false", "")
    journal = session.journal
    status = 200
    if count is not None:
        status = await _wait(request, journal.wait_for(count, arrived=arrived), within)
    page = chosen(journal.page(after), request.query_params)[:limit]
    unmatched = [exchange for exchange in page if exchange.decision.explanation is not None]
    document = {
        "exchanges": [exchange.to_json() for exchange in page],
        "unmatched": [
            {"number": exchange.number, "explanation": str(exchange.decision.explanation)} for exchange in unmatched
        ],
        "arrived": journal.arrived,
        "ended": journal.ended,
        "dropped": journal.dropped,
        "changes_dropped": brain.history.dropped,
    }
    return answer(document, status)


async def _wait(request: HttpRequest, waiting: Awaitable[None], within: float) -> int:
    """200 once `waiting` is over, 408 when it takes longer or the asker has left."""
    wait = asyncio.ensure_future(waiting)
    left = asyncio.ensure_future(request.receive())
    try:
        done, _ = await asyncio.wait({wait, left}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if left in done and wait not in done and left.result()["type"] == "http.request":
            done, _ = await asyncio.wait({wait}, timeout=within)
    finally:
        for task in (wait, left):
            task.cancel()
        await asyncio.gather(wait, left, return_exceptions=True)
    return 200 if wait in done else 408


async def delete_journal(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """The journal begins anew."""
    session.clear_journal()
    return answer({"exchanges": []})


async def get_state(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Counters and what was not used."""
    return answer(state_of(session))


async def heal(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """No fault from now on."""
    brain.heal()
    return answer({"healed": True})


async def put_faults(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Faults for everything."""
    return answer({"faults": brain.set_faults(await _json(request))})


async def explain(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Which rule a request would get, and why not the others."""
    found = brain.preview(asked(await _json(request), session), session.home.max_body)
    return answer({**found.to_json(), "text": str(found)})


async def plan(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """What would be sent to a request, and when."""
    found = brain.preview(asked(await _json(request), session), session.home.max_body).to_json()
    return answer({key: found[key] for key in PLANNED})


async def put_seed(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Another seed."""
    seed = await _json(request)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ScriptError(f"a seed is a whole number, got {seed!r}")
    brain.reseed(seed)
    return answer({"seed": seed})


async def get_clock(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """The session's time."""
    return answer((brain.clock or SessionClock()).to_json())


async def put_clock(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Stop, set or advance the session's time."""
    return answer(change_clock(session, change_of(await _json(request))).to_json())


async def put_health(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """What `/health` says."""
    health = await _json(request)
    if health is not None and health not in get_args(Health):
        raise ScriptError(unknown("health", str(health), get_args(Health)))
    brain.set_health(health)
    return answer({"health": brain.health})


async def release(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """Let go what waits at a barrier."""
    asked = await _json(request) if await request.body() else {}
    if not isinstance(asked, dict) or set(asked) - {"barrier", "times"}:
        raise ScriptError(f"expected {{'barrier': name, 'times': n}}, got {asked!r}")
    times = asked.get("times")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ScriptError(f"a whole number from 1, or nothing, not {times!r}", "$.times")
    return answer({"released": brain.gates.release(str(asked.get("barrier", "hold")), times)})


async def get_bundle(request: HttpRequest, session: SessionCore, brain: ScriptBrain) -> Response:
    """All of the session, made between other things: a full journal is a second's work."""
    found: list[bytes] = []
    until = time.monotonic() + SLICE
    for piece in written(Snapshot.of(session)):
        found.append(piece)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE
    return Response(b"".join(found), media_type="application/json")


def asked(document: Any, session: SessionCore) -> Request:
    """The request that `document` describes: `method`, `path`, `headers` ([[k, v]] or an object), `body` (any JSON),
    and the number of the `connection` it comes on, if that is known.
    """
    if not isinstance(document, dict):
        raise ScriptError("a request is an object with 'method', 'path', 'headers' and 'body'")
    connection = document.get("connection", 0)
    if isinstance(connection, bool) or not isinstance(connection, int) or connection < 0:
        raise ScriptError(f"the number of a connection is a whole number from 1, not {connection!r}", "$.connection")
    body = document.get("body")
    headers = document.get("headers", [])
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Request(
        method=str(document.get("method", "POST")),
        path=str(document.get("path", "/v1/chat/completions")),
        headers=tuple((str(name).lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in pairs),
        body=b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        session=session.name,
        connection=connection,
        number=session.requests + 1,
    )


HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "/"): get_doors,
    ("PUT", "/script"): put_script,
    ("PATCH", "/script"): patch_script,
    ("GET", "/script"): get_script,
    ("GET", "/journal"): get_journal,
    ("DELETE", "/journal"): delete_journal,
    ("GET", "/state"): get_state,
    ("POST", "/heal"): heal,
    ("PUT", "/faults"): put_faults,
    ("PUT", "/seed"): put_seed,
    ("PUT", "/health"): put_health,
    ("GET", "/clock"): get_clock,
    ("PUT", "/clock"): put_clock,
    ("POST", "/release"): release,
    ("POST", "/explain"): explain,
    ("POST", "/plan"): plan,
    ("GET", "/bundle"): get_bundle,
}
