"""Tools, JSON, embeddings, rate limits and further fields: taken and ignored, or told wrong."""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Callable
from typing import Any

from mockserver.plan import Plan

from .edits import Doc, chunks, document_of, encoded, part, reply, status_of, texts, whole, with_bodies, with_fields
from .mutant import Change, Mutant, OnSockets, Turn, mutant

EMBEDDINGS = "/v1/embeddings"
CHOOSE = {"type": "function", "function": {"name": "get_weather"}}


def _calls(one: Doc) -> list[Doc]:
    """The tool calls of a choice, whole or in a piece."""
    return (one.get("message") or one.get("delta") or {}).get("tool_calls") or []


def _called(edit: Callable[[Doc], object]) -> Change:
    """The calls of whole answers, edited in place."""
    return whole(lambda d, t: [edit(call) for one in d["choices"] for call in _calls(one)], True)


def _streamed_calls(edit: Callable[[Doc], object]) -> Change:
    """The pieces of calls in streams, edited in place."""
    return part(lambda one, at: [edit(call) for call in _calls(one)], True)


def _arguments(text: str) -> Callable[[list[Doc], Turn], list[Doc]]:
    """Streams whose calls have other arguments: all of them in the piece that has the name."""

    def edit(documents: list[Doc], turn: Turn) -> list[Doc]:
        for call in (c for d in documents for one in d["choices"] for c in _calls(one)):
            call["function"]["arguments"] = text if call["function"].get("name") else ""
        return documents

    return edit


def _unfit(turn: Turn) -> Plan:
    if turn.streams:
        return chunks(_arguments('{"unit":"kelvin"}'))(turn)
    return _called(lambda call: call["function"].update(arguments='{"unit":"kelvin"}'))(turn)


def _read(call: Doc) -> None:
    call["function"]["arguments"] = json.loads(call["function"]["arguments"])


def _asked_without(*names: str) -> Change:
    """Fields that are taken and ignored."""

    def change(turn: Turn) -> Plan:
        given = [name for name in names if name in turn.body]
        return turn.asked(**dict.fromkeys(given, ...)).plan if turn.generates and given else turn.plan

    return change


def _forced(turn: Turn) -> Plan:
    return turn.asked(tool_choice=CHOOSE).plan if turn.body.get("tool_choice") == "none" else turn.plan


def _shouts_json(text: str, turn: Turn) -> str:
    return text.upper() if turn.body.get("response_format") else text


def _embedded(edit: Callable[[Doc, Turn], object]) -> Change:
    """Answers with embeddings, edited in place."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if turn.request.path != EMBEDDINGS or turn.request.method != "POST" or status_of(plan) != 200:
            return plan
        document = document_of(plan)
        edit(document, turn)
        return with_bodies(plan, [encoded(document)])

    return change


def _inputs(turn: Turn) -> list[Any]:
    given = turn.body.get("input")
    return given if isinstance(given, list) else [given]


def _each(edit: Callable[[Doc], object]) -> Change:
    return _embedded(lambda d, t: [edit(item) for item in d["data"]])


def _first_only(document: Doc, turn: Turn) -> None:
    given = _inputs(turn)
    for at, item in enumerate(document["data"]):
        if given.index(given[at]) < at:
            item["embedding"] = list(reversed(item["embedding"]))


def _backwards(document: Doc, turn: Turn) -> None:
    found = [item["embedding"] for item in document["data"]]
    for item, vector in zip(document["data"], reversed(found), strict=True):
        item["embedding"] = vector


def _other_end(item: Doc) -> None:
    if isinstance(item["embedding"], str):
        data = base64.b64decode(item["embedding"])
        swapped = struct.pack(f">{len(data) // 4}f", *struct.unpack(f"<{len(data) // 4}f", data))
        item["embedding"] = base64.b64encode(swapped).decode()


def _longer(document: Doc, turn: Turn) -> None:
    for item, text in zip(document["data"], _inputs(turn), strict=True):
        by = 1 + len(str(text)) % 2
        if isinstance(item["embedding"], str):
            data = base64.b64decode(item["embedding"])
            numbers = [by * x for x in struct.unpack(f"<{len(data) // 4}f", data)]
            item["embedding"] = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        else:
            item["embedding"] = [by * x for x in item["embedding"]]


def _any_input(turn: Turn) -> Plan:
    if turn.request.path != EMBEDDINGS or status_of(turn.plan) == 200:
        return turn.plan
    return turn.asked(input="something").plan


def _limited(edit: Callable[[dict[str, str], Turn, Plan], dict[str, str]]) -> Change:
    """A server with limits, which it tells, edited; those that it tells are true until then."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.request.path.startswith("/v1"):
            return plan
        turn.memory["asked"] = turn.memory.get("asked", 0) + 1
        told = {
            "x-ratelimit-limit": "100000",
            "x-ratelimit-remaining": str(100000 - turn.memory["asked"]),
            "x-ratelimit-reset": str(int(time.time()) + 60),
        }
        return with_fields(plan, *((k.encode(), v.encode()) for k, v in edit(told, turn, plan).items()))

    return change


def _unless_refused(told: dict[str, str], turn: Turn, plan: Plan) -> dict[str, str]:
    return told if status_of(plan) < 400 else {}


def _shouts(holds: Callable[[Doc], bool]) -> Change:
    return texts(lambda text, turn: text.upper() if holds(turn.body) else text)


def _all_three(turn: Turn) -> Plan:
    most = turn.body.get("best_of")
    return turn.asked(n=most).plan if turn.generates and most and "n" not in turn.body else turn.plan


