"""Every no of the server, in the words of its profile: a named error, or the issues of a request body.

A refusal is one whole JSON response; it never holds an API key, and only a short piece of what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mockserver.model.profile import Profile
from mockserver.model.template import holes_of
from mockserver.model.validate import Branch, Issue
from mockserver.plan import Body, Head, Headers, Plan

_SHOWN = 100


def respond(status: int, headers: Headers, body: bytes) -> Plan:
    """A plan for one whole body."""
    length = (b"content-length", b"%d" % len(body))
    return Plan((Head(status, (length, *headers)), Body(body)) if body else (Head(status, (length, *headers)),))


def refuse(profile: Profile, error: str, headers: Headers = (), /, **values: Any) -> Plan:
    """The named error of a profile; `values` fill the holes of its message. An unknown name is `invalid_request`."""
    found = profile.errors.get(error) or profile.errors["invalid_request"]
    encode = profile.style.encode
    filled = {key: encode(_short(value)) for key, value in values.items()}
    filled.setdefault("message", encode(error))
    for hole in holes_of(found.message.document):
        filled.setdefault(hole, b'"?"')
    if found.text is not None:
        plain = ((b"content-type", b"text/plain; charset=utf-8"),)
        return respond(found.status, (*plain, *found.headers, *headers), found.text.encode())
    param = values.get("where") if found.param == "${where}" else found.param
    body = error_body(
        profile, msgspec.json.decode(found.message.fill(filled)), found.type, found.code, param, found.body
    )
    return respond(found.status, (*profile.headers["json"], *found.headers, *headers), body)


def error_body(
    profile: Profile, message: str, type_: str | None, code: str | None, param: str | None, template: Any = None
) -> bytes:
    """An error in the profile's envelope."""
    encode = profile.style.encode
    parts = {"message": message, "type": type_, "code": code, "param": param}
    return (template or profile.error_body).fill({key: encode(value) for key, value in parts.items()})


def complain(profile: Profile, issues: Sequence[Issue]) -> Plan:
    """The answer to a body with issues: all of them where the profile lists them, else about the first."""
    rules = profile.complaints
    encode = profile.style.encode
    if rules.body is None or rules.issue is None:
        first = issues[0].loc[:1]
        issue = max((one for one in issues if one.loc[:1] == first), key=lambda one: len(one.param))
        found = profile.errors["invalid_request"]
        body = error_body(profile, _worded(profile, issue)[1], found.type, found.code, issue.param or None)
        return respond(found.status, profile.headers["json"], body)
    items = []
    for issue in issues:
        kind, message = _worded(profile, issue)
        values = {
            "type": encode(kind),
            "loc": encode(["body", *(str(part) if isinstance(part, Branch) else part for part in issue.loc)]),
            "message": encode(message),
            "input": encode(issue.input),
        }
        if issue.context:
            values["ctx"] = encode(issue.context)
        items.append(rules.issue.fill(values))
    comma = b", " if profile.style.spaced else b","
    body = rules.body.fill({"issues": b"[" + comma.join(items) + b"]"})
    return respond(rules.status, profile.headers["json"], body)


def _worded(profile: Profile, issue: Issue) -> tuple[str, str]:
    """The type and the message of an issue."""
    type_, template = profile.complaints.messages.get(issue.kind) or profile.complaints.messages["value_error"]
    values: Mapping[str, Any] = {
        "field": issue.param or "the body",
        "limit": _number(issue.limit),
        "input": _short(issue.input if issue.kind != "missing" else None),
        "at": issue.loc[-1] if issue.kind == "json_invalid" else "",
    }
    filled = template.fill({key: msgspec.json.encode(str(value)) for key, value in values.items()})
    return type_, str(msgspec.json.decode(filled))


def _number(limit: Any) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


def _short(value: Any) -> Any:
    """A value as a message shows it: texts as they are, others as JSON, both cut."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = repr(value)
        return value if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
