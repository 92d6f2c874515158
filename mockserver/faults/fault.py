"""A fault is a frozen value that rewrites a plan: `plan -> plan`. It knows no socket and no clock.

Laws: with probability 0 the plan is the same object; the same fault, plan and seed give the same plan; whatever the
plan, the result plays. A fault that finds nothing to do (no such mark, fewer events) leaves the plan as it is, and
counts as unused. Each class's docstring says what the peer sees; the documentation is made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from random import Random
from typing import Any, ClassVar, TypeVar

from mockserver.connection import ConnectionPlan
from mockserver.errors import ScriptError
from mockserver.plan import Plan
from mockserver.settings import checked_keywords, child, dump_object, normalise, object_schema, parse_object, wrong
from mockserver.suggest import unknown

from .when import ALWAYS, When
from .where import HOME, MODULES


@dataclass(frozen=True, slots=True)
class Fault:
    """What every fault has. A kind adds its settings and overrides `rewrite`, or `connect` if it is of a connection."""

    kind: ClassVar[str] = ""
    group: ClassVar[str] = ""
    example: ClassVar[Mapping[str, Any]] = {}

    when: When = field(default=ALWAYS, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing; `ScriptError` names the setting."""
        normalise(self)
        self.check()

    def check(self) -> None:
        """What single settings cannot say; raises `ScriptError`."""

    def apply(self, plan: Plan, rng: Random) -> Plan:
        """The plan with this fault in it, if `when.probability` says so; all chance comes from `rng`."""
        return self.rewrite(plan, rng) if self.when.drawn(rng) else plan

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """The plan with this fault in it."""
        return plan

    def connect(self, plan: ConnectionPlan) -> ConnectionPlan:
        """How connections are treated before there is a request; most faults change nothing there."""
        return plan

    def to_json(self) -> dict[str, Any]:
        """`parse_fault` gives this very value back."""
        settings: dict[str, Any] = dump_object(self)
        return {"kind": self.kind, **settings}


F = TypeVar("F", bound=type[Fault])

_KINDS: dict[str, type[Fault]] = {}


def fault(kind: str, group: str, **example: Any) -> Callable[[F], F]:
    """Register a class of faults under `kind`; `example` are settings that show it. Refuses a kind that is taken."""

    def register(cls: F) -> F:
        home = f"{__package__}.{HOME.get(kind)}"
        taken = _KINDS.get(kind) if cls.__module__ == home else find(kind)
        if taken is not None:
            raise ValueError(
                f"the fault kind '{kind}' is taken by {taken.__module__}.{taken.__qualname__}; "
                f"{cls.__module__}.{cls.__qualname__} needs another name"
            )
        cls.kind, cls.group, cls.example = kind, group, example
        _KINDS[kind] = cls
        checked_keywords(cls)
        return cls

    return register


def find(kind: str) -> type[Fault] | None:
    """The class of a kind; its module is loaded if need be. None: there is no such kind."""
    if kind not in _KINDS and kind in HOME:
        import_module(f"{__package__}.{HOME[kind]}")
    return _KINDS.get(kind)


def kinds() -> Mapping[str, type[Fault]]:
    """Every kind and its class, in the order of the catalogue; those registered by others come last."""
    for module in MODULES:
        import_module(f"{__package__}.{module}")
    return {kind: _KINDS[kind] for kind in (*HOME, *(kind for kind in _KINDS if kind not in HOME))}


def parse_fault(value: Any, path: str = "$") -> Fault:
    """A fault from JSON; a text is short for `{kind: text}`. Raises `ScriptError` with the path."""
    if isinstance(value, Fault):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping):
        raise wrong("a fault: {kind: ...} or the kind alone", value, path)
    if "kind" not in value:
        raise ScriptError(f"a fault needs the key 'kind'; got {sorted(map(str, value))}", path)
    cls = find(value["kind"]) if isinstance(value["kind"], str) else None
    if cls is None:
        raise ScriptError(unknown("fault kind", value["kind"], {**HOME, **_KINDS}), child(path, "kind"))
    return parse_object(cls, {key: item for key, item in value.items() if key != "kind"}, path)


def parse_faults(value: Any, path: str = "$") -> tuple[Fault, ...]:
    """A list of faults from JSON; one fault is a list of one."""
    if isinstance(value, list | tuple):
        return tuple(parse_fault(item, child(path, number)) for number, item in enumerate(value))
    return (parse_fault(value, path),)


def fault_definitions() -> dict[str, Any]:
    """The JSON Schema of a fault, every kind in it, and of its `when`: two entries of `$defs`."""
    known = kinds()
    objects = [_kind_schema(kind, cls) for kind, cls in known.items()]
    return {"fault": {"anyOf": [{"enum": list(known)}, *objects]}, "when": object_schema(When)}


def _kind_schema(kind: str, cls: type[Fault]) -> dict[str, Any]:
    found = object_schema(cls, {"kind": {"const": kind}})
    properties = {**found["properties"], "when": {"$ref": "#/$defs/when"}}
    return {"description": (cls.__doc__ or "").split("\n")[0], **found, "properties": properties}
