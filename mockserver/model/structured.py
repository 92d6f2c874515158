"""A JSON value that a schema accepts, drawn from a key: what `response_format` and the arguments of a tool need.

What is drawn is checked by a real validator before it is sent; a schema for which nothing valid is found is refused,
never answered wrongly. Known: types, const and enum, objects, arrays, numbers with ranges and steps, texts with
lengths, formats and patterns, anyOf, oneOf, allOf, local `$ref` (recursive ones end), JSON Schema 2020-12.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mockserver.model.model import Choice, complete
from mockserver.model.profile import Profile
from mockserver.model.refuse import refuse
from mockserver.model.tokenizer import split
from mockserver.model.words import OBJECTS, SUBJECTS
from mockserver.plan import Plan

_DEEP = 6
_ATTEMPTS = 12
_MANY = 2_000
_LARGE = 1_000
_FORMATS = {
    "date": "2026-11-22",
    "time": "12:30:00Z",
    "date-time": "2026-11-22T12:30:00Z",
    "duration": "P3DT4H",
    "email": "robot@example.com",
    "idn-email": "robot@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "uri": "https://example.com/robot",
    "uri-reference": "/robot",
    "iri": "https://example.com/robot",
    "iri-reference": "/robot",
    "uri-template": "/robots/{id}",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "json-pointer": "/robot/0",
    "relative-json-pointer": "1/robot",
    "regex": "^robot$",
}
_FREE: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "confidence": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["answer", "confidence"],
}


class Unsatisfiable(ValueError):  # noqa: N818 - names the state of a schema, not a fault of ours
    """No value could be drawn for the schema; the message says at which part."""


def writer(
    profile: Profile, asked: Mapping[str, Any] | None
) -> Callable[[bytes, int, Sequence[str]], Choice] | Plan | None:
    """What makes the choices of a request with this `response_format`; None: it asks for plain text."""
    kind = asked.get("type") if asked else "text"
    if asked is None or kind == "text":
        return None
    schema = asked["json_schema"].get("schema", {}) if kind == "json_schema" else _FREE
    try:
        draw(schema, b"")
    except Unsatisfiable as error:
        return refuse(profile, "bad_schema", reason=str(error), where="response_format")

    def write(key: bytes, limit: int, stops: Sequence[str]) -> Choice:
        text = json.dumps(draw(schema, key), ensure_ascii=False, separators=(",", ":"))
        return complete(split(text), True, limit, stops, profile.end_token)

    return write


def draw(schema: Any, key: bytes) -> Any:
    """A value that `schema` accepts, the same for the same key. Raises `Unsatisfiable`."""
    check = _validator(schema)
    reason = "nothing that was drawn is valid"
    for attempt in range(_ATTEMPTS):
        rng = random.Random(key + b"\0%d" % attempt)
        try:
            value = _Drawer(schema, rng).draw(schema, "#", 0)
        except (Unsatisfiable, OverflowError, LookupError, ValueError) as error:  # numbers too large, odd pointers
            reason = str(error)
            continue
        if check(value):
            return value
    raise Unsatisfiable(reason)


def _validator(schema: Any) -> Callable[[Any], bool]:
    import jsonschema_rs  # heavy, and needed for schemas only

    def never(uri: str) -> Any:
        raise ValueError(f"{uri} is outside the document")

    try:
        return jsonschema_rs.validator_for(schema, retriever=never).is_valid
    except Exception as error:  # whatever it is, it is the schema's fault and is told so
        raise Unsatisfiable(f"the schema is not valid: {str(error).splitlines()[0]}") from error


class _Drawer:
    """Draws values for the parts of one schema."""

    def __init__(self, root: Any, rng: random.Random) -> None:
        self.root = root
        self.rng = rng
        self.drawn = 0

    def draw(self, schema: Any, path: str, depth: int) -> Any:
        if schema is True or schema == {}:
            return self._text({})
        if schema is False:
            raise Unsatisfiable(f"{path} accepts nothing")
        self.drawn += 1
        if depth > _DEEP * 4 or self.drawn > _MANY:
            raise Unsatisfiable(f"{path} is endless")
        if "$ref" in schema:
            return self.draw(_both(self._resolve(schema["$ref"]), _without(schema, "$ref")), path, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            if not schema["enum"]:
                raise Unsatisfiable(f"{path}/enum is empty")
            return self.rng.choice(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._one_of(schema, key, path, depth)
        if "allOf" in schema:
            merged: dict[str, Any] = _without(schema, "allOf")
            for part in schema["allOf"]:
                if isinstance(part, dict) and "$ref" in part:
                    part = _both(self._resolve(part["$ref"]), _without(part, "$ref"))
                merged = _both(merged, part)
            return self.draw(merged, path, depth + 1)
        return self._typed(schema, path, depth)

    def _typed(self, schema: Mapping[str, Any], path: str, depth: int) -> Any:
        kinds = schema.get("type") or _guess(schema)
        if isinstance(kinds, list):
            useful = [kind for kind in kinds if kind != "null"]
            kinds = self.rng.choice(useful) if useful and depth <= _DEEP else kinds[-1]
        if kinds == "object":
            return self._object(schema, path, depth)
        if kinds == "array":
            return self._array(schema, path, depth)
        if kinds == "string":
            return self._text(schema)
        if kinds in ("integer", "number"):
            return self._number(schema, kinds == "integer", path)
        return self.rng.random() < 0.5 if kinds == "boolean" else None

    def _resolve(self, ref: str) -> Any:
        """The schema a `$ref` means, one of the document by a JSON pointer; the validator knows that there is one."""
        found = self.root
        for part in urllib.parse.unquote(ref.partition("#")[2]).split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else found[int(key)]
        return found if isinstance(found, dict) else found is True

    def _one_of(self, schema: Mapping[str, Any], key: str, path: str, depth: int) -> Any:
        options = list(schema[key])
        self.rng.shuffle(options)
        if depth > _DEEP:
            options.sort(key=lambda option: len(json.dumps(option)))
        reason = Unsatisfiable(f"{path}/{key} is empty")
        for option in options:
            try:
                return self.draw(_both(_without(schema, key), option), f"{path}/{key}", depth + 1)
            except Unsatisfiable as error:
                reason = error
        raise reason

    def _object(self, schema: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = list(schema.get("required", ()))
        found: dict[str, Any] = {}
        for name, part in properties.items():
            if name in required or depth <= _DEEP:
                try:
                    found[name] = self.draw(part, f"{path}/properties/{name}", depth + 1)
                except Unsatisfiable:
                    if name in required:
                        raise
        other = schema.get("additionalProperties", True)
        for name in required:
            if name not in found:
                found[name] = self.draw(other, f"{path}/{name}", depth + 1)
        number = 0
        while len(found) < _size(schema.get("minProperties", 0), path):
            number += 1
            found.setdefault(f"key{number}", self.draw(other, f"{path}/key{number}", depth + 1))
        return found

    def _array(self, schema: Mapping[str, Any], path: str, depth: int) -> list[Any]:
        low = _size(schema.get("minItems", 0 if depth > _DEEP else 1), path)
        high = int(schema.get("maxItems", max(low, 3)))
        first = schema.get("prefixItems", [])
        items = schema.get("items", {"type": "string"})
        if items is False:
            high = min(high, len(first))
        length = low if depth > _DEEP else self.rng.randint(min(low, high), min(high, max(low, 3)))
        found: list[Any] = []
        tries = 0
        while len(found) < max(length, min(len(first), high)):
            part = first[len(found)] if len(found) < len(first) else items
            value = self.draw(part, f"{path}/items", depth + 1)
            tries += 1
            if schema.get("uniqueItems") and value in found:
                if tries > 200:
                    raise Unsatisfiable(f"{path} has no {length} different items")
                continue
            found.append(value)
        return found

    def _number(self, schema: Mapping[str, Any], whole: bool, path: str) -> float:
        step = schema.get("multipleOf") or (1 if whole else None)
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        nudge = step or 1e-6
        if "exclusiveMinimum" in schema:
            low = max(low, schema["exclusiveMinimum"] + nudge)
        if "exclusiveMaximum" in schema:
            high = min(high, schema["exclusiveMaximum"] - nudge)
        if low == -math.inf:
            low = 0 if high > 0 else high - 100
        if high == math.inf:
            high = low + 100
        if low > high:
            raise Unsatisfiable(f"{path}: no number from {low} to {high}")
        if step is None:
            return round(self.rng.uniform(low, high), 6) if high - low > 1e-3 else low
        first, last = math.ceil(low / step), math.floor(high / step)
        if first > last:
            raise Unsatisfiable(f"{path}: no multiple of {step} from {low} to {high}")
        value = self.rng.randint(first, last) * step
        return int(value) if whole else value

    def _text(self, schema: Mapping[str, Any]) -> str:
        if "pattern" in schema:
            return _matching(schema["pattern"], self.rng)
        known = _FORMATS.get(schema.get("format", ""))
        if known is not None:
            return known
        text = (self.rng.choice(SUBJECTS) if self.rng.random() < 0.5 else self.rng.choice(OBJECTS)).strip()
        while len(text) < _size(schema.get("minLength", 0), "the text"):
            text += self.rng.choice(OBJECTS)
        return text[: int(schema.get("maxLength", len(text)))]


def _size(number: float, path: str) -> int:
    """A length that a schema asks for."""
    if number > _LARGE:
        raise Unsatisfiable(f"{path} must hold {number}; more than {_LARGE} is not drawn")
    return int(number)


def _without(schema: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in keys}


def _guess(schema: Mapping[str, Any]) -> str:
    """The type of a schema that does not say one, from the keys it has."""
    for kind, keys in (
        ("object", ("properties", "required", "additionalProperties", "minProperties")),
        ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
        ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    ):
        if any(key in schema for key in keys):
            return kind
    return "string"


def _both(one: Any, other: Any) -> dict[str, Any]:
    """A schema that accepts what both accept, for the keys that matter when drawing."""
    if one is False or other is False:
        raise Unsatisfiable("a part accepts nothing")
    one, other = {} if one is True else one, {} if other is True else other
    found = {**one, **other}
    for key in ("properties", "$defs"):
        if key in one and key in other:
            found[key] = {**one[key], **other[key]}
    if "required" in one and "required" in other:
        found["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    for key, pick in (("minimum", max), ("maximum", min), ("minLength", max), ("maxLength", min)):
        if key in one and key in other:
            found[key] = pick(one[key], other[key])
    return found


def _matching(pattern: str, rng: random.Random) -> str:
    """A text that a regular expression finds, from the parsed expression of the standard library."""
    parser: Any = importlib.import_module("re._parser")  # has no public name since sre_parse was deprecated
    try:
        return "".join(_spell(parser.parse(pattern), rng))
    except Exception as error:  # the expression is the request's: bad syntax, unknown parts
        raise Unsatisfiable(f"no text was found for the pattern {pattern!r}") from error


def _spell(parsed: Any, rng: random.Random) -> list[str]:
    out: list[str] = []
    for code, argument in parsed:
        name = str(code)
        if name == "LITERAL":
            out.append(chr(argument))
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, part = argument
            for _ in range(rng.randint(low, min(int(high), low + 3))):
                out += _spell(part, rng)
        elif name == "SUBPATTERN":
            out += _spell(argument[-1], rng)
        elif name == "BRANCH":
            out += _spell(rng.choice(argument[1]), rng)
        elif name == "IN":
            out.append(_member(argument, rng))
        elif name == "ANY":
            out.append("x")
        elif name == "NOT_LITERAL":
            out.append("x" if argument != ord("x") else "y")
        elif name != "AT":
            raise Unsatisfiable(f"{name} is not known")
    return out


def _member(options: Any, rng: random.Random) -> str:
    if str(options[0][0]) == "NEGATE":
        listed = _Members(options[1:])
        return next(sign for sign in _SIGNS if sign not in listed)
    code, argument = rng.choice(options)
    if str(code) == "RANGE":
        return chr(rng.randint(*argument))
    return chr(argument) if str(code) == "LITERAL" else _category(str(argument), rng)


class _Members:
    """The signs of a negated class."""

    def __init__(self, options: Any) -> None:
        self.options = options

    def __contains__(self, sign: str) -> bool:
        for code, argument in self.options:
            name = str(code)
            if name == "LITERAL" and ord(sign) == argument:
                return True
            if name == "RANGE" and argument[0] <= ord(sign) <= argument[1]:
                return True
            if name == "CATEGORY" and sign in _CATEGORIES[str(argument)]:
                return True
        return False


_SIGNS = "xyzaXA0 -_.!"
"""What is tried where a class only says what it must not be; each sign stands in every category it belongs to."""
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": "xyzaXA0_bc12",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": "xyzaXA -_.!",
    "CATEGORY_NOT_WORD": "-.! ",
    "CATEGORY_NOT_SPACE": "xyzaXA0-_.!",
}


def _category(name: str, rng: random.Random) -> str:
    return rng.choice(_CATEGORIES[name])
