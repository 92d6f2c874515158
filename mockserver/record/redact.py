"""What a failing test shows and writes down holds no key: each has a stand-in, which a replay accepts or refuses alike.

Laws: one key has one stand-in, made of its hash, in scripts and in requests, so who was let in is let in again, an
expired key is expired, and a wrong one is wrong. Where keys stand (`api_keys`, `Authorization` and its like, cookies,
`token=` and its like in a query) every one is replaced; elsewhere only what is long and is no word, so that no prompt
is changed by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mockserver.errors import MockError
from mockserver.model.keys import Key, key_to_text, parse_key

HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token"})
"""Header fields whose value is a key, behind a scheme or bare."""

COOKIES = frozenset({"cookie", "set-cookie"})
"""Header fields of which each value is a secret, behind its name."""

TARGETS = frozenset({"target", "query", "url"})
"""Where a request's query stands: there the parameters of `_QUERY` are keys."""

LONG = 8
"""Characters from which on a key is looked for everywhere."""

_STAND_IN = "redacted-"
_TOKEN = re.compile(r"(?<=[?&]token=)[^&\s\"]+")
_QUERY = re.compile(r"((?:^|[?&])(?:token|access_token|auth|api[-_]?key|key)=)([^&\s\"]+)", re.IGNORECASE)
_COOKIE = re.compile(r"(=)([^;\s]+)")


def stand_in(key: str) -> str:
    """What is shown instead of the key, always the same; a stand-in stands for itself."""
    return key if key.startswith(_STAND_IN) else f"{_STAND_IN}{Key(key).account}"


def redacted(document: Any) -> Any:
    """A JSON document (a script, a bundle) without its keys."""
    return Redactor(secrets_of(document)).document(document)


def redacted_text(text: str, secrets: Iterable[str]) -> str:
    """A text for people without these keys, and without what `token=` says."""
    return Redactor(secrets).text(text)


def header_key(value: str) -> str:
    """The key in the value of a header field: what stands behind the scheme, or all of it."""
    _, _, token = value.strip().partition(" ")
    return token.strip() or value.strip()


def secrets_of(document: Any) -> Iterator[str]:
    """Every key that stands where keys stand."""
    for name, value in _members(document):
        if name == "api_keys" and isinstance(value, list):
            yield from (_parsed(one).value for one in value if isinstance(one, str))
        elif name == "headers" and isinstance(value, list):
            yield from (header_key(str(pair[1])) for pair in value if _is_key_field(pair))


def keys_of(fields: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """The keys in header fields as they came, their names in lower case or not."""
    for name, value in fields:
        if name.decode("latin-1").lower() in HEADERS:
            yield header_key(value.decode("latin-1"))


def _members(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield name, value
            yield from _members(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _members(value)


def _is_key_field(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2 and str(pair[0]).lower() in HEADERS


def _is_cookie(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2 and str(pair[0]).lower() in COOKIES


def _stood_in(place: re.Pattern[str], text: str) -> str:
    """The text with the second group of each place replaced."""
    return place.sub(lambda found: found[1] + stand_in(found[2]), text)


def _parsed(text: str) -> Key:
    try:
        return parse_key(text)
    except MockError:
        return Key(text)


class Redactor:
    """Replaces the keys it was given, and what stands where keys stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long = sorted({one for one in secrets if len(one) >= LONG and not one.isalpha()}, key=len, reverse=True)
        self._long = re.compile("|".join(rf"(?<![\w-]){re.escape(one)}(?![\w-])" for one in long)) if long else None

    def text(self, text: str) -> str:
        """A text in which a key may stand."""
        if self._long is not None:
            text = self._long.sub(lambda found: stand_in(found[0]), text)
        return _TOKEN.sub(lambda found: stand_in(found[0]), text)

    def document(self, value: Any, name: str = "") -> Any:
        """A JSON value; `name` is the key it stands under."""
        if isinstance(value, dict):
            return {key: self.document(one, str(key)) for key, one in value.items()}
        if isinstance(value, list | tuple):
            if name == "api_keys":
                return [_key(one) if isinstance(one, str) else one for one in value]
            if name in ("headers", "header") and _is_key_field(value):
                return [value[0], _field(str(value[1]))]
            if name in ("headers", "header") and _is_cookie(value):
                return [value[0], _stood_in(_COOKIE, str(value[1]))]
            return [self.document(one, name) for one in value]
        if isinstance(value, str):
            if name.lower() in HEADERS:
                return _field(value)
            if name.lower() in COOKIES:
                return _stood_in(_COOKIE, value)
            return self.text(_stood_in(_QUERY, value) if name in TARGETS else value)
        return value


def _key(text: str) -> str:
    key = _parsed(text)
    return key_to_text(Key(stand_in(key.value), key.expires))


def _field(value: str) -> str:
    """The value of a header field with its key replaced; its shape stays, for it decides how a wrong one is refused."""
    key = header_key(value)
    before, found, behind = value.rpartition(key)
    return f"{before}{stand_in(found)}{behind}" if key else value
