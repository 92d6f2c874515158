"""Embeddings: a vector for each input, the same for the same input, in either encoding."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any

from hypothesis import strategies as st

from contracts.answers import tokens
from contracts.capabilities import EMBEDDINGS, embedder
from contracts.domains import Domain, texts
from contracts.exchange import Exchange, post
from contracts.law import Unjudged, Unsupported, Vacuous, expect, law
from contracts.server_laws.shape import is_int
from contracts.target import Target

SOURCE = "api.md, REST: POST /v1/embeddings"
NEEDS = {"embeddings"}
CLOSE = 1e-2
"""How far two runs of one model may lie apart: the sums of a batch are made in another order than those of one."""
TEXTS: Domain[str] = Domain("a text to embed", lambda target: texts(), None)
SEVERAL: Domain[list[str]] = Domain(
    "texts to embed", lambda target: st.lists(texts(), min_size=2, max_size=4, unique=True), None
)


def embed(target: Target, given: Any, **more: Any) -> Exchange:
    """The answer to a request for embeddings. Raises `Unsupported` where no model gives any."""
    if "embedder" not in target.notes:
        target.notes["embedder"] = embedder(target)
    if target.notes["embedder"] is None:
        raise Unsupported("no listed model gives embeddings")
    return target.send(post(EMBEDDINGS, {"model": target.notes["embedder"], "input": given, **more}))


def vectors(exchange: Exchange) -> list[list[float]]:
    """The vectors of an answer in the order of their index; `Unjudged` when there are none (S-EMBED-01)."""
    document = exchange.document
    data = document.get("data") if isinstance(document, dict) else None
    if exchange.status != 200 or not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise Unjudged(f"no embeddings: {exchange.status} (S-EMBED-01 judges that)")
    found = [item.get("embedding") for item in sorted(data, key=lambda item: item.get("index") or 0)]
    if not all(isinstance(one, list) and all(isinstance(x, (int, float)) for x in one) for one in found):
        raise Unjudged("embeddings that are no lists of numbers (S-EMBED-01 judges that)")
    return [[float(x) for x in one] for one in found if isinstance(one, list)]


def close(one: list[float], other: list[float], by: float = CLOSE) -> bool:
    """Whether two vectors are the same, give or take `by` of their length."""
    size = max(math.hypot(*one), math.hypot(*other), 1e-12)
    return len(one) == len(other) and math.dist(one, other) <= by * size


@law("S-EMBED-01", over=TEXTS, needs=NEEDS, examples=6, live=True, source=SOURCE)
def an_embedding_is_a_vector(target: Target, text: str) -> None:
    """An answer is a list object of one embedding object with index 0 and a vector of finite numbers, not all zero."""
    exchange = embed(target, text)
    expect(exchange.status == 200, "status 200", f"{exchange.status} {exchange.response.body[:200]!r}")
    document = exchange.document
    expect(isinstance(document, dict) and document.get("object") == "list", "object 'list'", document)
    data = document.get("data")
    expect(isinstance(data, list) and len(data) == 1, "one embedding", data)
    item = data[0]
    expect(isinstance(item, dict) and item.get("object") == "embedding", "object 'embedding'", item)
    expect(item.get("index") == 0, "index 0", item.get("index"))
    vector = item.get("embedding")
    numbers = isinstance(vector, list) and all(isinstance(x, (int, float)) and math.isfinite(x) for x in vector)
    expect(numbers and bool(vector), "a list of finite numbers", vector)
    expect(any(vector), "a vector that is not zero", vector)


@law("S-EMBED-02", over=SEVERAL, needs=NEEDS, examples=6, live=True, source=SOURCE)
def each_input_has_an_embedding(target: Target, given: list[str]) -> None:
    """A list of inputs gives one embedding each, numbered by the input's place, all of one size."""
    exchange = embed(target, given)
    found = vectors(exchange)
    said = [item.get("index") for item in exchange.document["data"]]
    expect(said == list(range(len(given))), f"indexes {list(range(len(given)))}", said)
    expect(len({len(one) for one in found}) == 1, "vectors of one size", sorted({len(one) for one in found}))


@law("S-EMBED-03", over=TEXTS, needs=NEEDS, examples=6, live=True, source="metamorphic")
def equal_inputs_have_equal_embeddings(target: Target, text: str) -> None:
    """The same text has the same embedding: asked twice, and twice in one list."""
    first, second = vectors(embed(target, text)), vectors(embed(target, text))
    both = vectors(embed(target, [text, text]))
    expect(close(first[0], second[0]), "the same vector asked again", f"{first[0][:4]}... and {second[0][:4]}...")
    if len(both) != 2:
        raise Vacuous("two inputs have not two embeddings (S-EMBED-02 judges that)")
    expect(close(both[0], both[1]), "equal vectors for equal inputs of a list", [one[:4] for one in both])


