"""JSON in and out for frozen values, derived from their annotations, so that no value carries a parser of its own.

A codec knows three things of a type: how to read it from JSON (strictly, naming the path), how to write it, and its
JSON Schema. Times are seconds, sizes are bytes. A setting that has its default is not written. What `parse` accepts,
`dump` gives back: `parse(dump(value)) == value`.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from mockserver.errors import ScriptError
from mockserver.plan import Headers
from mockserver.suggest import unknown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both inclusive; None: none. `unit` words the error."""

    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The key in JSON, where Python forbids the word as a name (`not`, `any`)."""

    name: str


Seconds: TypeAlias = Annotated[float, Range(0, None, "seconds")]
Count: TypeAlias = Annotated[int, Range(0, None)]
Positive: TypeAlias = Annotated[int, Range(1, None)]
Probability: TypeAlias = Annotated[float, Range(0, 1)]
Status: TypeAlias = Annotated[int, Range(100, 599, "an HTTP status")]
JsonValue: TypeAlias = Any
"""Any JSON value, kept as it is; never to be changed in place."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one type is read from JSON, written to it, and described by JSON Schema."""

    parse: Callable[[Any, str], Any]
    dump: Callable[[Any], Any]
    schema: Callable[[], dict[str, Any]]


def shown(value: object) -> str:
    """The value as an error shows it: its JSON, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def wrong(expected: str, value: object, path: str) -> ScriptError:
    """The error of a value that is not what it must be."""
    return ScriptError(f"expected {expected}, got {shown(value)}", path)


def child(path: str, key: str | int) -> str:
    """The JSON path of a member."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if key.replace("_", "a").replace("-", "a").isalnum() else f"{path}[{key!r}]"


def _number(whole: bool, bounds: Range) -> Codec:
    words = ("a whole number" if whole else "a number") + (f" ({bounds.unit})" if bounds.unit else "")
    if bounds.low is not None and bounds.high is not None:
        words += f" from {bounds.low:g} to {bounds.high:g}"
    elif bounds.low is not None:
        words += f" >= {bounds.low:g}"

    def parse(value: Any, path: str) -> Any:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or (whole and value != int(value)):
            raise wrong(words, value, path)
        if (bounds.low is not None and value < bounds.low) or (bounds.high is not None and value > bounds.high):
            raise wrong(words, value, path)
        return int(value) if whole else float(value)

    def schema() -> dict[str, Any]:
        low = {} if bounds.low is None else {"minimum": bounds.low}
        high = {} if bounds.high is None else {"maximum": bounds.high}
        return {"type": "integer" if whole else "number", **low, **high}

    return Codec(parse, lambda value: value, schema)


def _plain(kind: type, words: str, schema: dict[str, Any]) -> Codec:
    def parse(value: Any, path: str) -> Any:
        if not isinstance(value, kind):
            raise wrong(words, value, path)
        if isinstance(value, str):
            check_text(value, path)
        return value

    return Codec(parse, lambda value: value, lambda: dict(schema))


def check_text(value: str, path: str) -> None:
    """Refuse text that no UTF-8 stream can carry."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ScriptError("the text holds a lone surrogate; write the bytes as {base64: ...}", path) from error


def parse_bytes(value: Any, path: str) -> bytes:
    """Bytes from JSON: a text (UTF-8) or `{"base64": text}`."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        check_text(value, path)
        return value.encode()
    if isinstance(value, dict) and list(value) == ["base64"] and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise ScriptError(f"bad base64: {error}", child(path, "base64")) from error
    raise wrong("a text or {base64: text}", value, path)


