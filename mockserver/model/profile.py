"""A profile is a file: how one kind of server words every reply. This module reads it and compiles it once.

`load_profile(name)` finds `fixtures/profiles/<name>.json`, or takes a path. `"extends": "docs"` takes over another
profile: objects are merged key by key, `"-": [keys]` takes keys away, each entry of `documents` is replaced whole.
The format is described in `docs/profiles.md`. Nothing here knows a dialect; a new one needs no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mockserver import fixtures
from mockserver.errors import MockError
from mockserver.model.fields import KEYS, Field, Grammar, Messages
from mockserver.model.jsontext import Reading
from mockserver.model.template import Style, Template, holes_of
from mockserver.model.validate import TYPES
from mockserver.plan import Headers
from mockserver.suggest import unknown

ACTIONS = (
    *("health", "metrics", "models", "model", "info", "stats", "dashboard", "openapi", "reference"),
    *("completion", "batch", "chat", "embedding"),
)
"""What a route may do."""


class ProfileError(MockError, ValueError):
    """A profile file says something that means nothing; the message names the file's key."""


@dataclass(frozen=True, slots=True)
class Route:
    """One path and what each method does there. `open`: no key is asked for."""

    path: str
    methods: Mapping[str, str]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A named error: its status, the template of its message, and its own body where it has one."""

    status: int
    message: Template
    type: str | None = None
    code: str | None = None
    param: str | None = None
    headers: Headers = ()
    body: Template | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Complaints:
    """How issues of validation are worded: one body for all of them (`issue` set), or an error about the first."""

    messages: Mapping[str, tuple[str, Template]]
    body: Template | None = None
    issue: Template | None = None
    status: int = 400


@dataclass(frozen=True, slots=True)
class Shape:
    """The documents of one endpoint that generates text: the whole response and each event of a stream."""

    id: str
    whole: Template
    choice: Template
    content: Template
    role: Template | None = None
    tool: Template | None = None
    arguments: Template | None = None
    finish: Template | None = None
    usage: Template | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A compiled profile. `data` is the file (with what it extends), for what is read seldom."""

    name: str
    data: Mapping[str, Any]
    style: Style
    reading: Reading
    routes: Mapping[str, Route]
    prefixes: tuple[tuple[str, Route], ...]
    grammars: Mapping[str, Grammar]
    documents: Mapping[str, Template]
    shapes: Mapping[str, Shape]
    errors: Mapping[str, Refused]
    error_body: Template
    complaints: Complaints
    headers: Mapping[str, Headers]
    done: bytes | None
    context: int
    end_token: int
    overhead: tuple[int, int]
    id_length: int = 32
    image_tokens: Mapping[str, int] = field(default_factory=dict)

    def option(self, name: str, default: Any = None) -> Any:
        """A setting of the file's top level."""
        return self.data.get(name, default)


def names() -> tuple[str, ...]:
    """The profiles that come with the kit."""
    return tuple(sorted(path.stem for path in (fixtures.path() / "profiles").glob("*.json")))


def load_profile(name: str | Path) -> Profile:
    """The profile of that name, or in that file. Raises `ProfileError`."""
    return compile_profile(read_profile(name))


def read_profile(name: str | Path) -> dict[str, Any]:
    """The data of a profile with what it extends merged in. Raises `ProfileError`."""
    return _read(name, ())


def _read(name: str | Path, seen: tuple[str, ...]) -> dict[str, Any]:
    path = Path(name) if str(name).endswith(".json") else fixtures.path() / "profiles" / f"{name}.json"
    if str(path) in seen:
        raise ProfileError(f"the profile {path.name} extends itself")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        hint = unknown("profile", str(name), names())
        raise ProfileError(f"{hint}; a path ends in .json") from error
    except (OSError, ValueError) as error:
        raise ProfileError(f"{path}: no JSON file: {error}") from error
    if not isinstance(data, dict):
        raise ProfileError(f"{path}: a profile is a JSON object, this is {type(data).__name__}")
    base = data.pop("extends", None)
    data.setdefault("name", path.stem)
    return data if base is None else merge(_read(base, (*seen, str(path))), data)


