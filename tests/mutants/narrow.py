"""Servers whose defect is so narrow that one law alone sees it: each shows that its law is needed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from mockserver.plan import Body, Close, Plan, Step, Wait

from .abuse import TRACE
from .edits import (
    Doc,
    bodies,
    chunk,
    chunks,
    document_of,
    encoded,
    event,
    holder_of,
    is_stream,
    oops,
    part,
    refusals,
    reply,
    spread,
    status_of,
    texts,
    usage,
    whole,
    with_bodies,
    with_fields,
)
from .mutant import Change, Mutant, Turn, mutant
from .sockets import everywhere

STORY = "Tell me a long story"
PLAIN = {"model", "messages", "prompt", "max_tokens", "temperature"}


def _limit(turn: Turn) -> int:
    """How many tokens are allowed."""
    value = turn.body.get("max_tokens")
    return value if type(value) is int else 16


def _single(turn: Turn) -> bool:
    """Whether one choice is asked for."""
    return turn.body.get("n") is None and not isinstance(turn.body.get("prompt"), list)


def _stops(turn: Turn) -> bool:
    return bool(turn.body.get("stop"))


def both(edit: Callable[[Doc, Turn], object]) -> Change:
    """The documents of generations, whole and streamed, edited in place."""

    def change(turn: Turn) -> Plan:
        plan = turn.plan
        if not turn.generates or status_of(plan) != 200:
            return plan
        if not is_stream(plan):
            document = document_of(plan)
            edit(document, turn)
            return with_bodies(plan, [encoded(document)])
        documents, others = spread(turn, plan)
        for one in documents:
            edit(one, turn)
        return with_bodies(plan, [*map(event, documents), *others])

    return change


def only(holds: Callable[[Turn], object], change: Change) -> Change:
    """The change where something holds."""
    return lambda turn: change(turn) if holds(turn) else turn.plan


def slowly(plan: Plan, seconds: float = 0.004) -> Plan:
    """A response that takes a moment, so that several are in flight at once."""
    return Plan((Wait(seconds), *plan.steps), plan.ending)


def stuck(plan: Plan, first: float = 0.02, seconds: float = 0.02) -> Plan:
    """A stream whose events come one after the other."""
    steps: list[Step] = [Wait(first)]
    for step in plan.steps:
        steps += [step, Wait(seconds)] if isinstance(step, Body) else [step]
    return Plan(tuple(steps), plan.ending)


def _usage_on_text(turn: Turn) -> bool:
    return turn.streams and not turn.chat and bool(turn.body.get("stream_options")) and _limit(turn) > 8


def _unended(turn: Turn) -> Plan:
    return Plan(turn.plan.steps, Close("fin"))


# Requests at once.


def _mixes_whole(turn: Turn) -> Plan:
    if not turn.generates or turn.streams or status_of(turn.plan) != 200:
        return turn.plan
    kind = str(turn.chat)
    last = turn.memory.get(kind)
    turn.memory[kind] = turn.prompt
    if turn.open and last is not None:
        told = {"messages": [{"role": "user", "content": last}]} if turn.chat else {"prompt": last}
        return slowly(turn.asked(**told).plan, 0.03)
    return slowly(turn.plan, 0.03)


def _later_ids(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.streams or status_of(plan) != 200 or _limit(turn) == 8:
        return plan
    documents, others = spread(turn, plan)
    last = turn.memory.get("last")
    turn.memory["last"] = documents[0]["id"]
    if turn.open and last:
        documents = [documents[0], *({**one, "id": last} for one in documents[1:])]
    return slowly(with_bodies(plan, [*map(event, documents), *others]), 0.01)


def _batched_refusals(turn: Turn) -> Plan:
    if not turn.generates:
        return turn.plan
    bad = not turn.body
    before = turn.memory.get("bad", False) and turn.open
    turn.memory["bad"] = bad
    return slowly(oops(400, "the batch was refused") if before and not bad else turn.plan)


def _key(turn: Turn) -> str:
    return turn.request.body.decode("utf-8", "replace")


def _twins(turn: Turn) -> Plan:
    """Equal short requests in flight are one to this server."""
    plan = turn.plan
    if not turn.generates or turn.streams or status_of(plan) != 200 or _limit(turn) > 12:
        return plan
    document = document_of(plan)
    held = [one.request.body for one in list(turn.journal)[-24:] if one.ended == "open"]
    if turn.request.body in held and _key(turn) in turn.memory:
        document["id"] = turn.memory[_key(turn)]
    turn.memory[_key(turn)] = document["id"]
    return slowly(with_bodies(plan, [encoded(document)]), 0.01)


# Choices.


def _three_prompts(document: Doc, turn: Turn) -> None:
    if isinstance(turn.body.get("prompt"), list) and len(turn.body["prompt"]) == 3:
        document["choices"] = document["choices"][:2]


def _second_unfinished(documents: list[Doc], turn: Turn) -> list[Doc]:
    if turn.body.get("n") != 2:
        return documents
    for one in (c for d in documents for c in d["choices"] if c["index"] == 1):
        one["finish_reason"] = None
    return documents


# Limits.


def _of_limit(text: str, turn: Turn) -> str:
    return text.upper() if turn.chat and _limit(turn) % 2 and not turn.body.get("logprobs") else text


def _says_length(document: Doc, turn: Turn) -> None:
    for one in document["choices"]:
        if _stops(turn) and one.get("finish_reason") == "stop":
            one["finish_reason"] = "length"


def _list_of_one(text: str, turn: Turn) -> str:
    stop = turn.body.get("stop")
    return f"{text}." if isinstance(stop, list) and len(stop) == 1 else text


def _huge(turn: Turn) -> bool:
    return turn.generates and _limit(turn) == 100_000 and turn.prompt != STORY


def _letters(documents: list[Doc], turn: Turn) -> list[Doc]:
    found = []
    for document in documents:
        one = document["choices"][0] if len(document["choices"]) == 1 else None
        text = holder_of(one)[0].get(holder_of(one)[1]) if one else None
        if one is None or not text or turn.body.get("logprobs"):
            found.append(document)
            continue
        for letter in text:
            told = {"delta": {**one["delta"], "content": letter}} if "delta" in one else {"text": letter}
            found.append({**document, "choices": [{**one, **told}]})
    return found


def _stripped(document: Doc, turn: Turn) -> None:
    for one in document["choices"]:
        if isinstance(one.get("logprobs"), dict) and "tokens" in one["logprobs"]:
            one["logprobs"]["tokens"] = [token.strip() for token in one["logprobs"]["tokens"]]


def _shouts_with_logprobs(document: Doc, turn: Turn) -> None:
    if turn.chat or not turn.body.get("logprobs") or turn.body.get("echo"):
        return
    for one in document["choices"]:
        one["text"] = (one.get("text") or "").upper()
        if isinstance(one.get("logprobs"), dict) and "tokens" in one["logprobs"]:
            one["logprobs"]["tokens"] = [token.upper() for token in one["logprobs"]["tokens"]]


# Shapes.


def terse(turn: Turn) -> Plan:
    """A right server that has said all in six tokens."""
    given = ("stop", "tools", "response_format", "ignore_eos", "echo")
    if not turn.generates or _limit(turn) <= 6 or any(turn.body.get(name) for name in given):
        return turn.plan
    if status_of(turn.plan) != 200:
        return turn.plan
    shorter = turn.asked(max_tokens=6)
    return both(lambda d, t: [c.update(finish_reason="stop") for c in d["choices"] if c.get("finish_reason")])(shorter)


def tersely(edit: Callable[[Doc, Turn], object], streams: bool) -> Change:
    """A terse server whose documents are edited; `streams`: those of streams too."""

    def change(turn: Turn) -> Plan:
        plan = terse(turn)
        if not turn.generates or status_of(plan) != 200:
            return plan
        if not is_stream(plan):
            document = document_of(plan)
            edit(document, turn)
            return with_bodies(plan, [encoded(document)])
        documents, others = spread(turn, plan)
        for one in documents if streams else []:
            edit(one, turn)
        return with_bodies(plan, [*map(event, documents), *others])

    return change


def _no_reason(document: Doc, turn: Turn) -> None:
    for one in document["choices"]:
        if one["finish_reason"] == "stop" and not _stops(turn):
            one["finish_reason"] = None


def _free(document: Doc, turn: Turn) -> None:
    counts = document.get("usage")
    if counts and counts["completion_tokens"] == 6 < _limit(turn) and _single(turn):
        counts.update(completion_tokens=0, total_tokens=counts["prompt_tokens"])


def _index_as_text(document: Doc, turn: Turn) -> None:
    if len(document["choices"]) == 1:
        document["choices"][0]["index"] = "0"


def _indexes_as_text(documents: list[Doc], turn: Turn) -> list[Doc]:
    for one in (c for d in documents for c in d["choices"] if _single(turn)):
        one["index"] = str(one["index"])
    return documents


def _false_content(one: Doc, at: int) -> None:
    if one.get("finish_reason"):
        one["delta"]["content"] = False


def _error_beside(document: Doc, at: int) -> None:
    if at == 1:
        document["error"] = {"message": "the cache is full"}


def _unfinished(documents: list[Doc], turn: Turn) -> list[Doc]:
    for one in (c for d in documents for c in d["choices"] if _single(turn) and not _stops(turn)):
        one["finish_reason"] = None
    return documents


def _torn_at_the_end(documents: list[Doc], turn: Turn) -> list[Doc]:
    if _single(turn) and not turn.body.get("logprobs") and not turn.body.get("response_format"):
        found = [holder_of(one) for d in documents for one in d["choices"]]
        said = [(holder, key) for holder, key in found if holder.get(key)]
        if said:
            said[-1][0][said[-1][1]] += "\ufffd"
    return documents


def _another_finish(documents: list[Doc], turn: Turn) -> list[Doc]:
    for one in (c for d in documents for c in d["choices"] if c.get("finish_reason") == "length" and not _stops(turn)):
        one["finish_reason"] = "stop"
    return documents


def _one_more(document: Doc, turn: Turn) -> None:
    if document.get("usage"):
        document["usage"]["total_tokens"] += 1


def _prompts(turn: Turn) -> list[Any]:
    """The prompts, where there are several; else nothing."""
    return turn.prompt if isinstance(turn.prompt, list) else []


def _moody(text: str, turn: Turn) -> str:
    probed = turn.prompt in ("Say hello", "Count to ten:", "Tell me a story")
    return text if probed or set(turn.body) - PLAIN or turn.prompt == _prompts(turn) else f"{text} {random.random()}"


def _parts(text: str, turn: Turn) -> str:
    return text.upper() if turn.chat and isinstance(turn.prompt, list) else text


# Refusals, and health.


def _silent(plan: Plan, document: Doc, turn: Turn) -> Plan:
    if status_of(plan) != 400 or not turn.generates or "error" not in document:
        return plan
    document["error"]["message"] = ""
    return with_bodies(plan, [encoded(document)])


def _lost(turn: Turn) -> bool:
    return turn.request.path == "/v1/no/such/path"


def _told(text: str) -> Change:
    """A path that is not there, told with more than it should."""
    return only(_lost, lambda turn: reply(404, {"error": {"message": f"not found {text}", "type": "not_found"}}))


def _next_caller_pays(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.generates:
        return plan
    good = status_of(plan) == 200
    if good and turn.prompt == "Say hello" and turn.request.on_connection == 1 and turn.memory.pop("refused", False):
        return oops(429, "cooling down")
    if status_of(plan) in (400, 422) and turn.body and len(turn.request.body) < 5000:
        turn.memory["refused"] = True
    elif not good:
        turn.memory.pop("refused", None)
    return plan


def _left_in_the_middle(turn: Turn) -> int:
    return sum(one.ended == "client" and one.sent_bytes > 0 for one in turn.journal)


def _keeps_half_read(turn: Turn) -> Plan:
    if is_stream(turn.plan) and _limit(turn) >= 200:
        return stuck(turn.plan, 0.08)
    kept = _left_in_the_middle(turn) - turn.memory.get("paid", 0)
    if turn.generates and status_of(turn.plan) == 200 and kept >= 12:
        turn.memory["paid"] = turn.memory.get("paid", 0) + kept
        return oops(429, "no free place")
    return turn.plan


def _gauge_of_refusals(turn: Turn) -> Plan:
    plan = turn.plan
    if turn.generates and status_of(plan) >= 400:
        turn.memory["refused"] = turn.memory.get("refused", 0) + 1
    if turn.request.path != "/metrics":
        return plan
    told = b"inferneo_running_requests %d" % turn.memory.get("refused", 0)
    return with_bodies(plan, [b"".join(bodies(plan)).replace(b"inferneo_running_requests 0", told)])


def _eight_at_most(turn: Turn) -> Plan:
    if turn.streams and turn.prompt == "Tell me a story" and _limit(turn) == 16:
        return stuck(turn.plan, 0.5, 0.1)
    busy = turn.generates and turn.open >= 8 and turn.prompt == "Say hello"
    return oops(429, "eight streams are open") if busy else turn.plan


def _stained_stream(turn: Turn) -> Plan:
    """A stream that follows a bad request is another one, and only that."""
    if turn.generates and not turn.body:
        turn.memory["stained"] = True
    mine = turn.streams and turn.prompt in ("Say 0", "Say 1", "Say 2")
    if mine and status_of(turn.plan) == 200 and turn.memory.pop("stained", False):
        return texts(lambda text, t: text.upper())(turn)
    return turn.plan


def _works_for_nobody(turn: Turn) -> Plan:
    if turn.generates and turn.prompt == STORY and not turn.streams and _limit(turn) >= 1000:
        turn.memory["works"] = True
        return slowly(turn.plan, 20.0)
    if turn.generates and turn.prompt == "Say hello" and turn.memory.pop("works", False):
        return oops(429, "busy with a long story")
    return turn.plan


def _cold(turn: Turn) -> Plan:
    hot = turn.generates and turn.body.get("temperature") == 2
    return turn.asked(temperature=0, seed=...).plan if hot else turn.plan


def _only_lists(turn: Turn) -> Plan:
    asked = turn.request.method == "POST" and turn.request.path.startswith("/v1")
    return reply(404, {"error": {"message": "the model does not exist"}}) if asked else turn.plan


MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "usage-stream-as-text",
        "A longer text stream that tells its usage is called text/plain.",
        only(_usage_on_text, lambda t: with_fields(t.plan, (b"content-type", b"text/plain"))),
        "S-FRAME-01",
        tries=4.0,
    ),
    mutant(
        "usage-stream-unended",
        "A longer text stream that tells its usage ends without the last chunk of HTTP.",
        only(_usage_on_text, _unended),
        "S-FRAME-05",
        tries=4.0,
    ),
    mutant("error-beside-choices", "A chunk has an error beside its choices.", chunk(_error_beside), "S-FRAME-11"),
    mutant(
        "mixes-whole-ones",
        "Of two whole answers at once the second is the first's.",
        _mixes_whole,
        "S-ALONE-01",
        tries=8.0,
    ),
    mutant("ids-of-neighbours", "A stream beside another ends with the other's id.", _later_ids, "S-ALONE-03"),
    mutant(
        "half-a-batch", "A good request beside half a document is refused with it.", _batched_refusals, "S-ALONE-05"
    ),
    mutant("twins", "Equal short requests in flight share an id.", _twins, "S-ID-02"),
    mutant("two-prompts-at-most", "Of three prompts two are answered.", whole(_three_prompts), "S-CHOICE-05"),
    mutant(
        "second-of-two-unfinished",
        "With n=2 the second choice never finishes.",
        chunks(_second_unfinished),
        "S-CHOICE-02",
    ),
    mutant("odd-limits-shout", "In a chat an odd max_tokens gives another text.", everywhere(_of_limit), "S-LIMIT-01"),
    mutant(
        "stops-say-length",
        "A text that a stop string ended says length, in both modes.",
        both(_says_length),
        "S-LIMIT-06",
    ),
    mutant(
        "stopped-stream-loses-a-letter",
        "A stream with a stop string loses its last character.",
        texts(lambda text, t: text[:-1] if _stops(t) else text, "stream"),
        "S-LIMIT-07",
    ),
    mutant("list-of-one-stop", "A list of one stop string changes the text.", texts(_list_of_one), "S-LIMIT-08"),
    mutant("always-cold", "A temperature of 2 is taken and ignored.", _cold, "S-FIELD-06", tries=4.0),
    mutant(
        "huge-limit-hangs-up",
        "A huge max_tokens ends the connection.",
        only(_huge, lambda t: Plan((), Close("fin"))),
        "S-LIMIT-13",
    ),
    mutant("plain-letters", "A stream without logprobs sends letters for tokens.", chunks(_letters), "S-LIMIT-14"),
    mutant(
        "stripped-tokens",
        "The tokens of logprobs have lost their spaces, in both modes.",
        both(_stripped),
        "S-LOGPROB-03",
    ),
    mutant("logprobs-shout", "With logprobs text and tokens are others.", both(_shouts_with_logprobs), "S-LOGPROB-07"),
    mutant("generates-nothing", "Every request for text or vectors is a 404.", _only_lists, "S-MODEL-07"),
    mutant("silent-400", "A 400 has an empty message.", refusals(_silent), "S-REFUSE-04"),
    mutant(
        "logprobs-are-fine",
        "A chat with logprobs is a 200 with an error in it.",
        only(
            lambda t: t.chat and t.generates and t.body.get("logprobs") is True,
            lambda t: reply(200, {"error": {"message": "no logprobs", "type": "invalid_request_error"}}),
        ),
        "S-REFUSE-06",
    ),
    mutant(
        "stop-for-length-streamed",
        "A stream says stop for length, where no stop string was given.",
        chunks(_another_finish),
        "S-SAME-01",
    ),
    mutant("moody-when-plain", "A plain request gets another text each time.", texts(_moody, "whole"), "S-SAME-02"),
    mutant("parts-shout", "A text part is another text.", texts(_parts), "S-SAME-08"),
    mutant(
        "trace-of-a-path",
        "A path that is not there shows a stack trace.",
        _told(TRACE.partition("\n")[0]),
        "S-SECURE-03",
    ),
    mutant(
        "place-of-a-path", "A path that is not there shows a path of the server.", _told("in /root/app/"), "S-SECURE-04"
    ),
    mutant("index-as-text", "The index of a choice is a string.", whole(_index_as_text), "S-SHAPE-09"),
    mutant(
        "no-reason-to-stop",
        "An answer that ended by itself does not say so.",
        tersely(_no_reason, False),
        "S-SHAPE-10",
        tries=8.0,
    ),
    mutant("false-content", "The last delta of a chat has content false.", part(_false_content, True), "S-SHAPE-13"),
    mutant(
        "ids-of-longer-streams",
        "Every chunk has an id of its own, unless eight tokens are asked for.",
        only(lambda t: _limit(t) != 8, chunk(lambda d, at: d.update(id=f"{d['id']}{at}"))),
        "S-STREAM-01",
    ),
    mutant("single-never-finishes", "A stream of one choice has no finish_reason.", chunks(_unfinished), "S-STREAM-07"),
    mutant(
        "streamed-index-as-text", "The index of a streamed choice is a string.", chunks(_indexes_as_text), "S-STREAM-11"
    ),
    mutant("torn-at-the-end", "A stream ends with a replacement character.", chunks(_torn_at_the_end), "S-STREAM-12"),
    mutant("both-sums-off", "total_tokens is one too many, in both modes.", both(_one_more), "S-USAGE-01"),
    mutant(
        "chat-limit-counted",
        "In a chat max_tokens is counted with the prompt.",
        only(lambda t: t.chat, usage(lambda u, t: u.update(prompt_tokens=u["prompt_tokens"] + _limit(t)))),
        "S-USAGE-10",
    ),
    mutant(
        "long-chats-are-cheap",
        "The more words a chat has, the fewer are counted.",
        only(lambda t: t.chat, usage(lambda u, t: u.update(prompt_tokens=max(1, 900 - u["prompt_tokens"])))),
        "S-USAGE-11",
    ),
    mutant(
        "whole-texts-are-free",
        "A text that ended by itself is not counted.",
        tersely(_free, True),
        "S-USAGE-12",
        tries=8.0,
    ),
    mutant("next-caller-pays", "After a bad request another caller's is refused.", _next_caller_pays, "S-HEALTH-01"),
    mutant(
        "works-for-nobody", "A long answer keeps others out when its caller has gone.", _works_for_nobody, "S-HEALTH-16"
    ),
    mutant("half-read-kept", "Streams that were left in the middle keep their place.", _keeps_half_read, "S-HEALTH-04"),
    mutant("gauge-of-refusals", "The gauge counts refused requests.", _gauge_of_refusals, "S-HEALTH-14"),
    mutant("eight-at-most", "Eight streams that nobody reads keep others out.", _eight_at_most, "S-HEALTH-15"),
    mutant(
        "stained-stream",
        "A stream that follows a bad request is another one.",
        _stained_stream,
        "S-STATE-02",
        tries=8.0,
    ),
)
