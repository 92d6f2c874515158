"""What a request asks for: its body as one typed value, or the profile's refusal, never an exception.

The fast way is one typed decode. Whatever that does not accept goes the long way: content type, content encoding, the
careful reading of the JSON, then every field. Both ways agree on what is valid.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import msgspec

from mockserver.model.fields import Grammar
from mockserver.model.jsontext import BadJSON, read_json
from mockserver.model.profile import Profile
from mockserver.model.refuse import complain, refuse
from mockserver.model.validate import Issue, validate
from mockserver.plan import Plan
from mockserver.request import Request

Ask: TypeAlias = Any
"""A value made at run time from the profile's fields, with every attribute of `fields.ABSENT`."""

_JSON = b"application/json"


HEAD = 16 << 10
"""A head with more bytes of values is looked at more closely."""


def heads(profile: Profile, request: Request) -> Plan | None:
    """The refusal of header fields that are larger than the profile takes."""
    limit = profile.option("max_header_bytes")
    if limit is None or sum(len(name) + len(value) + 4 for name, value in request.headers) <= limit:
        return None
    return refuse(profile, "headers_too_large", limit=limit)


def is_plain(request: Request) -> bool:
    """Whether the body is sent as JSON and nothing more, so that equal bodies mean equal requests.

    A head that may be too large is not plain.
    """
    plain = False
    size = 0
    for name, value in request.headers:
        size += len(value)
        if name == b"content-type":
            plain = value == _JSON
        elif name == b"content-encoding":
            return False
    return plain and size < HEAD


def read(profile: Profile, grammar: Grammar, request: Request, able: bool = False) -> Ask | Plan:
    """The request's `Ask`, or the plan of its refusal; `able`: as if the model could see and hear."""
    if (refused := heads(profile, request)) is not None:
        return refused
    kind = encoding = None
    for name, value in request.headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            encoding = value
    if encoding is None and kind == _JSON:
        try:
            ask = grammar.quick(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            if not grammar.excluded or not grammar.is_excluded(ask):
                return ask
    return _read_slowly(profile, grammar, request.body, kind, encoding, able)


def _read_slowly(
    profile: Profile, grammar: Grammar, body: bytes, kind: bytes | None, encoding: bytes | None, able: bool
) -> Any:
    limit = profile.option("max_body_bytes")
    if limit is not None and len(body) > limit:
        return refuse(profile, "too_large", limit=limit)
    rules = profile.option("content_type", {})
    known = rules.get("encodings")
    if known and encoding is not None and encoding.decode("latin-1").lower() not in known:
        return refuse(profile, "unsupported_encoding", input=encoding)
    if not body:
        return complain(profile, [Issue("empty_body", (), None)])
    if not _is_json(kind, rules):
        if rules.get("otherwise") != "as_text":
            return refuse(profile, "unsupported_media_type", input=kind or b"(none)")
        return complain(profile, [Issue("model_attributes_type", (), body.decode("utf-8", "replace"))])
    try:
        value = read_json(body, profile.reading)
    except BadJSON as error:
        if error.kind != "syntax":
            return refuse(profile, "unreadable_body", reason=error.message)
        return complain(
            profile, [Issue("json_invalid", (error.position,), {}, error.message, {"error": error.message})]
        )
    values, issues, refusals = validate(value, grammar)
    if issues:
        return complain(profile, issues)
    if refusals and not able:
        return refuse(profile, refusals[0].error)
    return grammar.ask(**values)


def _is_json(kind: bytes | None, rules: dict[str, Any]) -> bool:
    if kind is None:
        return bool(rules.get("absent", True))
    essence = kind.decode("latin-1").split(";")[0].strip().lower()
    return any(fnmatchcase(essence, pattern) for pattern in rules.get("accept", ["application/json"]))


def read_leniently(grammar: Grammar, body: bytes) -> Ask:
    """As much of a body as means something: for scripted replies, which are sent whatever was asked."""
    try:
        return grammar.quick(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return grammar.ask()
    values, issues, _ = validate(value, grammar)
    wrong = {issue.loc[0] for issue in issues if issue.loc}
    return grammar.ask(**{name: found for name, found in values.items() if name not in wrong and found is not None})
