"""Bad requests: what cannot be read as a request, or is outside its range, is a 4xx, never a 5xx or a silent lie."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.answers import read
from contracts.bad import BAD_BODIES, BAD_TYPES, BAD_VALUES, MEANS_NOTHING, MISSING, SPOILT, UNKNOWN_FIELDS, Bad
from contracts.domains import WHOLE, Domain
from contracts.exchange import Call, Exchange
from contracts.law import Vacuous, expect, law
from contracts.server_laws.refusal import not_crashed, refused
from contracts.sweep import quiet
from contracts.target import Target


def asked(target: Target, bad: Bad) -> Exchange:
    """What a bad request is answered; `Unjudged` for a crash that S-REFUSE-07 has told."""
    exchange = target.send(bad.call)
    quiet(target, bad, exchange)
    return exchange


@law("S-REFUSE-08", over=BAD_BODIES, examples=30, source="laws.md 30")
def what_is_no_json_object_is_refused(target: Target, bad: Bad) -> None:
    """A body that is no JSON object (cut, empty, a list, a string, not UTF-8) is refused by a 4xx."""
    refused(asked(target, bad), bad.what)


@law("S-REFUSE-09", over=MISSING, examples=8, source="api.md, Request fields")
def what_is_required_is_required(target: Target, bad: Bad) -> None:
    """A request without its prompt or messages is refused by a 4xx; without its model too, where a profile says so.

    OpenAI's own text endpoint continues from nothing when there is no prompt, so a compatible one may, too.
    """
    exchange = asked(target, bad)
    if bad.field in ("model", "prompt") and target.profile.name == "openai" and exchange.status == 200:
        return
    refused(exchange, bad.what)


@law("S-REFUSE-10", over=BAD_TYPES, examples=40, source="laws.md 31")
def a_value_of_the_wrong_type_is_refused(target: Target, bad: Bad) -> None:
    """A value that cannot be read as the field's type is refused by a 4xx (a number in a string may be read).

    A model that is null is a model that is not told, and a user's message without content an empty one: where the
    profile does not say otherwise both may be answered.
    """
    exchange = asked(target, bad)
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
    exchange = asked(target, bad)
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
    whole = asked(target, bad)
    streamed = target.send(bad.call.with_(stream=True))
    expect(streamed.status == whole.status, f"status {whole.status} for the stream too", streamed.status)


@law("S-REFUSE-14", over=UNKNOWN_FIELDS, examples=6, source="laws.md 26")
def an_unknown_field_is_no_crash(target: Target, bad: Bad) -> None:
    """An unknown field is ignored, or refused by a 4xx; never a 5xx."""
    not_crashed(asked(target, bad), bad.what)


@law("S-REFUSE-15", over=SPOILT, examples=60, live=True, source="laws.md 30; grammar of bad requests")
def no_spoilt_request_is_a_crash(target: Target, bad: Bad) -> None:
    """However a request is spoilt (types, edges of 32 and 64 bits, NaN, depth, surrogates, sizes), it is no 5xx."""
    not_crashed(asked(target, bad), bad.what)


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
    refused(asked(target, bad), bad.what)
