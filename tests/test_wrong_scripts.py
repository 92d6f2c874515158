"""Every wrong script is refused twice: by its schema, and by the parser, which says where and what is right."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator
from recordings import ROOT

from mockserver.errors import ScriptError
from mockserver.scripting.script import load_script, parse_script, script_schema

FILES = sorted((ROOT / "wrong" / "script").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_wrong_script_is_refused(path: Path) -> None:
    """Schema and parser object to the same place; the parser is at least as exact."""
    wrong = json.loads(path.read_text("utf-8"))
    assert set(wrong) == {"refused_by", "because", "at", "document"}
    assert wrong["refused_by"] == "schema/script.json"
    errors = list(Draft202012Validator(script_schema()).iter_errors(wrong["document"]))
    assert {error.json_path for error in errors} == {wrong["at"]}
    assert not jsonschema_rs.Draft202012Validator(script_schema()).is_valid(wrong["document"])
    with pytest.raises(ScriptError) as caught:
        parse_script(wrong["document"])
    assert caught.value.path.startswith(wrong["at"])


def test_there_are_wrong_scripts() -> None:
    """Scripts, rules, matches, faults and replies are all covered."""
    assert len(FILES) >= 15
    assert {path.stem.split("_")[0] for path in FILES} >= {"key", "rule", "match", "fault", "reply"}


def test_scripts_that_ship_are_accepted() -> None:
    """Every script in `fixtures/scripts` is one, by the parser and, read back as JSON, by the schema."""
    schema = jsonschema_rs.Draft202012Validator(script_schema())
    files = [path for path in (ROOT / "scripts").rglob("*") if path.is_file()]
    scripts = {str(path.relative_to(ROOT)): load_script(path) for path in files}
    assert [name for name, script in scripts.items() if not schema.is_valid(script.to_json())] == []
