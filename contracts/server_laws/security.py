"""Security: keys are checked and never shown, answers tell nothing of the machine, headers cannot be injected."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from contracts.answers import message_of
from contracts.bad import SPOILT_SHORT, Bad
from contracts.domains import CHAT, LOG, TEXT, Domain, ask, endpoints
from contracts.exchange import JSON, Call, Exchange, get
from contracts.law import Vacuous, expect, law
from contracts.secret import LEAST
from contracts.target import Target
from contracts.wire import NoAnswer

SOURCE = "laws.md 34"
SECRET = "sk-judge-4f1d0c2b9a7e"
TRACE = re.compile(
    rb'Traceback \(most recent call|File "[^"]+", line \d+|\n\s+at [\w.$<>]+ ?\([^)]*:\d+:\d+\)|goroutine \d+ \['
)
PATHS = re.compile(rb"(?:/home/|/root/|/usr/lib/python|site-packages/|\.venv/|C:\\\\Users)[\w./\\-]*")
GENERATES = frozenset({"generate"})
GET_MODELS = get("/v1/models")


def _protected(target: Target) -> list[Call]:
    asked = [ask(target, "Say hello", chat=chat) for chat in endpoints(target)]
    return [GET_MODELS, *asked, *[call.with_(stream=True) for call in asked]]


def wrong_keys(key: str) -> list[str]:
    """Values of `Authorization` that are not the right one, which most are made of."""
    wrong = ["Bearer wrong-key", "Bearer ", "", f"Basic {key}", key, f"Bearer {key}x", f"Bearer {key[:-1]}"]
    wrong += ["Bearer", f"Bearer{key}", f"Bearer wrong {key}", f"Bearer {key.swapcase()}x", f"Token {key}"]
    return wrong


def with_key(call: Call, value: str) -> Call:
    """The call with that value of `Authorization`."""
    return Call(call.method, call.path, call.body, (*call.fields, ("Authorization", value)))


@law(
    "S-SECURE-01",
    over=Domain("a call that needs a key", lambda t: st.sampled_from(_protected(t)), None),
    needs={"auth"},
    examples=20,
    live=True,
    source=SOURCE,
)
def a_wrong_key_is_refused(target: Target, call: Call) -> None:
    """Where a key is needed: none, an empty one, a wrong one or another scheme is refused with 401 (or 403).

    Each call is asked with every wrong key: one that opens the door is enough.
    """
    if call == GET_MODELS and target.send(with_key(call, "")).status == 200:
        raise Vacuous("the list of models is public here")
    for value in wrong_keys(target.api_key or "x"):
        exchange = target.send(with_key(call, value))
        expect(exchange.status in (401, 403), f"status 401 for Authorization {value!r}", exchange.status, exchange)


@law(
    "S-SECURE-10",
    over=Domain("a call without a key", lambda t: st.sampled_from(_protected(t)), None),
    needs={"auth"},
    examples=6,
    live=True,
    source=SOURCE,
)
def a_refused_key_is_told_like_any_error(target: Target, call: Call) -> None:
    """A 401 has the body of the API's other errors, with a message, and is no event stream."""
    exchange = target.send(with_key(call, ""))
    if exchange.status not in (401, 403):
        raise Vacuous("not refused (S-SECURE-01 judges that)")
    keys = target.profile.error_keys
    document = exchange.document
    expect(isinstance(document, dict) and any(k in document for k in keys), f"a JSON object with {keys}", document)
    expect(bool(message_of(exchange).strip()), "a message", exchange.response.body[:200])


@law(
    "S-SECURE-02",
    over=Domain("a secret in the request", lambda t: st.sampled_from(_spilled(t)), None),
    examples=8,
    live=True,
    source=SOURCE,
)
def a_key_is_never_shown(target: Target, call: Call) -> None:
    """The key of a request appears in no head and no body, whether the request is good or bad.

    Nor does the right key appear in the answer to a wrong one, which would hand it to anyone who asks.
    """
    exchange = target.send(call)
    shown = exchange.response.body + repr(exchange.response.fields).encode()
    expect(SECRET.encode() not in shown, "an answer without the key", shown[:300])
    right = target.api_key or ""
    if len(right) >= LEAST:
        expect(right.encode() not in shown, "an answer to a wrong key without the right one", shown[:300])


def _spilled(target: Target) -> list[Call]:
    """Good and bad requests that carry the secret as their key."""
    calls = [
        *_protected(target),
        get("/v1/no/such/path"),
        Call("POST", CHAT, b"{", (JSON,)),
        Call("PUT", TEXT, b"{}", (JSON,)),
    ]
    return [with_key(call, f"Bearer {SECRET}") for call in calls]


def leak(exchange: Exchange, pattern: re.Pattern[bytes], model: str = "") -> bytes | None:
    """What of the machine an answer shows and the request did not say; a model may be named by its path."""
    found = pattern.search(exchange.response.body)
    if found is None or found[0] in exchange.call.body or found[0] in exchange.call.path.encode():
        return None
    if model and found[0] in model.encode():
        return None
    return found[0]


@law("S-SECURE-03", over=LOG, examples=1, source="OWASP: improper error handling")
def no_answer_shows_a_stack(target: Target, log: list[Exchange]) -> None:
    """No answer has a stack trace in its body."""
    for exchange in log:
        expect(leak(exchange, TRACE) is None, "a body without a stack trace", exchange.response.body[:400], exchange)


