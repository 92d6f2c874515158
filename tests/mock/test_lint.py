"""The linter: what can be read and is still suspicious; no finding is a guess."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import cli
from mockserver.scripting.dsl import chat, on, script
from mockserver.scripting.lint import covers, lint, lint_text
from mockserver.scripting.match import AnyOf, Match, Not
from mockserver.scripting.mistakes import LIMIT, mistakes, parts_of
from mockserver.scripting.script import parse_script, script_schema
from mockserver.scripting.slips import METHODS

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("rules:\n  - macth: {}\n", 2, "did you mean 'match'"),
        (
            "rules:\n  - match: {contains: a}\n    reply: x\n  - match: {contains: ab}\n    reply: y\n",
            4,
            "never reached",
        ),
        ("rules:\n  - reply: x\n  - match: {model: m}\n    reply: y\n", 3, "rules[0] is asked before"),
        ("rules:\n  - match: {method: GET, contains: a}\n", 2, "a GET has no body"),
        ("rules:\n  - match: {any: []}\n", 2, "matches nothing"),
        ("rules:\n  - match: {all: [{model: a}, {model: b}]}\n", 2, "cannot be 'a' and 'b'"),
        ("rules:\n  - match: {state: {a: b}}\n", 2, "no rule sets the state 'a' to 'b'"),
        ("rules:\n  - match: {nth: 1}\n    replies: [a, b]\n", 2, "called once"),
        (
            f"rules:\n  - match: {{path: {CHAT}}}\n    reply: {{json: {{text: a}}}}\n",
            3,
            "breaks the schema chat_response",
        ),
        (f"rules:\n  - match: {{path: {CHAT}}}\n    reply: {{raw: oops}}\n", 3, "no JSON"),
        ("rules:\n  - reply: {fixture: nothing}\n", 2, "unknown fixture"),
    ],
)
def test_each_finding_has_its_line(text: str, line: int, words: str) -> None:
    """One finding, at its line, with the words that help."""
    remarks = lint_text(text.encode(), "s.yaml")
    assert len(remarks) == 1, remarks
    assert remarks[0].place is not None
    assert remarks[0].place.line == line
    assert words in remarks[0].message
    assert str(remarks[0]).startswith(f"s.yaml:{line}:")


MANY = """\
sed: 5
limits: {requests_per_minute: 0}
rules:
  - macth: {}
    reply: {txet: a}
  - name: a
    name: b
    match: {path: 5, contains: x}
    faults: [[cutt, cut, {kind: delay}], [{kind: status, status: 9, sttus: 1}]]
  - name: good
    reply: x
  - {reply: x, replies: [y], name: good, priority: high, "od d": 1}
