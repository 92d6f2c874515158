"""Client laws and adapters: a child process is a subject like any other, and known weak clients are found."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.adapters import NAMES, subject
from contracts.adapters.base import Outcome, Problem, Task, outcome_from_json, task_from_json
from contracts.adapters.process import ProcessSubject
from contracts.bench import Bench, body_of, header_of, rule
from contracts.cli import main
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


CHILD = """
import json, sys
print(json.dumps({"name": "odd"}), flush=True)
for line in sys.stdin:
    %s
"""


@pytest.mark.parametrize(
    ("does", "error", "words"),
    [
        ("raise SystemExit", OSError, "odd ended in the middle of a task"),
        ("pass", OSError, "odd wrote nothing for"),
        ("print('a warning', flush=True)", ValueError, "odd wrote 'a warning.n'; expected a line like"),
        ("print('{\"outcomes\": [3]}', flush=True)", ValueError, "odd wrote"),
        ("print('{\"outcomes\": []}', flush=True)", ValueError, "odd told 0 outcomes of a task .* 1 times"),
    ],
)
def test_a_child_that_errs_is_told(does: str, error: type[Exception], words: str, tmp_path: Path) -> None:
    """No child can hang a run, or end it with a riddle."""
    file = tmp_path / "child.py"
    file.write_text(CHILD % does)
    child = ProcessSubject(f"{sys.executable} {file}", patience=5.0)
    child.patience = 0.1
    try:
        with pytest.raises(error, match=words):
            child.do(Task("http://127.0.0.1:9", timeout=0.0))
    finally:
        child.close()


def test_a_child_that_died_is_started_again(tmp_path: Path) -> None:
    """One task that kills it does not cost the verdicts of the others."""
    file = tmp_path / "child.py"
    does = "sys.exit() if 'die' in line else print(json.dumps({'outcomes': [{'pieces': ['alive']}]}), flush=True)"
    file.write_text(CHILD % does)
    child = ProcessSubject(f"{sys.executable} {file}")
    try:
        with pytest.raises(OSError, match="odd ended in the middle of a task"):
            child.do(Task("http://127.0.0.1:9", text="die"))
        child.process.wait(5)
        assert child.do(Task("http://127.0.0.1:9"))[0].text == "alive"
    finally:
        child.close()


def test_what_a_child_still_says_is_no_outcome_of_the_next_task(tmp_path: Path) -> None:
    """A line too much is told once; the task after it gets its own outcome, not the late one."""
    file = tmp_path / "child.py"
    say = "print(json.dumps({'outcomes': [{'pieces': [json.loads(line)['text']]}]}), flush=True)"
    file.write_text(CHILD % f"('noise' in line and print('noise', flush=True)); {say}")
    child = ProcessSubject(f"{sys.executable} {file}")
    try:
        with pytest.raises(ValueError, match="odd wrote 'noise"):
            child.do(Task("http://127.0.0.1:9", text="noise"))
        assert child.do(Task("http://127.0.0.1:9", text="mine"))[0].text == "mine"
    finally:
        child.close()


@pytest.mark.slow
def test_a_command_is_meant_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite runs in another folder: a relative path still leads to the user's file."""
    (tmp_path / "mine.py").write_text(
        CHILD % "print(json.dumps({'outcomes': [{'pieces': ['Hello there']}]}), flush=True)"
    )
    monkeypatch.chdir(tmp_path)
    words = ["clients", "--client", f"command:{sys.executable} mine.py", "--law", "C-READ-02", "--json", "r.json"]
    assert main(words) in (0, 1)
    (verdict,) = json.loads((tmp_path / "r.json").read_text())["verdicts"]
    assert verdict["target"] == "odd"
    assert verdict["word"] in ("ok", "failed"), verdict


def test_a_child_that_does_not_speak_is_refused() -> None:
    """Its first line is shown."""
    with pytest.raises(ValueError, match="began with 'hello"):
        ProcessSubject(f"""{sys.executable} -c "print('hello')" """)


@pytest.mark.slow
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
