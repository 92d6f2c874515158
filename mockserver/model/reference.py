"""`/docs`: the API for people, as one page that needs nothing else: no script, no font, no other host.

Law: it says what `/openapi.json` says, for it is made from that document; every text in it is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mockserver.model.openapi import document
from mockserver.model.profile import Profile

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left;vertical-align:top}"
)
_BOUNDS = (("minimum", ">="), ("maximum", "<="), ("exclusiveMinimum", ">"), ("exclusiveMaximum", "<"))


def page(profile: Profile) -> bytes:
    """The page of a profile, as UTF-8."""
    api = document(profile)
    schemas = api["components"]["schemas"]
    title = escape(api["info"]["title"])
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>",
        f"<style>{_STYLE}</style><h1>{title}</h1>",
        "<p>The same for programs: <a href=openapi.json>openapi.json</a>.</p>",
    ]
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                parts.append(_operation(method.upper(), path, operation, schemas))
    sockets = profile.option("sockets") or {}
    if sockets:
        paths = ", ".join(f"<code>{escape(path)}</code>" for path in sockets)
        parts.append(
            f"<h2>WebSocket</h2><p>{paths}: one JSON message with the fields of the body and <code>request_id</code>, "
            "answered by one message per chunk. A key goes into <code>?token=</code>, the header, or a first message "
            '<code>{"type": "auth", "api_key": "..."}</code>; <code>{"type": "ping"}</code> keeps it open.</p>'
        )
    return "\n".join(parts).encode()


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    told = f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>"
    body = operation.get("requestBody")
    if body is None:
        return told
    schema = schemas[_name(body["content"]["application/json"]["schema"])]
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{' *' if name in required else ''}<td>{escape(_kind(field))}"
        f"<td>{escape(str(field.get('description', '')))}"
        for name, field in schema["properties"].items()
    )
    return f"{told}<table><tr><th>field (* required)<th>type<th>meaning{rows}</table>"


def _name(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _kind(field: Mapping[str, Any]) -> str:
    """The type of a field in a few words."""
    if "$ref" in field:
        return _name(field)
    if "enum" in field:
        return ", ".join(str(one) for one in field["enum"])
    many = field.get("anyOf") or field.get("oneOf")
    if many:
        return " or ".join(dict.fromkeys(_kind(one) for one in many))
    kind = field.get("type", "any")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    bounds = [f"{sign} {field[name]:g}" for name, sign in _BOUNDS if name in field]
    return " ".join([words, *bounds])
