"""Paths and methods: what is not there, or is asked in another way, is told so."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.domains import CHAT, TEXT, Domain
from contracts.exchange import Call, get
from contracts.law import Vacuous, expect, law
from contracts.target import Target


def _paths(target: Target) -> list[tuple[str, str]]:
    return [(method, path) for path in (CHAT, TEXT) for method in ("GET", "PUT", "DELETE", "PATCH")] + [
        ("POST", "/v1/models"),
        ("DELETE", "/v1/models"),
    ]


WRONG_METHODS = Domain("a known path with another method", lambda t: st.sampled_from(_paths(t)), _paths)


@law("S-REFUSE-16", over=WRONG_METHODS, examples=8, source="laws.md 33; RFC 9110, 15.5.6")
def a_wrong_method_is_405(target: Target, case: tuple[str, str]) -> None:
    """A known path asked with another method is 405 (404 is borne; 400 and 426 of a path that is a WebSocket's too)."""
    has = target.can("chat" if case[1] == CHAT else "completions" if case[1] == TEXT else "models")
    if not has[0]:
        raise Vacuous(has[1])
    status = target.send(Call(case[0], case[1])).status
    expect(status in (405, 404, 401, 403, 400, 426, 501), "status 405", status)


@law("S-REFUSE-17", over=WRONG_METHODS, examples=8, level="should", source="RFC 9110, 15.5.6: MUST generate Allow")
def a_405_says_what_is_allowed(target: Target, case: tuple[str, str]) -> None:
    """A 405 has an Allow field that does not list the refused method."""
    exchange = target.send(Call(case[0], case[1]))
    if exchange.status != 405:
        raise Vacuous("no 405")
    allow = exchange.response.field("allow")
    methods = [word.strip().upper() for word in (allow or "").split(",")]
    expect(allow is not None and case[0] not in methods, f"an Allow field without {case[0]}", allow)


PATHS = (
    "/v1/nope",
    "/v1/no/such/path",
    "/v1/chat",
    "/v1/completions/nope",
    "/nope",
    "/v1/%00",
    "/v1/models/../../etc/passwd",
)
UNKNOWN_PATHS = Domain("an unknown path", lambda t: st.sampled_from(PATHS), lambda t: PATHS)


@law("S-REFUSE-18", over=UNKNOWN_PATHS, examples=7, source="laws.md 33")
def an_unknown_path_is_404(target: Target, path: str) -> None:
    """A path that is not there is 404 (or another 4xx, or a redirect), never a 200, never a 5xx.

    Beside the API a server may have pages for people that answer any path; they are no answer of the API.
    """
    exchange = target.send(get(path))
    page = exchange.status == 200 and "html" in (exchange.response.field("content-type") or "")
    if page and (target.profile.name != "docs" or not path.startswith("/v1/")):
        return
    expect(300 <= exchange.status < 500, "status 404", exchange.status)


@law(
    "S-REFUSE-19",
    over=Domain(
        "a path asked by HEAD or OPTIONS",
        lambda t: st.sampled_from(
            [(m, p) for m in ("HEAD", "OPTIONS", "TRACE") for p in (CHAT, TEXT, "/v1/models", "/health")]
        ),
        None,
    ),
    examples=12,
    live=True,
    source="laws.md 33",
)
def head_and_options_are_no_crash(target: Target, case: tuple[str, str]) -> None:
    """HEAD, OPTIONS and TRACE are answered, never by a 5xx."""
    exchange = target.send(Call(*case))
    expect(exchange.status < 500 or exchange.status == 501, f"no 5xx for {case[0]} {case[1]}", exchange.status)
