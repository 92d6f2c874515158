"""The model: one text per key, tokens as the tokenizer has them, prefixes for shorter answers, no stop string shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.model import words
from mockserver.model.model import Choice, complete, speak
from mockserver.model.tokenizer import split


@given(st.binary(max_size=20), st.integers(1, 200), st.booleans())
def test_tokens_are_those_of_the_text(key: bytes, limit: int, endless: bool) -> None:
    """What is spoken piece by piece is what the tokenizer sees."""
    pieces, ended = speak(key, limit, endless)
    assert split("".join(pieces)) == pieces
    assert len(pieces) == limit or ended
    assert not (endless and ended)
    if ended:
        assert pieces[-1] == "."


@given(st.binary(max_size=20), st.integers(1, 80), st.integers(0, 80))
def test_a_shorter_answer_is_a_prefix(key: bytes, k: int, more: int) -> None:
    """`max_tokens` cuts and changes nothing else."""
    assert speak(key, k + more)[0][:k] == speak(key, k)[0]


def test_texts_differ() -> None:
    """Another key, another text; and some hold more than ASCII."""
    texts = {"".join(speak(b"%d" % number, 100)[0]) for number in range(200)}
    assert len(texts) == 200
    assert any("😀" in text or "é" in text for text in texts)
    assert all(len(text) > 20 for text in texts)


def test_the_vocabulary_can_be_drawn_by_five_bits() -> None:
    """Every list has 32 phrases that begin with a space."""
    for phrases in (words.SUBJECTS, words.VERBS, words.OBJECTS, words.PLACES):
        assert len(phrases) == 32
        assert all(phrase.startswith(" ") and phrase[1] != " " for phrase in phrases)


PIECES = st.lists(st.text(alphabet="ab", min_size=1, max_size=3), min_size=1, max_size=12)


@given(PIECES, st.integers(1, 14), st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3))
def test_stop_strings_never_show_and_end_the_generation(pieces: list[str], limit: int, stops: list[str]) -> None:
    """Against the obvious way: token by token, look for a stop string, cut there."""
    expected = _slowly(pieces, limit, stops)
    found = complete(list(pieces), True, limit, stops)
    assert found.text == expected.text
    assert (found.finish, found.tokens) == (expected.finish, expected.tokens)
    assert not any(stop in found.text for stop in stops)


def _slowly(pieces: list[str], limit: int, stops: list[str]) -> Choice:
    text = ""
    for number, piece in enumerate(pieces, 1):
        for sign in piece:
            text += sign
            ends = [text.rindex(stop) for stop in stops if text.endswith(stop)]
            if ends:
                return Choice([text[: min(ends)]], "stop", number)
        if number == limit:
            return Choice([text], "length", number)
    return Choice([text], "stop", len(pieces))


def test_the_end_of_the_sequence_counts_where_a_server_counts_it() -> None:
    """And only where there was room for it."""
    assert complete(["a", "b"], True, 9, end_token=1) == Choice(["a", "b"], "stop", 3)
    assert complete(["a", "b"], True, 2, end_token=1) == Choice(["a", "b"], "length", 2)
    assert complete(["a", "b"], True, 9, finish="content_filter") == Choice(["a", "b"], "content_filter", 2)
    assert Choice(None, "tool_calls", 1).text == ""
