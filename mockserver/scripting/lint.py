"""What is suspicious in a script that can be read: rules that can never answer, replies that no client may get.

Laws: a finding is about one place of the script; a rule is called shadowed only where every request that it is for is
surely taken by one asked before it, so no finding is a guess. What breaks the response's schema on purpose says
`unsafe: true`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mockserver import fixtures
from mockserver.errors import Place, ScriptError
from mockserver.model import recorded
from mockserver.reply import Fixture, Json, RawBytes, Reply, Template
from mockserver.scripting.match import AllOf, AnyOf, Match, Matcher, Not, part_of
from mockserver.scripting.paths import is_known, known_paths
from mockserver.scripting.rule import Rule
from mockserver.scripting.script import Script, parse_script
from mockserver.scripting.slips import missed_places, slips
from mockserver.settings import dump_object
from mockserver.suggest import did_you_mean

RESPONSES = {
    "/v1/chat/completions": "chat_response",
    "/v1/completions": "completion_response",
    "/v1/embeddings": "embeddings_response",
    "/v1/models": "models_list",
}
"""Which schema of `fixtures/schema` a response of a path has."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding: where (JSON path, and line and column if the script came from a file), and what. A `warning` is of
    what may well be meant.
    """

    path: str
    message: str
    place: Place | None = None
    warning: bool = False

    def __str__(self) -> str:
        """`file:line:column: path: message`, as editors read it."""
        said = f"{self.path}: {'warning: ' * self.warning}{self.message}"
        return f"{self.place}: {said}" if self.place else said


def lint_text(data: bytes, name: str = "") -> list[Remark]:
    """All that is wrong with the script in YAML or JSON bytes. What is suspicious is told of one that can be read."""
    from mockserver.scripting.yamltext import places_of, read_mistakes, read_yaml  # PyYAML takes 20 ms to import

    if wrong := read_mistakes(data, parse_script, name):
        return [Remark(error.path, error.message, error.place) for error in wrong]
    script = read_yaml(data, parse_script, name)
    if script == Script():
        empty = "an empty script: it has no rules and changes nothing"
        return [Remark("$", empty, Place(1, 1, name), warning=True)]  # `serve` takes it
    places = places_of(data, name)
    return [dataclasses.replace(one, place=places(one.path)) for one in lint(script)]


def lint(script: Script) -> list[Remark]:
    """All that is suspicious, in the order of the script."""
    found = [*_shadowed(script), *_names(script)]
    for number, rule in enumerate(script.rules):
        path = f"$.rules[{number}]"
        found += _contradictions(rule.matcher, f"{path}.match")
        found += _unknown_paths(rule.matcher, f"{path}.match", script.profile)
        found += _slips(rule.matcher, f"{path}.match")
        found += [Remark(f"{path}.{place}", told, warning=True) for place, told in missed_places(rule)]
        found += _replies(rule, path, rule.unsafe or script.unsafe)
        found += _unused(rule, path)
    return sorted(found, key=lambda one: _position(one.path))


def _position(path: str) -> list[Any]:
    numbers = [part.split("]")[0] for part in path.split("[")[1:]]
    return [int(part) if part.isdigit() else 0 for part in numbers]


def unreachable(script: Script, numbers: Collection[int]) -> dict[int, str]:
    """Why a rule can never answer, by its number, for those of `numbers` that surely cannot."""
    found: dict[int, str] = {}
    told = [*_shadowed(script, numbers), *_names(script)]
    for number in numbers:
        told += _contradictions(script.rules[number].matcher, f"$.rules[{number}].match")
    for remark in told:
        (number, *_) = _position(remark.path)
        if number in numbers and remark.message.startswith(("never reached", "matches nothing")):
            found.setdefault(number, remark.message)
    return found


def _shadowed(script: Script, numbers: Collection[int] | None = None) -> Iterator[Remark]:
    order = sorted(range(len(script.rules)), key=lambda number: -script.rules[number].priority)
    for place, number in enumerate(order):
        if numbers is not None and number not in numbers:
            continue
        rule = script.rules[number]
        for earlier in order[:place]:
            if covers(script.rules[earlier].matcher, rule.matcher):
                yield Remark(
                    f"$.rules[{number}]",
                    f"never reached: {script.label(earlier)} is asked before and takes every request this rule is for; "
                    f"put this rule first, or give it a higher priority",
                )
                break


def covers(wide: Matcher, narrow: Matcher) -> bool:
    """Whether surely every request that `narrow` matches is matched by `wide` too."""
    if wide == narrow:
        return True
    match wide, narrow:
        case AllOf(parts), _:
            return all(covers(part, narrow) for part in parts)
        case _, AnyOf(parts):
            return bool(parts) and all(covers(wide, part) for part in parts)
        case AnyOf(parts), _:
            return any(covers(part, narrow) for part in parts)
        case _, AllOf(parts):
            return any(covers(wide, part) for part in parts)
        case Not(inner), Not(other):
            return covers(other, inner)
        case Match(), Match():
            return _covers(wide, narrow)
    return wide == Match()


def _covers(wide: Match, narrow: Match) -> bool:
    asked, given = dump_object(wide), dump_object(narrow)
    if ("contains" in asked or "regex" in asked) and asked.get("role") != given.get("role"):
        return False
    return all(key in given and _holds(key, value, given[key]) for key, value in asked.items())


def _holds(key: str, wide: Any, narrow: Any) -> bool:
    if wide == narrow and type(wide) is type(narrow):
        return True
    match key:
        case "contains":
            return str(wide) in str(narrow)
        case "path":
            prefix, star, rest = str(wide).partition("*")
            return star == "*" and not rest and str(narrow).startswith(prefix)
        case "json":
            return part_of(wide, narrow)
        case "tools":
            return set(wide) <= set(narrow)
        case "header" | "state":
            return all(name in narrow and (narrow[name] == value) for name, value in wide.items())
    return False


def _contradictions(matcher: Matcher, path: str) -> Iterator[Remark]:
    if isinstance(matcher, AnyOf) and not matcher.matchers:
        yield Remark(path, "matches nothing: 'any' is an empty list")
    if isinstance(matcher, Not) and matcher.matcher == Match():
        yield Remark(path, "matches nothing: 'not' of everything")
    if isinstance(matcher, AllOf):
        fixed: dict[str, Any] = {}
        for part in matcher.matchers:
            for name in ("method", "path", "model", "stream", "turn", "nth", "connection"):
                value = getattr(part, name, None)
                if value is None or "*" in str(value):
                    continue
                if fixed.setdefault(name, value) != value:
                    yield Remark(path, f"matches nothing: {name!r} cannot be {fixed[name]!r} and {value!r}")
    if isinstance(matcher, Match):
        if matcher.method == "GET" and (
            matcher.contains or matcher.regex or matcher.json is not None or matcher.stream
        ):
            yield Remark(path, "matches nothing: a GET has no body to look into")
        if matcher.model == "" or matcher.contains == "":
            yield Remark(path, "an empty text: every request has it" if matcher.contains == "" else "an empty model")


def _unknown_paths(matcher: Matcher, path: str, profile: str | None) -> Iterator[Remark]:
    """Paths that are no profile's: a rule may answer there all the same, if clients ask there."""
    for one in _matches(matcher):
        known = known_paths(profile)
        if one.path is not None and not is_known(one.path, known):
            where = f"{path}.path" if one is matcher else path
            near = did_you_mean(one.path, known) or f"; known: {', '.join(known)}"
            yield Remark(where, f"no profile has the path {one.path!r}{near}", warning=True)


