"""Messages that are dropped or glued, prompts that become fields, tools that are not the ones named, late streams."""

from __future__ import annotations

import time
from typing import Any

from mockserver.plan import Plan, Wait

from .edits import Doc, asking, document_of, encoded, event, is_stream, page, spread, status_of, with_bodies
from .mutant import Change, Mutant, Turn, mutant


def _messages(turn: Turn) -> list[Doc]:
    found = turn.body.get("messages")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _dropping(edit: Any) -> Change:
    """Chats of which only some messages are read."""
    return asking(lambda t: t.asked(messages=edit(_messages(t))) if len(_messages(t)) > 1 else t)


def _users(messages: list[Doc]) -> list[Doc]:
    """The last message, and what is not the user's."""
    return [one for one in messages[:-1] if one.get("role") != "user"] + messages[-1:]


def _glued(turn: Turn) -> Turn:
    said = _messages(turn)
    parts = said[-1].get("content") if said else None
    if not isinstance(parts, list) or len(parts) < 2 or not all(isinstance(one, dict) for one in parts):
        return turn
    text = " ".join(str(one.get("text")) for one in parts)
    return turn.asked(messages=[*said[:-1], {**said[-1], "content": text}])


def _templated(turn: Turn) -> Plan:
    """The prompt stands in the answer as it is, between two quotes."""
    plan = turn.plan
    forged = isinstance(turn.prompt, str) and '"injected"' in turn.prompt
    if not turn.generates or status_of(plan) != 200 or not forged:
        return plan
    mark, raw = b'"@@"', b'"' + str(turn.prompt).encode() + b'"'

    def filled(document: Doc) -> bytes:
        return encoded({"prompt": "@@", **document}).replace(mark, raw)

    if is_stream(plan):
        documents, others = spread(turn, plan)
        return with_bodies(plan, [*(event(filled(one)) for one in documents), *others])
    return with_bodies(plan, [filled(document_of(plan))])


def _first_tool(turn: Turn) -> Turn:
    tools = turn.body.get("tools")
    if not isinstance(tools, list) or len(tools) < 2 or not isinstance(turn.body.get("tool_choice"), dict):
        return turn
    named = {"type": "function", "function": {"name": tools[0]["function"]["name"]}}
    return turn.asked(tool_choice=named)


def _born_now(document: Doc, turn: Turn) -> Doc:
    return {**document, "data": [{**one, "created": int(time.time())} for one in document["data"]]}


def _all_at_the_end(turn: Turn) -> Plan:
    plan, limit = turn.plan, turn.body.get("max_tokens")
    if not is_stream(plan) or type(limit) is not int or limit > 100:
        return plan
    return Plan((Wait(0.01 * limit), *plan.steps), plan.ending)


MUTANTS: tuple[Mutant, ...] = (
    mutant("reads-the-first-message", "Only the first message is read.", _dropping(lambda m: m[:1]), "S-USAGE-14"),
    mutant("reads-the-last-of-a-user", "Of a user's messages the last is read.", _dropping(_users), "S-USAGE-14"),
    mutant(
        "deaf-to-developers",
        "A developer's message is taken and dropped.",
        _dropping(lambda m: [one for one in m if one.get("role") != "developer"]),
        "S-USAGE-15",
    ),
    mutant("parts-with-blanks", "A blank is put between the parts of a text.", asking(_glued), "S-SAME-15"),
    mutant("prompt-in-a-template", "The prompt is put into JSON as it is.", _templated, "S-SECURE-11"),
    mutant("calls-the-first-tool", "The first tool is called, whichever is named.", asking(_first_tool), "S-TOOL-07"),
    mutant(
        "born-at-each-request", "A model was made when it is asked for.", page("/v1/models", _born_now), "S-MODEL-08"
    ),
    mutant(
        "all-at-the-end",
        "A stream begins when all of its text is there.",
        _all_at_the_end,
        "S-FRAME-16",
        judged=("S-FRAME", "S-STREAM"),
    ),
)
