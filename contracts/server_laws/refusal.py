"""Refusal: a bad request is the caller's mistake and is told so: a 4xx with a readable body, before any stream."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.answers import is_error_body, message_of
from contracts.domains import CHAT, LOG, TEXT, Domain, ask, endpoints
from contracts.exchange import JSON, Call, Exchange, get
from contracts.law import Breach, Vacuous, expect, law
from contracts.sweep import EVERYTHING, dropped, is_crash, lasting, likewise, told
from contracts.target import Target

SOURCE = "laws.md 28-33"
NOPE = "nope/none"


def refused(exchange: Exchange, what: str) -> None:
    """A 4xx, and 501 where the server says that it cannot do this at all."""
    good = 400 <= exchange.status < 500 or exchange.status == 501
    expect(good, f"a 4xx for {what}", f"{exchange.status} {exchange.response.body[:160]!r}")


def not_crashed(exchange: Exchange, what: str) -> None:
    """Anything but a crash."""
    expect(
        not is_crash(exchange),
        f"no 5xx for {what}",
        f"{exchange.status} {exchange.response.body[:160]!r}",
        exchange,
    )


def _unknown(target: Target) -> st.SearchStrategy[Call]:
    def call(chat: bool, stream: bool) -> Call:
        return ask(target, "Say hello", chat=chat, **({"stream": True} if stream else {})).with_(model=NOPE)

    return st.builds(call, st.sampled_from(endpoints(target)), st.booleans())


def _unknown_held(target: Target) -> list[Call]:
    return [x.call for x in target.log if isinstance(x.call.document, dict) and x.call.document.get("model") == NOPE]


UNKNOWN_MODEL = Domain("a call for a model that is not there", _unknown, _unknown_held, frozenset({"generate"}))


@law("S-REFUSE-01", over=UNKNOWN_MODEL, examples=4, source="laws.md 29; api.md, Errors")
def an_unknown_model_is_refused(target: Target, call: Call) -> None:
    """A request for a model that is not there is refused: 404 by the docs, also for a stream and before its first byte.

    The engine answers with whatever it has loaded, so its profile does not promise this.
    """
    allowed = target.profile.unknown_model and (*target.profile.unknown_model, 403)
    if not allowed:
        raise Vacuous(f"profile {target.profile.name} does not promise it")
    exchange = target.send(call)
    expect(exchange.status in allowed, f"status {' or '.join(map(str, allowed))}", exchange.status)
    expect(not exchange.is_stream, "no event stream", exchange.response.field("content-type"))


@law("S-REFUSE-02", over=UNKNOWN_MODEL, examples=4, level="should", source="laws.md 29")
def a_refusal_names_the_model(target: Target, call: Call) -> None:
    """The message of an unknown model names it."""
    exchange = target.send(call)
    if not 400 <= exchange.status < 500:
        raise Vacuous("not refused (S-REFUSE-01 judges that)")
    expect(NOPE in message_of(exchange), f"a message that names {NOPE!r}", message_of(exchange))


def _fresh_log(target: Target) -> list[Exchange]:
    if target.live:
        for path in (CHAT, TEXT):
            target.send(Call("POST", path, b'{"model":', (JSON,)))
        target.send(get("/v1/no/such/path"))
    return list(target.log)


REFUSALS = Domain(
    "all refusals seen so far",
    lambda target: st.builds(lambda: [x for x in _fresh_log(target) if x.status >= 400]),
    lambda target: [[x] for x in _fresh_log(target) if x.status >= 400 and x.call.method != "HEAD"],
)


def promised(target: Target, log: list[Exchange]) -> list[Exchange]:
    """The refusals whose body the profile speaks of.

    What is refused for its path, its method, its size or its content type is often refused by the framework below the
    API, or by a proxy in front of it, in a shape of its own; only the docs promise their shape there, too.
    """
    judged = [x for x in log if of_the_api(x) and x.status < 500]
    if target.profile.name == "openai":
        ours = (400, 401, 403, 404, 409, 422, 429)
        judged = [x for x in judged if x.call.method == "POST" and x.call.path in (CHAT, TEXT) and x.status in ours]
        lost = {path for path in (CHAT, TEXT) if target.live and _is_lost(target, path)}
        judged = [x for x in judged if x.call.path not in lost]
    return judged


def _is_lost(target: Target, path: str) -> bool:
    """Whether there is nothing at the path: then what is said there is not said by the API."""
    asked = target.can("chat" if path == CHAT else "completions")
    return not asked[0] and target.send(ask(target, "Say hello", chat=path == CHAT)).status in (404, 405)


def shortest(log: list[Exchange]) -> list[Exchange]:
    """The same with the shortest requests first: what is told is the smallest that shows it."""
    return sorted(log, key=lambda exchange: len(exchange.call.body))


def of_the_api(exchange: Exchange) -> bool:
    """Whether the refusal is by the API, not by the HTTP machinery below it (a body that is plain text)."""
    return exchange.call.method != "HEAD" and exchange.call.path.startswith("/v1/")


@law("S-REFUSE-03", over=REFUSALS, examples=1, source="laws.md 28; api.md, Errors")
def a_refusal_has_the_promised_body(target: Target, log: list[Exchange]) -> None:
    """The body of a 4xx of the API is JSON of the profile's shape: `error` by the docs, `detail` by the engine.

    Under the profile openai only the generating endpoints promise this: what is refused for its path or method is often
    refused by the framework below the API, in a shape of its own.
    """
    keys = target.profile.error_keys
    judged = promised(target, log)
    if not judged:
        raise Vacuous("no refusal seen")
    for exchange in shortest(judged):
        document = exchange.document
        shown = f"{exchange.status} {exchange.response.body[:160]!r} for {exchange.call.method} {exchange.call.path}"
        expect(
            isinstance(document, dict) and any(key in document for key in keys),
            f"a JSON object with {' or '.join(keys)}",
            shown,
            exchange,
        )


@law("S-REFUSE-04", over=REFUSALS, examples=1, source="laws.md 28")
def a_refusal_has_a_message(target: Target, log: list[Exchange]) -> None:
    """Every 4xx of the API has a message that can be read."""
    judged = [x for x in log if of_the_api(x) and x.status < 500 and isinstance(x.document, dict)]
    if not judged:
        raise Vacuous("no refusal seen")
    for exchange in shortest(judged):
        shown = f"{exchange.status} {exchange.response.body[:160]!r} for {exchange.call.method} {exchange.call.path}"
        expect(bool(message_of(exchange).strip()), "a message that is not empty", shown, exchange)


@law("S-REFUSE-22", over=REFUSALS, examples=1, borne={"openai"}, source="api.md, Errors")
def an_error_is_an_object(target: Target, log: list[Exchange]) -> None:
    """The `error` of a 4xx is an object with a message, not a text.

    Clients read `error.message`. Some compatible servers have the text itself there, which most clients bear, so where
    no more is promised than to be compatible this is lenient.
    """
    judged = [x for x in promised(target, log) if isinstance(x.document, dict) and x.document.get("error")]
    if "error" not in target.profile.error_keys or not judged:
        raise Vacuous("no refusal with an error seen")
    for exchange in shortest(judged):
        error = exchange.document["error"]
        shown = f"{exchange.status} {exchange.response.body[:160]!r} for {exchange.call.method} {exchange.call.path}"
        expect(isinstance(error, dict) and "message" in error, "an error object with a message", shown, exchange)


@law("S-REFUSE-05", over=REFUSALS, examples=1, source="laws.md 28")
def a_refusal_is_json(target: Target, log: list[Exchange]) -> None:
    """Every 4xx of the API is application/json."""
    judged = promised(target, log)
    if not judged:
        raise Vacuous("no refusal seen")
    for exchange in shortest(judged):
        kind = exchange.response.field("content-type") or ""
        expect(
            "json" in kind.lower(),
            "Content-Type: application/json",
            f"{kind} for {exchange.call.method} {exchange.call.path}",
            exchange,
        )


@law("S-REFUSE-06", over=LOG, examples=1, source="laws.md 28")
def no_200_is_an_error(target: Target, log: list[Exchange]) -> None:
    """No 200 has an error for its body."""
    for exchange in log:
        if exchange.status == 200 and not exchange.is_stream and exchange.call.method == "POST":
            expect(
                not is_error_body(exchange.document),
                "an answer, or a status that says it is none",
                exchange.response.body[:200],
                exchange,
            )


@law("S-REFUSE-07", over=EVERYTHING, examples=1, source="Schemathesis: not a server error")
def no_request_is_a_server_error(target: Target, log: list[Exchange]) -> None:
    """No request that the judge sent was answered by a 5xx (501 says what it means).

    A live server is sent each field once wrong in each way that is tried first: all that crash it are told at once, and
    so is a connection that is closed on such a request without an answer. A crash that was seen once, and not when the
    same was sent again, is told as such.
    """
    crashed = [exchange for exchange in log if is_crash(exchange)]
    if not crashed:
        dropped(target)
        return
    first, resent = lasting(target, crashed)
    got = f"{first.status} {first.response.body[:160]!r}{likewise(target, first.call, crashed)}"
    if resent is None or resent[1]:
        told(target)
    raise Breach(f"no 5xx for {first.call.method} {first.call.path} {first.call.body[:120]!r}", got, first, resent)
