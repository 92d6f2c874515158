"""The grammar of a request, as data of a profile: each field's type, range, default and what null means.

`Grammar.quick` is the same grammar as a typed decoder: what it accepts is valid, and nothing more need be asked; what
it refuses goes through `model.validate`, which accepts some more (coercions, content parts, tools) and words the
error of the rest. Both give an `Ask`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, Union

import msgspec

ABSENT: Mapping[str, Any] = {
    "model": "",
    "prompt": "",
    "prompts": (),
    "messages": (),
    "max_tokens": None,
    "max_completion_tokens": None,
    "temperature": 1.0,
    "n": 1,
    "best_of": None,
    "echo": False,
    "suffix": None,
    "logprobs": None,
    "top_logprobs": None,
    "seed": None,
    "stop": None,
    "stream": False,
    "stream_options": None,
    "tools": None,
    "tool_choice": None,
    "parallel_tool_calls": None,
    "response_format": None,
    "ignore_eos": False,
    "min_tokens": 0,
    "input": "",
    "encoding_format": "float",
    "dimensions": None,
    "request_id": None,
}
"""What the model reads of a request, and what it takes where a profile does not know the field or it was not sent."""

_NEVER: Any = Annotated[str, msgspec.Meta(min_length=1, max_length=0)]
"""The type of a required field that the short way cannot judge."""

NUMBERS = {"integer": int, "number": float}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request. `null`: an explicit null means absent. `refuse`: the error of any other value."""

    name: str
    type: str
    required: bool = False
    null: bool = False
    default: Any = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    exclude: tuple[Any, ...] = ()
    reason: str = ""
    enum: tuple[Any, ...] = ()
    min_items: int | None = None
    max_items: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    refuse: str = ""

    def bounds(self) -> dict[str, float]:
        """The limits that are set, by their names."""
        return {name: limit for name in ("ge", "gt", "le", "lt") if (limit := getattr(self, name)) is not None}


KEYS = {item.name for item in fields(Field)} - {"name"}


@dataclass(frozen=True, slots=True)
class Messages:
    """What a chat message may be. `roles` empty: any text. `parts`: each known type of a content part, and the tokens
    it costs or the error it gets; a type that is not listed is an invalid value."""

    roles: tuple[str, ...] = ()
    null_content: bool = False
    parts: Mapping[str, Any] = field(default_factory=dict)
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grammar:
    """All fields of one endpoint. `coerce`: which other types are let in (`string`, `bool`, `integral`)."""

    fields: Mapping[str, Field]
    messages: Messages = Messages()
    unknown: Literal["ignore", "refuse"] = "ignore"
    coerce: frozenset[str] = frozenset({"integral"})
    quick: Any = field(init=False)
    ask: Any = field(init=False)
    excluded: tuple[tuple[str, tuple[Any, ...]], ...] = field(init=False)

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        excluded = tuple((item.name, item.exclude) for item in self.fields.values() if item.exclude)
        set_(self, "excluded", excluded)
        defaults = {**ABSENT, **{name: _default(item) for name, item in self.fields.items()}}
        known = [(name, Any, value) for name, value in defaults.items()]
        set_(self, "ask", msgspec.defstruct("Ask", known))
        quick = [_typed(item, self.messages) for item in self.fields.values()]
        quick.sort(key=len)  # required fields, which have no default, come first
        absent = {name: value for name, value in ABSENT.items() if name not in self.fields}
        kind = msgspec.defstruct("Ask", quick, namespace=absent, forbid_unknown_fields=self.unknown == "refuse")
        set_(self, "quick", msgspec.json.Decoder(kind).decode)

    def is_excluded(self, ask: Any) -> bool:
        """Whether a value lies in the range but is refused all the same (`top_k` 0)."""
        return any(getattr(ask, name) in values for name, values in self.excluded)


def _default(item: Field) -> Any:
    return ABSENT.get(item.name) if item.default is None else item.default


def _typed(item: Field, messages: Messages) -> tuple[Any, ...]:
    """One field of the typed decoder; types that need more than a look get no value but null through it."""
    kind: Any
    meta: dict[str, Any] = {}
    if item.enum and all(isinstance(value, str) for value in item.enum):
        kind = Literal[item.enum]
    elif item.type in NUMBERS:
        kind, meta = NUMBERS[item.type], item.bounds()
        if item.type == "integer" and any(abs(limit) >= 2**63 or limit != int(limit) for limit in meta.values()):
            kind = None  # the typed decoder knows bounds of 64 bits only
        elif item.type == "integer":
            meta = {name: int(limit) for name, limit in meta.items()}
    elif item.type == "boolean":
        kind = bool
    elif item.type in ("string", "tokens", "input"):  # of prompts and inputs, only texts go the short way
        kind = str
        meta = {"min_length": 1} if item.type == "input" else {}
        meta |= {key: limit for key in ("min_length", "max_length") if (limit := getattr(item, key)) is not None}
    elif item.type == "strings":
        kind = Union[str, Annotated[list[str], msgspec.Meta(min_length=item.min_items, max_length=item.max_items)]]  # noqa: UP007 - a value, built at run time
    elif item.type == "any":
        kind = Any
    elif item.type == "messages":
        roles: Any = Literal[messages.roles] if messages.roles else str
        message = msgspec.defstruct(
            "Message", [("role", roles), ("content", str), ("name", str | None, None)], forbid_unknown_fields=True
        )
        kind = Annotated[list[message], msgspec.Meta(min_length=1)]  # type: ignore[valid-type]  # made at run time
    else:
        kind = None
    if item.refuse:
        kind, meta = None, {}
    if kind is not None and meta:
        kind = Annotated[kind, msgspec.Meta(**meta)]
    if item.required:
        return (item.name, _NEVER if kind is None else kind)
    default = _default(item)
    if kind is None or (item.null and default is None):  # a null that means another default goes the long way
        kind = Union[kind, None]  # noqa: UP007 - a value
    return (item.name, kind, default)
