"""Makes a target of a URL: finds a model to ask for, and what kind of server it is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from contracts.answers import message_of
from contracts.exchange import Call, Exchange, get, post
from contracts.law import Unsupported
from contracts.options import Options
from contracts.profile import PROFILES, Profile, profile
from contracts.target import Target
from contracts.wire import NoAnswer


class Unreachable(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The target cannot be judged: nothing answers there, or no model can be found. One line."""


def connect(url: str, options: Options) -> Target:
    """Raises `Unreachable`; `LookupError` for an unknown profile, `ValueError` for a URL that is none."""
    target = Target(url, options.model, options.api_key or None, declared=dict(options.capabilities))
    if options.context:
        target.notes["context"] = options.context
    target.notes["loud"] = url in options.loud
    try:
        first = target.send(get("/v1/models"), FIRST)
    except NoAnswer as error:
        raise Unreachable(f"cannot judge {url}: {_silence(error, target)}") from error
    except Unsupported as error:
        raise Unreachable(f"cannot judge {url}: {error}") from error
    if first.ended == "timeout":
        raise Unreachable(f"cannot judge {url}: its answer to GET /v1/models does not end within {FIRST:g} s")
    try:
        if not target.model:
            target.model = _first_model(target)
        target.profile = profile(options.profile) if options.profile else seen_profile(target)
        target.timeout = max(target.timeout, SLOW * usual(target))
    except NoAnswer as error:
        raise Unreachable(f"cannot judge {url}: it answered at first, and then no more: {error}") from error
    except Unsupported as error:
        raise Unreachable(f"cannot judge {url}: {error}") from error
    for path in GENERATING:
        if target.pulse is None:
            target.feel(_plain(target.model, path))
    target.log.clear()
    return target


def _silence(error: NoAnswer, target: Target) -> str:
    """What a first request got that is no HTTP response, in words that say what to try."""
    said = str(error)
    match error.how:
        case "fin" | "reset":
            other = "" if target.place.tls else f"; if it speaks TLS, try https://{target.url.partition('://')[2]}"
            return f"it closes the connection before it answers ({said}){other}"
        case "timeout":
            return f"it accepts a connection and does not answer GET /v1/models within {FIRST:g} s"
        case "no HTTP" if r"got b'\x15\x03" in said or r"got b'\x16\x03" in said:
            return f"it answers in TLS; try https://{target.url.partition('://')[2]}"
        case "no HTTP" if HTTP2.search(said):
            return "it answers in HTTP/2 only; the judge speaks HTTP/1.1, as every client of the API can"
        case _:
            return said


def require_model(target: Target) -> None:
    """Raises `Unreachable` when the server refuses the model and lists others, or says that it does not have it."""
    refusal = None
    for path in GENERATING:
        try:
            exchange = target.send(_plain(target.model, path), LOADING)
        except (NoAnswer, Unsupported):
            return
        if exchange.status == 200:
            return
        if exchange.status in (400, 404, 422) and target.model.encode() in exchange.response.body:
            refusal = exchange
    listed = _listed(target.send(get("/v1/models")))
    if target.model in listed or not (listed or refusal):
        return
    shown = ", ".join(map(repr, listed[:TRIED])) + (", ..." if len(listed) > TRIED else "")
    raise Unreachable(
        f"cannot judge {target.url}: the server has no model {target.model!r}; it lists {shown or 'none'}"
    )


