"""The ways in which a plan is made wrong: each takes a small edit and gives a change for `mutant`.

An edit works on plain JSON values and is written for the one place where the defect sits; everything else of the plan
stays byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import structs

from mockserver.plan import Body, Close, End, Ending, Head, Plan, Raw, Step

from .mutant import Change, Turn

Doc: TypeAlias = dict[str, Any]
JSON = (b"content-type", b"application/json")


def encoded(document: Any) -> bytes:
    """Compact JSON in UTF-8; a lone surrogate goes as its escape."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def status_of(plan: Plan) -> int:
    """The status of a plan."""
    return next((step.status for step in plan.steps if isinstance(step, Head)), 0)


def field(plan: Plan, name: bytes) -> bytes:
    """A header field of a plan; empty when it is not there."""
    return next((v for step in plan.steps if isinstance(step, Head) for k, v in step.headers if k.lower() == name), b"")


def bodies(plan: Plan) -> list[bytes]:
    """The pieces of the body."""
    return [step.data for step in plan.steps if isinstance(step, Body)]


def is_stream(plan: Plan) -> bool:
    """Whether the plan is an event stream."""
    return status_of(plan) == 200 and field(plan, b"content-type").startswith(b"text/event-stream")


def document_of(plan: Plan) -> Any:
    """The JSON of a whole plan; None where it is none."""
    try:
        return json.loads(b"".join(bodies(plan)))
    except ValueError:
        return None


def reply(status: int, document: Any, *fields: tuple[bytes, bytes], ending: Ending = End()) -> Plan:  # noqa: B008
    """A whole JSON response, or bytes as they are."""
    data = document if isinstance(document, bytes) else encoded(document)
    named = {name for name, _ in fields}
    usual = [one for one in (JSON, (b"content-length", b"%d" % len(data))) if one[0] not in named]
    return Plan((Head(status, (*usual, *fields)), Body(data)), ending)


def oops(status: int, message: str = "something is wrong", param: str | None = None) -> Plan:
    """An error in the words of the docs."""
    return reply(status, {"error": {"message": message, "type": "server_error", "param": param, "code": "oops"}})


def with_bodies(plan: Plan, data: list[bytes]) -> Plan:
    """The same head with another body; a Content-Length is made right."""
    head = next(step for step in plan.steps if isinstance(step, Head))
    size = b"%d" % sum(map(len, data))
    headers = tuple((k, size if k.lower() == b"content-length" else v) for k, v in head.headers)
    return Plan((structs.replace(head, headers=headers), *(Body(one) for one in data)), plan.ending)


def with_fields(plan: Plan, *fields: tuple[bytes, bytes]) -> Plan:
    """The plan with these header fields instead of those of the same name; an empty value removes one."""
    named = {name for name, _ in fields}
    more = tuple(one for one in fields if one[1])

    def edit(step: Step) -> Step:
        if not isinstance(step, Head):
            return step
        return structs.replace(step, headers=(*(h for h in step.headers if h[0].lower() not in named), *more))

    return Plan(tuple(edit(step) for step in plan.steps), plan.ending)


def raw(plan: Plan, data: bytes) -> Plan:
    """These bytes, below HTTP, and then the connection ends."""
    return Plan((Raw(data),), Close("fin"))


def spread(turn: Turn, plan: Plan) -> tuple[list[Doc], list[bytes]]:
    """The documents of a stream, and the events that are none (`[DONE]`)."""
    documents, others = [], []
    for data in bodies(plan):
        try:
            documents.append(json.loads(data.removeprefix(b"data: ")))
        except ValueError:
            others.append(data)
    return documents, others


def event(document: Any) -> bytes:
    """One event."""
    return b"data: " + (document if isinstance(document, bytes) else encoded(document)) + b"\n\n"


def events(edit: Callable[[list[bytes], Turn], list[bytes]]) -> Change:
    """Streams whose events, as bytes, are edited."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        return with_bodies(plan, edit(bodies(plan), turn)) if is_stream(plan) else plan

    return change


def chunks(edit: Callable[[list[Doc], Turn], list[Doc]]) -> Change:
    """Streams whose documents are edited; `[DONE]` stays behind them."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not is_stream(plan):
            return plan
        documents, others = spread(turn, plan)
        return with_bodies(plan, [*(event(one) for one in edit(documents, turn)), *others])

    return change


