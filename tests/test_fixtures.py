"""The wire as data: every schema accepts every recording of its kind, and everything in `fixtures/wrong` is refused.

Recordings are read by `tests/recordings.py`, a reading of its own. Two validators (jsonschema and jsonschema-rs, the
judge's and the fake's) must agree on every document.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator
from recordings import RECORDED, ROOT, Message, Recording, documents, read_recordings

SCHEMAS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "schema").glob("*.json"))}
WRONG = sorted((ROOT / "wrong").rglob("*.json"))
NEVER_RECORDED = {"info", "completion_batch_request", "exchange", "profile", "script", "recording_index"}
"""Schemas of what no real server was seen to send: ours, or only documented."""

Kind = tuple[str | None, str | None, str | None]
KINDS: dict[str, Kind] = {
    "/health": (None, "health", None),
    "/v1/models": (None, "models_list", None),
    "/v1/completions": ("completion_request", "completion_response", "completion_chunk"),
    "/v1/chat/completions": ("chat_request", "chat_response", "chat_chunk"),
    "/v1/embeddings": ("embeddings_request", "embeddings_response", None),
}
"""The schemas of a path: its request, its answer, the events of its stream."""


def kind(path: str) -> Kind:
    """The schemas of a path; none for a path without."""
    return (None, "model", None) if path.startswith("/v1/models/") else KINDS.get(path, (None, None, None))


@cache
def validators(name: str) -> tuple[Draft202012Validator, jsonschema_rs.Draft202012Validator]:
    return Draft202012Validator(SCHEMAS[name]), jsonschema_rs.Draft202012Validator(SCHEMAS[name])


def refusals(name: str, document: Any) -> set[str]:
    """Where the schema refuses the document (JSON paths); empty when it accepts. Both validators must agree."""
    judge, fake = validators(name)
    places = {error.json_path for error in judge.iter_errors(document)}
    assert fake.is_valid(document) == (not places), f"{name}: jsonschema says {sorted(places)}, jsonschema-rs differs"
    return places


def seen(recording: Recording) -> Iterator[tuple[str, Any]]:
    """What a recording shows, each with the schema that must accept it. Raises `KeyError` on an unknown kind."""
    for request, response in recording.exchanges():
        asked, answered, chunk = kind(request.path)
        is_stream = response.media_type == "text/event-stream"
        name = "error" if response.status >= 400 else chunk if is_stream else answered
        for document in documents(response):
            if name is None:
                raise KeyError(f"{recording.server}/{recording.file}: no schema for {request.path}")
            yield name, document
        if asked and response.status < 300 and request.method == "POST" and (body := whole_json(request)) is not None:
            yield asked, body


def whole_json(request: Message) -> Any:
    """The body of a request; None where the recorder cut it short (`...[23197 bytes cut]...`)."""
    return None if request.body.endswith(b" bytes cut]...") else json.loads(request.body)


@cache
def verdicts() -> dict[tuple[str, str, str], list[set[str]]]:
    """The refusals of all that was recorded, by schema, server and file."""
    found = defaultdict(list)
    for recording in read_recordings():
        for name, document in seen(recording):
            found[name, recording.server, recording.file].append(refusals(name, document))
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema(name: str) -> None:
    """Each file is valid JSON Schema 2020-12, names itself, and says what it is and where every field comes from."""
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    if name == "script":
        return  # generated from the vocabulary, whose classes are the description
    assert schema["$id"] == f"urn:inferneo:schema:{name}"
    assert schema["title"]
    assert schema["description"]
    silent = list(fields_without_description(schema, schema, "$"))
    assert not silent


def fields_without_description(schema: Any, root: Any, path: str) -> Iterator[str]:
    """The properties that nobody describes; those that only narrow a property described above do not count."""
    if not isinstance(schema, dict):
        return
    for key, value in schema.get("properties", {}).items():
        target = root["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        if "description" not in value and "description" not in target:
            yield f"{path}.{key}"
        yield from fields_without_description(value, root, f"{path}.{key}")
    yield from fields_without_description(schema.get("items"), root, f"{path}[]")
    for key, value in schema.get("$defs", {}).items():
        yield from fields_without_description(value, root, f"{path}#{key}")


def test_one_name_is_one_definition() -> None:
    """Schemas stand alone, so they repeat `$defs`: a name means the same in all of them."""
    meanings: dict[str, set[str]] = defaultdict(set)
    for name, schema in SCHEMAS.items():
        if name in {"script", "exchange", "profile"}:
            continue
        for key, definition in schema.get("$defs", {}).items():
            meanings[key].add(json.dumps(definition, sort_keys=True))
    assert {key: len(texts) for key, texts in meanings.items() if len(texts) > 1} == {}


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("nothing", [{}, [], None, "", 0, True])
def test_nothing_is_not_enough(name: str, nothing: Any) -> None:
    """No schema accepts an empty value, but the script's: all keys of a script are optional."""
    assert bool(refusals(name, nothing)) != (name == "script" and nothing == {})