@law("S-EMBED-04", over=SEVERAL, needs=NEEDS, examples=4, live=True, source="metamorphic")
def a_list_is_its_inputs(target: Target, given: list[str]) -> None:
    """The embeddings of a list are those of its texts alone, in their order."""
    together = vectors(embed(target, given))
    if len(together) != len(given):
        raise Vacuous("each input has not an embedding (S-EMBED-02 judges that)")
    for text, vector in zip(given, together, strict=True):
        alone = vectors(embed(target, text))[0]
        expect(close(alone, vector), f"for {text!r} the vector it has alone: {alone[:4]}...", f"{vector[:4]}...")


@law("S-EMBED-05", over=TEXTS, needs={"embeddings", "base64"}, examples=6, live=True, source=SOURCE)
def both_encodings_say_the_same(target: Target, text: str) -> None:
    """encoding_format base64 gives the little-endian float32 bytes of the vector that float gives."""
    vector = vectors(embed(target, text))[0]
    exchange = embed(target, text, encoding_format="base64")
    said = exchange.document["data"][0].get("embedding") if isinstance(exchange.document, dict) else None
    if isinstance(said, list):
        raise Unsupported("base64 is taken and ignored: a list of numbers came")
    try:
        data = base64.b64decode(str(said), validate=True)
    except binascii.Error:
        data = b""
    expect(len(data) == 4 * len(vector), f"base64 of {4 * len(vector)} bytes", f"{len(data)} bytes of {str(said)[:40]}")
    decoded = list(struct.unpack(f"<{len(vector)}f", data))
    expect(close(vector, decoded), f"the vector {vector[:4]}...", f"{decoded[:4]}...")


@law("S-EMBED-06", over=SEVERAL, needs=NEEDS, examples=4, live=True, source=SOURCE)
def inputs_cost_tokens(target: Target, given: list[str]) -> None:
    """usage has prompt_tokens of one or more for each input, and total_tokens that are the same number."""
    document = embed(target, given).document
    usage = document.get("usage") if isinstance(document, dict) else None
    expect(isinstance(usage, dict), "a usage object", usage)
    prompt, total = (tokens(usage, name) for name in ("prompt_tokens", "total_tokens"))
    expect(is_int(prompt) and prompt >= len(given), f"at least {len(given)} prompt_tokens", usage)
    expect(total == prompt, f"total_tokens {prompt}", usage)


@law("S-EMBED-07", over=SEVERAL, needs=NEEDS, examples=4, live=True, level="should", source="metamorphic")
def all_embeddings_have_one_length(target: Target, given: list[str]) -> None:
    """Where one vector has length 1 all have: callers compare them by their dot product."""
    lengths = [math.hypot(*vector) for vector in vectors(embed(target, given))]
    unit = [abs(length - 1) <= CLOSE for length in lengths]
    expect(all(unit) or not any(unit), "vectors of length 1", lengths)


BAD: tuple[tuple[Any, str], ...] = (
    (5, "a number"),
    ({}, "an object"),
    (None, "null"),
    (True, "true"),
    ([{}], "a list of objects"),
    ([None], "a list of null"),
    ([], "no input at all"),
)
BAD_INPUTS: Domain[tuple[Any, str]] = Domain("an input that is none", lambda target: st.sampled_from(BAD), None)


@law("S-EMBED-08", over=BAD_INPUTS, needs=NEEDS, examples=7, live=True, source="laws.md 31")
def what_is_no_text_is_refused(target: Target, case: tuple[Any, str]) -> None:
    """An input that is neither a text nor a list of texts (or of tokens) is refused by a 4xx.

    OpenAI's reference says of an empty list only that a text may not be empty, so a compatible server may answer it
    truly: by no embedding at all.
    """
    exchange = embed(target, case[0])
    document = exchange.document
    none = isinstance(document, dict) and document.get("data") == []
    if case[0] == [] and target.profile.name == "openai" and exchange.status == 200 and none:
        return
    expect(400 <= exchange.status < 500, f"a 4xx for {case[1]}", f"{exchange.status} {exchange.response.body[:100]!r}")


@law("S-EMBED-09", over=TEXTS, needs={"dimensions"}, examples=4, live=True, source="OpenAI's reference: dimensions")
def a_vector_has_the_asked_dimensions(target: Target, given: str) -> None:
    """dimensions=8, where it is accepted, gives vectors of 8 numbers: an index is made for what was asked for."""
    sizes = [len(vector) for vector in vectors(embed(target, given, dimensions=8))]
    expect(sizes == [8], "one vector of 8 numbers", sizes)
