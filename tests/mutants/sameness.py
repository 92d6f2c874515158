"""Servers that answer the same question in two ways, that mix their callers, or lose characters."""

from __future__ import annotations

import hashlib
from typing import Any

from mockserver.plan import Plan, Wait

from .edits import (
    Doc,
    choice,
    document_of,
    encoded,
    event,
    is_stream,
    oops,
    page,
    reply,
    spread,
    status_of,
    texts,
    whole,
    with_bodies,
)
from .mutant import Change, Mutant, Turn, mutant

PROBED = ("Say hello", "Count to ten:")


def _key(turn: Turn) -> str:
    return str(turn.prompt)


def _if(holds: Any) -> Change:
    """Texts in capitals, where something holds."""
    return texts(lambda text, turn: text.upper() if holds(turn) else text)


def _first_key(turn: Turn) -> bool:
    return turn.request.body.startswith((b'{"temperature', b'{"max_tokens', b"{\n")) and b'"model"' in turn.request.body


def _escaped(turn: Turn) -> bool:
    return b"\\u" in turn.request.body


def _parts_marked(turn: Turn) -> bool:
    return isinstance(turn.prompt, list)


def _nulls(turn: Turn) -> bool:
    return "stop" in turn.body and turn.body["stop"] is None


def _query(turn: Turn) -> Plan:
    if turn.generates and b"max_tokens=1" in turn.request.query:
        return turn.asked(max_tokens=1).plan
    return turn.plan


def _chunked(turn: Turn) -> bool:
    return turn.request.header(b"transfer-encoding") is not None


