"""`/openapi.json`, from the schema files that also judge the wire (`fixtures/schema`)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from mockserver import fixtures
from mockserver.model.profile import Profile

_SUMMARIES = {
    "health": "Whether the server is well",
    "metrics": "Prometheus metrics",
    "models": "All models",
    "model": "One model",
    "info": "Version, models, memory and uptime",
    "stats": "What the server does now",
    "dashboard": "A page for people",
    "openapi": "This document",
    "reference": "This API for people",
    "completion": "Complete a text",
    "batch": "Complete several texts",
    "chat": "Answer a conversation",
    "embedding": "Vectors of texts",
}
_REQUESTS = {
    "completion": "completion_request",
    "batch": "completion_batch_request",
    "chat": "chat_request",
    "embedding": "embeddings_request",
}
_RESPONSES = {
    "completion": "completion_response",
    "batch": "completion_response",
    "chat": "chat_response",
    "embedding": "embeddings_response",
    "models": "models_list",
    "model": "model",
    "info": "info",
    "health": "health",
}
_EVENTS = {"completion": "completion_chunk", "chat": "chat_chunk"}
_TEXTS = {"metrics": "text/plain", "dashboard": "text/html", "reference": "text/html"}


def document(profile: Profile) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a profile: its routes, with the schemas under `components`."""
    paths: dict[str, Any] = {}
    routes = (*profile.routes.values(), *(route for _, route in profile.prefixes))
    for route in routes:
        paths[route.path] = {method.lower(): _operation(action) for method, action in route.methods.items()}
        if "{id}" in route.path:
            paths[route.path]["parameters"] = [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ]
    names = {"error", *_REQUESTS.values(), *_RESPONSES.values(), *_EVENTS.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Inferneo API, profile {profile.name}", "version": "0.1.0"},
        "paths": paths,
        "components": {"schemas": {name: _schema(name) for name in sorted(names)}},
    }


def _operation(action: str) -> dict[str, Any]:
    if action in _TEXTS:
        content: dict[str, Any] = {_TEXTS[action]: {"schema": {"type": "string"}}}
    else:
        name = _RESPONSES.get(action)
        content = {"application/json": {"schema": _ref(name) if name else {"type": "object"}}}
    if action in _EVENTS:
        content["text/event-stream"] = {"schema": _ref(_EVENTS[action])}
    found: dict[str, Any] = {
        "summary": _SUMMARIES[action],
        "operationId": action,
        "responses": {
            "200": {"description": "The answer", "content": content},
            "default": {"description": "An error", "content": {"application/json": {"schema": _ref("error")}}},
        },
    }
    if action in _REQUESTS:
        schema = _ref(_REQUESTS[action])
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


@lru_cache
def _schema(name: str) -> dict[str, Any]:
    """A schema file, its inner references moved to where it stands in the document."""
    text = (fixtures.path() / "schema" / f"{name}.json").read_text(encoding="utf-8")
    found = json.loads(text.replace('"#/$defs/', f'"#/components/schemas/{name}/$defs/'))
    return {key: value for key, value in found.items() if key not in ("$schema", "$id")}
