"""Refusal: a bad request is the caller's mistake and is told so: a 4xx with a readable body, before any stream."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.answers import is_error_body, message_of, read
from contracts.bad import BAD_BODIES, BAD_TYPES, BAD_VALUES, MEANS_NOTHING, MISSING, SPOILT, UNKNOWN_FIELDS, Bad
from contracts.domains import CHAT, LOG, TEXT, WHOLE, Domain, ask, endpoints
from contracts.exchange import JSON, Call, Exchange, get
from contracts.law import Breach, Vacuous, expect, law
from contracts.sweep import EVERYTHING, dropped, is_crash, lasting, likewise
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
    for exchange in judged:
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
    for exchange in judged:
        shown = f"{exchange.status} {exchange.response.body[:160]!r} for {exchange.call.method} {exchange.call.path}"
        expect(bool(message_of(exchange).strip()), "a message that is not empty", shown, exchange)


@law("S-REFUSE-05", over=REFUSALS, examples=1, source="laws.md 28")
def a_refusal_is_json(target: Target, log: list[Exchange]) -> None:
    """Every 4xx of the API is application/json."""
    judged = promised(target, log)
    if not judged:
        raise Vacuous("no refusal seen")
    for exchange in judged:
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
    raise Breach(f"no 5xx for {first.call.method} {first.call.path} {first.call.body[:120]!r}", got, first, resent)


@law("S-REFUSE-08", over=BAD_BODIES, examples=30, source="laws.md 30")
def what_is_no_json_object_is_refused(target: Target, bad: Bad) -> None:
    """A body that is no JSON object (cut, empty, a list, a string, not UTF-8) is refused by a 4xx."""
    refused(target.send(bad.call), bad.what)


@law("S-REFUSE-09", over=MISSING, examples=8, source="api.md, Request fields")
def what_is_required_is_required(target: Target, bad: Bad) -> None:
    """A request without its prompt or messages is refused by a 4xx; without its model too, where a profile says so.

    OpenAI's own text endpoint continues from nothing when there is no prompt, so a compatible one may, too.
    """
    exchange = target.send(bad.call)
    if bad.field in ("model", "prompt") and target.profile.name == "openai" and exchange.status == 200:
        return
    refused(exchange, bad.what)


@law("S-REFUSE-10", over=BAD_TYPES, examples=40, source="laws.md 31")
def a_value_of_the_wrong_type_is_refused(target: Target, bad: Bad) -> None:
    """A value that cannot be read as the field's type is refused by a 4xx (a number in a string may be read).

    A model that is null is a model that is not told, and a user's message without content an empty one: where the
    profile does not say otherwise both may be answered.
    """
    exchange = target.send(bad.call)
    empty = (bad.field == "model" and bad.value is None) or bad.value == [{"role": "user"}]
    if empty and target.profile.name == "openai" and exchange.status == 200:
        return
    refused(exchange, bad.what)


@law("S-REFUSE-11", over=BAD_VALUES, examples=30, source="laws.md 31; api.md, Request fields")
def a_value_out_of_range_is_refused(target: Target, bad: Bad) -> None:
    """A value outside the range that the profile promises is refused by a 4xx, never clipped in silence.

    Compatible servers give some of them a meaning: -1 tokens are tokens without limit, 0 tokens are no text, and a
    temperature above 2 is merely hotter.
    """
    if not bad.promised(target.profile):
        raise Vacuous(f"profile {target.profile.name} does not promise it")
    exchange = target.send(bad.call)
    nothing = bad.field == "max_tokens" and bad.value == 0 and exchange.status == 200
    if nothing and target.profile.name == "openai" and not exchange.is_stream and not read(exchange).text:
        return
    refused(exchange, bad.what)


@law("S-REFUSE-12", over=BAD_VALUES, examples=20, level="should", source="laws.md 31")
def a_refusal_names_the_field(target: Target, bad: Bad) -> None:
    """The body of a refusal for a value out of range names the field."""
    exchange = target.send(bad.call)
    if not 400 <= exchange.status < 500:
        raise Vacuous("not refused (S-REFUSE-11 judges that)")
    expect(
        bad.field.encode() in exchange.response.body, f"a body that names {bad.field!r}", exchange.response.body[:300]
    )


@law("S-REFUSE-13", over=BAD_VALUES, needs={"stream"}, examples=20, live=True, source="laws.md 29")
def a_stream_is_refused_before_it_begins(target: Target, bad: Bad) -> None:
    """What is refused without streaming is refused with it, by the same status and before any event."""
    whole = target.send(bad.call)
    streamed = target.send(bad.call.with_(stream=True))
    expect(streamed.status == whole.status, f"status {whole.status} for the stream too", streamed.status)


@law("S-REFUSE-14", over=UNKNOWN_FIELDS, examples=6, source="laws.md 26")
def an_unknown_field_is_no_crash(target: Target, bad: Bad) -> None:
    """An unknown field is ignored, or refused by a 4xx; never a 5xx."""
    not_crashed(target.send(bad.call), bad.what)


@law("S-REFUSE-15", over=SPOILT, examples=60, live=True, source="laws.md 30; grammar of bad requests")
def no_spoilt_request_is_a_crash(target: Target, bad: Bad) -> None:
    """However a request is spoilt (types, edges of 32 and 64 bits, NaN, depth, surrogates, sizes), it is no 5xx."""
    not_crashed(target.send(bad.call), bad.what)


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


KINDS = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/xml",
    "multipart/form-data",
    "",
    "application/json; charset=utf-16",
)


def _kinds(target: Target) -> st.SearchStrategy[Call]:
    def call(one: Call, kind: str) -> Call:
        return Call(one.method, one.path, one.body, (("Content-Type", kind),) if kind else ())

    return st.builds(call, WHOLE.draw(target), st.sampled_from(KINDS))


@law(
    "S-REFUSE-20",
    over=Domain("a call of another content type", _kinds, None, WHOLE.needs),
    examples=8,
    source="laws.md 30",
)
def another_content_type_is_no_crash(target: Target, call: Call) -> None:
    """A JSON body under another content type is refused by a 4xx, or read as JSON; never a 5xx."""
    not_crashed(target.send(call), f"content type {dict(call.fields).get('Content-Type')!r}")


@law("S-REFUSE-21", over=MEANS_NOTHING, examples=7, live=True, borne={"openai", "engine"}, source="OpenAI's reference")
def what_means_nothing_is_refused(target: Target, bad: Bad) -> None:
    """No messages, a role or a format that there is not, a choice of a tool that was not given: refused by a 4xx.

    Answered by plain text it is a silent lie. Known right servers leave roles to the model's template and answer to no
    messages at all, so where no more is promised than to be compatible this is lenient.
    """
    refused(target.send(bad.call), bad.what)
