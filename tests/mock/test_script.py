"""Scripts as values, as JSON, as YAML; errors say where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from strategies import scripts

from mockserver.errors import ScriptError
from mockserver.scripting.rule import Rule, parse_rule
from mockserver.scripting.script import Script, load_script, parse_script, parse_script_text, script_schema
from mockserver.suggest import did_you_mean

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"
SCHEMA = Draft202012Validator(script_schema())
FLAKY = b"""\
seed: 3
rules:
  - name: flaky
    match: {path: /v1/chat/completions, contains: report}
    faults:
      - [{kind: status, status: 429, retry_after: 0.2}]
      - {kind: cut, after_events: 1}
      - []
    reply: Done.
"""


@given(scripts)
@settings(max_examples=20)
def test_every_script_goes_through_json_and_yaml(script: Script) -> None:
    """It comes back equal from JSON text and from YAML text, and the schema accepts it."""
    told = json.loads(json.dumps(script.to_json()))
    assert parse_script(told) == script
    assert parse_script_text(json.dumps(told).encode()) == script
    plain = "\x85" not in json.dumps(told, ensure_ascii=False)  # PyYAML writes NEL as it is, and reads a line's end
    assert parse_script_text(yaml.safe_dump(told, allow_unicode=plain, sort_keys=False).encode()) == script
    SCHEMA.validate(told)


def test_short_forms() -> None:
    """`reply` is a list of one, a fault alone a list of one, a list alone the rules, nothing the empty script."""
    script = parse_script_text(FLAKY)
    assert script.rules[0].name == "flaky"
    assert [[one.kind for one in many] for many in script.rules[0].faults] == [["status"], ["cut"], []]
    assert len(script.rules[0].replies) == 1
    assert parse_script([{"reply": "a"}]) == parse_script({"rules": [{"replies": ["a"]}]})
    assert parse_script(None) == parse_script_text(b"") == Script()
    assert parse_script(script) is script


def test_strict_as_soon_as_there_is_a_rule() -> None:
    """Unless it says otherwise."""
    assert not Script().is_strict
    assert Script(rules=(Rule(),)).is_strict
    assert not Script(rules=(Rule(),), strict=False).is_strict
    assert Script(strict=True).is_strict


def test_scripts_grow() -> None:
    """Rules and faults are added behind, a rule can be put in another's place, labels are names or places."""
    one, more = (
        parse_script([{"name": "a"}]),
        parse_script({"rules": [{}], "seed": 5, "strict": False, "faults": ["cut"]}),
    )
    both = one.adding(more)
    assert [both.label(number) for number in range(2)] == ["a", "rules[1]"]
    assert (both.seed, both.strict, len(both.faults)) == (5, False, 1)
    assert one.adding(parse_script([{}])).strict is None
    changed = both.with_rule(1, Rule(name="b")).with_rule(2, Rule(name="c"))
    assert [rule.name for rule in changed.rules] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "place", "path", "words"),
    [
        (FLAKY.replace(b"after_events", b"after_event"), "7:21", "$.rules[0].faults[1].after_event", "after_events"),
        (FLAKY.replace(b"contains", b"contain"), "4:41", "$.rules[0].match.contain", "did you mean 'contains'"),
        (FLAKY.replace(b"seed", b"sed"), "1:1", "$.sed", "did you mean 'seed'"),
        (FLAKY + b"    reply: a\n", "10:5", "$.rules[0].reply", "twice"),
        (FLAKY + b"    replies: [a]\n", "9:5", "$.rules[0].reply", "not both"),
        (FLAKY + b"  - {name: flaky}\n", "10:6", "$.rules[1].name", "that of rules[0]"),
        (FLAKY + b"  - {after: never}\n", "10:6", "$.rules[1].after", "repeat-last"),
        (FLAKY + b"  - {faults: {}}\n", "10:6", "$.rules[1].faults", "a list of fault lists"),
        (FLAKY + b"  x: [", "10:3", "$", "no YAML"),
        (b"rules: [*a]", "1:9", "$", "no YAML"),
        (b"a: &a [*a]", "1:4", "$.a[0]", "a tree"),
        (b"\xff", "1:1", "$", "no YAML"),
        (b"7", "1:1", "$", "expected an object"),
        (b'{"rules":[{"replies":[3]}]}', "1:23", "$.rules[0].replies[0]", "expected a reply"),
        (b'{"rules":[],"rules":[]}', "1:13", "$.rules", "twice"),
        (b"{", "1:2", "$", "no YAML"),
    ],
)
def test_errors_name_line_and_column(text: bytes, place: str, path: str, words: str) -> None:
    """As editors read it: file:line:column, then the path, unless it is the whole that is wrong."""
    with pytest.raises(ScriptError) as caught:
        parse_script_text(text, "s.yaml")
    told = caught.value
    assert (str(told.place), told.path) == (f"s.yaml:{place}", path)
    assert words in told.message
    named = "" if path == "$" else f"{path}: "
    assert str(told) == f"s.yaml:{place}: {named}{told.message}"
    assert told.to_json() == {"message": told.message, "path": path, "at": f"s.yaml:{place}"}


