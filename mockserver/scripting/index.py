"""Which rules can match a request, by method, path, model and stream, without asking each.

Every rule sits in one bucket, keyed by the literal fields it has. A request looks into one bucket per shape that
occurs in the script (most scripts have one to three), so a thousand rules for other models cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from mockserver.errors import MockError
from mockserver.scripting.match import AllOf, Match, Matcher, Test, compile_matcher, raised
from mockserver.scripting.view import View

_Entry = tuple[int, int, Test | None]
"""Its place in the order of asking, the rule's number, and what the index did not ask."""


class PredicateError(MockError):
    """The predicate of rule `number` raised, so nobody knows which rule the request is for."""

    def __init__(self, number: int, error: Exception) -> None:
        """`error`: what it raised."""
        self.number = number
        self.error = error
        super().__init__(self.told(f"rules[{number}]"))

    def told(self, label: str) -> str:
        """One sentence, with the label of the rule."""
        return f"the predicate of {label} {raised(self.error)}"


def literal_fields(matcher: Matcher) -> dict[str, Any]:
    """The fields that a request must equal: those of a `Match`, alone or first in an `AllOf`."""
    if isinstance(matcher, AllOf) and matcher.matchers:
        matcher = matcher.matchers[0]
    if not isinstance(matcher, Match):
        return {}
    fields = {name: getattr(matcher, name) for name in ("method", "path", "model", "stream")}
    return {
        name: value for name, value in fields.items() if value is not None and not (name == "path" and "*" in value)
    }


@dataclass(frozen=True, slots=True)
class Index:
    """The rules of one script, compiled."""

    shapes: tuple[tuple[tuple[Callable[[View], Any], ...], dict[tuple[Any, ...], list[_Entry]]], ...]

    def first(self, view: View) -> int | None:
        """The number of the first rule that matches; None where none does. Raises `PredicateError`."""
        found: list[_Entry] = []
        for getters, buckets in self.shapes:
            try:
                bucket = buckets.get(tuple([get(view) for get in getters]))
            except TypeError:  # the body's "model" is a list or an object: no rule names one
                continue
            if bucket:
                found = bucket if not found else found + bucket
        if len(self.shapes) > 1:
            found = sorted(found, key=_order)
        for _, number, test in found:
            try:
                if test is None or test(view):
                    return number
            except Exception as error:
                raise PredicateError(number, error) from error
        return None


_FIELD: dict[str, Callable[[View], Any]] = {
    "method": attrgetter("request.method"),
    "path": attrgetter("request.path"),
    "model": attrgetter("model"),
    "stream": attrgetter("stream"),
}


def _order(entry: _Entry) -> int:
    return entry[0]


def build_index(matchers: Sequence[Matcher], priorities: Sequence[int]) -> Index:
    """The index of rules with these matchers: higher priority first, then in order."""
    shapes: dict[tuple[str, ...], dict[tuple[Any, ...], list[_Entry]]] = {}
    order = sorted(range(len(matchers)), key=lambda number: -priorities[number])
    for place, number in enumerate(order):
        fields = literal_fields(matchers[number])
        test = compile_matcher(matchers[number], frozenset(fields))
        bucket = shapes.setdefault(tuple(fields), {}).setdefault(tuple(fields.values()), [])
        bucket.append((place, number, test))
    return Index(tuple((tuple(_FIELD[name] for name in names), buckets) for names, buckets in shapes.items()))
