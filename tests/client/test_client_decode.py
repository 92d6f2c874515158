"""Two readers of the same documents: where both accept, they agree; only the slow one words errors."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferneo import ChatCompletionChunk, ChatCompletionResponse, EmbeddingResponse, ModelList, Usage, _decode
from inferneo._headers import Headers, Http
from inferneo._json import read_json
from inferneo._types import Source

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
SOMETHING: st.SearchStrategy[Any] = JSON | st.sampled_from(["Hel", 0, 1, None, "stop", [], {}])
DELTA = st.fixed_dictionaries(
    {}, optional={"content": SOMETHING, "role": SOMETHING, "tool_calls": SOMETHING, "x": JSON}
)
CHOICE = st.fixed_dictionaries(
    {}, optional={"index": SOMETHING, "delta": DELTA | SOMETHING, "finish_reason": SOMETHING, "logprobs": SOMETHING}
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "id": SOMETHING,
        "created": SOMETHING,
        "object": SOMETHING,
        "choices": st.lists(CHOICE, max_size=3) | SOMETHING,
        "usage": SOMETHING,
        "error": SOMETHING,
        "detail": SOMETHING,
        "y": JSON,
    },
)


@given(JSON)
def test_json_reader_agrees_with_json(value: Any) -> None:
    """Every JSON text reads as `json` reads it, however it is spaced."""
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert read_json(text.encode("utf-8", "surrogatepass")) == json.loads(
            text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        )


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \n\\"', max_size=30))
def test_json_reader_refuses_what_json_refuses(text: str) -> None:
    """Strict: nothing is JSON that `json` does not take for it."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"JSON|Invalid|Unterminated|control|escape"):
            read_json(text.encode())
    else:
        got = read_json(text.encode())
        assert got == expected or math.isnan(got)


def outcome(read: Any) -> tuple[str, Any]:
    try:
        return "value", read()
    except _decode.Failed as failed:
        return "failed", failed.document
    except _decode.Mismatch as mismatch:
        return "mismatch", str(mismatch)


@given(CHUNK)
def test_fast_and_slow_agree(document: dict[str, Any]) -> None:
    """Any document: the same value, the same failure, or the same words."""
    raw = json.dumps(document).encode()
    fast = outcome(lambda: _decode.read(ChatCompletionChunk, raw, None))
    slow = outcome(lambda: _decode.read_slowly(ChatCompletionChunk, Source(raw)))
    assert fast == slow
    if fast[0] == "value":
        assert fast[1].to_dict() == document


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_any_bytes_only_known_errors(raw: bytes) -> None:
    """No bytes make the reader raise anything but its own errors and `ValueError`."""
    try:
        value = _decode.read(ChatCompletionChunk, raw, None)
    except (ValueError, _decode.Failed):
        return
    assert isinstance(value, ChatCompletionChunk)


def chunk(**more: Any) -> ChatCompletionChunk:
    document = {"id": "a", "choices": [{"index": 0, "delta": {"content": "x", "mood": "gay"}, "odd": [1]}]} | more
    return _decode.read(ChatCompletionChunk, json.dumps(document).encode(), Http(200, Headers(), "r", 0.1, 1))


def test_unknown_fields_stay_reachable() -> None:
    """By `.extra`, item, attribute and `.to_dict()`, at each level."""
    got: Any = chunk(z={"deep": 1})
    assert got.extra == {"z": {"deep": 1}}
    assert got["z"] == got.z == {"deep": 1}
    assert got.choices[0].extra == {"odd": [1]}
    assert got.choices[0]["delta"]["mood"] == got.delta.mood == "gay"
    assert got.get("nothing", 5) == 5
    assert "z" in got
    assert "nothing" not in got
    assert got.http.request_id == "r"
    assert got.raw.startswith(b'{"id"')
    with pytest.raises(AttributeError, match="nothing"):
        _ = got.nothing
    with pytest.raises(KeyError):
        _ = got["nothing"]
    with pytest.raises(TypeError, match="not iterable"):
        list(got)


def test_objects_copy_and_pickle() -> None:
    """With what they were read from."""
    got: Any = chunk(z=1)
    for other in (pickle.loads(pickle.dumps(got)), copy.deepcopy(got), copy.copy(got)):
        assert other == got
        assert other.z == 1
        assert "(at)" not in repr(other)
    assert got != chunk(id="b")
    assert got != 5


def test_made_by_hand() -> None:
    """An object that no server sent has no http, no extra, and gives its fields."""
    usage = Usage(prompt_tokens=1)
    assert usage.http is None
    assert usage.raw is None
    assert usage.extra == {}
    assert usage.to_dict() == {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 0}
    by_hand = ChatCompletionResponse(choices=[], usage=usage)
    assert by_hand.to_dict() == {"choices": [], "usage": usage.to_dict()}
    assert ModelList().object is None
    assert ModelList().http is None
    assert ModelList().extra == {}


def test_embeddings_by_item() -> None:
    """`data[0]["embedding"]` as in the docs, and base64 text."""
    raw = b'{"object":"list","data":[{"index":0,"embedding":[0.5,1]},{"embedding":"AAA="}],"usage":{"prompt_tokens":2}}'
    got = _decode.read(EmbeddingResponse, raw, None)
    assert got["data"][0]["embedding"] == [0.5, 1.0]
    assert got.data[1].embedding == "AAA="
    with pytest.raises(_decode.Mismatch, match=r"\$\.data\[0\]\.embedding: expected text, got 5"):
        _decode.read(EmbeddingResponse, b'{"data":[{"embedding":5}]}', None)


def test_nan_and_infinity_in_known_fields() -> None:
    """A log probability of -Infinity is a number."""
    raw = b'{"choices":[{"logprobs":{"content":[{"token":"a","logprob":-Infinity}]}}]}'
    got = _decode.read(ChatCompletionChunk, raw, None)
    logprobs = got.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert logprobs.content[0].logprob == -math.inf


def test_huge_numbers() -> None:
    """An integer for a float that no float holds is infinite; the type hint still holds."""
    raw = b'{"choices":[{"logprobs":{"content":[{"token":"a","logprob":-' + b"9" * 400 + b"}]}}]}"
    value: Any = _decode.read(ChatCompletionChunk, raw, None).choices[0].logprobs
    assert value.content[0].logprob == -math.inf
