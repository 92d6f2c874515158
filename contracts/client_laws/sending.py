"""Sending: what the caller said is what goes over the wire, no more and no less."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from contracts.bench import PATHS, Bench, body_of, header_of, rule
from contracts.client_domains import ENDPOINTS, SAID, Endpoint, Said, replies
from contracts.domains import Domain
from contracts.law import expect, law

SOURCE = "laws.md 56, 57; the seed"
TEXT = "Hello there"
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.integers(1, 100),
    "temperature": st.sampled_from([0, 0.0, 0.7, 1, 2.0]),
    "top_p": st.sampled_from([0.1, 0.9, 1]),
    "frequency_penalty": st.sampled_from([-2.0, 0, 1.5]),
    "presence_penalty": st.sampled_from([-2.0, 0, 1.5]),
    "stop": st.sampled_from(["x", ["x", "y"], []]),
}


def _arguments(bench: Any) -> st.SearchStrategy[tuple[Endpoint, dict[str, Any]]]:
    given = st.fixed_dictionaries({}, optional={name: values | st.none() for name, values in VALUES.items()})
    return st.tuples(ENDPOINTS, given)


ARGUMENTS: Domain[tuple[Endpoint, dict[str, Any]]] = Domain("arguments of a call", _arguments)


def sent(bench: Bench, **task: Any) -> tuple[dict[str, Any], Any]:
    """The one request of a task, and its body as JSON."""
    scene = bench.play(rule(TEXT), **task)
    expect(scene.attempts == 1, "one request", f"{scene.attempts}: {scene.outcome.problem}")
    return scene.requests[0], json.loads(body_of(scene.requests[0]) or b"null")


@law("C-SEND-01", over=ARGUMENTS, needs={"strict"}, examples=20, source=SOURCE)
def what_was_said_is_sent(bench: Bench, case: tuple[Endpoint, dict[str, Any]]) -> None:
    """The body has the model, the text and the arguments as they were given; arguments that are None are not sent."""
    what, arguments = case
    _, body = sent(bench, what=what, arguments=arguments)
    said = {"messages": [{"role": "user", "content": "Say hello"}]} if what == "chat" else {"prompt": "Say hello"}
    wanted = {"model": "m", **said, **{name: value for name, value in arguments.items() if value is not None}}
    body.pop("stream", None) if body.get("stream") is False else None
    expect(body == wanted, f"{wanted}", body)


@law("C-SEND-02", over=SAID, source="laws.md 24")
def any_text_is_sent_as_it_is(bench: Bench, case: Said) -> None:
    """Whatever characters a prompt has, the server reads the same ones."""
    _, body = sent(bench, what=case.what, text=case.text)
    got = body["messages"][0]["content"] if case.what == "chat" else body["prompt"]
    expect(got == case.text, f"{case.text!r}", got)


KWARGS: Domain[dict[str, Any]] = Domain(
    "further arguments",
    lambda bench: st.fixed_dictionaries(
        {},
        optional={
            "min_p": st.just(0.1),
            "repetition_penalty": st.just(1.1),
            "ignore_eos": st.booleans(),
            "custom": st.sampled_from(["", "x", "é"]),
        },
    ),
)


@law("C-SEND-03", over=KWARGS, needs={"spec"}, source="laws.md 57; the seed: **kwargs")
def further_arguments_pass_through(bench: Bench, arguments: dict[str, Any]) -> None:
    """Arguments that the client does not know are sent unchanged."""
    _, body = sent(bench, arguments=arguments)
    for name, value in arguments.items():
        expect(body.get(name, ...) == value, f"{name}={value!r}", body)


@law(
    "C-SEND-04",
    over=Domain("an endpoint", lambda bench: st.tuples(ENDPOINTS, st.booleans())),
    examples=4,
    source="api.md, REST",
)
def the_request_is_a_json_post(bench: Bench, case: tuple[Endpoint, bool]) -> None:
    """A call is a POST of application/json to its endpoint, with stream true where a stream is asked for."""
    what, stream = case
    request, body = sent(bench, what=what, stream=stream)
    expect(
        request["method"] == "POST" and request["path"] == PATHS[what],
        f"POST {PATHS[what]}",
        f"{request['method']} {request['path']}",
    )
    kind = header_of(request, "content-type") or ""
    expect(kind.startswith("application/json"), "Content-Type: application/json", kind)
    expect(bool(body.get("stream", False)) is stream, f"stream {stream}", body)


@law("C-SEND-05", source="api.md: Authorization: Bearer KEY")
def the_key_is_sent(bench: Bench) -> None:
    """The key goes as Authorization: Bearer."""
    request, _ = sent(bench, api_key="sk-abc-123")
    got = header_of(request, "authorization")
    expect(got == "Bearer sk-abc-123", "Authorization: Bearer sk-abc-123", got)


@law("C-SEND-06", needs={"spec"}, source="the seed: api_key is optional")
def no_key_is_no_header(bench: Bench) -> None:
    """Without a key there is no Authorization."""
    request, _ = sent(bench, api_key=None)
    expect(header_of(request, "authorization") is None, "no Authorization", header_of(request, "authorization"))


@law("C-SEND-07", source="the seed: Custom Headers")
def own_headers_are_sent(bench: Bench) -> None:
    """The caller's own headers are sent on every request, and win over the client's."""
    request, _ = sent(bench, headers={"X-Custom-Header": "custom-value", "User-Agent": "MyApp/1.0"})
    expect(header_of(request, "x-custom-header") == "custom-value", "X-Custom-Header: custom-value", request["headers"])
    expect("MyApp/1.0" in (header_of(request, "user-agent") or ""), "User-Agent with MyApp/1.0", request["headers"])


IDS = ("meta-llama/Llama-2-7b-chat-hf", "plain", "a b", "org/name:tag", "日本", "100%", "a?b", "a#b")


@law(
    "C-SEND-08",
    over=Domain("the id of a model", lambda bench: st.sampled_from(IDS)),
    needs={"model"},
    examples=8,
    source="laws.md 35; api.md: ids contain slashes",
)
def a_model_of_any_id_is_asked_for(bench: Bench, name: str) -> None:
    """models.get(id) asks for exactly that id, whatever characters it has."""
    scene = bench.play(
        {"match": {}, "reply": {"json": {"id": name, "object": "model", "created": 1}}},
        what="model",
        model=name,
        arguments={},
    )
    expect(scene.attempts == 1, "one request", scene.outcome)
    path = scene.requests[0]["path"]
    expect(path == f"/v1/models/{name}", f"GET /v1/models/{name}", path)
    expect(scene.outcome.values.get("id") == name, f"the model {name!r}", scene.outcome)


@law("C-SEND-09", over=ARGUMENTS, needs={"strict"}, examples=15, source="laws.md 56")
def every_request_fits_the_schema(bench: Bench, case: tuple[Endpoint, dict[str, Any]]) -> None:
    """For arguments of the documented types the body fits the published schema of its request."""
    from jsonschema import Draft202012Validator

    from contracts.schema import registry, schema

    what, arguments = case
    _, body = sent(bench, what=what, arguments=arguments)
    validator = Draft202012Validator(
        schema("chat_request" if what == "chat" else "completion_request"), registry=registry()
    )
    errors = [error.message for error in validator.iter_errors(body)]
    expect(not errors, "a body that fits the schema", errors)


@law(
    "C-SEND-10",
    over=Domain("prompts", lambda bench: st.lists(replies(), min_size=1, max_size=3)),
    needs={"spec"},
    examples=5,
    source="api.md: prompt may be a list",
)
def nothing_is_sent_twice(bench: Bench, prompts: list[str]) -> None:
    """Calls one after the other on one client are one request each, in order."""
    for text in prompts:
        scene = bench.play(rule(TEXT), what="text", text=text, times=2)
        expect(scene.attempts == 2, "2 requests for 2 calls", scene.attempts)
        expect(all(o.text == TEXT for o in scene.outcomes), f"{TEXT!r} twice", scene.outcomes)
