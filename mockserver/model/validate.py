"""The full reading of a request body: every field checked, every complaint an `Issue`, none of them an exception.

It accepts what `Grammar.quick` accepts and more; `tests/mock/test_validate.py` keeps the two alike. The kinds of
issues are the names FastAPI uses (`missing`, `int_parsing`, ...), because the engine speaks them on the wire; a profile
words them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mockserver.model.fields import Field, Grammar

Loc: TypeAlias = tuple[str | int, ...]


class Branch(str):
    """A part of a location that names the alternative of a type that was tried (`list[str]`), no place in the body."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """One complaint. `limit` is what would be right, where that is a value."""

    kind: str
    loc: Loc
    input: Any
    limit: Any = None
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def param(self) -> str:
        """The place as the OpenAI dialect writes it: `messages[0].content`."""
        name = ""
        for part in self.loc:
            if isinstance(part, int):
                name += f"[{part}]"
            elif not isinstance(part, Branch):
                name += f".{part}" if name else part
        return name


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that is well formed and yet not served: the name of the profile's error, and where."""

    error: str
    loc: Loc


_TRUE = {"1", "on", "t", "true", "y", "yes"}
_FALSE = {"0", "off", "f", "false", "n", "no"}
_BOUNDS = {"ge": "greater_than_equal", "gt": "greater_than", "le": "less_than_equal", "lt": "less_than"}


def validate(body: Any, grammar: Grammar) -> tuple[dict[str, Any], list[Issue], list[Refusal]]:
    """The values of the known fields that were sent, and all that is wrong with the body."""
    if not isinstance(body, dict):
        return {}, [Issue("model_attributes_type", (), body)], []
    reader = _Reader(grammar)
    values: dict[str, Any] = {}
    for name, item in grammar.fields.items():
        if name not in body:
            if item.required:
                reader.issues.append(Issue("missing", (name,), body))
        elif body[name] is None and item.null:
            continue
        elif item.refuse:
            reader.refusals.append(Refusal(item.refuse, (name,)))
        else:
            values[name] = reader.read(item, body[name])
    if grammar.unknown == "refuse":
        reader.issues += [Issue("extra_forbidden", (name,), body[name]) for name in body if name not in grammar.fields]
    return values, reader.issues, reader.refusals


