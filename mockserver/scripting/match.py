"""Which requests a rule is for: values with `&`, `|` and `~`, the same in Python and in JSON.

All fields of a `Match` must hold; an empty one is for every request. `compile_matcher` makes the function that the
hot path calls, `explain_matcher` says of each field what was expected and what came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mockserver.errors import ScriptError
from mockserver.scripting.jsonpath import parse_path, select
from mockserver.scripting.view import View
from mockserver.settings import (
    Count,
    JsonValue,
    Positive,
    checked_keywords,
    child,
    dump_object,
    normalise,
    object_schema,
    parse_object,
    shown,
    wrong,
)

Test: TypeAlias = Callable[[View], bool]


class _Operators:
    """`&`, `|`, `~` for all matchers."""

    __slots__ = ()

    def __and__(self, other: Matcher) -> AllOf:
        return AllOf((*_members(self, AllOf), *_members(other, AllOf)))

    def __or__(self, other: Matcher) -> AnyOf:
        return AnyOf((*_members(self, AnyOf), *_members(other, AnyOf)))

    def __invert__(self) -> Not:
        return Not(self)  # type: ignore[arg-type]  # every subclass is a Matcher


def _members(matcher: Any, kind: type[AllOf] | type[AnyOf]) -> tuple[Matcher, ...]:
    return tuple(matcher.matchers) if isinstance(matcher, kind) else (matcher,)


@dataclass(frozen=True, slots=True)
class Tokens:
    """From `min` to `max`, both inclusive; None: no bound."""

    min: Count | None = None
    max: Count | None = None

    def holds(self, count: int) -> bool:
        """Whether the count is one of those meant."""
        return (self.min is None or count >= self.min) and (self.max is None or count <= self.max)


@checked_keywords
@dataclass(frozen=True, slots=True)
class Match(_Operators):
    """`path` exact, or with `*` for any characters. `contains` and `regex` look at what the messages, the prompt or
    the input say, of one `role` if given (which must then speak). `turn`: how many messages the user has sent.
    `header`: name to value, or to true (there) or false (not there). `json`: a part of the body: objects may have more
    keys, lists match item by item. `jsonpath`: a path that must be there, or paths and the value that one of what they
    name must have. `tools`: names that are all offered. `nth`: the number of the request in its session, `connection`
    that of its connection, both from 1. `state`: named states of the session and their values, null: not set. `tokens`:
    how many tokens (of the fake model) all that was said has.
    """

    method: str | None = None
    path: str | None = None
    model: str | None = None
    stream: bool | None = None
    contains: str | None = None
    regex: str | None = None
    role: str | None = None
    turn: Positive | None = None
    tools: tuple[str, ...] | None = None
    header: JsonValue = None
    json: JsonValue = None
    jsonpath: JsonValue = None
    nth: Positive | None = None
    connection: Positive | None = None
    state: JsonValue = None
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        """Refuse what can match nothing by mistake: a bad regex, a bad path, headers of another shape."""
        normalise(self)
        if self.method is not None:
            object.__setattr__(self, "method", self.method.upper())
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ScriptError(f"bad regex {self.regex!r}: {error}", "regex") from error
        if self.header is not None:
            if not isinstance(self.header, Mapping):
                raise wrong("an object of header names and values", self.header, "header")
            for name, value in self.header.items():
                if not isinstance(value, str | bool):
                    raise wrong("a text, true or false", value, child("header", name))
        if self.state is not None and not isinstance(self.state, Mapping):
            raise wrong("an object of states and their values", self.state, "state")
        if self.jsonpath is not None:
            for path in self.paths():
                try:
                    parse_path(path)
                except ScriptError as error:
                    raise ScriptError(error.message, "jsonpath") from error

    def paths(self) -> Mapping[str, Any]:
        """The JSONPaths and what they must have; `...`: anything."""
        if isinstance(self.jsonpath, str):
            return {self.jsonpath: ...}
        if isinstance(self.jsonpath, Mapping):
            return self.jsonpath
        raise wrong("a JSONPath, or an object of JSONPaths and values", self.jsonpath, "jsonpath")


@dataclass(frozen=True, slots=True)
class AllOf(_Operators):
    """All must match."""

    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(_Operators):
    """At least one must match."""

    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Not(_Operators):
    """It must not match."""

    matcher: Matcher


@dataclass(frozen=True, slots=True)
class Where(_Operators):
    """A function of the request (`scripting.view.View`) must say yes. Only in Python: JSON shows its name."""

    predicate: Callable[[View], object]

    @property
    def name(self) -> str:
        """What the function is called."""
        return getattr(self.predicate, "__qualname__", repr(self.predicate))


Matcher: TypeAlias = Match | AllOf | AnyOf | Not | Where

EVERYTHING = Match()


def parse_matcher(value: Any, path: str = "$") -> Matcher:
    """A matcher from JSON: fields, and `any`, `all`, `not` beside them. Raises `ScriptError` with the path."""
    if isinstance(value, Match | AllOf | AnyOf | Not | Where):
        return value
    if isinstance(value, type):
        raise ScriptError(f"expected a match, got the class {value.__name__}; did you forget the parentheses?", path)
    if callable(value):
        if getattr(value, "__module__", None) == f"{__package__}.dsl":
            name = value.__name__
            raise ScriptError(f"{name} without parentheses matches nothing; did you mean {name}()?", path)
        return Where(value)
    if isinstance(value, Mapping) and "where" in value:
        raise ScriptError("a predicate is written in Python: on(where(function))", child(path, "where"))
    if not isinstance(value, Mapping):
        raise wrong("a match: an object of fields", value, path)
    fields = {key: item for key, item in value.items() if key not in ("any", "all", "not")}
    found: list[Matcher] = []
    if fields or len(fields) == len(value):
        found.append(parse_object(Match, fields, path, known=("any", "all", "not")))
    for key, kind in (("any", AnyOf), ("all", AllOf)):
        if key in value:
            if not isinstance(value[key], list | tuple):
                raise wrong("a list of matches", value[key], child(path, key))
            parts = enumerate(value[key])
            found.append(kind(tuple(parse_matcher(item, child(child(path, key), number)) for number, item in parts)))
    if "not" in value:
        found.append(Not(parse_matcher(value["not"], child(path, "not"))))
    return found[0] if len(found) == 1 else AllOf(tuple(found))


def matcher_to_json(matcher: Matcher) -> dict[str, Any]:
    """The matcher as JSON; `parse_matcher` gives it back."""
    match matcher:
        case AllOf(matchers):
            return {"all": [matcher_to_json(one) for one in matchers]}
        case AnyOf(matchers):
            return {"any": [matcher_to_json(one) for one in matchers]}
        case Not(inner):
            return {"not": matcher_to_json(inner)}
        case Where():
            return {"where": matcher.name}
        case _:
            fields: dict[str, Any] = dump_object(matcher)
            return fields


def matcher_schema(reference: str = "#/$defs/match") -> dict[str, Any]:
    """The JSON Schema of a match."""
    one = {"$ref": reference}
    found = object_schema(Match)
    many = {"type": "array", "items": one}
    return {**found, "properties": {**found["properties"], "any": many, "all": many, "not": one}}


def part_of(expected: Any, got: Any) -> bool:
    """Whether `expected` is a part of `got`: objects may have more keys, lists match item by item."""
    if isinstance(expected, Mapping):
        return isinstance(got, dict) and all(key in got and part_of(value, got[key]) for key, value in expected.items())
    if isinstance(expected, list | tuple):
        return isinstance(got, list) and len(got) == len(expected) and all(map(part_of, expected, got))
    return isinstance(expected, bool) == isinstance(got, bool) and bool(expected == got)


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _header(view: View, name: str, expected: str | bool) -> bool:
    values = [value for key, value in view.request.headers if key == name.lower().encode("latin-1", "replace")]
    if isinstance(expected, bool):
        return bool(values) is expected
    return expected.encode("utf-8") in values


def field_tests(match: Match) -> dict[str, Test]:
    """The test of each field that is given, cheapest first."""
    tests: dict[str, Test] = {}
    m = match
    if m.method is not None:
        tests["method"] = lambda view: view.request.method == m.method
    if m.path is not None and "*" in m.path:
        pattern = _glob(m.path)
        tests["path"] = lambda view: pattern.fullmatch(view.request.path) is not None
    elif m.path is not None:
        tests["path"] = lambda view: view.request.path == m.path
    if m.nth is not None:
        tests["nth"] = lambda view: view.request.number == m.nth
    if m.connection is not None:
        tests["connection"] = lambda view: view.request.connection == m.connection
    if m.header is not None:
        wanted = list(m.header.items())
        tests["header"] = lambda view: all(_header(view, name, value) for name, value in wanted)
    if m.model is not None:
        tests["model"] = lambda view: bool(view.model == m.model)
    if m.stream is not None:
        tests["stream"] = lambda view: view.stream is m.stream
    if m.state is not None:
        states = list(m.state.items())
        tests["state"] = lambda view: all(view.states.get(name) == value for name, value in states)
    tests.update(_text_tests(match))
    if m.tools is not None:
        names = set(m.tools)
        tests["tools"] = lambda view: names <= set(view.tools)
    if m.json is not None:
        tests["json"] = lambda view: part_of(m.json, view.document)
    if m.jsonpath is not None:
        paths = list(m.paths().items())
        tests["jsonpath"] = lambda view: all(_path_holds(view, path, value) for path, value in paths)
    return tests


def _text_tests(m: Match) -> dict[str, Test]:
    tests: dict[str, Test] = {}
    if m.role is not None:
        tests["role"] = lambda view: m.role in view.roles
    if m.tokens is not None:
        bounds = m.tokens
        tests["tokens"] = lambda view: bounds.holds(view.tokens)
    if m.turn is not None:
        tests["turn"] = lambda view: view.roles.count("user") == m.turn
    if m.contains is not None:
        part, role = m.contains, m.role
        tests["contains"] = lambda view: part in view.said[role]
    if m.regex is not None:
        search, role = re.compile(m.regex).search, m.role
        tests["regex"] = lambda view: search(view.said[role]) is not None
    return tests


def _path_holds(view: View, path: str, value: Any) -> bool:
    found = select(path, view.document)
    return bool(found) if value is ... else any(part_of(value, one) for one in found)


def compile_matcher(matcher: Matcher, known: frozenset[str] = frozenset()) -> Test | None:
    """One function for the matcher; None where it matches everything. The fields in `known` are not asked again.

    `known` speaks of a `Match` alone, or the first one in an `AllOf` (see `mockserver.scripting.index.literal_fields`).
    """
    match matcher:
        case Match():
            return _all([test for name, test in field_tests(matcher).items() if name not in known])
        case AllOf(matchers):
            asked = [compile_matcher(one, frozenset() if number else known) for number, one in enumerate(matchers)]
            return _all([test for test in asked if test])
        case AnyOf(matchers):
            tests = [compile_matcher(one) or (lambda _: True) for one in matchers]
            return lambda view: any(test(view) for test in tests)
        case Not(inner):
            negated = compile_matcher(inner)
            return lambda view: negated is not None and not negated(view)
        case Where(predicate):
            return lambda view: bool(predicate(view))


def _all(tests: list[Test]) -> Test | None:
    if len(tests) < 2:
        return tests[0] if tests else None
    if len(tests) == 2:
        one, two = tests
        return lambda view: one(view) and two(view)
    return lambda view: all(test(view) for test in tests)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one field expected, what the request had, and whether it held."""

    field: str
    expected: Any
    got: Any
    holds: bool

    def __str__(self) -> str:
        """One line of an explanation."""
        verdict = "ok" if self.holds else f"expected {shown(self.expected)}, got {shown(self.got)}"
        return f"{self.field}: {verdict}"


