"""The README promises only what runs, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mockserver
from mockserver.scripting.dsl import on

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
CELLS = re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", README, re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [code for kind, code in BLOCKS if kind == language]


def test_the_first_test_passes(pytester: pytest.Pytester) -> None:
    """The downstream test is a file that pytest runs, with nothing but the plugin."""
    (code,) = blocks("python")
    pytester.makepyfile(test_report=code)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "test_report.py")
    result.assert_outcomes(passed=code.count("def test_"))


def test_the_script_is_one() -> None:
    """The YAML is accepted, and says what the table says in Python."""
    from mockserver.scripting.script import parse_script_text

    (text,) = blocks("yaml")
    (rule,) = parse_script_text(text.encode()).rules
    assert rule.name == "flaky report"
    assert rule.calls == 2


@pytest.mark.parametrize("cell", CELLS)
def test_each_line_of_the_table_is_python(cell: str) -> None:
    """What stands in the table can be written, and makes a rule."""
    words = ("chat", "status", "cut", "stall", "delay", "bad_json", "drop", "fault")
    names = {name: getattr(mockserver, name) for name in words}
    draft = eval(cell if cell.startswith("on(") else f"on(chat()){cell}", names | {"on": on})
    assert draft.rule.replies or draft.rule.faults


ASK = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


def received(kind: str) -> tuple[float, bytes, bool]:
    """What the first row of the table that has `kind` sends: when the head comes, the body, whether HTTP is whole."""
    from mockserver.plan import Body, End, Head, Wait
    from mockserver.request import Request
    from mockserver.scripting.script import parse_script
    from mockserver.serving.brain import ScriptBrain, Settings

    cell = next(cell for cell in CELLS if kind in cell)
    names = {name: getattr(mockserver, name) for name in mockserver.__all__}
    rule = eval(f"on(chat()){cell}", names | {"on": on}).reply("one two three four").rule
    request = Request("POST", "/v1/chat/completions", body=ASK, session="")
    plan = ScriptBrain(Settings(script=parse_script([rule]))).decide(request).plan
    steps = list(plan.steps)
    head = next(number for number, step in enumerate(steps) if isinstance(step, Head))
    late = sum(step.seconds for step in steps[:head] if isinstance(step, Wait))
    return late, b"".join(step.data for step in steps if isinstance(step, Body)), isinstance(plan.ending, End)


def test_the_table_tells_the_endings_apart() -> None:
    """Cut: HTTP is broken, a client raises for free. No end, no `[DONE]`, an error event: HTTP is whole."""
    _, body, whole = received("cut(after_events=2")
    assert (body.count(b"data:"), whole) == (2, False)
    _, body, whole = received("no-end")
    assert b"four" in body
    assert b"[DONE]" not in body
    assert b'"stop"' not in body
    assert whole
    _, body, whole = received('drop(at="done")')
    assert b'"stop"' in body
    assert b"[DONE]" not in body
    assert whole
    _, body, whole = received("error-event")
    assert body.count(b"data:") == 3
    assert b'data: {"error"' in body
    assert whole


def test_the_table_tells_the_delays_apart() -> None:
    """A delay holds the head too; a slow first token does not."""
    assert received("delay(")[0] == 2
    assert received("first-token")[0] == 0


def test_the_table_is_read() -> None:
    """The pattern above finds the table."""
    assert len(CELLS) >= 8


def test_ci_runs_the_command_of_the_readme() -> None:
    """`.ci/run` is the README's test command and nothing else."""
    command = next(code.strip() for code in blocks("bash") if "tox" in code)
    assert command in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere() -> None:
    """Every relative link of the README is a file."""
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
