"""Makes a target of a URL: finds a model to ask for, and what kind of server it is."""

from __future__ import annotations

from typing import Any

from contracts.exchange import get, post
from contracts.options import Options
from contracts.profile import PROFILES, Profile, profile
from contracts.target import Target
from contracts.wire import NoAnswer


class Unreachable(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The target cannot be judged: nothing answers there, or no model can be found. One line."""


def connect(url: str, options: Options) -> Target:
    """Raises `Unreachable`; `LookupError` for an unknown profile, `ValueError` for a URL that is none."""
    target = Target(url, options.model, options.api_key or None)
    try:
        target.send(get("/v1/models"), 10.0)
    except NoAnswer as error:
        raise Unreachable(f"cannot judge {url}: {error}") from error
    if not target.model:
        target.model = _first_model(target)
    target.profile = profile(options.profile) if options.profile else seen_profile(target)
    target.log.clear()
    return target


def _first_model(target: Target) -> str:
    exchange = target.send(get("/v1/models"))
    document: Any = exchange.document
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, list):
        for item in data:
            if isinstance(item, dict) and isinstance(item.get("id"), str) and item["id"]:
                return str(item["id"])
    raise Unreachable(
        f"cannot judge {target.url}: GET /v1/models was answered {exchange.status} and lists no model; give --model"
    )


def seen_profile(target: Target) -> Profile:
    """The profile that the server's answers look like: three signs, the majority decides, `openai` when in doubt.

    docs: `/v1/info` is there, errors are `{"error": ...}`, unknown models are 404. engine: `/stats` is there, errors
    are `{"detail": ...}`, models are owned by inferneo.
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
    docs = [info.status == 200, any("error" in shape for shape in shapes), ours]
    engine = [stats.status == 200, any("detail" in shape for shape in shapes), ours]
    if sum(docs) >= 2 and sum(docs) >= sum(engine):
        return PROFILES["docs"]
    return PROFILES["engine"] if sum(engine) >= 2 else PROFILES["openai"]