def chunk(edit: Callable[[Doc, int], object], chat: bool | None = None) -> Change:
    """Streams each of whose documents is edited in place; `chat`: of one endpoint only."""

    def each(documents: list[Doc], turn: Turn) -> list[Doc]:
        if chat in (None, turn.chat):
            for at, document in enumerate(documents):
                edit(document, at)
        return documents

    return chunks(each)


def whole(edit: Callable[[Doc, Turn], object], chat: bool | None = None) -> Change:
    """Generations that are not streamed, edited in place."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.generates or status_of(plan) != 200 or is_stream(plan) or chat not in (None, turn.chat):
            return plan
        document = document_of(plan)
        edit(document, turn)
        return with_bodies(plan, [encoded(document)])

    return change


def choice(edit: Callable[[Doc], object], chat: bool | None = None) -> Change:
    """The choices of generations that are not streamed, edited in place."""
    return whole(lambda document, turn: [edit(one) for one in document["choices"]], chat)


def part(edit: Callable[[Doc, int], object], chat: bool | None = None) -> Change:
    """The choices of chunks, edited in place."""
    return chunk(lambda document, at: [edit(one, at) for one in document["choices"]], chat)


def usage(edit: Callable[[Doc, Turn], object]) -> Change:
    """The counts, wherever they are told, edited in place; the sum is made right again."""

    def right(counts: Doc, turn: Turn) -> None:
        edit(counts, turn)
        counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.generates or status_of(plan) != 200:
            return plan
        if is_stream(plan):
            documents, others = spread(turn, plan)
            for document in documents:
                if document.get("usage"):
                    right(document["usage"], turn)
            return with_bodies(plan, [*(event(one) for one in documents), *others])
        document = document_of(plan)
        right(document["usage"], turn)
        return with_bodies(plan, [encoded(document)])

    return change


def refusals(edit: Callable[[Plan, Doc, Turn], Plan]) -> Change:
    """Refusals (4xx with a JSON body), made again from the plan, its document and the turn."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        document = document_of(plan) if 400 <= status_of(plan) < 500 else None
        return edit(plan, document, turn) if isinstance(document, dict) else plan

    return change


def page(path: str, edit: Callable[[Doc, Turn], Plan | Doc]) -> Change:
    """A GET of a path, answered by another document or plan."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if turn.request.path != path or turn.request.method != "GET" or status_of(plan) != 200:
            return plan
        made = edit(document_of(plan), turn)
        return made if isinstance(made, Plan) else with_bodies(plan, [encoded(made)])

    return change


def asking(edit: Callable[[Turn], Turn]) -> Change:
    """Generations of another request than the one that came."""
    return lambda turn: edit(turn).plan if turn.generates and turn.body else turn.plan


def when(holds: Callable[[Turn], object], made: Callable[[Turn], Plan]) -> Change:
    """Another plan for the requests of which something holds."""
    return lambda turn: made(turn) if holds(turn) else turn.plan


def texts(edit: Callable[[str, Turn], str], modes: str = "both") -> Change:
    """The text of generations, edited: of the first choice, in all its pieces at once. `modes`: whole, stream, both."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.generates or status_of(plan) != 200:
            return plan
        if is_stream(plan):
            return plan if modes == "whole" else _stream_text(plan, turn, edit)
        if modes == "stream":
            return plan
        document = document_of(plan)
        for one in document["choices"][:1]:
            holder, key = (one["message"], "content") if "message" in one else (one, "text")
            holder[key] = edit(holder[key] or "", turn)
        return with_bodies(plan, [encoded(document)])

    return change


def holder_of(one: Doc) -> tuple[Doc, str]:
    """Where the text of a choice of a chunk stands."""
    return (one["delta"], "content") if "delta" in one else (one, "text")


def _stream_text(plan: Plan, turn: Turn, edit: Callable[[str, Turn], str]) -> Plan:
    """The whole edited text in the first piece that has text, nothing in the others."""
    documents, others = spread(turn, plan)
    found = [holder_of(one) for d in documents for one in d["choices"] if one.get("index") == 0]
    pieces = [(holder, key) for holder, key in found if holder.get(key)]
    text = edit("".join(holder[key] for holder, key in pieces), turn)
    for at, (holder, key) in enumerate(pieces):
        holder[key] = text if at == 0 else ""
    return with_bodies(plan, [*(event(one) for one in documents), *others])
