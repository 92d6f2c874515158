"""Reading: whatever legal form an answer comes in, the client gives the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from contracts.bench import Bench, Scene, bytes_of, rule
from contracts.client_domains import ENDPOINTS, LEGALS, SAID, Faulty, Said, replies
from contracts.domains import Domain
from contracts.law import Vacuous, expect, law
from contracts.oracle import read_events

SOURCE = "laws.md 24-27, 41, 42; HTML standard, 9.2.6"


def whole(scene: Scene, text: str) -> None:
    """The client gave the text, ended normally and said why."""
    outcome = scene.outcome
    expect(outcome.problem is None, f"the text {text!r}", outcome.problem)
    expect(outcome.text == text, f"the text {text!r}", outcome.text)


def readable(scene: Scene, text: str) -> None:
    """`Vacuous` where the plain text, without anything else, is not read: C-READ-01 and C-READ-02 say so."""
    if scene.outcome.problem is not None or scene.outcome.text != text:
        raise Vacuous("the plain text is not read (C-READ-01 and C-READ-02 judge that)")


@law("C-READ-01", over=SAID, source=SOURCE)
def a_whole_answer_is_read(bench: Bench, case: Said) -> None:
    """The text of an answer comes out as it went in, whatever characters it has."""
    whole(bench.play(rule(case.text), what=case.what), case.text)


@law("C-READ-02", over=SAID, source=SOURCE)
def a_stream_is_read(bench: Bench, case: Said) -> None:
    """The pieces of a stream, joined, are the text that was said, whatever characters it has."""
    whole(bench.play(rule(case.text), what=case.what, stream=True), case.text)


@law("C-READ-03", over=LEGALS, examples=40, source=SOURCE)
def legal_forms_do_not_count(bench: Bench, case: Faulty) -> None:
    """However a stream is legally framed (line ends, comments, slices, chunks, trailers, 1xx), the text is the same."""
    scene = bench.play(rule(case.text, case.fault), what=case.what, stream=True)
    if scene.outcome.text != case.text or scene.outcome.problem is not None:
        readable(bench.play(rule(case.text), what=case.what, stream=True), case.text)
    whole(scene, case.text)


SLICES: Domain[tuple[Said, int]] = Domain(
    "a text and a size of slices", lambda bench: st.tuples(st.builds(Said, ENDPOINTS, replies()), st.integers(1, 64))
)


@law("C-READ-04", over=SLICES, examples=20, source="laws.md 41")
def any_split_gives_the_same_events(bench: Bench, case: tuple[Said, int]) -> None:
    """In slices of any size, down to one byte, the bytes of a stream give the same pieces as at once."""
    said, size = case
    at_once = bench.play(rule(said.text), what=said.what, stream=True)
    readable(at_once, said.text)
    sliced = bench.play(rule(said.text, {"kind": "slice", "bytes": size}), what=said.what, stream=True)
    whole(sliced, said.text)
    expect(
        sliced.outcome.pieces == at_once.outcome.pieces, f"the pieces {at_once.outcome.pieces}", sliced.outcome.pieces
    )


@law("C-READ-05", over=SAID, source="the three witnesses: client(bytes) == oracle(bytes)")
def the_client_reads_what_the_oracle_reads(bench: Bench, case: Said) -> None:
    """The pieces of the client are the pieces that the oracle reads out of the bytes that the fake sent."""
    scene = bench.play(rule(case.text), what=case.what, stream=True, seen=1)
    readable(scene, case.text)
    pieces = []
    for event in read_events(bytes_of(scene.journal[-1])):
        if event.data != "[DONE]":
            for choice in json.loads(event.data)["choices"]:
                piece = choice["delta"].get("content") if case.what == "chat" else choice["text"]
                pieces += [piece] if piece else []
    expect(list(scene.outcome.pieces) == pieces, f"{pieces}", scene.outcome.pieces)


@law("C-READ-06", over=SAID, source="the seed's response objects")
def the_fields_are_those_of_the_document(bench: Bench, case: Said) -> None:
    """id, object, created, model and usage of an answer are those of the JSON document, field by field."""
    scene = bench.play(rule(case.text), what=case.what, seen=1)
    document = json.loads(bytes_of(scene.journal[-1]))
    readable(scene, case.text)
    for name in ("id", "object", "created", "model"):
        expect(
            scene.outcome.values.get(name) == document.get(name), f"{name} {document.get(name)!r}", scene.outcome.values
        )
    got: dict[str, Any] = scene.outcome.values.get("usage") or {}
    for name, value in (document.get("usage") or {}).items():
        if name in got:
            expect(got[name] == value, f"usage.{name} {value}", got)


@law("C-READ-07", over=SAID, source="api.md, Streaming")
def the_finish_reason_is_told(bench: Bench, case: Said) -> None:
    """The finish_reason arrives, whole and streamed."""
    for stream in (False, True):
        scene = bench.play(rule(case.text), what=case.what, stream=stream)
        expect(scene.outcome.finish == "stop", "finish_reason 'stop'", scene.outcome.finish)


def _documents(bench: Any) -> st.SearchStrategy[dict[str, Any]]:
    base = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    extra: st.SearchStrategy[Any] = st.sampled_from([None, 1, "x", [], {"a": [None]}, 10**30, True])
    names = st.sampled_from(["x_groq", "новое", "provider", "__proto__"])
    gone = st.sampled_from([(), ("usage",), ("created",), ("usage", "created", "model")])

    def build(name: str, value: Any, missing: tuple[str, ...]) -> dict[str, Any]:
        return {**{k: v for k, v in base.items() if k not in missing}, name: value}

    return st.builds(build, names, extra, gone)


DOCUMENTS: Domain[dict[str, Any]] = Domain("an answer with fields more or fewer", _documents)


@law("C-READ-08", over=DOCUMENTS, examples=20, source="laws.md 26, 27")
def unknown_and_missing_fields_do_not_hurt(bench: Bench, document: dict[str, Any]) -> None:
    """An answer with unknown fields, or without its optional ones, is read all the same."""
    scene = bench.play({"match": {}, "reply": {"json": document}}, what="chat")
    whole(scene, "Hello")


@law("C-READ-09", source="api.md: one choice per prompt; n")
def several_choices_are_all_there(bench: Bench) -> None:
    """An answer with three choices has three."""
    reply = {"choices": [{"text": "one"}, {"text": "two"}, {"text": "three"}]}
    scene = bench.play({"match": {}, "reply": reply}, what="chat", arguments={"n": 3})
    whole(scene, "one")
    expect(scene.outcome.values.get("choices") == 3, "3 choices", scene.outcome.values)


@law("C-READ-10", source="engine-wire.md; transformers serve ends without [DONE]")
def a_finished_stream_without_done_is_whole(bench: Bench) -> None:
    """A stream whose choice has finished is whole, although [DONE] never comes."""
    scene = bench.play(rule("Hello there", {"kind": "no-done"}), stream=True)
    whole(scene, "Hello there")


@law("C-READ-11", source="api.md, Streaming")
def done_ends_a_stream(bench: Bench) -> None:
    """A stream with [DONE] is whole, although the connection stays open behind it."""
    scene = bench.play(rule("Hello there", {"kind": "hang-after-done"}), stream=True, timeout=1.0)
    whole(scene, "Hello there")


@law("C-READ-12", needs={"models"}, source="the seed: models.list()")
def models_are_listed(bench: Bench) -> None:
    """models.list() gives the models of the list, in order."""
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "inferneo"} for name in ("org/a", "b c", "d%2Fe")]
    reply = {"json": {"object": "list", "data": data}}
    scene = bench.play({"match": {"path": "/v1/models"}, "reply": reply}, what="models", arguments={})
    expect(scene.outcome.problem is None, "a list of models", scene.outcome.problem)
    expect(scene.outcome.values.get("ids") == ["org/a", "b c", "d%2Fe"], "the three ids in order", scene.outcome.values)


@law("C-READ-13", needs={"info"}, source="the seed: info()")
def information_is_read(bench: Bench) -> None:
    """info() gives version, models, gpu_memory and uptime."""
    document = {"version": "9.9", "models": ["a"], "gpu_memory": {"used": 1.5}, "uptime": 3.25}
    scene = bench.play({"match": {"path": "/v1/info"}, "reply": {"json": document}}, what="info", arguments={})
    expect(scene.outcome.problem is None, "the information", scene.outcome.problem)
    expect(scene.outcome.values == document, f"{document}", scene.outcome.values)