def _got(field: str, match: Match, view: View) -> Any:
    request = view.request
    match field:
        case "contains" | "regex":
            return view.text(match.role)
        case "header":
            pairs = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in request.headers]
            wanted = {name.lower() for name in match.header}
            return {key: value for key, value in pairs if key in wanted}
        case "json":
            return view.document
        case "jsonpath":
            return {path: select(path, view.document) for path in match.paths()}
        case "role":
            return list(view.roles)
        case "turn":
            return view.roles.count("user")
        case "tools":
            return list(view.tools)
        case "tokens":
            return view.tokens
        case "state":
            return dict(view.states)
        case "nth":
            return request.number
        case "model" | "stream":
            return getattr(view, field)
        case _:
            return getattr(request, field)


def explain_matcher(matcher: Matcher, view: View) -> list[Finding]:
    """Each field's finding; of `any` those of its nearest part. A predicate that raises does not hold."""
    match matcher:
        case Match():
            tests = field_tests(matcher)
            fields = dump_object(matcher)
            return [Finding(name, fields[name], _got(name, matcher, view), test(view)) for name, test in tests.items()]
        case AllOf(matchers):
            return [finding for one in matchers for finding in explain_matcher(one, view)]
        case AnyOf(matchers):
            parts = [explain_matcher(one, view) for one in matchers]
            if not parts:
                return [Finding("any", [], None, False)]
            return min(parts, key=lambda findings: sum(not finding.holds for finding in findings))
        case Where(predicate):
            try:
                said = bool(predicate(view))
            except Exception as error:  # a user's function: what it raises is told as what came
                return [Finding("where", matcher.name, raised(error), False)]
            return [Finding("where", matcher.name, "yes" if said else "no", said)]
        case Not(inner):
            try:
                matched = matches(inner, view)
            except Exception as error:  # as above
                return [Finding("not", matcher_to_json(inner), raised(error), False)]
            return [
                Finding("not", matcher_to_json(inner), "it matched" if matched else "it did not match", not matched)
            ]


def raised(error: Exception) -> str:
    """What a predicate raised, for a sentence."""
    return f"raised {type(error).__name__}: {error}"


def matches(matcher: Matcher, view: View) -> bool:
    """Whether the request is one that the matcher is for."""
    test = compile_matcher(matcher)
    return test is None or test(view)
