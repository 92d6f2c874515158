"""The semantics of a model: every parameter does what it does on a real server, streamed or not."""

from __future__ import annotations

import json
from typing import Any

from asking import CHAT, COMPLETIONS, LLAMA, MODELS, ask, body, chat, completion, events, marks, post, reply, status
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.answer import Answerer
from mockserver.model.tokenizer import count, split


def text(fields: dict[str, Any], **settings: Any) -> str:
    """The text of the first choice."""
    choice = reply(ask(CHAT if "messages" in fields else COMPLETIONS, fields, **settings))["choices"][0]
    return str(choice["message"]["content"] if "message" in choice else choice["text"])


@given(
    prompt=st.text(max_size=30).filter(lambda text: text.isprintable()),
    k=st.integers(1, 40),
    stop=st.sampled_from([None, ".", " the", "e", ["a", "é"], ["zzz"], []]),
    temperature=st.sampled_from([0, 0.7, None]),
    n=st.integers(1, 3),
    usage=st.booleans(),
    is_chat=st.booleans(),
    profile=st.sampled_from(sorted(MODELS)),
)
def test_a_stream_says_what_the_whole_response_says(
    prompt: str, k: int, stop: Any, temperature: Any, n: int, usage: bool, is_chat: bool, profile: str
) -> None:
    """Per choice: the same text, one finish reason, last; one id, time and model; usage adds up and is the same."""
    model = MODELS[profile]
    fields = {"max_tokens": k, "stop": stop, "n": n, "temperature": temperature}
    fields = {key: value for key, value in fields.items() if value is not None}
    body_ = chat(prompt, model, **fields) if is_chat else completion(prompt, model, **fields)
    path = CHAT if is_chat else COMPLETIONS
    whole = reply(ask(path, body_, profile))
    options = {"stream_options": {"include_usage": True}} if usage else {}
    *chunks, done = events(ask(path, {**body_, "stream": True, **options}, profile))
    assert done == "[DONE]"
    count_of = n if profile != "engine" else 1
    assert [choice["index"] for choice in whole["choices"]] == list(range(count_of))
    for key in ("id", "created", "model", "object"):
        assert len({chunk[key] for chunk in chunks}) == 1
    if usage and profile != "engine":
        last = chunks.pop()
        assert last["choices"] == []
        assert last["usage"] == whole["usage"]
        assert all(chunk["usage"] is None for chunk in chunks)
    else:
        assert all("usage" not in chunk for chunk in chunks)
    for number, choice in enumerate(whole["choices"]):
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == number]
        said = [(one["delta"].get("content") if is_chat else one["text"]) or "" for one in mine]
        assert "".join(said) == (choice["message"]["content"] if is_chat else choice["text"])
        assert [one["finish_reason"] for one in mine] == [None] * (len(mine) - 1) + [choice["finish_reason"]]
        if is_chat:
            assert mine[0]["delta"]["role"] == "assistant"
            assert not any(one["delta"].get("role") for one in mine[1:])
    counted = whole["usage"]
    assert counted["total_tokens"] == counted["prompt_tokens"] + counted["completion_tokens"]
    assert counted["completion_tokens"] <= k * count_of


def test_max_tokens_cuts_and_says_length() -> None:
    """A shorter answer is a prefix; its tokens are counted; long enough, it ends by itself."""
    whole = text(chat())
    assert reply(ask(CHAT, chat()))["choices"][0]["finish_reason"] == "stop"
    for k in range(1, count(whole)):
        answer = reply(ask(CHAT, chat(max_tokens=k)))
        assert answer["choices"][0]["message"]["content"] == "".join(split(whole)[:k])
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens"] == k
    assert text(chat(max_completion_tokens=3)) == text(chat(max_tokens=3))
    assert text(chat(max_completion_tokens=3, max_tokens=9)) == text(chat(max_tokens=3))


def test_default_max_tokens() -> None:
    """16 for completions in `docs`; a chat ends by itself."""
    answer = reply(ask(COMPLETIONS, completion()))
    assert answer["usage"]["completion_tokens"] == 16
    assert answer["choices"][0]["finish_reason"] == "length"


def test_stop_over_the_border_of_chunks() -> None:
    """A stop string that begins in one token and ends in the next is never shown, not even its beginning."""
    whole = text(chat())
    tokens = split(whole)
    stop = tokens[3][-1] + tokens[4][:2]
    cut = text(chat(stop=stop))
    assert cut == whole[: whole.index(stop)]
    assert text(chat(stop=[stop])) == cut
    *chunks, _ = events(ask(CHAT, chat(stop=stop, stream=True)))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == cut
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert text(chat(stop=[])) == text(chat(stop=None)) == text(chat(stop="")) == whole
    first = text(chat(stop=whole[0]))
    assert first == ""


