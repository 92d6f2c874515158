"""What a user saw: texts are found wherever a client puts them, and chance is not taken for a text in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mockserver.record import watches
from mockserver.record.saw import Saw, besides, causes, holds, is_lost, is_timeout, piece_text, shown_error, texts_of


@dataclass(frozen=True, slots=True)
class Slotted:
    summary: str


class OneSlot:
    __slots__ = "summary"

    def __init__(self) -> None:
        self.summary = "a"


class Plain:
    def __init__(self) -> None:
        self.summary = "a"
        self._hidden = "b"

    @property
    def asked(self) -> str:
        raise AssertionError("properties are not asked")


class Counted:
    """An object that counts how often any such object was asked."""

    asked = 0

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    @property
    def content(self) -> None:
        type(self).asked += 1


def test_looking_for_texts_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However wide and tangled the objects are, and each is asked once."""
    monkeypatch.setattr(Counted, "asked", 0)
    nodes = [Counted(name=str(number)) for number in range(30)]
    for node in nodes:
        node.__dict__["others"] = nodes
    assert len(texts_of(nodes)) == 31 - 1
    assert Counted.asked == len(nodes)
    monkeypatch.setattr(Counted, "asked", 0)
    assert texts_of([Counted() for _ in range(50_000)]) == ()
    assert 0 < Counted.asked < 10_000


def test_numbers_are_not_looked_at() -> None:
    """256 embeddings cost less than the texts behind them."""
    rows = [[0.5] * 1536 for _ in range(256)]
    assert texts_of({"data": rows, "deep": [[["a"]]]}) == ("a",)
    assert texts_of([1, 2.0, True, "a"]) == ("a",)


def test_what_is_near_is_looked_at_first() -> None:
    """An object that stands deep and near is looked into from near."""
    near: Any = {"x": {"y": "a"}}
    deep: Any = near
    for _ in range(5):
        deep = [deep]
    assert texts_of([deep, near]) == ("a",)


