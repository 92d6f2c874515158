"""Keys, limits and latency as parts of a script: read strictly, with the path in the error, and written back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mockserver.errors import MockError, ScriptError
from mockserver.model.keys import BadKeyError, Key, key_to_text, parse_key
from mockserver.model.latency import Latency, latency_schema, latency_to_json, parse_latency
from mockserver.model.limits import Limits, limits_schema, limits_to_json, parse_limits
from mockserver.settings import Codec


def _codec(
    kind: type, parse: Callable[[Any], Any], dump: Callable[[Any], Any], schema: Callable[[], dict[str, Any]]
) -> Codec:
    """A codec whose parser words its own errors; null is None."""

    def read(value: Any, path: str) -> Any:
        if value is None or isinstance(value, kind):
            return value
        try:
            return parse(value)
        except ScriptError:
            raise
        except MockError as error:
            raise ScriptError(str(error), path) from error

    return Codec(read, lambda value: dump(value) if isinstance(value, kind) else value, schema)


def _key(value: Any) -> Key:
    if not isinstance(value, str):
        raise BadKeyError(f"an API key is a text, not {value!r}")
    return parse_key(value)


LIMITS = _codec(Limits, parse_limits, limits_to_json, lambda: {"anyOf": [limits_schema(), {"type": "null"}]})
LATENCY = _codec(
    Latency, parse_latency, latency_to_json, lambda: {"anyOf": [*latency_schema()["anyOf"], {"type": "null"}]}
)
KEY = _codec(Key, _key, key_to_text, lambda: {"type": "string", "minLength": 1})
