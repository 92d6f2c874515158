"""The endpoints that generate no text: health, models, info, statistics, metrics, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockserver.model import ask, prompt, reference
from mockserver.model.embeddings import to_base64, vector
from mockserver.model.models_list import Models
from mockserver.model.openapi import document
from mockserver.model.profile import Profile
from mockserver.model.refuse import refuse, respond
from mockserver.model.status import Status
from mockserver.plan import Plan
from mockserver.request import Request

_DASHBOARD = b"<!doctype html><title>Inferneo</title><h1>Inferneo</h1><p>See <a href=/stats>/stats</a>.</p>\n"
UPTIME = 12
"""Characters of the uptime: always as many, so that the answers to GET and HEAD have one length."""


def page(profile: Profile, models: Models, action: str, rest: str, now: float, status: Status) -> Plan:
    """The plan of one page; `rest` is what the path says behind the route's prefix."""
    json = profile.headers["json"]
    encode = profile.style.encode
    if action == "health":
        code = profile.option("health", {}).get(status.health, 200)
        return respond(code, json, profile.documents["health"].fill({"status": encode(status.health)}))
    if action == "models":
        return respond(200, json, models.listed(now))
    if action == "model":
        if rest not in models.entries:
            return refuse(profile, "model_not_found", model=rest, served=models.served)
        return respond(200, json, models.document(rest, now))
    if action == "metrics":
        return respond(200, profile.headers["metrics"], status.metrics.text().encode())
    if action == "openapi":
        return respond(200, json, msgspec.json.encode(document(profile)))
    if action == "reference":
        return respond(200, profile.headers["html"], reference.page(profile))
    if action == "dashboard":
        return respond(200, profile.headers["html"], _DASHBOARD)
    facts: dict[str, Any] = {
        "uptime": 0.0,
        "models": models.ids,
        "model": models.ids[0] if models.ids else None,
        "context": profile.context,
        "running": status.metrics.running,
        "waiting": status.metrics.waiting,
        "totals": status.metrics.totals(),
        **profile.option("info", {}),
    }
    filled = {key: encode(value) for key, value in facts.items()}
    filled["uptime"] = f"{status.uptime:.{UPTIME}f}"[:UPTIME].encode()
    return respond(200, json, profile.documents[action].fill(filled))


def embeddings(profile: Profile, models: Models, request: Request) -> Plan:
    """The vectors of a request's inputs."""
    asked = ask.read(profile, profile.grammars["embedding"], request)
    if isinstance(asked, Plan):
        return asked
    if not models.knows(asked.model):
        return refuse(profile, "model_not_found", model=asked.model, served=models.served)
    own = models.setting(asked.model, "dimensions", 384)
    size = asked.dimensions or own
    if size > own:
        return refuse(profile, "dimensions", input=size, model=asked.model, limit=own)
    texts = prompt.of_completion(asked.input)
    context = models.setting(asked.model, "context", profile.context)
    for one in texts:
        if one.tokens > context:
            return refuse(profile, "context_length", tokens=one.tokens, limit=context, model=asked.model, where="input")
    return embedded(profile, asked, [vector(one.text, size) for one in texts], sum(one.tokens for one in texts))


def embedded(profile: Profile, asked: Any, vectors: Sequence[tuple[float, ...]], tokens: int) -> Plan:
    """The response that holds these vectors, in the encoding that was asked for."""
    encode = profile.style.encode
    coded = asked.encoding_format == "base64"
    items = [
        profile.documents["embedding"].fill(
            {"embedding": encode(to_base64(one) if coded else one), "index": b"%d" % number}
        )
        for number, one in enumerate(vectors)
    ]
    comma = b", " if profile.style.spaced else b","
    body = profile.documents["embeddings"].fill(
        {"data": b"[" + comma.join(items) + b"]", "model": encode(asked.model), "prompt_tokens": b"%d" % tokens}
    )
    return respond(200, profile.headers["json"], body)