@law("S-SECURE-04", over=LOG, examples=1, source="OWASP: improper error handling")
def no_refusal_shows_a_path(target: Target, log: list[Exchange]) -> None:
    """No refusal shows a path of the server's file system; a stack trace, which has some, is S-SECURE-03's."""
    for exchange in log:
        if exchange.status >= 400 and leak(exchange, TRACE) is None:
            shown = leak(exchange, PATHS, target.model)
            expect(shown is None, "a refusal without paths", f"{shown!r} in {exchange.response.body[:300]!r}", exchange)


@law("S-SECURE-05", over=SPOILT_SHORT, examples=20, live=True, source="OWASP: improper error handling")
def no_spoilt_request_shows_the_machine(target: Target, bad: Bad) -> None:
    """However a request is spoilt, its answer has neither a stack trace nor a path."""
    try:
        exchange = target.send(bad.call)
    except NoAnswer:
        if not target.listens():  # it died of the request, which whoever is told a death has to know
            raise
        raise Vacuous("no answer came (S-REFUSE-15 judges that)") from None
    expect(leak(exchange, TRACE) is None, "a body without a stack trace", exchange.response.body[:400], exchange)
    if exchange.status >= 400:
        expect(leak(exchange, PATHS, target.model) is None, "a refusal without paths", exchange.response.body[:400])


INJECTIONS = (
    "x\r\nX-Injected: yes",
    "x\nX-Injected: yes",
    "x\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: yes",
    "x\u560a\u560dX-Injected: yes",
)


def _injected(target: Target) -> st.SearchStrategy[Call]:
    def call(chat: bool, field: str, text: str) -> Call:
        return ask(target, "Say hello", chat=chat).with_(**{field: text})

    in_body = st.builds(
        call, st.sampled_from(endpoints(target)), st.sampled_from(["model", "user"]), st.sampled_from(INJECTIONS)
    )
    quoted = [
        "/v1/models/x%0d%0aX-Injected:%20yes",
        "/v1/models/?a=%0d%0aX-Injected:%20yes",
        "/v1%0d%0aX-Injected:%20yes",
    ]
    return in_body | st.sampled_from([get(path) for path in quoted])


@law(
    "S-SECURE-06",
    over=Domain("a line break in a name", _injected, None, GENERATES),
    examples=12,
    live=True,
    source="CWE-113",
)
def no_header_can_be_injected(target: Target, call: Call) -> None:
    """A line break in a name or a path never becomes a header of the answer."""
    exchange = target.send(call)
    names = [name.lower() for name, _ in exchange.response.fields]
    expect("x-injected" not in names, "no header of the caller's making", exchange.response.fields)


@law(
    "S-SECURE-07",
    over=Domain("nothing drawn", lambda t: st.just(0), None, GENERATES),
    examples=1,
    live=True,
    level="should",
    source="RFC 9112, 6.1: the server MUST close the connection after responding to such a request; CWE-444",
)
def a_request_cannot_be_smuggled(target: Target, _: int) -> None:
    """A request with both Content-Length and Transfer-Encoding is the last of its connection.

    It may be refused, or read by its chunks, and then the connection is closed: a proxy in front that goes by the other
    field takes what follows for a part of it, and the server takes it for a request that the proxy never checked. Most
    HTTP libraries keep such a connection open, so the law is lenient on the servers made with them.
    """
    path = CHAT if endpoints(target)[0] else TEXT
    hidden = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b"0\r\n\r\n" + hidden
    head = f"POST {target.place.prefix}{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Transfer-Encoding: chunked\r\nContent-Length: {len(body)}\r\n\r\n"
    with target.connect() as connection:
        connection.timeout = 3.0
        connection.send(head.encode() + body)
        try:
            first = connection.response(get(path))
        except NoAnswer:
            return
        try:
            second = connection.response(GET_MODELS, 1.0)
        except NoAnswer:
            return
    expect(second.status >= 400, "one answer, and a closed connection", f"answers {first.status} and {second.status}")


@law(
    "S-SECURE-08",
    over=Domain("a large head", lambda t: st.sampled_from([9_000, 70_000, 1_000_000]), None, GENERATES),
    examples=3,
    live=True,
    source="RFC 6585, 5",
)
def a_large_head_is_no_crash(target: Target, size: int) -> None:
    """A header of any size is accepted, refused by a 4xx, or closed on; never a 5xx."""
    try:
        status = target.send(get("/v1/models", ("X-Large", "a" * size))).status
    except NoAnswer as error:
        expect(error.how in ("fin", "reset"), "an answer or a closed connection", str(error))
        return
    if status >= 500 and target.send(get("/v1/models")).status == status:
        raise Vacuous("the list of models is a 5xx without the header too (S-MODEL-01 judges that)")
    expect(status < 500, "no 5xx for a large head", status)


@law(
    "S-SECURE-09",
    over=Domain(
        "a deep path",
        lambda t: st.sampled_from(
            [
                "/../" * 40,
                "/v1/models/" + "a/" * 2000,
                "/v1/models/%ff%fe",
                "/v1/models/" + "%2e%2e%2f" * 20 + "etc/passwd",
            ]
        ),
        None,
    ),
    examples=4,
    live=True,
    source="CWE-22",
)
def a_path_leads_nowhere(target: Target, path: str) -> None:
    """A path that climbs, is endless or no UTF-8 is no 5xx, and shows no file.

    One that climbs to the root may be answered by the root's page.
    """
    exchange = target.send(get(path))
    expect(exchange.status < 500, "no 5xx", exchange.status)
    expect(b"root:" not in exchange.response.body, "no file", exchange.response.body[:100])