def dump_bytes(value: bytes) -> Any:
    """Text where the bytes are UTF-8, else `{"base64": text}`."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def parse_headers(value: Any, path: str) -> Headers:
    """Header fields from JSON: an object (a list as value: one field each) or a list of pairs."""
    if isinstance(value, Mapping):
        pairs = [(name, one) for name, many in value.items() for one in (many if isinstance(many, list) else [many])]
    elif isinstance(value, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        pairs = [(pair[0], pair[1]) for pair in value]
    else:
        raise wrong("headers: an object of texts or a list of [name, value]", value, path)
    return tuple((_header(name, path), _header(text, child(path, str(name)))) for name, text in pairs)


def _header(value: Any, path: str) -> bytes:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        try:
            value = value.encode("latin-1")
        except UnicodeEncodeError as error:
            raise ScriptError(f"a header is Latin-1 text, got {shown(value)}", path) from error
    if not isinstance(value, bytes):
        raise wrong("a text", value, path)
    if any(byte in value for byte in b"\r\n\0"):
        raise ScriptError(
            f"a header holds no CR, LF or NUL, got {shown(value)}; the faults of the group 'head' send such", path
        )
    return value


def dump_headers(value: Headers) -> Any:
    """An object where no name comes twice, else a list of pairs."""
    pairs = [[name.decode("latin-1"), text.decode("latin-1")] for name, text in value]
    names = {name for name, _ in pairs}
    return dict(pairs) if len(names) == len(pairs) else pairs


def _headers() -> Codec:
    def dump(value: Any) -> Any:
        return dump_headers(value) if isinstance(value, tuple) else value

    texts: dict[str, Any] = {"type": ["string", "number"]}
    pair = {"type": "array", "prefixItems": [{"type": "string"}, texts], "minItems": 2, "maxItems": 2}
    many = {"anyOf": [texts, {"type": "array", "items": texts}]}
    schema = {"anyOf": [{"type": "object", "additionalProperties": many}, {"type": "array", "items": pair}]}
    return Codec(parse_headers, dump, lambda: schema)


def _json() -> Codec:
    def parse(value: Any, path: str) -> Any:
        if isinstance(value, str):
            check_text(value, path)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise wrong("a text as key", key, path)
                parse(item, child(path, key))
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                parse(item, child(path, number))
        elif isinstance(value, float) and not math.isfinite(value):
            raise wrong("a JSON number", value, path)
        elif value is not None and not isinstance(value, bool | int | float):
            raise wrong("a JSON value", value, path)
        return value

    return Codec(parse, lambda value: value, dict)


def _literal(choices: tuple[Any, ...]) -> Codec:
    def parse(value: Any, path: str) -> Any:
        for choice in choices:
            if value == choice and type(value) is type(choice):
                return choice
        raise ScriptError(unknown("value", value, map(str, choices)), path)

    return Codec(parse, lambda value: value, lambda: {"enum": list(choices)})


def _optional(inner: Codec) -> Codec:
    return Codec(
        lambda value, path: None if value is None else inner.parse(value, path),
        lambda value: None if value is None else inner.dump(value),
        lambda: {"anyOf": [inner.schema(), {"type": "null"}]} if inner.schema() else {},
    )


def _many(inner: Codec) -> Codec:
    def parse(value: Any, path: str) -> Any:
        if not isinstance(value, list | tuple):
            raise wrong("a list", value, path)
        return tuple(inner.parse(item, child(path, number)) for number, item in enumerate(value))

    def dump(value: Any) -> Any:
        return [inner.dump(item) for item in value] if isinstance(value, list | tuple) else value

    return Codec(parse, dump, lambda: {"type": "array", "items": inner.schema()})


def codec_of(hint: Any) -> Codec:
    """The codec of an annotation. Raises TypeError for one that no setting may have."""
    if hint == Headers:
        return _headers()
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        bounds = next((item for item in arguments[1:] if isinstance(item, Range)), None)
        given = next((item for item in arguments[1:] if isinstance(item, Codec)), None)
        if given is not None:
            return given
        return codec_of(arguments[0]) if bounds is None else _number(arguments[0] is int, bounds)
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and arguments[1] is type(None):
        return _optional(codec_of(arguments[0]))
    if origin is Literal:
        return _literal(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _many(codec_of(arguments[0]))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        cls = hint
        return Codec(lambda value, path: parse_object(cls, value, path), dump_object, lambda: object_schema(cls))
    simple = {
        bool: lambda: _plain(bool, "true or false", {"type": "boolean"}),
        str: lambda: _plain(str, "a text", {"type": "string"}),
        int: lambda: _number(True, Range()),
        float: lambda: _number(False, Range()),
        bytes: _bytes,
        Any: _json,
    }
    if hint in simple:
        return simple[hint]()
    raise TypeError(f"no setting may have the type {hint!r}")


def _bytes() -> Codec:
    base64_text = {"type": "object", "properties": {"base64": {"type": "string"}}, "required": ["base64"]}
    return Codec(
        parse_bytes,
        lambda value: dump_bytes(value) if isinstance(value, bytes) else value,
        lambda: {"anyOf": [{"type": "string"}, {**base64_text, "additionalProperties": False}]},
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a value: its name in Python and in JSON, its codec, its default (`MISSING`: none)."""

    name: str
    key: str
    codec: Codec
    default: Any

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is dataclasses.MISSING


