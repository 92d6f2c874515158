"""What a server is to do: rules, faults for everything, a seed. The same in Python, JSON and YAML.

`parse_script(script.to_json()) == script`. A key that is not known is refused with its path and the nearest known
key; in a file also with line and column.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from mockserver import fixtures
from mockserver.errors import ScriptError
from mockserver.faults import Fault
from mockserver.model.keys import Key
from mockserver.model.latency import Latency
from mockserver.model.limits import Limits
from mockserver.scripting.index import Index, build_index
from mockserver.scripting.rule import FAULT, Rule, definitions, parse_rule
from mockserver.scripting.terms import KEY, LATENCY, LIMITS
from mockserver.settings import Codec, dump_object, object_schema, parse_object

_RULE = Codec(
    parse_rule, lambda rule: rule.to_json() if isinstance(rule, Rule) else rule, lambda: {"$ref": "#/$defs/rule"}
)


@dataclass(frozen=True, slots=True)
class Script:
    """`profile`: the name of a dialect, None: the server's. `strict`: a request that no rule matches is refused; None:
    as soon as there is a rule. `unsafe`: every rule is (`Rule`). `faults`: in force on every request, behind the rule's
    own, and on connections.
    `limits` (`requests_per_minute`, ...) per API key, `latency` (a preset, or settings: docs/latency.md), `api_keys`
    (`KEY`, or `KEY@2026-12-31T23:59:59Z`) and `health` are the server's where they are None.
    """

    profile: str | None = None
    seed: int = 0
    strict: bool | None = None
    unsafe: bool = False
    limits: Annotated[Limits | None, LIMITS] = None
    latency: Annotated[Latency | None, LATENCY] = None
    api_keys: tuple[Annotated[Key, KEY], ...] | None = None
    health: Literal["ok", "loading", "unhealthy"] | None = None
    faults: tuple[Annotated[Fault, FAULT], ...] = ()
    rules: tuple[Annotated[Rule, _RULE], ...] = ()
    _cache: list[Index] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse two rules of one name; say both places."""
        seen: dict[str, int] = {}
        for number, rule in enumerate(self.rules):
            if rule.name in seen:
                raise ScriptError(
                    f"the name {rule.name!r} is that of rules[{seen[rule.name]}] too", f"rules[{number}].name"
                )
            if rule.name is not None:
                seen[rule.name] = number

    @property
    def is_strict(self) -> bool:
        """Whether a request that no rule matches is refused."""
        return bool(self.rules) if self.strict is None else self.strict

    @property
    def index(self) -> Index:
        """The rules, compiled once, when the first request comes."""
        if not self._cache:
            self._cache.append(
                build_index([rule.matcher for rule in self.rules], [rule.priority for rule in self.rules])
            )
        return self._cache[0]

    def label(self, number: int) -> str:
        """What the rule with this number is called in journals and errors."""
        return self.rules[number].name or f"rules[{number}]"

    def adding(self, other: Script) -> Script:
        """This script with the rules and faults of the other behind its own."""
        return dataclasses.replace(
            self,
            profile=other.profile or self.profile,
            seed=other.seed or self.seed,
            strict=self.strict if other.strict is None else other.strict,
            unsafe=other.unsafe or self.unsafe,
            limits=self.limits if other.limits is None else other.limits,
            latency=self.latency if other.latency is None else other.latency,
            api_keys=self.api_keys if other.api_keys is None else other.api_keys,
            health=other.health or self.health,
            faults=(*self.faults, *other.faults),
            rules=(*self.rules, *other.rules),
        )

    def with_rule(self, number: int, rule: Rule) -> Script:
        """This script with another rule in the place of rule `number`; one past the last adds it."""
        return dataclasses.replace(self, rules=(*self.rules[:number], rule, *self.rules[number + 1 :]))

    def to_json(self) -> dict[str, Any]:
        """`parse_script` gives it back."""
        found: dict[str, Any] = dump_object(self)
        return found


def parse_script(value: Any, path: str = "$") -> Script:
    """A script from JSON; a list is its rules. Raises `ScriptError` with the path."""
    if isinstance(value, Script):
        return value
    if isinstance(value, list | tuple):
        value = {"rules": value}
    if value is None:
        value = {}
    return parse_object(Script, value, path)


def load_script(path: str | Path) -> Script:
    """The script in a YAML or JSON file, or one of ours by name (`wire/b12_bad_chunk`).

    Raises `ScriptError` with file, line and column, or `OSError`.
    """
    from mockserver.scripting.yamltext import read_yaml  # PyYAML takes 20 ms to import, and only files need it

    found = Path(path)
    if not found.exists():
        ours = fixtures.path() / "scripts"
        named = [ours / f"{path}{ending}" for ending in ("", ".json", ".yaml")]
        found = next((one for one in named if one.is_file()), found)
    return read_yaml(found.read_bytes(), parse_script, str(found))


def parse_script_text(data: bytes, name: str = "") -> Script:
    """The script in YAML or JSON bytes, as the door gets them. Raises `ScriptError` with line and column."""
    from mockserver.scripting.yamltext import read_yaml  # as above

    return read_yaml(data, parse_script, name)


def script_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a script, with every fault in it."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A script of the fake Inferneo server"}
    return {**head, **object_schema(Script), "$defs": definitions()}