def test_seed_and_temperature() -> None:
    """Temperature 0 is stable whatever the seed; above it the seed decides; the session's seed decides everything."""
    assert text(chat(temperature=0, seed=1)) == text(chat(temperature=0, seed=2))
    assert text(chat(temperature=0.7, seed=1)) == text(chat(temperature=0.7, seed=1))
    assert len({text(chat(temperature=0.7, seed=seed)) for seed in range(20)}) == 20
    assert len({text(chat(), seed=seed) for seed in range(20)}) == 20
    assert text(chat()) == text(chat(), number=7)
    texts = [c["message"]["content"] for c in reply(ask(CHAT, chat(n=4, temperature=1)))["choices"]]
    assert len(set(texts)) == 4
    assert texts[0] == text(chat(n=1, temperature=1)) == text(chat(temperature=1))
    same = [c["message"]["content"] for c in reply(ask(CHAT, chat(n=3, temperature=0)))["choices"]]
    assert len(set(same)) == 1


def test_what_does_not_change_the_text() -> None:
    """Accounting and scheduling fields, and how the text is asked for."""
    plain = text(chat(temperature=0))
    for more in (
        {"user": "u"},
        {"priority": 5},
        {"logprobs": True},
        {"logit_bias": {"5": 3}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
        {"response_format": {"type": "text"}},
    ):
        assert text(chat(temperature=0, **more)) == plain
    assert text(chat([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo!"}], temperature=0)) == plain
    assert text(chat("Other", temperature=0)) != plain


def test_ids() -> None:
    """Unique per request of a session, the same in a rerun, with the prefix of the endpoint."""
    ids = {reply(ask(CHAT, chat(), number=number))["id"] for number in range(1, 50)}
    assert len(ids) == 49
    assert ids == {reply(ask(CHAT, chat(), number=number))["id"] for number in range(1, 50)}
    assert all(name.startswith("chatcmpl-") and len(name) == 41 for name in ids)
    assert reply(ask(COMPLETIONS, completion()))["id"].startswith("cmpl-")
    assert reply(ask(CHAT, chat()))["created"] == 1_795_367_530


def test_list_prompts() -> None:
    """One choice for each prompt, `index` is its place; n of them each."""
    answer = reply(ask(COMPLETIONS, completion(["a", "b", "c"], temperature=0)))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert [choice["text"] for choice in answer["choices"]] == [text(completion(p, temperature=0)) for p in "abc"]
    assert answer["usage"]["prompt_tokens"] == 3
    assert answer["usage"]["completion_tokens"] == 48
    assert len(reply(ask(COMPLETIONS, completion(["a", "b"], n=3)))["choices"]) == 6
    batch = reply(ask("/v1/completions/batch", {"model": LLAMA, "prompts": ["a", "b", "c"], "temperature": 0}))
    assert [choice["text"] for choice in batch["choices"]] == [choice["text"] for choice in answer["choices"]]


def test_token_ids() -> None:
    """Ids count one each."""
    assert reply(ask(COMPLETIONS, completion([1, 2, 3])))["usage"]["prompt_tokens"] == 3
    answer = reply(ask(COMPLETIONS, completion([[1, 2, 3], [4]])))
    assert answer["usage"]["prompt_tokens"] == 4
    assert len(answer["choices"]) == 2


def test_echo_and_suffix() -> None:
    """Echo puts the prompt before; the suffix makes another text; usage does not count the echo as generated."""
    plain = reply(ask(COMPLETIONS, completion("Say é: ", temperature=0)))
    echoed = reply(ask(COMPLETIONS, completion("Say é: ", temperature=0, echo=True)))
    assert echoed["choices"][0]["text"] == "Say é: " + plain["choices"][0]["text"]
    assert echoed["usage"] == plain["usage"]
    *chunks, _ = events(ask(COMPLETIONS, completion("Say é: ", temperature=0, echo=True, stream=True)))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == echoed["choices"][0]["text"]
    assert text(completion("Say é: ", temperature=0, suffix="!")) != plain["choices"][0]["text"]


def test_best_of() -> None:
    """n choices out of best_of candidates, which are the choices of a larger n."""
    many = [choice["text"] for choice in reply(ask(COMPLETIONS, completion(n=5)))["choices"]]
    best = [choice["text"] for choice in reply(ask(COMPLETIONS, completion(n=2, best_of=5)))["choices"]]
    assert len(best) == 2
    assert set(best) < set(many)
    assert text(completion(best_of=1)) == text(completion())


def test_logprobs_of_completions() -> None:
    """As many numbers as tokens, none above 0, the tokens join to the text, offsets are where they begin."""
    for echo in (False, True):
        answer = reply(ask(COMPLETIONS, completion(logprobs=3, echo=echo)))["choices"][0]
        found = answer["logprobs"]
        assert "".join(found["tokens"]) == answer["text"]
        assert len({len(found[key]) for key in ("tokens", "token_logprobs", "top_logprobs", "text_offset")}) == 1
        assert all(number <= 0 for number in found["token_logprobs"])
        assert all(len(top) == 3 and all(number <= 0 for number in top.values()) for top in found["top_logprobs"])
        offsets = found["text_offset"]
        for token, at in zip(found["tokens"], offsets, strict=True):
            assert answer["text"][at : at + len(token)] == token
    *chunks, _ = events(ask(COMPLETIONS, completion(logprobs=3, echo=True, stream=True)))
    joined: dict[str, list[Any]] = {key: [] for key in found}
    for chunk in chunks:
        for key, values in (chunk["choices"][0]["logprobs"] or {}).items():
            joined[key] += values
    assert joined == found
    assert reply(ask(COMPLETIONS, completion()))["choices"][0]["logprobs"] is None
    assert [
        len(top)
        for top in reply(ask(COMPLETIONS, completion(logprobs=0, max_tokens=2)))["choices"][0]["logprobs"][
            "top_logprobs"
        ]
    ] == [1, 1]


def test_logprobs_of_chats() -> None:
    """The newer shape: one entry per token with its bytes and alternatives."""
    answer = reply(ask(CHAT, chat(logprobs=True, top_logprobs=2, max_tokens=5)))["choices"][0]
    content = answer["logprobs"]["content"]
    assert "".join(entry["token"] for entry in content) == answer["message"]["content"]
    assert all(len(entry["top_logprobs"]) == 2 for entry in content)
    assert all(bytes(entry["bytes"]).decode() == entry["token"] for entry in content)
    *chunks, _ = events(ask(CHAT, chat(logprobs=True, top_logprobs=2, max_tokens=5, stream=True)))
    streamed = [entry for chunk in chunks for entry in (chunk["choices"][0].get("logprobs") or {}).get("content", [])]
    assert streamed == content
    assert reply(ask(CHAT, chat(logprobs=True)))["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []
    assert len(reply(ask(CHAT, chat(logprobs=4)))["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 4
    assert "logprobs" not in reply(ask(CHAT, chat(logprobs=False)))["choices"][0]


def test_ignore_eos_and_min_tokens() -> None:
    """Without an end the answer is as long as it may be; at least `min_tokens` come."""
    answer = reply(ask(CHAT, chat(ignore_eos=True, max_tokens=300)))
    assert answer["usage"]["completion_tokens"] == 300
    assert answer["choices"][0]["finish_reason"] == "length"
    longer = reply(ask(CHAT, chat(min_tokens=150)))
    assert longer["usage"]["completion_tokens"] == 150
    assert longer["choices"][0]["finish_reason"] == "stop"
    assert reply(ask(CHAT, chat(min_tokens=150, max_tokens=150)))["choices"][0]["finish_reason"] == "length"
    assert text(chat(min_tokens=1)) == text(chat())


def test_the_context_is_a_limit() -> None:
    """A prompt beyond it is a 400 that says both numbers, also before a stream; a wish beyond it is cut, or refused."""
    for stream in (False, True):
        plan = ask(CHAT, chat("word " * 9000, stream=stream))
        assert status(plan) == 400
        assert reply(plan)["error"]["code"] == "context_length_exceeded"
        assert "8192" in reply(plan)["error"]["message"]
    assert reply(ask(CHAT, chat(ignore_eos=True, max_tokens=10**6)))["usage"]["total_tokens"] == 8192
    assert status(ask(CHAT, chat(model="gpt-4o-mini", max_tokens=10**6), "openai")) == 400


def test_images_cost_tokens_or_are_refused() -> None:
    """`docs` takes images, `engine` has no eyes."""
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    assert (
        reply(ask(CHAT, chat(parts)))["usage"]["prompt_tokens"]
        == reply(ask(CHAT, chat("x")))["usage"]["prompt_tokens"] + 85
    )
    assert status(ask(CHAT, chat([{"type": "image_url", "image_url": "data:,"}]))) == 200
    assert status(ask(CHAT, chat(parts, "chain"), "engine")) == 501


def test_the_same_answer_comes_from_memory() -> None:
    """A repeated request gets equal bytes but for the id and the time."""
    first, second = body(ask(CHAT, chat("memory"), number=1)), body(ask(CHAT, chat("memory"), number=2))
    assert first != second
    assert len(first) == len(second)
    assert json.loads(first) | {"id": ""} == json.loads(second) | {"id": ""}


def test_streams_of_several_choices_take_turns() -> None:
    """Marks carry the index of the choice, but for choice 0."""
    found = marks(ask(COMPLETIONS, completion(["a", "b"], max_tokens=2, stream=True)))
    assert found == ["content[0]", "1:content[0]", "content[1]", "1:content[1]", "finish", "1:finish", "done"]


def test_a_profile_without_a_finish_chunk() -> None:
    """`docs-sample`: the last piece says why, an empty answer still does."""
    answerer = Answerer("docs-sample")
    *chunks, _ = events(answerer.plan(post(CHAT, chat(max_tokens=3, stream=True))))
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "length"]
    assert "model" not in chunks[0]
    assert chunks[0]["object"] == "chat.completion"
    first = text(completion(max_tokens=1))[0]
    *chunks, _ = events(answerer.plan(post(COMPLETIONS, completion(stop=first, stream=True))))
    assert [(chunk["choices"][0]["text"], chunk["choices"][0]["finish_reason"]) for chunk in chunks] == [("", "stop")]
    tools = [{"type": "function", "function": {"name": "f"}}]
    plan = answerer.plan(post(CHAT, chat(tools=tools, tool_choice="required", stream=True)))
    assert events(plan)[-2]["choices"][0]["finish_reason"] == "tool_calls"
