"""API keys: who may ask. A key is never shown, compared in constant time, and may expire.

Whether keys are asked for, where, and how a no is worded, is the profile's matter (`auth`, `open` routes, the errors
`missing_key`, `wrong_scheme`, `wrong_key`, `expired_key`). With no key at all everyone may ask.
"""

from __future__ import annotations

import hmac
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from mockserver.errors import MockError
from mockserver.model.profile import Profile
from mockserver.model.refuse import refuse
from mockserver.plan import Plan
from mockserver.request import Request

ANYONE = "anyone"
"""The account of a request without a key."""


class BadKeyError(MockError, ValueError):
    """A key was given in no form that is known."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key; `expires` is Unix seconds, None: never. It does not show itself."""

    value: str = field(repr=False)
    expires: float | None = None

    @property
    def account(self) -> str:
        """A name for what this key has used, from which the key cannot be read."""
        return sha256(self.value.encode()).hexdigest()[:12]


def key_to_text(key: Key) -> str:
    """The key as `parse_key` reads it."""
    return key.value if key.expires is None else f"{key.value}@{datetime.fromtimestamp(key.expires, UTC).isoformat()}"


def parse_key(text: str) -> Key:
    """A key from the command line: `KEY`, or `KEY@2026-12-31T23:59:59Z` for one that expires."""
    value, at, moment = text.rpartition("@")
    if not at:
        value, moment = text, ""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise BadKeyError("an API key is one or more ASCII characters without spaces")
    if not moment:
        return Key(value)
    try:
        expires = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError as error:
        raise BadKeyError(f"the time behind '@' is {moment!r}; write it as 2026-12-31T23:59:59Z") from error
    return Key(value, (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).timestamp())


def check(profile: Profile, keys: Sequence[Key], request: Request, now: float) -> str | Plan:
    """The account of a request, or the refusal of one without a good key."""
    rules = profile.option("auth")
    if not keys or not rules or is_open(profile, request):
        return ANYONE
    sent = request.header(b"authorization")
    if sent is None or not sent.strip():
        return refuse(profile, "missing_key")
    scheme, _, token = sent.strip().partition(b" ")
    if scheme.lower() != rules["scheme"].lower().encode() or not token.strip():
        return refuse(profile, "wrong_scheme")
    return check_token(profile, keys, token.strip(), now)


def check_token(profile: Profile, keys: Sequence[Key], token: bytes, now: float) -> str | Plan:
    """The account of a bare key: of a WebSocket's first message or of its URL."""
    found = None
    for key in keys:
        if hmac.compare_digest(key.value.encode(), token):
            found = key
    if found is None:
        return refuse(profile, "wrong_key")
    if found.expires is not None and now >= found.expires:
        return refuse(profile, "expired_key")
    return found.account


def token_of_query(query: bytes) -> bytes | None:
    """The key in `?token=...` of a WebSocket's URL."""
    found = urllib.parse.parse_qs(query, keep_blank_values=True).get(b"token")
    return found[0] if found else None


def is_open(profile: Profile, request: Request) -> bool:
    """Whether the request needs no key and is not counted: a probe, a page of the API's description, a preflight."""
    route = profile.routes.get(request.path)
    return request.method == "OPTIONS" or (route is not None and route.open)
