"""Bad requests that are answered, crash, or are refused in a way that nobody can read."""

from __future__ import annotations

import json
from typing import Any

from mockserver.plan import Plan

from .edits import Doc, document_of, encoded, event, oops, refusals, reply, status_of, when, with_bodies, with_fields
from .mutant import CHAT, TEXT, Change, Mutant, Turn, mutant

GOOD: Doc = {"max_tokens": 8, "messages": [{"role": "user", "content": "Say hello"}], "prompt": "Say hello"}


def _any_model(turn: Turn) -> Plan:
    plan = turn.plan
    return turn.asked(model="meta-llama/Llama-2-7b-chat-hf").plan if turn.generates and status_of(plan) == 404 else plan


def _message(text: str) -> Change:
    """Refusals with another message."""

    def edit(plan: Plan, document: Doc, turn: Turn) -> Plan:
        document["error"]["message"] = text
        return with_bodies(plan, [encoded(document)])

    return refusals(edit)


def _as(made: Any) -> Change:
    """Refusals of the API with another document."""

    def edit(plan: Plan, document: Doc, turn: Turn) -> Plan:
        return with_bodies(plan, [encoded(made(document["error"]))]) if turn.request.path.startswith("/v1") else plan

    return refusals(edit)


def _told(plan: Plan, document: Doc, turn: Turn) -> Plan:
    words = f"{document['error']['message']} {document['error'].get('param')}"
    return with_bodies(plan, [encoded({"error": words})]) if turn.generates else plan


def _two_hundred(plan: Plan, document: Doc, turn: Turn) -> Plan:
    return reply(200, document) if turn.generates and status_of(plan) == 404 else plan


