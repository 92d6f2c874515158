"""The tokenizer and the graphemes below it: reversible, stable, never inside a character as a reader sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.model.grapheme import clusters
from mockserver.model.tokenizer import count, split

TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="ab 1,.\r\n\té\u0301日😀\u200d👩🚀🏽🇩🇪\u094dक\u1100\u1161\uac00"),
    st.text(alphabet=st.characters(max_codepoint=127)),
)


@given(TEXTS)
def test_tokens_and_clusters_join_to_the_text(text: str) -> None:
    """Nothing is lost and nothing is empty."""
    for pieces in (split(text), clusters(text)):
        assert "".join(pieces) == text
        assert all(pieces)
    assert count(text) == len(split(text))


@given(TEXTS)
def test_tokens_never_split_a_cluster(text: str) -> None:
    """Every border of a token is a border of a cluster."""
    borders, at = {0}, 0
    for cluster in clusters(text):
        at += len(cluster)
        borders.add(at)
    at = 0
    for token in split(text):
        at += len(token)
        assert at in borders


@given(TEXTS, st.integers(0, 40))
def test_a_text_cut_behind_a_token_has_the_tokens_before_it(text: str, k: int) -> None:
    """So `max_tokens` counts what is shown."""
    tokens = split(text)[:k]
    assert split("".join(tokens)) == tokens


@pytest.mark.parametrize(
    "cluster",
    [
        "e\u0301",
        "👩\u200d🚀",
        "👍🏽",
        "🇩🇪",
        "\r\n",
        "☕\ufe0f",
        "한",
        "\u1112\u1161\u11ab",
        "क्षि",
        "1\ufe0f\u20e3",
        "👨\u200d👩\u200d👧",
        "🏴\U000e0067\U000e007f",
    ],
)
def test_what_a_reader_sees_as_one_character_is_one(cluster: str) -> None:
    """UAX #29: marks, joined emoji, skin tones, flags, Hangul, conjuncts, keycaps."""
    assert clusters(cluster) == [cluster]
    assert clusters(f"a{cluster}b") == ["a", cluster, "b"]


def test_neighbours_stay_apart() -> None:
    """Two flags, two syllables, a line end that is turned round."""
    assert clusters("🇩🇪🇫🇷") == ["🇩🇪", "🇫🇷"]
    assert clusters("한국") == ["한", "국"]
    assert clusters("é\n\r") == ["é", "\n", "\r"]


def test_ascii_is_tokenized_alike_beside_other_signs() -> None:
    """Both ways through the tokenizer agree."""
    text = "Hello, wonderful  world_42 12345!\r\n\tok\x00."
    assert split(text + "é")[: len(split(text))] == split(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_both_ways_agree_on_ascii(text: str) -> None:
    """The fast way for ASCII is the slow way."""
    assert split(text + "\n日")[:-2] == split(text + "\n")[:-1]
    assert split(text + "\n")[-1].endswith("\n")