def merge(base: Mapping[str, Any], over: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """`base` with what `over` says: objects by key, everything else replaced, keys under `-` taken away."""
    found = {key: value for key, value in base.items() if key not in over.get("-", ())}
    for key, value in over.items():
        if key == "-":
            continue
        whole = path in {"documents", "shapes", "errors"}
        both = isinstance(value, dict) and isinstance(found.get(key), dict) and not whole
        found[key] = merge(found[key], value, key) if both else value
    return found


def compile_profile(data: Mapping[str, Any]) -> Profile:
    """A profile from its data. Raises `ProfileError` that names the key."""
    try:
        return _compile(data)
    except KeyError as error:
        raise ProfileError(f"profile {data.get('name', '?')}: the key {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ProfileError(f"profile {data.get('name', '?')}: {error}") from error


def _compile(data: Mapping[str, Any]) -> Profile:
    style = Style(**data.get("json", {}))
    documents = {name: Template(document, style) for name, document in data["documents"].items()}
    _check_holes(documents)
    routes = {path: _route(path, entry) for path, entry in data["routes"].items()}
    messages = data.get("messages", {})
    return Profile(
        name=data["name"],
        data=data,
        style=style,
        reading=Reading(**data.get("reading", {})),
        routes={path: route for path, route in routes.items() if "{" not in path},
        prefixes=tuple((path.split("{")[0], route) for path, route in routes.items() if "{" in path),
        grammars={name: _grammar(name, entry, data) for name, entry in data["fields"].items()},
        documents=documents,
        shapes={name: _shape(entry, documents) for name, entry in data["shapes"].items()},
        errors={name: _refused(entry, style) for name, entry in data["errors"].items()},
        error_body=documents["error"],
        complaints=_complaints(data["validation"], style),
        headers={name: to_headers(entry) for name, entry in data["headers"].items()},
        done=None if data.get("done", "[DONE]") is None else str(data.get("done", "[DONE]")).encode(),
        context=data["context"],
        end_token=int(data.get("end_token", False)),
        overhead=(data.get("overhead", {}).get("message", 0), data.get("overhead", {}).get("reply", 0)),
        id_length=data.get("id_length", 32),
        image_tokens={name: part.get("tokens", 0) for name, part in messages.get("parts", {}).items()},
    )


def to_headers(entry: Mapping[str, Any]) -> Headers:
    """Header fields as they are sent, from an object of texts."""
    return tuple((name.encode("latin-1"), str(value).encode("latin-1")) for name, value in entry.items())


def _route(path: str, entry: Mapping[str, Any]) -> Route:
    for action in entry["methods"].values():
        if action not in ACTIONS:
            raise ProfileError(f"routes.{path}: {unknown('action', action, ACTIONS)}")
    return Route(path, entry["methods"], bool(entry.get("open", False)))


def _grammar(name: str, entry: Mapping[str, Any], data: Mapping[str, Any]) -> Grammar:
    found = {}
    for key, settings in entry.items():
        at = f"fields.{name}.{key}"
        for setting in settings:
            if setting not in KEYS:
                raise ProfileError(f"{at}: {unknown('key', setting, KEYS)}")
        if settings["type"] not in TYPES:
            raise ProfileError(f"{at}: {unknown('type', settings['type'], TYPES)}")
        found[key] = Field(key, **_frozen(settings))
    rules = _frozen(data.get("messages", {}))
    coerce = frozenset(data.get("coerce", ["integral"]))
    return Grammar(found, Messages(**rules), data.get("unknown_fields", "ignore"), coerce)


def _frozen(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def _refused(entry: Mapping[str, Any], style: Style) -> Refused:
    body = entry.get("body")
    return Refused(
        status=entry["status"],
        message=Template(entry.get("message", ""), style),
        type=entry.get("type"),
        code=entry.get("code"),
        param=entry.get("param"),
        headers=to_headers(entry.get("headers", {})),
        body=None if body is None else Template(body, style),
        text=entry.get("text"),
    )


def _complaints(entry: Mapping[str, Any], style: Style) -> Complaints:
    messages = {}
    for kind, text in entry["messages"].items():
        type_, words = (kind, text) if isinstance(text, str) else (text["type"], text["text"])
        messages[kind] = (type_, Template(words, style))
    body, issue = entry.get("body"), entry.get("issue")
    return Complaints(
        messages=messages,
        body=None if body is None else Template(body, style),
        issue=None if issue is None else Template(issue, style),
        status=entry.get("status", 400),
    )


_HOLES = {
    *("id", "created", "model", "index", "text", "finish", "logprobs", "has_logprobs", "choices", "usage", "no_usage"),
    *("tool", "tool_calls", "call", "name", "prompt_tokens", "completion_tokens", "total_tokens"),
    *("message", "type", "param", "code", "status", "models", "data", "embedding"),
}
_FREE = {"model", "info", "stats"}
"""Documents that may ask for any fact of a model or of the server."""


def _check_holes(documents: Mapping[str, Template]) -> None:
    for name, template in documents.items():
        for hole in sorted(holes_of(template.document) - _HOLES):
            if name not in _FREE:
                raise ProfileError(f"documents.{name}: {unknown('hole', '$' + hole, _HOLES)}")


_EVENTS: Sequence[str] = ("role", "content", "tool", "arguments", "finish")


def _shape(entry: Mapping[str, Any], documents: Mapping[str, Template]) -> Shape:
    """The events of a stream are the chunk document with one choice document put in; without one, as they are."""
    chunk = documents[entry["chunk"]] if "chunk" in entry else Template("$choices", documents[entry["content"]].style)
    events: dict[str, Template] = {}
    for name in _EVENTS:
        if entry.get(name) is not None:
            one = documents[entry[name]].document
            events[name] = Template(_put(chunk.document, [one]) if "chunk" in entry else one, chunk.style)
    if entry.get("usage") is not None:
        events["usage"] = documents[entry["usage"]]
    return Shape(id=entry["id"], whole=documents[entry["whole"]], choice=documents[entry["choice"]], **events)


def _put(document: Any, choices: list[Any]) -> Any:
    """The document with the hole `$choices` replaced by documents."""
    if document == "$choices":
        return choices
    if isinstance(document, Mapping):
        return {key: _put(value, choices) for key, value in document.items()}
    return document