faults: [{kind: delay, seconds: 1}, {kind: stall, seconds: -1}]
"""


def test_a_file_has_all_its_mistakes_told() -> None:
    """Each with its own line and column; what only follows from another is no finding."""
    remarks = lint_text(MANY.encode(), "s.yaml")
    told = [(one.place.line, one.place.column, one.path) for one in remarks if one.place is not None]
    assert told == [
        (1, 1, "$.sed"),
        (2, 1, "$.limits"),
        (4, 5, "$.rules[0].macth"),
        (5, 13, "$.rules[0].reply.txet"),
        (7, 5, "$.rules[1].name"),
        (8, 13, "$.rules[1].match.path"),
        (9, 15, "$.rules[1].faults[0][0].kind"),
        (9, 26, "$.rules[1].faults[0][2]"),
        (9, 58, "$.rules[1].faults[1][0].status"),
        (9, 69, "$.rules[1].faults[1][0].sttus"),
        (12, 6, "$.rules[3].reply"),
        (12, 30, "$.rules[3].name"),
        (12, 42, "$.rules[3].priority"),
        (12, 58, "$.rules[3]['od d']"),
        (13, 51, "$.faults[1].seconds"),
    ]
    assert "unknown key 'sed'" in remarks[0].message
    assert lint_text(json.dumps([{"match": {"modl": 1}}, {"repl": 1}]).encode())[1].path == "$.rules[1].repl"
    assert [str(one.place) for one in lint_text(b"[{repl: 1},\n {repl: 2}]", "s")] == ["s:1:3", "s:2:3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("rules: [", "no YAML"), ("5", "expected an object"), ("rules: 5", "expected a list"), ("&a [*a]", "")],
)
def test_what_is_no_document_has_one_mistake(text: str, words: str) -> None:
    """Nobody knows what is meant behind it."""
    remarks = lint_text(text.encode(), "s.yaml")
    assert len(remarks) == 1
    assert words in remarks[0].message


@given(st.lists(st.sampled_from(["ok", "bad key", "bad value", "bad kind", "missing"]), max_size=8))
def test_there_are_as_many_findings_as_mistakes(kinds: list[str]) -> None:
    """However they lie, each at the place of its own rule; a good one has none."""
    rules = {
        "ok": {"reply": "x", "faults": [["cut"]]},
        "bad key": {"repl": "x"},
        "bad value": {"priority": "high"},
        "bad kind": {"faults": [["cut", {"kind": "cutt", "a": 1}, "cut"]]},
        "missing": {"faults": [["cut", {"kind": "delay"}]]},
    }
    found = mistakes({"rules": [rules[kind] for kind in kinds]}, parse_script)
    assert [parts_of(error.path)[1] for error in found] == [n for n, kind in enumerate(kinds) if kind != "ok"]
    if not found:
        assert len(parse_script({"rules": [rules[kind] for kind in kinds]}).rules) == len(kinds)


def test_paths_are_read_as_they_are_written() -> None:
    """Keys, indexes, odd keys; a document of nothing but mistakes ends."""
    assert parts_of("$.rules[0].match['a.b'][\"it's\"].x-y") == ["rules", 0, "match", "a.b", "it's", "x-y"]
    assert parts_of("$") == []
    assert len(mistakes({f"k{number}": 1 for number in range(2 * LIMIT)}, parse_script)) == LIMIT


EMPTY = "an empty script: it has no rules and changes nothing"


def told(text: str) -> list[str]:
    return [str(one) for one in lint_text(text.encode(), "f")]


@pytest.mark.parametrize(
    ("match", "column", "words"),
    [
        ("method: psot", 12, "no client sends the method 'PSOT'; did you mean 'POST'?"),
        ("method: BREW", 12, f"no client sends the method 'BREW'; known: {', '.join(METHODS)}"),
        (
            "header: {Authorisation: x}",
            12,
            "the header 'Authorisation' is like 'authorization', which clients send; did you mean 'authorization'?",
        ),
        ("path: v1/chat/completions", 12, "no profile has the path 'v1/chat/completions'; did you mean '/v1/chat/comp"),
    ],
)
def test_a_slip_in_a_match_is_a_warning(match: str, column: int, words: str) -> None:
    """It may be meant, and is most likely not."""
    (said,) = told(f"- match: {{ {match} }}\n  reply: x\n")
    key = match.split(":")[0]
    assert said.startswith(f"f:1:{column}: $.rules[0].match.{key}: warning: {words}")


def test_slips_are_found_in_every_part_of_a_match() -> None:
    """And what is as clients send it, or like nothing that they send, is none."""
    (said,) = lint(parse_script([{"match": {"any": [{"method": "gett"}, {"method": "get"}]}}]))
    assert (said.path, said.warning) == ("$.rules[0].match", True)
    for header in ("Authorization", "X-Api-Key", "x-tenant", "x-trace", "openai-beta"):
        assert lint(parse_script([{"match": {"header": {header: True}}}])) == []


@pytest.mark.parametrize(
    ("reply", "faults", "words"),
    [
        (
            "one two",
            [{"kind": "cut", "at": "content[9]"}],
            "'one two' has no place 'content[9]'; it has content[0] to [1]",
        ),
        (
            "one",
            [{"kind": "drop", "at": "content[1]"}],
            "the reply 'one' has no place 'content[1]'; it has content[0],",
        ),
        (
            "",
            [{"kind": "drop", "at": "content[0]"}],
            "the reply '' has no place 'content[0]'; it has no content at all",
        ),
        ("one two", [{"kind": "cut", "at": "content[1]"}], ""),
        ("one two", [{"kind": "cut", "at": "finish"}], ""),
        ("one two", [{"kind": "cut", "after_events": 9}], ""),
        ("one two", [[]], ""),
        ({"json": {}, "unsafe": True}, [{"kind": "cut", "at": "content[9]"}], ""),
    ],
)
def test_a_place_that_the_text_does_not_have_is_a_warning(reply: object, faults: list[object], words: str) -> None:
    """Where the fault is written, not when a request comes; the place is the fake's own."""
    found = lint(parse_script([{"match": {"path": "/v1/chat/completions"}, "reply": reply, "faults": faults}]))
    assert [(one.path, one.warning) for one in found] == ([("$.rules[0].faults[0][0].at", True)] if words else [])
    assert words in "".join(one.message for one in found)


def test_each_call_is_weighed_with_its_own_reply() -> None:
    """The second fault list belongs to the second reply; a long text is shortened."""
    rule = {"replies": ["a b c d", "a " * 40], "faults": [[{"kind": "cut", "at": "content[3]"}], ["cut"]]}
    assert lint(parse_script([rule])) == []
    rule["faults"][1] = [{"kind": "cut", "at": "content[99]"}]  # type: ignore[index]  # a list of lists
    (said,) = lint(parse_script([rule]))
    assert said.path == "$.rules[0].faults[1][0].at"
    assert "a a..." in said.message


def test_good_scripts_have_no_finding() -> None:
    """What is meant, and said to be, is not remarked on."""
    good = script(
        on(chat(contains="ab")).reply("x"),
        on(chat(contains="a")).reply({"json": {"text": "a"}, "unsafe": True}),
        on(chat(role="system", contains="ab")).reply("y").first(),
        on(chat(state={"a": None})).sets(a="b").reply("z"),
        on(~chat()).reply({"json": 1}),
    )
    assert [str(one) for one in lint(good)] == []
    assert [(one.message, one.warning) for one in lint_text(b"")] == [(EMPTY, True)]