_SETTINGS: dict[type, tuple[Setting, ...]] = {}


def settings_of(cls: type) -> tuple[Setting, ...]:
    """The settings of a dataclass, in order; worked out once."""
    if cls not in _SETTINGS:
        _SETTINGS[cls] = tuple(_settings_of(cls))
    return _SETTINGS[cls]


def _settings_of(cls: Any) -> list[Setting]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        hint = hints[field.name]
        keys = [item.name for item in getattr(hint, "__metadata__", ()) if isinstance(item, Key)]
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        found.append(Setting(field.name, keys[0] if keys else field.name, codec_of(hint), default))
    return found


class UnknownKeyError(ScriptError, TypeError):
    """A call has a keyword that is no setting: a `TypeError` as every such call, with the words of a script's error."""


def checked_keywords(cls: Any) -> Any:
    """Make the class say of a keyword that it does not know what `parse_object` says of such a key."""
    made = cls.__init__

    @functools.wraps(made)
    def init(self: Any, *values: Any, **settings: Any) -> None:
        if settings:
            names = [setting.name for setting in settings_of(cls)]
            for name in settings:
                if name not in names and type(self) is cls:
                    raise UnknownKeyError(unknown("key", name, names), name)
        made(self, *values, **settings)

    cls.__init__ = init
    return cls


def parse_object(cls: type[T], value: Any, path: str, known: tuple[str, ...] = ()) -> T:
    """A value of `cls` from a JSON object. Raises `ScriptError` with the path.

    `known`: keys that the caller has read and taken out, which the error of an unknown key names too.
    """
    if isinstance(value, cls):
        return value
    if not isinstance(value, Mapping):
        raise wrong("an object", value, path)
    settings = {setting.key: setting for setting in settings_of(cls)}
    for key in value:
        if key not in settings:
            raise ScriptError(unknown("key", key, [*settings, *known]), child(path, str(key)))
    arguments = {}
    for key, setting in settings.items():
        if key in value:
            arguments[setting.name] = setting.codec.parse(value[key], child(path, key))
        elif setting.required:
            raise ScriptError(f"the key '{key}' is missing", path)
    try:
        return cls(**arguments)
    except ScriptError as error:
        if error.path.startswith("$"):
            raise
        raise ScriptError(error.message, f"{path}.{error.path}" if error.path else path) from error


def dump_object(value: Any) -> Any:
    """The JSON object of a dataclass, without the settings that have their default."""
    if not dataclasses.is_dataclass(value):
        return value
    found = {}
    for setting in settings_of(type(value)):
        seen = getattr(value, setting.name)
        if setting.required or not _same(seen, setting.default):
            found[setting.key] = setting.codec.dump(seen)
    return found


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: 1 is not True, though Python says so."""
    return type(one) is type(other) and bool(one == other)


def normalise(value: Any) -> None:
    """Check each setting of a new frozen value as JSON would be, and put it into its one form (`1` becomes `1.0`).

    To be called from `__post_init__`. Raises `ScriptError` with the setting's key as path.
    """
    for setting in settings_of(type(value)):
        seen = getattr(value, setting.name)
        object.__setattr__(value, setting.name, setting.codec.parse(setting.codec.dump(seen), setting.key))


def object_schema(cls: type, also: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a dataclass's JSON."""
    settings = settings_of(cls)
    properties = {**(also or {}), **{setting.key: setting.codec.schema() for setting in settings}}
    required = [*(also or {}), *(setting.key for setting in settings if setting.required)]
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found