class _Reader:
    """Collects the issues of one body."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.coerce = grammar.coerce
        self.issues: list[Issue] = []
        self.refusals: list[Refusal] = []

    def add(self, kind: str, loc: Loc, value: Any, limit: Any = None, **context: Any) -> None:
        self.issues.append(Issue(kind, loc, value, limit, context))

    def read(self, item: Field, value: Any) -> Any:
        loc: Loc = (item.name,)
        before = len(self.issues)
        found = getattr(self, f"_{item.type}")(item, value, loc)
        if len(self.issues) > before:
            return None
        if item.enum and found not in item.enum:
            self.add("literal_error", loc, value, " or ".join(repr(choice) for choice in item.enum))
        if found in item.exclude and not isinstance(found, bool):
            self.add("value_error", loc, value, item.reason, error={})
        return found

    def _any(self, item: Field, value: Any, loc: Loc) -> Any:
        return value

    def _string(self, item: Field, value: Any, loc: Loc) -> Any:
        if not isinstance(value, str):
            self.add("string_type", loc, value)
        elif item.max_length is not None and len(value) > item.max_length:
            self.add("string_too_long", loc, value, item.max_length, max_length=item.max_length)
        elif item.min_length is not None and len(value) < item.min_length:
            self.add("string_too_short", loc, value, item.min_length, min_length=item.min_length)
        return value

    def _boolean(self, item: Field, value: Any, loc: Loc) -> Any:
        if isinstance(value, bool):
            return value
        if "bool" in self.coerce and isinstance(value, int | float) and value in (0, 1):
            return bool(value)
        if "string" in self.coerce and isinstance(value, str) and value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        coercible = bool(self.coerce & {"string", "bool"}) and isinstance(value, int | str)
        return self.add("bool_parsing" if coercible else "bool_type", loc, value)

    def _integer(self, item: Field, value: Any, loc: Loc) -> Any:
        found: Any = value
        if isinstance(value, bool):
            if "bool" not in self.coerce:
                return self.add("int_type", loc, value)
            found = int(value)
        elif isinstance(value, float):
            if "integral" not in self.coerce or not value.is_integer():
                whole = "int_from_float" if math.isfinite(value) else "finite_number"
                return self.add(whole, loc, value)
            found = int(value)
        elif isinstance(value, str) and "string" in self.coerce:
            try:
                found = int(value)
            except ValueError:
                return self.add("int_parsing", loc, value)
        elif not isinstance(value, int):
            return self.add("int_type", loc, value)
        return self._in_range(item, found, value, loc)

    def _number(self, item: Field, value: Any, loc: Loc) -> Any:
        found: Any = value
        if isinstance(value, bool):
            if "bool" not in self.coerce:
                return self.add("float_type", loc, value)
        elif isinstance(value, str) and "string" in self.coerce:
            try:
                found = float(value)
            except ValueError:
                return self.add("float_parsing", loc, value)
        elif not isinstance(value, int | float):
            return self.add("float_type", loc, value)
        try:
            found = float(found)
        except OverflowError:  # an integer of more than 308 digits
            found = math.inf
        if not math.isfinite(found):
            return self.add("finite_number", loc, value)
        return self._in_range(item, found, value, loc)

    def _in_range(self, item: Field, found: Any, value: Any, loc: Loc) -> Any:
        for name, limit in item.bounds().items():
            good = found >= limit if name == "ge" else found > limit if name == "gt" else True
            good = found <= limit if name == "le" else found < limit if name == "lt" else good
            if not good:
                exact = float(limit) if item.type == "number" else limit
                self.add(_BOUNDS[name], loc, value, limit, **{name: exact})
                break
        return found

    def _strings(self, item: Field, value: Any, loc: Loc) -> Any:
        """A text or a list of texts."""
        if isinstance(value, str):
            return value
        many = (*loc, Branch("list[str]"))
        if not isinstance(value, list):
            self.add("string_type", (*loc, Branch("str")), value)
            self.add("list_type", many, value)
        elif any(not isinstance(text, str) for text in value):
            self.add("string_type", (*loc, Branch("str")), value)
            for number, text in enumerate(value):
                if not isinstance(text, str):
                    self.add("string_type", (*many, number), text)
        else:
            self._size(item, value, loc)
        return value

    def _size(self, item: Field, value: list[Any], loc: Loc) -> None:
        if item.max_items is not None and len(value) > item.max_items:
            self.add("too_long", loc, value, item.max_items, max_length=item.max_items, actual_length=len(value))
        if item.min_items is not None and len(value) < item.min_items:
            self.add("too_short", loc, value, item.min_items, min_length=item.min_items, actual_length=len(value))

    def _tokens(self, item: Field, value: Any, loc: Loc) -> Any:
        """A text, a list of texts, a list of token ids, or a list of lists of token ids."""
        if isinstance(value, list) and value and not any(isinstance(part, str) for part in value):
            flat = value if all(_is_id(part) for part in value) else None
            if flat is not None or all(isinstance(part, list) and part and all(map(_is_id, part)) for part in value):
                if flat is None:
                    self._size(item, value, loc)
                return value
        return self._strings(item, value, loc)

    def _object(self, item: Field, value: Any, loc: Loc) -> Any:
        if not isinstance(value, dict):
            self.add("dict_type", loc, value)
        return value

    def _logit_bias(self, item: Field, value: Any, loc: Loc) -> Any:
        """Token ids as text, each with a number from -100 to 100."""
        if not isinstance(value, dict):
            return self.add("dict_type", loc, value)
        for key, bias in value.items():
            if isinstance(bias, bool) or not isinstance(bias, int | float):
                self.add("float_type", (*loc, key), bias)
            elif not bias >= -100:
                self.add("greater_than_equal", (*loc, key), bias, -100)
            elif bias > 100:
                self.add("less_than_equal", (*loc, key), bias, 100)
        return value

    def _flag_or_count(self, item: Field, value: Any, loc: Loc) -> Any:
        """`logprobs`: true and false, or how many alternatives."""
        return value if isinstance(value, bool) else self._integer(item, value, loc)

    def _stream_options(self, item: Field, value: Any, loc: Loc) -> Any:
        if not isinstance(value, dict):
            return self.add("dict_type", loc, value)
        flag = value.get("include_usage")
        if flag is not None and not isinstance(flag, bool):
            self.add("bool_type", (*loc, "include_usage"), flag)
        return value

    def _response_format(self, item: Field, value: Any, loc: Loc) -> Any:
        if not isinstance(value, dict):
            return self.add("dict_type", loc, value)
        kind = value.get("type")
        known = ("text", "json_object", "json_schema")
        if kind not in known:
            return self.add("literal_error", (*loc, "type"), kind, " or ".join(map(repr, known)))
        if kind == "json_schema":
            wrapper = value.get("json_schema")
            if not isinstance(wrapper, dict):
                self.add("dict_type" if "json_schema" in value else "missing", (*loc, "json_schema"), wrapper)
            elif not isinstance(wrapper.get("schema", {}), dict | bool):
                self.add("dict_type", (*loc, "json_schema", "schema"), wrapper["schema"])
        return value

    def _tools(self, item: Field, value: Any, loc: Loc) -> Any:
        if not isinstance(value, list):
            return self.add("list_type", loc, value)
        self._size(item, value, loc)
        for number, tool in enumerate(value):
            at = (*loc, number)
            if not isinstance(tool, dict):
                self.add("model_attributes_type", at, tool)
            elif tool.get("type") != "function":
                self.add("literal_error", (*at, "type"), tool.get("type"), "'function'")
            elif not isinstance(tool.get("function"), dict):
                self.add("dict_type" if "function" in tool else "missing", (*at, "function"), tool.get("function"))
            else:
                self._function(tool["function"], (*at, "function"))
        return value

    def _function(self, value: dict[str, Any], loc: Loc) -> None:
        name = value.get("name")
        if not isinstance(name, str):
            self.add("string_type" if "name" in value else "missing", (*loc, "name"), name)
        elif not name:
            self.add("string_too_short", (*loc, "name"), name, 1, min_length=1)
        if not isinstance(value.get("parameters"), dict | None):
            self.add("dict_type", (*loc, "parameters"), value["parameters"])

    def _tool_choice(self, item: Field, value: Any, loc: Loc) -> Any:
        known = ("none", "auto", "required")
        if isinstance(value, dict):
            function = value.get("function")
            name = function.get("name") if isinstance(function, dict) else None
            if value.get("type") != "function":
                self.add("literal_error", (*loc, "type"), value.get("type"), "'function'")
            elif not isinstance(name, str):
                self.add("string_type", (*loc, "function", "name"), name)
        elif value not in known:
            self.add("literal_error", loc, value, " or ".join(map(repr, known)))
        return value

    def _messages(self, item: Field, value: Any, loc: Loc) -> Any:
        if not isinstance(value, list):
            return self.add("list_type", loc, value)
        self._size(item, value, loc)
        for number, message in enumerate(value):
            self._message(message, (*loc, number))
        return value

    def _message(self, message: Any, loc: Loc) -> None:
        rules = self.grammar.messages
        if not isinstance(message, dict):
            return self.add("model_attributes_type", loc, message)
        role = message.get("role")
        if "role" not in message:
            self.add("missing", (*loc, "role"), message)
        elif not isinstance(role, str):
            self.add("string_type", (*loc, "role"), role)
        elif rules.roles and role not in rules.roles:
            self.add("literal_error", (*loc, "role"), role, " or ".join(map(repr, rules.roles)))
        content = message.get("content")
        calls = message.get("tool_calls")
        if content is None and rules.null_content and (role == "assistant" or calls):
            return None
        if "content" not in message:
            return self.add("missing", (*loc, "content"), message)
        return self._content(content, (*loc, "content"))

    def _content(self, content: Any, loc: Loc) -> None:
        if isinstance(content, str):
            return
        many = (*loc, Branch("list[ContentPart]"))
        if not isinstance(content, list):
            self.add("string_type", (*loc, Branch("str")), content)
            self.add("list_type", many, content)
            return
        for number, part in enumerate(content):
            self._part(part, (*many, number))

    def _part(self, part: Any, loc: Loc) -> None:
        parts = self.grammar.messages.parts
        if not isinstance(part, dict):
            self.add("model_attributes_type", loc, part)
        elif not isinstance(part.get("type"), str):
            self.add("string_type" if "type" in part else "missing", (*loc, "type"), part.get("type", part))
        elif part["type"] not in parts:
            self.add("literal_error", (*loc, "type"), part["type"], " or ".join(map(repr, parts)))
        elif "error" in parts[part["type"]]:
            self.refusals.append(Refusal(parts[part["type"]]["error"], loc))
        elif part["type"] == "text" and not isinstance(part.get("text"), str):
            self.add("string_type" if "text" in part else "missing", (*loc, "text"), part.get("text", part))
        elif part["type"] == "image_url" and not _is_image(part.get("image_url")):
            self.add("string_type", (*loc, "image_url", "url"), part.get("image_url"))

    def _input(self, item: Field, value: Any, loc: Loc) -> Any:
        """The input of an embedding: as a prompt, but not empty."""
        found = self._tokens(item, value, loc)
        texts: Sequence[Any] = value if isinstance(value, list) else [value]
        for number, text in enumerate(texts):
            if text == "":
                at = (*loc, number) if isinstance(value, list) else loc
                self.add("string_too_short", at, text, 1, min_length=1)
        return found


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_image(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("url"), str))


TYPES = (
    *("any", "string", "boolean", "integer", "number", "strings", "tokens", "object", "logit_bias", "flag_or_count"),
    *("stream_options", "response_format", "tools", "tool_choice", "messages", "input"),
)
"""The types a field of a grammar may have."""


def texts_of(content: Any) -> Iterator[str]:
    """The texts of a message's content: itself, or those of its text parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]