class Unread:
    """As a streamed response of httpx, which raises a RuntimeError where it is asked for its text."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        self.status = "a"

    def __getattr__(self, name: str) -> str:
        raise RuntimeError(f"{name}: not read")


class Broken:
    __slots__ = ("gone", "kept")

    def __init__(self) -> None:
        self.kept = "a"

    def __getattr__(self, name: str) -> str:
        raise OSError(name)


@pytest.mark.parametrize("value", [Unread(), Broken(), [Unread()], {"x": Broken()}], ids=range(4))
def test_what_a_property_raises_is_no_text(value: Any) -> None:
    """Whatever it is: the verdict goes on, and what can be read is read."""
    assert texts_of(value) == ("a",)


def test_a_piece_that_cannot_be_asked_has_no_text() -> None:
    """Watching a stream changes nothing, so it raises nothing of its own."""
    assert piece_text(Unread()) is None


class Unjudged:
    """A call that is over, nobody asked, and whose verdict cannot be made."""

    def __init__(self, name: str) -> None:
        self.name, self.judged, self.void, self.over = name, False, False, True

    def peek(self) -> Any:
        raise KeyError("x")


def test_a_call_that_cannot_be_judged_keeps_no_other_from_being_told() -> None:
    """At the end of a test an exception here would leave its session open."""
    calls: list[Any] = [Unjudged("a"), Unjudged("b")]
    assert watches.forgotten(calls) == [f"call {name!r} cannot be told: KeyError: 'x'" for name in "ab"]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("a", ("a",)),
        (b"a\xff", ("a\ufffd",)),
        (["a", "b"], ("ab", "a", "b")),
        ({"x": {"y": ["a"]}, "n": 1}, ("a",)),
        ((1, "a", {"z": None}), ("a",)),
        (Slotted("a"), ("a",)),
        (OneSlot(), ("a",)),
        (Plain(), ("a",)),
        ([{"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"delta": {"content": "b"}}]}], ("ab", "a", "b")),
        ([Plain()], ("a",)),
        (7, ()),
        (None, ()),
        (str, ()),
        (len, ()),
    ],
)
def test_texts_are_found_wherever_they_are(value: Any, texts: tuple[str, ...]) -> None:
    """Texts, bytes, chunks, mappings, fields; not what is hidden, and no function or class."""
    assert texts_of(value) == texts


def test_a_value_that_holds_itself_is_bounded() -> None:
    """A few levels are looked into, and no more."""
    loop: list[Any] = ["a"]
    loop.append(loop)
    assert texts_of(loop) == ("a",)


def test_what_a_stream_handed_out_comes_before_the_value() -> None:
    """A stream that was watched to its end and said nothing has said the empty text."""
    assert Saw(True, "c", pieces=("a", "b")).texts == ("ab", "c")
    assert Saw(True, watched=True).texts == ("",)
    assert Saw(True).texts == ()
    assert Saw(pieces=("a", "b", "c"), times=(1.0, 2.0, 3.0)).before(1.0, 3.0) == "ab"


@pytest.mark.parametrize(
    ("text", "part", "held"),
    [
        ("one two", "One  TWO ", True),
        ("", " ", True),
        ("", "one two", False),
        ("one", "one two three", False),
        ("Answer: one two", "one two", True),
        ("one t", "one two three four five", True),
        ("three", "one two three four five", False),
        ("Sorry, no summary today", "The summary of the report says that sales have risen", False),
        ("Sales have risen, in short", "The summary of the report says that sales have risen", True),
        ("a", "a", True),
        ("Banana", "a", False),
        ("This did not work", "This", False),
        ("No summary", "The summary", False),
    ],
)
def test_a_text_in_common_is_no_chance(text: str, part: str, held: bool) -> None:
    """Case and white space do not count; a word or two may stand in any answer."""
    assert holds(text, part) is held


@pytest.mark.parametrize(
    ("text", "part", "whole", "found"),
    [
        ("one two one two three", "one two ", "one two three", True),
        ("one two three", "one two ", "one two three", False),
        ("Summary: one two three!", "one two ", "one two three", False),
        ("one two and two three", "one two ", "another answer", True),
        ("another answer", "one two ", "another answer", False),
        ("aanswer", "a", "answer", True),
        ("Banana answer", "a", "answer", False),
        ("one two thr", "one two", "one two three", False),
        ("one two thr", "one two", "three", True),
        ("one two", " ", "one two", False),
        ("one two", "one two", "", True),
    ],
)
def test_a_part_besides_the_whole_is_found(text: str, part: str, whole: str, found: bool) -> None:
    """Right before it, in pieces of it, or where the whole has none such."""
    assert besides(text, part, whole) is found


def test_an_error_is_shown_in_one_line() -> None:
    """Its repr, shortened, and the line of the user's own code, if it came through any."""
    assert shown_error(ValueError("a\n  b")) == "ValueError('a\\n b')"
    assert len(shown_error(ValueError("x" * 1000))) == 203
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    assert (
        shown_error(caught.value)
        .rpartition(":")[0]
        .endswith("raised in test_an_error_is_shown_in_one_line, tests/mock/test_saw.py")
    )


def test_causes_are_looked_at_and_bounded() -> None:
    """A library's own error often hides the system's."""
    outer = RuntimeError("x")
    outer.__cause__ = inner = KeyError("y")
    inner.__context__ = TimeoutError("z")
    assert [type(one) for one in causes(outer)] == [RuntimeError, KeyError, TimeoutError]
    assert is_timeout(outer)
    assert is_lost(outer)  # a TimeoutError is the system's
    assert not is_timeout(KeyError("y"))
    assert not is_lost(KeyError("y"))
    circle = RuntimeError("x")
    circle.__cause__ = ValueError("y")
    circle.__cause__.__cause__ = circle
    assert len(list(causes(circle))) == 20