def test_every_recording_is_accepted_or_a_listed_deviation() -> None:
    """Reality is the fourth witness: where a schema refuses a recording, one of them is wrong, and which is said.

    A listed deviation that no longer deviates fails too.
    """
    listed = json.loads((RECORDED / "deviations.json").read_text("utf-8"))
    reasons = {(entry["schema"], entry["server"], entry["file"]): entry["reason"] for entry in listed}
    refused = {key: places for key, found in verdicts().items() if any(places := [one for one in found if one])}
    assert len(reasons) == len(listed)
    assert all(reasons.values())
    assert set(refused) - set(reasons) == set(), refused
    assert set(reasons) - set(refused) == set()


def test_every_schema_was_held_against_reality() -> None:
    """The law above is not vacuous: five servers, and every schema of something a server sends, many times over."""
    counts = Counter(name for name, _, _ in verdicts())
    assert set(counts) == set(SCHEMAS) - NEVER_RECORDED
    assert len({server for _, server, _ in verdicts()}) == 5
    assert sum(len(found) for found in verdicts().values()) > 1000


@pytest.mark.parametrize("server", sorted(path.name for path in RECORDED.iterdir() if path.is_dir()))
def test_the_index_of_a_server(server: str) -> None:
    """The index has the form that its schema says, and agrees with the bytes: first status, unique names."""
    index = json.loads((RECORDED / server / "index.json").read_text("utf-8"))
    assert not refusals("recording_index", index)
    assert len({entry["name"] for entry in index}) == len(index)
    for recording in read_recordings():
        if recording.server != server or recording.entry["status"] is None:
            continue
        assert recording.response.startswith(b"HTTP/1.1 %d " % recording.entry["status"]), recording.file
        assert recording.file == recording.entry["name"] + ".http"


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").glob("*.json")), ids=lambda path: path.stem)
def test_a_profile_is_a_profile(path: Path) -> None:
    """Every profile that ships has the form that its schema says: no key is misspelt into meaning nothing."""
    assert not refusals("profile", json.loads(path.read_text("utf-8")))


def by_schema() -> list[Path]:
    """The wrong documents; those of laws and of scripts have tests of their own."""
    return [path for path in WRONG if path.parent.name in set(SCHEMAS) - {"script"}]


@pytest.mark.parametrize("path", by_schema(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_wrong_document_is_refused(path: Path) -> None:
    """The schema that the file names refuses its document, at the one place that the file names."""
    wrong = json.loads(path.read_text("utf-8"))
    assert set(wrong) == {"refused_by", "because", "at", "document"}
    assert wrong["refused_by"] == f"schema/{path.parent.name}.json"
    assert wrong["because"]
    assert refusals(path.parent.name, wrong["document"]) == {wrong["at"]}


def test_every_schema_has_wrong_documents() -> None:
    """No schema is so lenient that nothing was found for it to refuse."""
    counts = Counter(path.parent.name for path in by_schema())
    assert {name for name in set(SCHEMAS) - {"script"} if counts[name] < 2} == set()
    assert counts.total() >= 60