def _renamed(name: Any) -> Change:
    """Generations with another id: `name(turn, id)`."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.generates or status_of(plan) != 200:
            return plan
        if is_stream(plan):
            documents, others = spread(turn, plan)
            said = name(turn, documents[0]["id"])
            return with_bodies(plan, [*(event({**one, "id": said}) for one in documents), *others])
        document = document_of(plan)
        return with_bodies(plan, [encoded({**document, "id": name(turn, document["id"])})])

    return change


def _of_request(turn: Turn, said: str) -> str:
    return said.partition("-")[0] + "-" + hashlib.sha256(turn.request.body).hexdigest()[:16]


def _every_fifty(turn: Turn, said: str) -> str:
    turn.memory["n"] = turn.memory.get("n", 0) + 1
    return said.partition("-")[0] + f"-{turn.memory['n'] % 50}"


def _bare(turn: Turn, said: str) -> str:
    return said.partition("-")[2]


def _created(edit: Any) -> Change:
    return whole(lambda document, turn: document.update(created=edit(document["created"], turn)))


def _back(value: int, turn: Turn) -> int:
    turn.memory["n"] = turn.memory.get("n", 0) + 1
    return int(value - turn.memory["n"] % 90)


def _slow(plan: Plan) -> Plan:
    """A response that takes a few milliseconds, so that several are in flight at once."""
    return Plan((Wait(0.004), *plan.steps), plan.ending)


def _mixed(turn: Turn) -> Plan:
    if not turn.generates or not turn.body or status_of(turn.plan) != 200:
        return turn.plan
    kind = str(turn.chat)
    last = turn.memory.get(kind)
    turn.memory[kind] = turn.prompt
    if turn.open and last is not None:
        told = {"messages": [{"role": "user", "content": last}]} if turn.chat else {"prompt": last}
        return _slow(turn.asked(**told).plan)
    return _slow(turn.plan)


def _shared_id(turn: Turn, said: str) -> str:
    last = turn.memory.get("id", said)
    turn.memory["id"] = last if turn.open else said
    return str(turn.memory["id"])


def _shared_ids(turn: Turn) -> Plan:
    plan = _renamed(_shared_id)(turn)
    return _slow(plan) if turn.generates else plan


def _refused_together(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.generates:
        return plan
    bad = status_of(plan) == 400
    before = turn.memory.get("bad", False) and turn.open
    turn.memory["bad"] = bad
    return _slow(oops(400, "the batch was refused") if before and not bad else plan)


def _other_mode(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.generates or status_of(plan) != 200:
        return plan
    if turn.open and not turn.streams and turn.memory.get("streams"):
        return _slow(turn.asked(stream=True).plan)
    turn.memory["streams"] = turn.streams
    return _slow(plan)


def _nul(turn: Turn) -> Plan:
    return oops(400, "invalid character") if turn.generates and "\x00" in str(turn.prompt) else turn.plan


def _astral(turn: Turn) -> Plan:
    wide = turn.generates and any(c > "\uffff" for c in str(turn.prompt))
    return oops(400, "invalid character") if wide else turn.plan


def _half(one: Doc) -> None:
    holder, key = (one["message"], "content") if "message" in one else (one, "text")
    holder[key] = "\ud83d" + holder[key]


def _after_big(turn: Turn, said: str) -> str:
    if turn.memory.pop("big", False) and "last" in turn.memory:
        return str(turn.memory["last"])
    turn.memory["last"] = said
    return said


def _after_a_big_one(turn: Turn) -> Plan:
    if turn.generates and 50_000 < len(turn.request.body) < 500_000:
        turn.memory["big"] = True
        return turn.plan
    return _renamed(_after_big)(turn)


def _ghost(document: Doc, turn: Turn) -> Doc:
    return {**document, "data": [{**document["data"][0], "id": "ghost"}, *document["data"]]}


def _no_generation(turn: Turn) -> Plan:
    plan = page("/v1/models", _ghost)(turn)
    return reply(404, {"error": {"message": "the model does not exist"}}) if turn.generates else plan


MUTANTS: tuple[Mutant, ...] = (
    mutant("n-one-is-special", "n=1 gives another text than no n.", _if(lambda t: t.body.get("n") == 1), "S-SAME-03"),
    mutant("order-of-keys", "The order of the keys changes the text.", _if(_first_key), "S-SAME-04"),
    mutant("escapes-are-kept", "A request with escapes gets another text.", _if(_escaped), "S-SAME-05"),
    mutant(
        "false-is-special",
        "stream=false gives another text than no stream.",
        _if(lambda t: t.body.get("stream") is False),
        "S-SAME-06",
    ),
    mutant("user-matters", "The user changes the text.", _if(lambda t: t.body.get("user") == "someone"), "S-SAME-07"),
    mutant("parts-are-printed", "A text part is not read as its text.", _if(_parts_marked), "S-SAME-08"),
    mutant("null-is-a-word", "stop: null changes the text.", _if(_nulls), "S-SAME-11"),
    mutant("chunked-is-another", "A request in chunks gets another text.", _if(_chunked), "S-SAME-12"),
    mutant("query-is-obeyed", "Parameters of the query string are obeyed.", _query, "S-SAME-14"),
    mutant("id-of-the-request", "The id is a hash of the request.", _renamed(_of_request), "S-ID-02"),
    mutant("ids-come-again", "Ids come again after fifty answers.", _renamed(_every_fifty), "S-ID-01"),
    mutant("bare-id", "The id does not say its kind (transformers serve).", _renamed(_bare), "S-ID-05"),
    mutant(
        "created-at-start",
        "created is when the server started, a day ago.",
        _created(lambda v, t: v - 86400),
        "S-ID-03",
    ),
    mutant("created-is-zero", "created is 0.", _created(lambda v, t: 0), "S-SHAPE-08", "S-ID-03"),
    mutant("clock-goes-back", "created goes back from answer to answer.", _created(_back), "S-ID-04"),
    mutant("mixes-prompts", "Of two requests at once the second gets the first's prompt.", _mixed, "S-ALONE-01"),
    mutant("mixes-modes", "A request beside a stream gets a stream.", _other_mode, "S-ALONE-02", tries=4.0),
    mutant("shares-ids", "Requests in flight together share an id.", _shared_ids, "S-ID-02"),
    mutant("refuses-the-batch", "A good request beside a bad one is refused with it.", _refused_together, "S-ALONE-05"),
    mutant("no-nul", "A prompt with NUL is refused.", _nul, "S-UNI-01"),
    mutant("no-emoji", "A prompt with characters beyond the basic plane is refused.", _astral, "S-UNI-01"),
    mutant("half-a-character", "A text begins with half a surrogate pair.", choice(_half), "S-UNI-02"),
    mutant(
        "id-after-a-big-one",
        "After a big request the id of before comes again.",
        _after_a_big_one,
        "S-STATE-01",
        tries=8.0,
    ),
    mutant(
        "echo-loses-a-letter",
        "An echo has lost its first character.",
        texts(lambda text, t: text[1:] if t.body.get("echo") else text),
        "S-UNI-04",
        tries=6.0,
    ),
    mutant("lists-a-ghost", "The first model of the list does not answer.", _no_generation, "S-MODEL-07"),
)
