"""Keys: none needed, one of several, expired ones; every no is a 401 in the envelope that never shows a key."""

from __future__ import annotations

import pytest
from asking import ANSWERERS, CHAT, body, get, header, reply, status

from mockserver.model.keys import ANYONE, BadKeyError, Key, check, check_token, parse_key, token_of_query
from mockserver.plan import Plan
from mockserver.request import Request

DOCS = ANSWERERS["docs"].profile
KEYS = (Key("sk-one"), Key("sk-two", expires=100.0))


def _ask(value: bytes | None, path: str = CHAT, method: str = "POST") -> Request:
    return Request(method, path, headers=() if value is None else ((b"authorization", value),))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "missing"),
        (b"", "missing"),
        (b"   ", "missing"),
        (b"Basic c2s6", "wrong scheme"),
        (b"Bearer", "wrong scheme"),
        (b"Bearer ", "wrong scheme"),
        (b"sk-one", "wrong scheme"),
        (b"Bearer sk-wrong", "wrong"),
        (b"Bearer \xff", "wrong"),
        (b"Bearer sk-two", "expired"),
    ],
)
def test_refusals(value: bytes | None, code: str) -> None:
    """401, `WWW-Authenticate`, a message, no key."""
    plan = check(DOCS, KEYS, _ask(value), 100.0)
    assert isinstance(plan, Plan), code
    assert status(plan) == 401
    assert header(plan, b"www-authenticate") == b"Bearer"
    assert reply(plan)["error"]["message"]
    assert b"sk-" not in body(plan)


def test_good_keys() -> None:
    """Each has its own account, whatever the case of the scheme; the name of the account is not the key."""
    one = check(DOCS, KEYS, _ask(b"Bearer sk-one"), 0.0)
    two = check(DOCS, KEYS, _ask(b"bearer  sk-two"), 99.9)
    assert isinstance(one, str)
    assert isinstance(two, str)
    assert one != two
    assert "sk" not in one
    assert "sk-one" not in repr(KEYS[0])


def test_who_needs_no_key() -> None:
    """With no keys nobody; at open paths and for a preflight never; in a profile without `auth` never."""
    assert check(DOCS, (), _ask(None), 0.0) == ANYONE
    assert check(DOCS, KEYS, get("/health"), 0.0) == ANYONE
    assert check(DOCS, KEYS, get(CHAT, "OPTIONS"), 0.0) == ANYONE
    assert check(ANSWERERS["engine"].profile, KEYS, _ask(None), 0.0) == ANYONE
    assert isinstance(check(DOCS, KEYS, get("/v1/models"), 0.0), Plan)
    assert isinstance(check(DOCS, KEYS, get("/nothing"), 0.0), Plan)


def test_tokens_of_sockets() -> None:
    """In the URL, or in the first message."""
    assert token_of_query(b"a=1&token=sk-one") == b"sk-one"
    assert token_of_query(b"a=1") is None
    assert check_token(DOCS, KEYS, b"sk-one", 0.0) == KEYS[0].account


def test_parsing() -> None:
    """A key, or a key with the moment it expires."""
    assert parse_key("sk-x") == Key("sk-x")
    assert parse_key("sk-x@1970-01-01T00:01:40Z") == Key("sk-x", 100.0)
    assert parse_key("a@b@1970-01-01T00:01:40") == Key("a@b", 100.0)
    for text in ("", "a b", "é", "@1970-01-01", "sk-x@tomorrow"):
        with pytest.raises(BadKeyError):
            parse_key(text)
