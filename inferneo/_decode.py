"""From bytes to checked values: a fast reader, and a slow one for what the fast one refuses.

Law: where both accept, they give equal values. The slow one alone words the errors, with the path and what was got.
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Any, TypeVar, Union, cast

import msgspec

from inferneo._headers import Http
from inferneo._types import Base, ChatCompletionChunk, Root, Source, link

R = TypeVar("R", bound=Root)


class Mismatch(ValueError):  # noqa: N818  # never seen by users, worded by others
    """A document is not what its type says; the text names the path and what was got."""


class Failed(Exception):  # noqa: N818  # see above
    """The document reports a failure; `document` is the decoded body."""

    def __init__(self, document: Any) -> None:
        super().__init__("the document reports a failure")
        self.document = document


_decoders: dict[type[Root], msgspec.json.Decoder[Any]] = {}


def decoder(kind: type[R]) -> msgspec.json.Decoder[R]:
    """The fast reader of a type; made once."""
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found


def is_failure(document: dict[str, Any]) -> bool:
    """Whether a document reports a failure: `error` (not null), `"object": "error"`, or `detail` and no payload."""
    payload = any(document.get(name) not in (None, []) for name in ("choices", "data"))
    error = document.get("error")
    if error is not None and (error or not payload):
        return error is not False
    if document.get("object") == "error":
        return True
    return document.get("detail") is not None and not payload and "id" not in document


def read(kind: type[R], raw: bytes, http: Http | None) -> R:
    """One document. Raises `Failed`, `Mismatch`, or `ValueError` when it is not JSON."""
    source = Source(raw, http)
    try:
        value = decoder(kind).decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return cast(R, read_slowly(kind, source))
    if value._error is not None or value._detail is not None or getattr(value, "object", None) == "error":
        document = source.document
        if is_failure(document):
            raise Failed(document)
    if kind is ChatCompletionChunk:  # the hot path: `link`, unrolled
        value._at = (source, ())
        for index, choice in enumerate(value.choices):  # type: ignore[attr-defined]  # it is a chunk
            choice._at = (source, ("choices", index))
            delta = choice.delta
            delta._at = (source, ("choices", index, "delta"))
            if delta.tool_calls is not None or delta.function_call is not None or choice.logprobs is not None:
                link(choice, source, ("choices", index))
        usage = value.usage  # type: ignore[attr-defined]  # see above
        if usage is not None:
            usage._at = (source, ("usage",))
    else:
        link(value, source)
    return value


def read_slowly(kind: type[Root], source: Source) -> Root:
    """The slow reader; same results and errors as `read`."""
    document = source.document
    if isinstance(document, dict) and is_failure(document):
        raise Failed(document)
    value = build(kind, document, "$")
    link(value, source)
    return cast(Root, value)


@functools.cache
def _hints(kind: type[Base]) -> dict[str, tuple[str, Any, bool, Any]]:
    """Field -> (name in JSON, type, required, how to make the default)."""
    hints = typing.get_type_hints(kind)
    fields = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "_at":
            continue
        if field.default_factory is not msgspec.NODEFAULT:
            make = field.default_factory
        else:
            make = functools.partial(_same, field.default)
        fields[field.name] = (field.encode_name, hints[field.name], field.required, make)
    return fields


def _same(value: Any) -> Any:
    return value


def _got(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"{type(value).__name__} of {len(value)}"
    return f"{text[:60]} ({type(value).__name__})" if not isinstance(value, dict | list) else text


def build(kind: Any, value: Any, path: str) -> Any:
    """`value` as `kind`, checked. Raises `Mismatch`."""
    if kind is Any:
        return value
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        options = typing.get_args(kind)
        if value is None and type(None) in options:
            return None
        options = tuple(option for option in options if option is not type(None))
        for option in options[:-1]:
            try:
                return build(option, value, path)
            except Mismatch:
                continue
        return build(options[-1], value, path)
    if origin is list:
        if not isinstance(value, list):
            raise Mismatch(f"{path}: expected a list, got {_got(value)}")
        (item,) = typing.get_args(kind)
        return [build(item, entry, f"{path}[{index}]") for index, entry in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise Mismatch(f"{path}: expected an object, got {_got(value)}")
        item = typing.get_args(kind)[1]
        return {key: build(item, entry, f"{path}.{key}") for key, entry in value.items()}
    if isinstance(kind, type) and issubclass(kind, Base):
        return _build_struct(kind, value, path)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
        return value
    names = {str: "text", int: "an integer", float: "a number", bool: "true or false"}
    raise Mismatch(f"{path}: expected {names.get(kind, kind)}, got {_got(value)}")


def _build_struct(kind: type[Base], value: Any, path: str) -> Base:
    if not isinstance(value, dict):
        raise Mismatch(f"{path}: expected an object, got {_got(value)}")
    fields = {}
    for name, (key, hint, required, make) in _hints(kind).items():
        got = value.get(key)
        if got is not None:
            fields[name] = build(hint, got, f"{path}.{key}")
        elif required:
            if key in value:
                raise Mismatch(f"{path}.{key}: expected {_describe(hint)}, got null")
            raise Mismatch(f"{path}.{key}: missing")
        else:
            fields[name] = make()
    return kind(**fields)


def _describe(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint))