def test_json_with_tabs_has_no_place() -> None:
    """It is JSON and no YAML: the path alone must do."""
    with pytest.raises(ScriptError) as caught:
        parse_script_text(b'{"rules":[{"replies":[3],\t"match":{}}]}')
    assert (caught.value.place, caught.value.path) == (None, "$.rules[0].replies[0]")
    assert "at" not in caught.value.to_json()


def test_plain_words_of_yaml_stay_words() -> None:
    """`on`, `no` and dates are texts in YAML 1.2."""
    script = parse_script_text(
        b"rules:\n- {name: on, reply: no}\n- {name: 2020-01-01, match: {stream: true, model: ~}}\n"
    )
    assert [rule.name for rule in script.rules] == ["on", "2020-01-01"]


def test_files(tmp_path: Path) -> None:
    """A file's errors have its name; one that is not there is an OSError."""
    path = tmp_path / "s.yaml"
    path.write_bytes(FLAKY)
    assert load_script(path) == parse_script_text(FLAKY)
    path.write_bytes(b"x: 1")
    with pytest.raises(ScriptError, match=r"s\.yaml:1:1: \$\.x"):
        load_script(str(path))
    assert load_script("wire/b12_bad_chunk") == load_script(FIXTURES / "scripts" / "wire" / "b12_bad_chunk.json")
    with pytest.raises(FileNotFoundError):
        load_script(tmp_path / "none")


@pytest.mark.parametrize(
    ("after", "positions"),
    [("repeat-last", [0, 1, 2, 2, 2]), ("cycle", [0, 1, 2, 0, 1]), ("fail", [0, 1, 2, None, None])],
)
def test_calls_take_their_entries(after: str, positions: list[int | None]) -> None:
    """The n-th call takes the n-th entry; behind the last, `after` says."""
    rule = parse_rule({"replies": ["a", "b"], "faults": [[], ["cut"], []], "after": after})
    assert [rule.position(call) for call in range(1, 6)] == positions
    assert [rule.reply_index(position) for position in range(3)] == [0, 1, 1]
    assert [rule.fault_index(position) for position in range(3)] == [0, 1, 2]
    assert Rule().reply_index(0) is None
    assert Rule().fault_index(0) is None
    assert [Rule().position(call) for call in (1, 2)] == [0, 0]


WIRE = sorted((FIXTURES / "scripts" / "wire").glob("*.json"))


@pytest.mark.parametrize("path", WIRE, ids=lambda path: path.stem)
def test_every_wire_case_is_a_script(path: Path) -> None:
    """It loads, the schema accepts it, and every attempt is a whole plan of its own."""
    script = load_script(path)
    SCHEMA.validate(json.loads(path.read_bytes()))
    assert [rule.name for rule in script.rules] == [path.stem]
    assert [[one.kind for one in many] for many in script.rules[0].faults] == [["plan"]] * len(script.rules[0].faults)


def test_all_wire_cases_are_there() -> None:
    """66 of them."""
    assert len(WIRE) == 66


@pytest.mark.parametrize(
    ("written", "near"),
    [("rply", "; did you mean 'reply'?"), ("replis", "; did you mean 'replies'?"), ("x", "")],
)
def test_the_key_that_most_rules_have_is_known(written: str, near: str) -> None:
    """`reply` is short for `replies`, and stands in no table; a misspelt one is told all the same."""
    with pytest.raises(ScriptError) as caught:
        parse_script([{written: "x"}])
    known = "after, faults, hold, match, name, priority, replies, reply, set, unsafe"
    assert caught.value.message == f"unknown key {written!r}; known: {known}{near}"
    assert caught.value.path == f"$.rules[0].{written}"


def test_a_far_word_is_no_guess() -> None:
    """'nope' is not meant to be 'openai'."""
    assert did_you_mean("nope", ["docs", "openai"]) == ""
    assert did_you_mean("opnai", ["docs", "openai"]) == "; did you mean 'openai'?"