def _listed(exchange: Exchange) -> list[str]:
    """The ids of the models in an answer of `/v1/models`."""
    document: Any = exchange.document
    data = document.get("data") if isinstance(document, dict) else None
    listed = [item.get("id") for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    return [str(name) for name in listed if isinstance(name, str) and name]


FIRST = 10.0
"""Seconds that the first answer of all may take."""
HTTP2 = re.compile(r"got b'\\x00\\x00.\S{0,3}\\x04\\x00")
"""The frame of settings with which a server of HTTP/2 begins, as `repr` shows it."""
SLOW = 20.0
"""A request may take this many times the time of a plain one before it counts as never answered."""
TRIED = 6
USUAL = ("gpt-4o-mini", "gpt-4", "default")
"""Names that are tried where a server lists no model."""
QUOTED = re.compile(r"""['"`]([^'"`\s]{2,200})['"`]""")
"""A refusal of an unknown model often quotes the name of the one that is there."""
MOST = 12
GENERATING = ("/v1/chat/completions", "/v1/completions")
LOADING = 120.0
"""Seconds that the first request to a model may take: some servers load it then."""


def usual(target: Target) -> float:
    """Seconds that a plain short request takes; the first one, in which a model may be loaded, does not count."""
    seconds = 0.0
    for _ in range(2):
        try:
            exchange = target.send(_plain(target.model, "/v1/chat/completions"), LOADING)
            if exchange.status != 200:
                exchange = target.send(_plain(target.model, "/v1/completions"), LOADING)
        except (NoAnswer, Unsupported):
            return seconds
        seconds = exchange.seconds
        if seconds < 0.2:
            return seconds
    return seconds


def _plain(model: str, path: str) -> Call:
    asked = {"messages": [{"role": "user", "content": "Say hello"}]} if "chat" in path else {"prompt": "Say hello"}
    return post(path, {"model": model, **asked, "max_tokens": 4})


def _first_model(target: Target) -> str:
    """The first listed model that answers; the first one where none does (S-MODEL-07 says so).

    Many small servers list none and answer any name: where there is no list, usual names are tried.
    """
    exchange = target.send(get("/v1/models"))
    ids = _listed(exchange)
    if not ids:
        return _guessed_model(target, exchange)
    for name in ids[:TRIED]:
        for path in GENERATING:
            answer = _tried(target, name, path)
            if answer is not None and answer.status == 200:
                return name
    return ids[0]


def _tried(target: Target, name: str, path: str) -> Exchange | None:
    """What a plain request for that model got; None where that was nothing. Raises `Unreachable` where it waits for
    ever: the next name would wait as long.
    """
    try:
        return target.send(_plain(name, path), LOADING)
    except Unsupported:
        return None
    except NoAnswer as error:
        if error.how == "timeout":
            raise Unreachable(
                f"cannot judge {target.url}: it does not answer a plain request for the model {name!r} within "
                f"{LOADING:g} s; wait until it is ready, or give another --model"
            ) from error
        return None


def _guessed_model(target: Target, models: Exchange) -> str:
    """A usual name, or one that a refusal quotes, that is answered by choices.

    Raises `Unreachable`, which says what the user can do.
    """
    statuses = []
    names = list(USUAL) if models.status not in (401, 403) else []
    for name in names:
        for path in GENERATING:
            exchange = _tried(target, name, path)
            if exchange is None:
                continue
            if exchange.status == 200 and isinstance(exchange.document, dict) and "choices" in exchange.document:
                return name
            statuses.append(exchange.status)
            names += [one for one in QUOTED.findall(message_of(exchange)) if one not in names and len(names) < MOST]
    raise Unreachable(
        f"cannot judge {target.url}: GET /v1/models was answered {models.status} and lists no model; "
        f"{_advice(models, statuses)}"
    )


def _advice(models: Exchange, statuses: list[int]) -> str:
    """What to try, by the answer of the list of models and the statuses of the generating endpoints."""
    if 401 in (models.status, *statuses) or 403 in (models.status, *statuses):
        return "give --api-key"
    place = models.response.field("location")
    if 300 <= models.status < 400 and place:
        return f"it leads to {place!r}: give that server's URL"
    if statuses and min(statuses) >= 500 and 501 not in statuses:
        return f"POST /v1/chat/completions was answered {statuses[0]} too: it is broken, or not ready yet"
    if not statuses or all(status in (200, 404, 405, 501) or 300 <= status < 400 for status in statuses):
        said = f"answered {statuses[0]}" if statuses else "not answered"
        return f"and POST /v1/chat/completions was {said}: is this the base URL of an API like OpenAI's?"
    return "give --model"


def seen_profile(target: Target) -> Profile:
    """The profile that the server's answers look like: three signs, the majority decides, `openai` when in doubt.

    docs: `/v1/info` is there, errors are `{"error": ...}`, models are owned by inferneo. engine: `/stats` is there,
    errors are `{"detail": ...}`, models are owned by inferneo. No page documents the path of the information, so a
    server that looks like the docs and does not have it does not promise it.
    """
    refused = target.send(post("/v1/completions", {"model": target.model})).document
    unknown = target.send(get("/v1/no/such/path")).document
    shapes = [set(d) for d in (refused, unknown) if isinstance(d, dict)]
    info, stats = target.send(get("/v1/info")), target.send(get("/stats"))
    models = target.send(get("/v1/models")).document
    owners = (
        {m.get("owned_by") for m in models.get("data", []) if isinstance(m, dict)}
        if isinstance(models, dict)
        else set()
    )
    ours = "inferneo" in owners
    informs = info.status == 200 and isinstance(info.document, dict) and "uptime" in info.document
    counts = stats.status == 200 and isinstance(stats.document, dict) and "running" in stats.document
    docs = [informs, any("error" in shape for shape in shapes), ours]
    engine = [counts, any("detail" in shape for shape in shapes), ours]
    if sum(docs) >= 2 and sum(docs) >= sum(engine):
        found = PROFILES["docs"]
        return found if info.status != 404 else replace(found, info=False)
    return PROFILES["engine"] if sum(engine) >= 2 else PROFILES["openai"]
