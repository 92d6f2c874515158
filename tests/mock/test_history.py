"""What was done to a session is kept within bounds: so many changes, so many bytes; what goes is counted and told."""

from __future__ import annotations

import json
import urllib.request

from mockserver import MockServer
from mockserver.record.history import WORD, History, weight_of
from mockserver.scripting.script import Script, parse_script


def script(text: str) -> Script:
    """A script with one rule that says this."""
    return parse_script([{"reply": text}])


def test_the_oldest_goes_where_there_are_too_many_bytes() -> None:
    """A body counts with its length; the newest is not counted, however large; `first` is the script that went last."""
    history = History(script("first"), max_bytes=5000)
    made = [script(f"{number}" * 2000) for number in range(4)]
    for one in made:
        history.note("load", one)
    assert [change.value for change in history] == made[1:]
    assert (history.dropped, history.first) == (1, made[0])
    history.note("load", huge := script("x" * 9000))
    assert [change.value for change in history] == [*made[2:], huge]
    history.note("heal", True)
    assert [change.kind for change in history] == ["heal"]
    assert (history.dropped, history.first) == (5, huge)


def test_rules_that_are_shared_count_once() -> None:
    """A script that grows rule by rule holds each rule once, and so does its history; faults count too."""
    history = History(script("x" * 1000), max_bytes=20_000)
    grown = parse_script([])
    for number in range(20):
        grown = grown.adding(script(f"{number}" * 40))
        history.note("script", grown)
    assert (history.dropped, len(history)) == (0, 20)
    history.note("faults", [{"kind": "status", "body": "x" * 20_000}])
    history.note("heal", True)
    assert history.dropped > 0


def test_so_many_changes_are_kept() -> None:
    """The bound in number holds beside the one in bytes."""
    history = History(script("x"), size=3)
    for _ in range(5):
        history.note("heal", True)
    assert (len(history), history.dropped) == (3, 2)


def test_what_a_value_weighs() -> None:
    """Texts and bytes by their length, wherever they stand."""
    assert weight_of("abc") == WORD + 3
    assert weight_of({"a": [b"1234", (1, None)]}) == 7 * WORD + 1 + 4
    assert weight_of(script("x" * 100)) > weight_of(script("x")) + 98


def test_what_was_dropped_is_told() -> None:
    """In the journal, in the state, and in the bundle, which lacks it."""
    with MockServer() as server:
        session = server.new_session()
        session.brain.history._max_bytes = 2000
        for _ in range(4):
            session.load({"rules": [{"reply": "x" * 1500}]})
        with urllib.request.urlopen(f"{session.url}/_mock/journal", timeout=20) as found:
            told = json.load(found)
        assert (told["dropped"], told["changes_dropped"]) == (0, 2)
        assert session.state["changes_dropped"] == 2
        assert session.bundle()["missing"] == 2
