"""Metamorphic laws: two ways of asking for the same must give the same. No golden model is needed.

All of them need a server that is deterministic at temperature 0. Before a difference is called a breach, the first
request is sent again: where even that gives another text, the server is not deterministic after all.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import strategies as st

from contracts.answers import Reading, ok, read
from contracts.domains import CALLS, CHATS, PROMPTS, STREAMS, WHOLE, Domain
from contracts.exchange import Call
from contracts.law import NotRecorded, Unjudged, Unsupported, Vacuous, expect, law
from contracts.target import Target

DET = {"det"}
SOURCE = "metamorphic"


def steady(target: Target, call: Call, first: Reading) -> None:
    """Raises `Unsupported` when the same request no longer gives the same text."""
    for _ in range(2):
        try:
            again = read(target.send(call))
        except (NotRecorded, Unjudged):
            return
        if again.texts != first.texts:
            raise Unsupported("temperature 0 is not deterministic: the same request gave two texts")


def settled(texts: dict[int, str]) -> dict[int, str]:
    """Texts without a character that the token limit has cut in two: one mode may show half of it, the other none."""
    return {at: text.rstrip("\ufffd") for at, text in texts.items()}


def same(target: Target, one: Call, other: Call, what: str) -> None:
    """Both calls give the same texts and finish reasons."""
    a, b = read(target.send(one)), read(target.send(other))
    if (a.texts, a.finishes) != (b.texts, b.finishes):
        steady(target, one, a)
        steady(target, other, b)
    expect(settled(a.texts) == settled(b.texts), f"the same text {what}: {a.texts}", b.texts)
    if None not in a.finishes.values() and None not in b.finishes.values():
        expect(a.finishes == b.finishes, f"the same finish_reason {what}: {a.finishes}", b.finishes)


def accepted(target: Target, call: Call) -> None:
    """`Unsupported` when the server refuses the call: then it promises nothing about it. A crash is no refusal."""
    if 400 <= (status := target.send(call).status) < 500 or status == 501:
        raise Unsupported(f"answered {status}")
    expect(status < 500, "an answer, or a refusal by a 4xx", status)


@law("S-SAME-01", over=STREAMS, needs=DET, source="laws.md 1, 2")
def a_stream_joins_to_the_whole_answer(target: Target, call: Call) -> None:
    """The pieces of a stream, joined, are the text of the answer that is not streamed, and end for the same reason.

    The law most often broken in the field: a first token dropped, a last one doubled, white space lost between pieces.
    """
    same(target, call.with_(stream=..., stream_options=...), call, "streamed")


@law("S-SAME-02", over=WHOLE, needs=DET, live=True, source="laws.md 19")
def the_same_request_gives_the_same_text(target: Target, call: Call) -> None:
    """The same request at temperature 0 gives the same text again, on another connection."""
    texts = [read(target.send(call)).texts for _ in range(3)]
    expect(all(t == texts[0] for t in texts), f"three times {texts[0]}", texts)


@law("S-SAME-03", over=WHOLE, needs=DET, source="laws.md 14")
def one_choice_is_the_default(target: Target, call: Call) -> None:
    """n=1 gives what leaving n out gives."""
    same(target, call, call.with_(n=1), "with n=1")


@law("S-SAME-04", over=CALLS, needs=DET, source=SOURCE)
def the_order_of_keys_does_not_count(target: Target, call: Call) -> None:
    """The order of the keys of the request and the white space between them change nothing."""
    document = call.document
    other = json.dumps({k: document[k] for k in reversed(document)}, indent=2, ensure_ascii=False).encode()
    same(target, call, replace(call, body=other), "with other white space")


@law("S-SAME-05", over=CALLS, needs=DET, live=True, source=SOURCE)
def escapes_do_not_count(target: Target, call: Call) -> None:
    """A request in pure ASCII, with \\u escapes, gives what the same request in UTF-8 gives."""
    same(target, call, replace(call, body=json.dumps(call.document).encode()), "for an escaped request")


@law("S-SAME-06", over=WHOLE, needs=DET, source=SOURCE)
def not_streaming_is_the_default(target: Target, call: Call) -> None:
    """stream=false gives what leaving it out gives."""
    same(target, call.with_(stream=...), call.with_(stream=False), "with stream=false")


@law("S-SAME-07", over=WHOLE, needs={"repeatable"}, source=SOURCE)
def a_user_does_not_count(target: Target, call: Call) -> None:
    """The field `user` changes nothing in the text.

    Where every further field does, this law says it for all that ask for the same in two ways.
    """
    same(target, call, call.with_(user="someone"), "with a user")


@law("S-SAME-08", over=CHATS, needs={"det", "parts"}, source=SOURCE)
def a_text_part_is_its_text(target: Target, call: Call) -> None:
    """A content of one text part gives what the text alone gives."""
    *before, last = call.document["messages"]
    parts = {**last, "content": [{"type": "text", "text": last["content"]}]}
    same(target, call, call.with_(messages=[*before, parts]), "as a text part")


def _two_prompts(target: Target) -> st.SearchStrategy[tuple[Call, Call]]:
    calls = PROMPTS.draw(target)
    return st.tuples(calls, calls)


TWO_PROMPTS = Domain("two text calls", _two_prompts, None, PROMPTS.needs)


@law("S-SAME-09", over=TWO_PROMPTS, needs={"det", "list_prompts"}, source="api.md, Completions")
def a_list_of_prompts_is_its_prompts(target: Target, pair: tuple[Call, Call]) -> None:
    """A list of prompts gives one choice each, in order: the texts that the prompts give alone."""
    first, second = (call.with_(max_tokens=8) for call in pair)
    alone = [read(target.send(call)) for call in (first, second)]
    prompts = [first.document["prompt"], second.document["prompt"]]
    together = read(target.send(first.with_(prompt=prompts)))
    if len(together.texts) != 2:
        raise Vacuous("a list of prompts has not a choice for each (S-CHOICE-05 judges that)")
    if together.texts != {0: alone[0].text, 1: alone[1].text}:
        steady(target, first, alone[0])
        steady(target, second, alone[1])
    expect(together.texts == {0: alone[0].text, 1: alone[1].text}, f"{[a.text for a in alone]}", together.texts)


@law("S-SAME-10", over=WHOLE, needs={"det", "seed"}, source="laws.md 19")
def a_seed_is_a_promise(target: Target, call: Call) -> None:
    """The same seed gives the same text at temperature 1, on every connection."""
    seeded = call.with_(seed=7, temperature=1)
    texts = [read(target.send(seeded)).texts for _ in range(3)]
    expect(all(t == texts[0] for t in texts), f"three times {texts[0]}", texts)


@law("S-SAME-11", over=WHOLE, needs={"det", "nulls"}, source=SOURCE)
def null_is_absent(target: Target, call: Call) -> None:
    """An explicit null for an optional field means that it is absent, where the server accepts it."""
    nothing = call.with_(stop=None, seed=None, user=None)
    accepted(target, nothing)
    same(target, call, nothing, "with nulls")


@law("S-SAME-12", over=WHOLE, needs=DET, live=True, source="RFC 9112, 7.1")
def a_chunked_request_is_the_same_request(target: Target, call: Call) -> None:
    """A request whose body comes in chunks gives what the same body with a Content-Length gives."""
    half = len(call.body) // 2
    pieces = [piece for piece in (call.body[:half], call.body[half:]) if piece]
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    fields = (*call.fields, ("Transfer-Encoding", "chunked"))
    plain = read(target.send(call))
    asked = Call("POST", call.path, call.body, fields)  # as it is shown: curl sends its body in chunks, too
    head = target.encode(Call("POST", call.path, b"", fields))
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length"))
    with target.connect() as connection:
        connection.send(head + body, asked)
        chunked = target.keep(connection.response(asked))
    if chunked.status == 411:
        raise Unsupported("answered 411")
    expect(chunked.status == 200, "status 200 for a chunked request", chunked.status)
    if read(chunked).texts != plain.texts:
        steady(target, call, plain)
    expect(read(chunked).texts == plain.texts, f"the same text: {plain.texts}", read(chunked).texts)


@st.composite
def _cut_call(draw: st.DrawFn, target: Target) -> tuple[Call, list[int]]:
    call = draw(WHOLE.draw(target))
    size = len(target.encode(call))
    return call, sorted(draw(st.sets(st.integers(1, size - 1), min_size=1, max_size=4)))


CUT_CALLS = Domain("a call and places to cut its bytes", _cut_call, None, WHOLE.needs)


@law("S-SAME-13", over=CUT_CALLS, live=True, needs=DET, source="RFC 9112: a message is a sequence of octets")
def segments_do_not_count(target: Target, case: tuple[Call, list[int]]) -> None:
    """A request gives the same answer however its bytes are cut into segments."""
    call, cuts = case
    data = target.encode(call)
    plain = read(target.send(call))
    with target.connect() as connection:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            connection.send(data[start:end], call)
        split = target.keep(connection.response(call))
    expect(split.status == 200, f"status 200 for a request cut at {cuts}", split.status)
    if read(split).texts != plain.texts:
        steady(target, call, plain)
    expect(read(split).texts == plain.texts, f"the same text: {plain.texts}", read(split).texts)


@law("S-SAME-14", over=CALLS, needs=DET, live=True, source=SOURCE)
def a_query_string_changes_nothing(target: Target, call: Call) -> None:
    """Parameters belong in the body: an unknown query string is ignored or refused, never obeyed."""
    other = replace(call, path=f"{call.path}?max_tokens=1&stream={'false' if call.streams else 'true'}")
    ok(target.send(call))
    accepted(target, other)
    same(target, call, other, "with a query string")
