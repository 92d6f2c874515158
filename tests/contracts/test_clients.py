"""Client laws and adapters: a child process is a subject like any other, and known weak clients are found."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from contracts.adapters import NAMES, subject
from contracts.adapters.base import Outcome, Problem, Task, outcome_from_json, task_from_json
from contracts.adapters.process import ProcessSubject
from contracts.bench import Bench, body_of, header_of, rule
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.mock import Door, MockFailed, MockProcess


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """A fake server in a process of its own."""
    with MockProcess() as mock:
        yield Door(mock.url)


def test_tasks_and_outcomes_are_json() -> None:
    """Both survive the way over a pipe."""
    task = Task("http://x", "text", True, arguments={"a": None}, take=2)
    assert task_from_json({**task.to_json(), "new": 1}) == task
    outcome = Outcome(("a", "b"), "stop", {"id": 1}, Problem("leak", "X", shown="y"), 0.5, "log")
    assert outcome_from_json(outcome.to_json()) == outcome
    assert outcome.text == "ab"


def test_an_unknown_client_is_told_with_the_known() -> None:
    """And with the form for one's own."""
    with pytest.raises(LookupError, match=r"unknown client 'curl'; known clients: inferneo, .*command:CMD"):
        subject("curl")
    assert "inferneo" in NAMES


def test_a_scene_has_both_sides(door: Door) -> None:
    """What the client gave, and what the fake saw."""
    scene = Bench(subject("httpx"), door).play(rule("Hello there"), stream=True, api_key="sk-1")
    assert scene.outcome.text == "Hello there"
    assert scene.attempts == 1
    assert header_of(scene.requests[0], "authorization") == "Bearer sk-1"
    assert b'"stream":true' in body_of(scene.requests[0]).replace(b" ", b"")


def test_a_bad_script_is_told_in_the_fakes_words(door: Door) -> None:
    """The door's own message is kept."""
    with pytest.raises(MockFailed, match="400"):
        door.arm({"rules": [{"match": {}, "faults": [[{"kind": "no-such-fault"}]]}]})


@pytest.mark.parametrize("law_id", ["C-READ-02", "C-SEND-02", "C-CUT-05"])
def test_a_child_process_is_a_subject(door: Door, law_id: str) -> None:
    """JSON lines over pipes: the same laws, the same verdicts."""
    child = ProcessSubject(f"{sys.executable} -m contracts.adapters.serve inferneo")
    try:
        assert child.name == "inferneo-process"
        assert judge(find(law_id), Bench(child, door), Effort(examples=0.3)).word == "ok"
    finally:
        child.close()


def test_a_child_that_does_not_speak_is_refused() -> None:
    """Its first line is shown."""
    with pytest.raises(ValueError, match="began with 'hello"):
        ProcessSubject(f"""{sys.executable} -c "print('hello')" """)


@pytest.mark.parametrize("law_id", ["C-CUT-03", "C-ERROR-04", "C-ERROR-06", "C-READ-03"])
def test_ten_lines_around_httpx_are_not_a_client(door: Door, law_id: str) -> None:
    """The laws find what reading a stream by hand gets wrong."""
    verdict = judge(find(law_id), Bench(subject("httpx"), door), Effort(seed=1, shrink_seconds=0.5))
    assert verdict.word == "failed", verdict
    assert verdict.failure is not None
    assert verdict.failure.exchanges[-1]["script"]["rules"]


@pytest.mark.parametrize("name", ["inferneo", "inferneo-async"])
@pytest.mark.parametrize(
    "law_id", ["C-CUT-01", "C-CUT-03", "C-ERROR-04", "C-ERROR-06", "C-READ-03", "C-RETRY-01", "C-RETRY-04"]
)
def test_our_client_keeps_them(door: Door, name: str, law_id: str) -> None:
    """In both forms."""
    assert judge(find(law_id), Bench(subject(name), door), Effort(seed=2, examples=0.15)).word == "ok"
