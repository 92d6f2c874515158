"""One field of the JSON breaks its schema: the same seed breaks the same field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from ..plan import Plan
from .fault import fault
from .meaning import change_piece
from .select import PieceFault

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
    """One field of the JSON of one event (or the body) breaks the schema.

    `form` `drop`: it is missing. `null`: it is null. `type`: a value of another type. `extra`: a stranger
    (`x_unknown`) beside it. `enum`: a word that is none of those allowed (`object`, `finish_reason`, `role`, `type`).
    `field`: the name of the field; None: drawn from those there are. No such field: nothing changes.
    """

    form: Literal["drop", "null", "type", "extra", "enum"] = "drop"
    field: str | None = None

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Other JSON in the same frame."""
        return change_piece(plan, self.find(plan), lambda value: self._mutate(value, rng))

    def _mutate(self, value: dict[str, Any], rng: Random) -> None:
        paths = list(fields_of(value))
        if self.field is not None:
            paths = [path for path in paths if path[-1] == self.field][:1]
        elif self.form == "enum":
            paths = [path for path in paths if path[-1] in _WORDS]
        if not paths:
            return
        path = rng.choice(paths)
        holder: Any = value
        for key in path[:-1]:
            holder = holder[key]
        match self.form:
            case "drop":
                del holder[path[-1]]
            case "null":
                holder[path[-1]] = None
            case "type":
                holder[path[-1]] = _other_type(holder[path[-1]])
            case "extra":
                holder["x_unknown"] = {"deep": [1, 2.5, None, "é"]}
            case "enum":
                holder[path[-1]] = "never-heard-of"