def test_cover_is_never_guessed() -> None:
    """Wider and narrower, and pairs where nobody can know."""
    assert covers(Match(), chat(model="m"))
    assert covers(Match(path="/v1/*"), chat())
    assert covers(AnyOf((chat(), Match(model="a"))), chat(stream=True))
    assert covers(chat(), AnyOf((chat(model="a"), chat(model="b"))))
    assert covers(chat(), chat() & Match(model="m"))
    assert covers(Not(chat(model="a")), Not(chat()))
    assert covers(Match(json={"a": 1}), Match(json={"a": 1, "b": 2}))
    assert covers(Match(tools=("a",)), Match(tools=("a", "b")))
    assert covers(Match(header={"x": "1"}), Match(header={"x": "1", "y": "2"}))
    for wide, narrow in (
        (chat(contains="ab"), chat(contains="a")),
        (chat(role="user", contains="a"), chat(contains="a")),
        (chat(regex="a"), chat(contains="a")),
        (Not(chat()), Match(path="/x")),
        (Match(path="/v1/*/x"), Match(path="/v1/y")),
        (Match(turn=1), Match(turn=2)),
    ):
        assert not covers(wide, narrow)


def test_the_command_says_it_with_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0: nothing; 1: findings, one a line; 2: no such file."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("rules: [{reply: x}]\n")
    bad.write_text("rules:\n  - reply: x\n  - reply: y\n")
    assert cli.main(["lint", str(good)]) == 0
    assert cli.main(["lint", str(good), str(bad)]) == 1
    assert capsys.readouterr().out.startswith(f"{bad}:3:5: $.rules[1]: never reached")
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert cli.main(["lint", str(empty)]) == 0
    assert capsys.readouterr().out == f"{empty}:1:1: $: warning: {EMPTY}\n"
    assert cli.main(["lint", "--strict", str(empty)]) == 1
    capsys.readouterr()
    assert cli.main(["lint", "--json", str(bad)]) == 1
    assert json.loads(capsys.readouterr().out)["line"] == "3"
    with pytest.raises(SystemExit) as caught:
        cli.main(["lint", str(tmp_path / "none.yaml")])
    assert caught.value.code == 2


def test_the_schema_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """The very schema that ships as fixtures/schema/script.json."""
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(script_schema()))
    assert parse_script({"rules": []}).rules == ()


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("{path: /v1/chat/completion}", "no profile has the path '/v1/chat/completion'; did you mean '/v1/chat/compl"),
        ("{path: /nowhere}", "no profile has the path '/nowhere'; known: /dashboard, /docs, "),
        ("{any: [{path: /v1/model}, {model: a}]}", "did you mean '/v1/models'"),
        ("{path: '/v1/chat/completions?a=b'}", "did you mean '/v1/chat/completions'"),
        ("{path: /V1/models}", "did you mean '/v1/models'"),
        ("{path: '/v2/*/completions'}", "no profile has the path '/v2/*/completions'; did you mean '/v1/"),
        ("{path: '/v1/*/completions'}", ""),
        ("{path: '/v1/models/a*'}", ""),
        ("{path: '*'}", ""),
        ("{path: '/v1/*'}", ""),
        ("{path: /v1/models/any-model}", ""),
        ("{path: /stats}", ""),
        ("{path: /ws}", ""),
        ("{not: {path: /nowhere}}", ""),
    ],
)
def test_a_path_that_no_profile_has_is_a_warning(
    match: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At its place, with the nearest known one; the exit code is another with --strict alone."""
    path = tmp_path / "s.yaml"
    path.write_text(f"rules:\n  - match: {match}\n    reply: x\n")
    assert cli.main(["lint", str(path)]) == 0
    told = capsys.readouterr().out
    assert words in told
    assert (told == "") == (words == "")
    assert cli.main(["lint", "--strict", "--json", str(path)]) == int(bool(words))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["line"], row["level"]) for row in rows] == [("2", "warning")] * bool(words)


def test_the_paths_of_the_script_s_own_profile_are_known(tmp_path: Path) -> None:
    """A profile in a file adds its routes."""
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"extends": "docs", "routes": {"/v1/mine": {"methods": {"GET": "health"}}}}))
    rules = [{"match": {"path": "/v1/mine"}, "reply": "x"}]
    assert lint(parse_script({"profile": str(own), "rules": rules})) == []
    (remark,) = lint(parse_script({"rules": rules}))
    assert str(remark).startswith("$.rules[0].match.path: warning: no profile has the path '/v1/mine'")


def test_an_unsafe_rule_or_script_may_break_the_schema() -> None:
    """One word for the whole rule, or for all of them; nothing else is excused by it."""
    broken = {"match": {"path": "/v1/chat/completions"}, "reply": {"json": {"no": "choices"}}}
    assert len(lint(parse_script([broken]))) == 1
    assert lint(parse_script([{**broken, "unsafe": True}])) == []
    assert lint(parse_script({"unsafe": True, "rules": [broken]})) == []
    assert [one.path for one in lint(parse_script([broken, {**broken, "unsafe": True}]))] == [
        "$.rules[0].reply",
        "$.rules[1]",  # never reached
    ]
