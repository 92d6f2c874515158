"""The page, the schema file and the command are what the classes say."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mockserver.commands import faults as faults_command
from mockserver.errors import ScriptError
from mockserver.faults import Fault, kinds
from mockserver.scripting import catalogue
from mockserver.scripting.script import parse_script_text, script_schema

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("path", list(catalogue.files(ROOT)), ids=lambda path: path.name)
def test_the_files_are_what_the_registry_makes(path: Path) -> None:
    """`python -m mockserver.scripting.catalogue` would change nothing."""
    assert path.read_bytes().decode() == catalogue.files(ROOT)[path], "run python -m mockserver.scripting.catalogue"


def test_the_command_writes_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It writes what `files` says, where it says."""
    monkeypatch.setattr(catalogue, "files", lambda _: {tmp_path / "x": "text\n"})
    assert catalogue.main() == 0
    assert (tmp_path / "x").read_text() == "text\n"


def test_the_schema_is_a_schema() -> None:
    """It is legal JSON Schema 2020-12 and every kind is in it."""
    Draft202012Validator.check_schema(script_schema())
    assert script_schema()["$defs"]["fault"]["anyOf"][0]["enum"] == list(kinds())


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_example_is_a_script(kind: str) -> None:
    """`--example` prints a script that loads, holds the fault, and that the schema accepts."""
    script = parse_script_text(catalogue.example_script(kind).encode())
    told = json.loads(json.dumps(script.to_json()))
    Draft202012Validator(script_schema()).validate(told)
    held: list[Fault] = [*script.faults, *(one for rule in script.rules for many in rule.faults for one in many)]
    assert [one.kind for one in held] == [kind]


def command(*words: str) -> int:
    """Run the subcommand."""
    parser = argparse.ArgumentParser()
    faults_command.configure(parser)
    return faults_command.run(parser.parse_args(words))


def test_the_list_has_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each, under its group; as JSON with its settings."""
    assert command() == 0
    told = capsys.readouterr().out
    assert all(f"\n  {kind} " in told for kind in kinds())
    assert command("--json") == 0
    listed = {one["kind"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(listed) == list(kinds())
    assert listed["delay"]["settings"][0] == {"name": "seconds", "type": "number >= 0", "default": ""}


def test_one_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """Its docstring and its settings with their defaults."""
    assert command("cut") == 0
    assert 'how: fin, rst, half ["rst"]' in capsys.readouterr().out
    assert command("delay") == 0
    assert "seconds: number >= 0 [required]" in capsys.readouterr().out
    assert command("cut", "--example") == 0
    assert "kind: cut" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["cutt"], ["--example"]])
def test_mistakes_are_said(words: list[str]) -> None:
    """As errors of the user's."""
    with pytest.raises(ScriptError, match=r"did you mean 'cut'|--example needs a kind"):
        command(*words)


def test_the_words_for_types() -> None:
    """Enough to write a setting."""
    assert catalogue.type_words({"type": ["number", "string"]}) == "number or string"
    assert catalogue.type_words({"type": "integer", "minimum": 1, "maximum": 5}) == "integer 1 to 5"
    assert catalogue.type_words({"type": "integer"}) == "integer"
    assert catalogue.type_words({}) == "any JSON"
