"""Profiles are files: read, merged, compiled, and refused in one sentence when they mean nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from asking import CHAT, chat, events, post, reply

from mockserver import fixtures
from mockserver.model.answer import Answerer
from mockserver.model.profile import ProfileError, compile_profile, load_profile, merge, names, read_profile

SCHEMA = json.loads((fixtures.path() / "schema" / "profile.json").read_text(encoding="utf-8"))


def _write(directory: Path, data: Any, name: str = "own") -> Path:
    path = directory / f"{name}.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", names())
def test_profiles_of_the_kit(name: str) -> None:
    """Each is valid by its schema and compiles under its own name."""
    path = fixtures.path() / "profiles" / f"{name}.json"
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(path.read_text(encoding="utf-8")))
    assert load_profile(name).name == name
    assert {"docs", "engine", "openai"} <= set(names())


def test_a_new_profile_is_a_file(tmp_path: Path) -> None:
    """Spaced and escaped JSON, other ids, no end mark, another word for an error: all of it data."""
    path = _write(
        tmp_path,
        {
            "extends": "docs",
            "json": {"spaced": True, "escaped": True},
            "done": None,
            "id_length": 8,
            "documents": {"error": {"oops": {"why": "$message", "text": "[${code}] ${message}"}}},
        },
    )
    answerer = Answerer(load_profile(path))
    assert answerer.profile.name == "own"
    plan = answerer.plan(post(CHAT, chat(max_tokens=3)))
    data = plan.steps[1].data  # type: ignore[union-attr]  # a body
    assert b'"object": "chat.completion", "created": 0' in data
    assert data.isascii()
    assert len(reply(plan)["id"]) == len("chatcmpl-") + 8
    assert events(answerer.plan(post(CHAT, chat(stream=True))))[-1] != "[DONE]"
    refused = reply(answerer.plan(post(CHAT, chat(model="é%s"))))
    assert refused["oops"]["text"].startswith("[model_not_found] The model 'é%s' does not exist; served: meta-llama/")
    spaced = answerer.plan(post(CHAT, chat(n=2, logprobs=True)))
    assert b"}, {" in spaced.steps[1].data  # type: ignore[union-attr]  # a body
    assert reply(spaced)["choices"][1]["index"] == 1


def test_merging() -> None:
    """Objects by key, `-` takes away, documents are replaced whole."""
    base = {"a": {"x": 1, "y": {"z": 2}}, "b": 3, "documents": {"d": {"k": 1, "l": 2}}}
    over = {"a": {"-": ["x"], "y": {"w": 4}}, "-": ["b"], "documents": {"d": {"k": 5}}}
    assert merge(base, over) == {"a": {"y": {"z": 2, "w": 4}}, "documents": {"d": {"k": 5}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"routes": {"/x": {"methods": {"GET": "modells"}}}}, "did you mean 'models'"),
        ({"fields": {"chat": {"n": {"tpye": "integer"}}}}, "fields.chat.n: unknown key 'tpye'"),
        ({"fields": {"chat": {"n": {"type": "integre"}}}}, "fields.chat.n: unknown type 'integre'"),
        ({"-": ["context"]}, "the key 'context' is missing"),
        ({"documents": {"usage": {"a": "$promt_tokens"}}}, "documents.usage: unknown hole '\\$promt_tokens'"),
        ({"reading": {"max": 5}}, "unexpected keyword"),
        ({"headers": {"json": 5}}, "has no attribute"),
        ({"shapes": {"chat": {"id": "x"}}}, "is missing"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The error names the profile's key."""
    path = _write(tmp_path, {"extends": "docs", **change})
    with pytest.raises(ProfileError, match=message):
        load_profile(path)


def test_files_that_are_no_profile(tmp_path: Path) -> None:
    """Not there, not JSON, not an object, extending itself."""
    with pytest.raises(ProfileError, match="did you mean 'docs'"):
        load_profile("dosc")
    with pytest.raises(ProfileError, match="no JSON file"):
        load_profile(_write(tmp_path, "{"))
    with pytest.raises(ProfileError, match="this is list"):
        load_profile(_write(tmp_path, []))
    loop = tmp_path / "loop.json"
    with pytest.raises(ProfileError, match="extends itself"):
        load_profile(_write(tmp_path, {"extends": str(loop)}, "loop"))


def test_a_field_may_be_refused_or_listed() -> None:
    """`refuse` gives a named error, `enum` a list, lengths bounds: all are data."""
    data = merge(
        read_profile("docs"),
        {
            "fields": {
                "chat": {
                    "seed": {"refuse": "quota"},
                    "user": {"min_length": 2, "max_length": 3},
                    "metadata": {"type": "object", "null": True},
                    "priority": {"lt": 3.5, "enum": [1, 2]},
                }
            }
        },
    )
    answerer = Answerer(compile_profile(data))

    def code(**fields: Any) -> int:
        return answerer.plan(post(CHAT, chat(**fields))).steps[0].status  # type: ignore[union-attr]  # a head

    assert [code(seed=1), code(seed=None)] == [429, 200]
    assert [code(user="a"), code(user="ab"), code(user="abcd")] == [400, 200, 400]
    assert [code(metadata={}), code(metadata=[])] == [200, 400]
    assert [code(priority=1), code(priority=0), code(priority=4)] == [200, 400, 400]


def test_where_the_fixtures_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the package in a wheel, beside the checkout else; neither is said clearly."""
    fixtures.path.cache_clear()
    monkeypatch.setattr(fixtures, "__file__", str(tmp_path / "mockserver" / "fixtures.py"))
    with pytest.raises(FileNotFoundError, match="no fixtures"):
        fixtures.path()
    (tmp_path / "mockserver" / "_fixtures" / "profiles").mkdir(parents=True)
    assert fixtures.path() == tmp_path / "mockserver" / "_fixtures"
    fixtures.path.cache_clear()