def _repaired(wrong: Any) -> Change:
    """A bad request of one kind is answered as if it were a good one."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.generates or status_of(plan) < 400 or not wrong(turn):
            return plan
        model = turn.body.get("model")
        known = model if isinstance(model, str) else "meta-llama/Llama-2-7b-chat-hf"
        clean = {name: ... for name in turn.body if name != "stream" or turn.body[name] not in (True, False)}
        needed = {"messages": GOOD["messages"]} if turn.chat else {"prompt": GOOD["prompt"]}
        return turn.asked(**{**clean, **needed, "model": known, "max_tokens": 8}).plan

    return change


def _no_object(turn: Turn) -> bool:
    return not turn.body


def _not_object_list(turn: Turn) -> bool:
    return turn.request.body.strip() in (b"[]", b"null", b"5", b'"x"', b"true")


def _lacks(name: str) -> Any:
    return lambda turn: bool(turn.body) and name not in turn.body and "model" in turn.body


def _type_of(name: str, *kinds: type) -> Any:
    return lambda turn: isinstance(turn.body.get(name), kinds)


def _clipped(turn: Turn) -> Plan:
    limits = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
    body = turn.body
    fixed = {
        name: min(max(body[name], low), high)
        for name, (low, high) in limits.items()
        if type(body.get(name)) in (int, float)
    }
    return turn.asked(**fixed).plan if turn.generates and fixed else turn.plan


def _ignored(name: str, holds: Any) -> Change:
    return lambda t: (
        t.asked(**{name: ...}).plan
        if t.generates and type(t.body.get(name)) in (int, float) and holds(t.body[name])
        else t.plan
    )


def _unnamed(plan: Plan, document: Doc, turn: Turn) -> Plan:
    document["error"].update(message="a value is not valid", param=None)
    return with_bodies(plan, [encoded(document)]) if status_of(plan) == 400 and turn.body else plan


def _in_a_stream(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.streams or status_of(plan) != 400:
        return plan
    data = event(document_of(plan)) + b"data: [DONE]\n\n"
    return reply(200, data, (b"content-type", b"text/event-stream"))


def _other_status(turn: Turn) -> Plan:
    plan = turn.plan
    return reply(422, document_of(plan)) if turn.streams and status_of(plan) == 400 else plan


def _unknown_field(turn: Turn) -> bool:
    return turn.generates and any(
        name in turn.body for name in ("foo", "x-unknown", "__proto__", "$ref", "streams", "0")
    )


def _deep(turn: Turn) -> bool:
    return turn.request.body.count(b"[") > 400 or turn.request.body.count(b"{") > 400


def _not_a_number(turn: Turn) -> bool:
    return any(word in turn.request.body for word in (b":NaN", b":Infinity", b":-Infinity", b":1e999"))


def _beyond_64(turn: Turn) -> bool:
    return any(type(value) is int and abs(value) >= 2**63 for value in _values(turn))


def _values(turn: Turn) -> list[Any]:
    try:
        found = json.loads(turn.request.body)
    except (ValueError, RecursionError):
        return []
    return list(found.values()) if isinstance(found, dict) else []


def _no_utf8(turn: Turn) -> bool:
    try:
        turn.request.body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _any_method(turn: Turn) -> Plan:
    if turn.request.path in (CHAT, TEXT) and turn.request.method in ("GET", "PUT"):
        return reply(200, {"status": "ok"})
    return turn.plan


def _no_allow(turn: Turn) -> Plan:
    return with_fields(turn.plan, (b"allow", b"")) if status_of(turn.plan) == 405 else turn.plan


def _all_allowed(turn: Turn) -> Plan:
    plan = turn.plan
    return with_fields(plan, (b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE")) if status_of(plan) == 405 else plan


def _page_for_all(turn: Turn) -> Plan:
    plan = turn.plan
    lost = status_of(plan) == 404 and turn.request.method == "GET" and not turn.request.path.startswith("/v1/models")
    return reply(200, b"<html></html>", (b"content-type", b"text/html")) if lost else plan


def _content_type(turn: Turn) -> bytes:
    return turn.request.header(b"content-type") or b""


def _text_plain(turn: Turn) -> Plan:
    plan = turn.plan
    bad = 400 <= status_of(plan) < 500 and turn.request.path.startswith("/v1")
    return with_fields(plan, (b"content-type", b"text/plain")) if bad else plan


def _empty_body(plan: Plan, document: Doc, turn: Turn) -> Plan:
    return with_bodies(plan, [b""]) if turn.generates else plan


MUTANTS: tuple[Mutant, ...] = (
    mutant("any-model", "An unknown model is answered by another one.", _any_model, "S-REFUSE-01"),
    mutant(
        "unknown-model-400",
        "An unknown model is a 400, not a 404.",
        when(lambda t: t.generates and status_of(t.plan) == 404, lambda t: reply(400, document_of(t.plan))),
        "S-REFUSE-01",
    ),
    mutant(
        "model-unnamed",
        "The message of an unknown model does not name it.",
        when(
            lambda t: t.generates and status_of(t.plan) == 404,
            lambda t: reply(404, {"error": {"message": "no such model"}}),
        ),
        "S-REFUSE-02",
    ),
    mutant(
        "detail-for-error",
        "Refusals have a shape of another API.",
        _as(lambda error: {"detail": f"{error['message']} {error.get('param')}"}),
        "S-REFUSE-03",
    ),
    mutant("error-is-a-text", "The error of a refusal is a text.", refusals(_told), "S-REFUSE-22"),
    mutant("empty-message", "Refusals have an empty message.", _message(""), "S-REFUSE-04"),
    mutant("no-body", "Refusals have no body.", refusals(_empty_body), "S-REFUSE-03"),
    mutant("refusals-in-plain-text", "Refusals are called text/plain.", _text_plain, "S-REFUSE-05"),
    mutant("error-as-200", "An unknown model is a 200 with an error in it.", refusals(_two_hundred), "S-REFUSE-06"),
    mutant(
        "metrics-crash",
        "GET /metrics is a 500.",
        when(lambda t: t.request.path == "/metrics", lambda t: oops(500)),
        "S-REFUSE-07",
    ),
    mutant("takes-no-json", "A body that is no JSON is answered.", _repaired(_no_object), "S-REFUSE-08"),
    mutant("takes-lists", "A body that is JSON and no object is answered.", _repaired(_not_object_list), "S-REFUSE-08"),
    mutant(
        "crashes-on-no-json",
        "A body that is no JSON is a 500.",
        when(lambda t: t.generates and not t.body, lambda t: oops(500)),
        "S-REFUSE-07",
    ),
    mutant(
        "no-messages-needed",
        "A request without messages is answered.",
        _repaired(lambda t: t.chat and _lacks("messages")(t)),
        "S-REFUSE-09",
        tries=8.0,
    ),
    mutant(
        "no-prompt-needed",
        "A request without a prompt is answered.",
        _repaired(lambda t: not t.chat and _lacks("prompt")(t)),
        "S-REFUSE-09",
        tries=8.0,
    ),
    mutant(
        "no-model-needed",
        "A request without a model is answered.",
        _repaired(lambda t: bool(t.body) and "model" not in t.body),
        "S-REFUSE-09",
        tries=8.0,
    ),
    mutant(
        "any-stop",
        "A stop that is no string is taken.",
        _repaired(_type_of("stop", int, dict)),
        "S-REFUSE-10",
        tries=3.0,
    ),
    mutant(
        "any-temperature-type",
        "A temperature that is no number is taken.",
        _repaired(_type_of("temperature", str, list, dict)),
        "S-REFUSE-10",
        tries=3.0,
    ),
    mutant(
        "any-stream",
        "A stream that is no boolean is taken.",
        _repaired(_type_of("stream", str, list, dict)),
        "S-REFUSE-10",
        tries=8.0,
    ),
    mutant(
        "any-messages",
        "Messages that are no list are taken.",
        _repaired(_type_of("messages", str, dict, int)),
        "S-REFUSE-10",
        tries=8.0,
    ),
    mutant(
        "crashes-on-types",
        "max_tokens of a wrong type is a 500.",
        when(lambda t: t.generates and isinstance(t.body.get("max_tokens"), (str, list, dict)), lambda t: oops(500)),
        "S-REFUSE-07",
    ),
    mutant("clips", "Values out of range are clipped in silence.", _clipped, "S-REFUSE-11", tries=3.0),
    mutant(
        "zero-tokens",
        "max_tokens 0 and below is taken for none.",
        _ignored("max_tokens", lambda v: v <= 0),
        "S-REFUSE-11",
        tries=4.0,
    ),
    mutant(
        "zero-choices", "n of 0 and below is taken for 1.", _ignored("n", lambda v: v <= 0), "S-REFUSE-11", tries=4.0
    ),
    mutant(
        "hot",
        "A temperature above 2 is taken for none.",
        _ignored("temperature", lambda v: v > 2),
        "S-REFUSE-11",
        tries=6.0,
    ),
    mutant("field-unnamed", "A refusal does not name the field.", refusals(_unnamed), "S-REFUSE-12"),
    mutant(
        "refuses-in-the-stream",
        "What is wrong with a stream is told by an event of a 200.",
        _in_a_stream,
        "S-REFUSE-13",
    ),
    mutant(
        "another-status-streamed",
        "What is refused with 400 is refused with 422 in a stream.",
        _other_status,
        "S-REFUSE-13",
        tries=2.0,
    ),
    mutant(
        "crashes-on-unknown-fields",
        "An unknown field is a 500.",
        when(_unknown_field, lambda t: oops(500)),
        "S-REFUSE-14",
    ),
    mutant("crashes-on-depth", "A body nested deeply is a 500.", when(_deep, lambda t: oops(500)), "S-REFUSE-15"),
    mutant(
        "crashes-on-nan", "NaN in a body is a 500.", when(_not_a_number, lambda t: oops(500)), "S-REFUSE-15", tries=2.0
    ),
    mutant(
        "crashes-beyond-64-bits",
        "A number beyond 64 bits is a 500.",
        when(_beyond_64, lambda t: oops(500)),
        "S-REFUSE-15",
        tries=4.0,
    ),
    mutant(
        "crashes-on-bad-utf8",
        "A body that is no UTF-8 is a 500.",
        when(_no_utf8, lambda t: oops(500)),
        "S-REFUSE-07",
    ),
    mutant("any-method", "GET and PUT of a generating path are 200.", _any_method, "S-REFUSE-16", tries=3.0),
    mutant(
        "wrong-method-crashes",
        "DELETE and PATCH are a 500.",
        when(lambda t: t.request.method in ("DELETE", "PATCH"), lambda t: oops(500)),
        "S-REFUSE-16",
        tries=5.0,
    ),
    mutant("no-allow", "A 405 has no Allow.", _no_allow, "S-REFUSE-17"),
    mutant("all-allowed", "Allow lists the refused method.", _all_allowed, "S-REFUSE-17"),
    mutant("page-for-all", "An unknown path is a 200 with a page.", _page_for_all, "S-REFUSE-18"),
    mutant(
        "head-crashes",
        "HEAD is a 500.",
        when(lambda t: t.request.method == "HEAD", lambda t: reply(500, b"")),
        "S-REFUSE-19",
        tries=2.0,
    ),
    mutant(
        "utf16-crashes",
        "Another charset is a 500.",
        when(lambda t: b"utf-16" in _content_type(t), lambda t: oops(500)),
        "S-REFUSE-20",
        tries=9.0,
    ),
    mutant(
        "forms-crash",
        "A body called a form is a 500.",
        when(lambda t: b"form" in _content_type(t), lambda t: oops(500)),
        "S-REFUSE-20",
        tries=3.0,
    ),
    mutant(
        "any-role",
        "A message of a role that there is not is answered.",
        _repaired(lambda t: t.body.get("messages") == [{"role": "alien", "content": "Say hello"}]),
        "S-REFUSE-21",
        tries=4.0,
    ),
    mutant(
        "any-tool",
        "A choice of a tool that was not given is taken and ignored.",
        _repaired(lambda t: isinstance(t.body.get("tool_choice"), dict)),
        "S-REFUSE-21",
        tries=4.0,
    ),
)