def _more_than_best(turn: Turn) -> Plan:
    n, most = turn.body.get("n"), turn.body.get("best_of")
    both = turn.generates and isinstance(n, int) and isinstance(most, int)
    return turn.asked(best_of=...).plan if both and n > most else turn.plan  # type: ignore[operator]  # both are


def _stops_all_the_same(document: Doc, turn: Turn) -> None:
    if turn.body.get("ignore_eos"):
        counts = document["usage"]
        counts["completion_tokens"] = max(0, counts["completion_tokens"] - 1)
        counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
        for one in document["choices"]:
            one["finish_reason"] = "stop"


def _keyless(turn: Turn) -> Plan:
    if turn.request.header(b"authorization") == b"Bearer sk-right-0001" or turn.request.path == "/health":
        return turn.plan
    return reply(401, {"error": {"message": " ", "type": "authentication_error"}})


MUTANTS: tuple[Mutant, ...] = (
    mutant("tools-ignored", "Tools are taken and ignored.", _asked_without("tools", "tool_choice"), "S-TOOL-01"),
    mutant("call-of-a-kind", "A call is of type tool.", _called(lambda c: c.update(type="tool")), "S-TOOL-01"),
    mutant("arguments-as-object", "The arguments of a call are an object.", _called(_read), "S-TOOL-02"),
    mutant("arguments-unfit", "The arguments of a call do not fit the schema.", _unfit, "S-TOOL-03"),
    mutant(
        "call-without-index",
        "The pieces of a streamed call have no index.",
        _streamed_calls(lambda c: c.pop("index")),
        "S-TOOL-04",
    ),
    mutant(
        "call-streamed-otherwise",
        "A streamed call has other arguments.",
        chunks(_arguments('{"city":"Rome"}')),
        "S-TOOL-05",
    ),
    mutant(
        "tools-end-streams",
        "With tools an answer is not streamed.",
        lambda t: t.asked(stream=..., stream_options=...).plan if t.streams and t.body.get("tools") else t.plan,
        "S-TOOL-04",
    ),
    mutant("none-is-auto", "tool_choice none is taken and ignored.", _forced, "S-TOOL-06"),
    mutant("json-mode-ignored", "json_object is taken and ignored.", _asked_without("response_format"), "S-JSON-01"),
    mutant(
        "schema-ignored",
        "json_schema is taken for json_object.",
        lambda t: (
            t.asked(response_format={"type": "json_object"}).plan
            if "json_schema" in str(t.body.get("response_format"))
            else t.plan
        ),
        "S-JSON-03",
    ),
    mutant("json-streamed-otherwise", "JSON is streamed in capitals.", texts(_shouts_json, "stream"), "S-JSON-02"),
    mutant(
        "vector-object", "An embedding calls itself vector.", _each(lambda i: i.update(object="vector")), "S-EMBED-01"
    ),
    mutant("embeddings-all-first", "All embeddings have index 0.", _each(lambda i: i.update(index=0)), "S-EMBED-02"),
    mutant(
        "second-embedding-differs", "A text that comes twice has two embeddings.", _embedded(_first_only), "S-EMBED-03"
    ),
    mutant("embeddings-backwards", "The embeddings of a list come from its end.", _embedded(_backwards), "S-EMBED-04"),
    mutant("base64-big-endian", "base64 has the bytes of the other end.", _each(_other_end), "S-EMBED-05"),
    mutant(
        "embeddings-cost-more",
        "The sum of the tokens of embeddings is one too many.",
        _embedded(lambda d, t: d["usage"].update(total_tokens=d["usage"]["prompt_tokens"] + 1)),
        "S-EMBED-06",
    ),
    mutant("vectors-of-two-lengths", "Some vectors are twice as long.", _embedded(_longer), "S-EMBED-07", tries=4.0),
    mutant("embeds-anything", "What is no text is embedded.", _any_input, "S-EMBED-08"),
    mutant(
        "limit-per-minute",
        "The limit is told in words.",
        _limited(lambda told, turn, plan: {**told, "x-ratelimit-limit": "100000/min"}),
        "S-RATE-01",
    ),
    mutant(
        "limit-stands-still",
        "What remains of the limit is always the same.",
        _limited(lambda told, turn, plan: {**told, "x-ratelimit-remaining": "99999"}),
        "S-RATE-02",
    ),
    mutant(
        "reset-in-seconds",
        "The reset of the limit is told in seconds from now.",
        _limited(lambda told, turn, plan: {**told, "x-ratelimit-reset": "60"}),
        "S-RATE-03",
    ),
    mutant("limit-of-the-good", "A refusal does not tell of limits.", _limited(_unless_refused), "S-RATE-04"),
    mutant("priority-shouts", "A priority changes the text.", _shouts(lambda b: "priority" in b), "S-FIELD-01"),
    mutant("best-of-all", "best_of=3 gives all three.", _all_three, "S-FIELD-02"),
    mutant("more-than-the-best", "n above best_of is taken.", _more_than_best, "S-FIELD-03"),
    mutant("eos-not-ignored", "ignore_eos is taken and ignored.", whole(_stops_all_the_same), "S-FIELD-04"),
    mutant(
        "defaults-are-others",
        "The defaults, written out, change the text.",
        _shouts(lambda b: "top_p" in b and "presence_penalty" in b),
        "S-FIELD-05",
    ),
    mutant(
        "keyless-silence",
        "A request without a key is refused without a word.",
        OnSockets(_keyless, _keyless),
        "S-SECURE-10",
        key="sk-right-0001",
    ),
)