def _slips(matcher: Matcher, path: str) -> Iterator[Remark]:
    """What is odd in a match; in one of several matches nobody can say where it stands."""
    for one in _matches(matcher):
        for key, told in slips(one):
            yield Remark(f"{path}.{key}" if one is matcher else path, told, warning=True)


def _names(script: Script) -> Iterator[Remark]:
    given = {(name, value) for rule in script.rules for name, value in (rule.sets or {}).items()}
    for number, rule in enumerate(script.rules):
        for matcher in _matches(rule.matcher):
            for name, value in (matcher.state or {}).items():
                if value is not None and (name, value) not in given:
                    yield Remark(
                        f"$.rules[{number}].match.state.{name}",
                        f"never reached: no rule sets the state {name!r} to {value!r}",
                    )


def _matches(matcher: Matcher) -> Iterator[Match]:
    match matcher:
        case Match():
            yield matcher
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _matches(part)
        case Not():
            return


def _unused(rule: Rule, path: str) -> Iterator[Remark]:
    if isinstance(rule.matcher, Match) and rule.matcher.nth is not None and rule.calls > 1:
        yield Remark(path, f"a rule for request {rule.matcher.nth} alone is called once; it has {rule.calls} calls")


def _replies(rule: Rule, path: str, unsafe: bool) -> Iterator[Remark]:
    schema = RESPONSES.get(rule.matcher.path or "") if isinstance(rule.matcher, Match) and not unsafe else None
    single = len(rule.replies) == 1
    for number, reply in enumerate(rule.replies):
        where = f"{path}.reply" if single else f"{path}.replies[{number}]"
        if isinstance(reply, Fixture):
            try:
                recorded.find(reply.fixture)
            except ScriptError as error:
                yield Remark(f"{where}.fixture", error.message)
            continue
        if schema is not None and (wrong := _breaks(reply, schema)):
            yield Remark(where, f"{wrong}; say 'unsafe: true' where that is meant")


def _breaks(reply: Reply, schema: str) -> str:
    """Why the reply's body is no response of its kind; empty: it is one, or nobody can say before it is sent."""
    if isinstance(reply, Template) or getattr(reply, "unsafe", False):
        return ""
    if isinstance(reply, Json):
        return _wrong(reply.json, schema if reply.status < 400 else "error")
    if isinstance(reply, RawBytes):
        kinds = [value for name, value in reply.headers if name.lower() == b"content-type"]
        if any(kind.startswith(b"text/event-stream") for kind in kinds):
            return ""
        try:
            document = json.loads(reply.raw)
        except ValueError:
            return "the raw body is no JSON"
        return _wrong(document, schema if reply.status < 400 else "error")
    return ""


def _wrong(document: Any, schema: str) -> str:
    error = next(iter(_validator(schema).iter_errors(document)), None)
    if error is None:
        return ""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"the body breaks the schema {schema}.json at ${where}: {error.message}"


@lru_cache(maxsize=16)
def _validator(name: str) -> Any:
    import jsonschema_rs  # takes 20 ms to import

    folder = fixtures.path() / "schema"
    registry = jsonschema_rs.Registry(
        [
            (document["$id"], document)
            for document in (json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json")))
            if "$id" in document
        ]
    )
    return jsonschema_rs.Draft202012Validator(
        json.loads((folder / f"{name}.json").read_text("utf-8")), registry=registry
    )
