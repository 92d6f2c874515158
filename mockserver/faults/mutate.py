"""One field of the JSON breaks the schema in `fixtures/schema`: the same seed breaks the same field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from mockserver.plan import Plan

from .edit import payload
from .fault import fault
from .meaning import change_piece
from .schemas import Break, breaks, schema_of
from .select import PieceFault
from .sse import is_event

_WORDS = ("object", "finish_reason", "role", "type")
"""Fields whose text is one of a few words."""


def fields_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all fields of all objects in `value`, outermost first."""
    if isinstance(value, dict):
        for key in value:
            yield (*path, key)
        for key, item in value.items():
            yield from fields_of(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from fields_of(item, (*path, number))


def _other_type(value: Any) -> Any:
    match value:
        case str():
            return 7
        case bool() | None:
            return "yes"
        case int() | float():
            return str(value)
        case list():
            return {"not": "a list"}
        case _:
            return ["not", "an object"]


@fault("mutate", "content", event=1, form="type", field="choices")
@dataclass(frozen=True, slots=True)
class Mutate(PieceFault):
    """One field of the JSON of one event (or the body) breaks its schema, those of `fixtures/schema`.

    `form` `drop`: a field that must be there is missing. `null`: null where null is forbidden. `type`: a value of a
    forbidden type. `enum`: a word that is none of those allowed. `range`: a number below or above its bounds, or an
    empty text. `extra`: a stranger (`x_unknown`) in one of the objects, which every schema allows. `any`: one of the
    wrong ones, drawn. `field`: the name of the field, whether or not its schema forbids that; None: drawn from the
    places that the schema knows (of a document without a schema: from all fields). No such field: nothing changes.
    """

    form: Literal["drop", "null", "type", "enum", "range", "extra", "any"] = "drop"
    field: str | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other JSON in the same frame."""
        found = self.find(plan)
        streamed = found is not None and is_event(payload(found[1]))
        return change_piece(plan, found, lambda value: self._mutate(value, streamed, rng))

    def _mutate(self, value: dict[str, Any], streamed: bool, rng: Random) -> None:
        schema = schema_of(value, streamed) if self.field is None else None
        if schema is not None and self.form != "extra":
            choices = [one for one in breaks(value, schema) if self.form in (one.form, "any")]
        else:
            choices = self._named(value)
        if choices:
            chosen = rng.choice(choices)
            holder = value
            for key in chosen.path[:-1]:
                holder = holder[key]
            if chosen.form == "drop":
                del holder[chosen.path[-1]]
            elif chosen.form == "extra":
                holder["x_unknown"] = {"deep": [1, 2.5, None, "é"]}
            else:
                holder[chosen.path[-1]] = chosen.value

    def _named(self, value: dict[str, Any]) -> list[Break]:
        """The same without a schema: what the fields are says what they are not."""
        paths = list(fields_of(value))
        if self.field is not None:
            paths = [path for path in paths if path[-1] == self.field][:1]
        forms = _FORMS if self.form == "any" else (self.form,)
        found: list[Break] = []
        for path in paths:
            old: Any = value
            for key in path:
                old = old[key]
            found.extend(Break(form, path, _broken(form, old)) for form in forms if self._fits(form, path, old))
        return found

    def _fits(self, form: str, path: tuple[Any, ...], old: Any) -> bool:
        if form == "enum" and self.field is None:
            return path[-1] in _WORDS
        return form != "range" or isinstance(old, str | int | float)


_FORMS = ("drop", "null", "type", "enum", "range")


def _broken(form: str, old: Any) -> Any:
    match form:
        case "type":
            return _other_type(old)
        case "enum":
            return "never-heard-of"
        case "range":
            return "" if isinstance(old, str) else -1
        case _:
            return None
