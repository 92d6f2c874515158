"""How a server serves beside its script: keys, limits, latency, health, models, as they are said outside.

The command line, the environment and `MockServer` say the same things in the same words; what is said wrong is one
sentence. An argument goes before the variable of the same meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from mockserver.errors import MockError
from mockserver.model.keys import parse_key
from mockserver.model.latency import LatencyError, parse_latency
from mockserver.model.limits import NO_LIMITS, Limits, LimitsError, limits_of_environment, parse_limits
from mockserver.model.profile import read_profile
from mockserver.model.status import Health
from mockserver.serving.brain import Settings
from mockserver.suggest import unknown

API_KEY, MODEL_NAME = "INFERNEO_API_KEY", "INFERNEO_MODEL_NAME"
CORS_ORIGINS, MAX_CONCURRENT = "INFERNEO_CORS_ORIGINS", "INFERNEO_MAX_CONCURRENT_REQUESTS"
DOCUMENTED = "documented"
"""The limits that the profile names."""


class ServiceError(MockError, ValueError):
    """A setting of the server means nothing."""


def settings(
    base: Settings,
    *,
    api_keys: Sequence[str] = (),
    limits: Any = None,
    latency: Any = None,
    speed: float | None = None,
    max_concurrent: int | None = None,
    health: Health = "ok",
    models: Sequence[str] = (),
    cors_origins: Sequence[str] = (),
) -> Settings:
    """`base` with these; `limits` and `latency` are JSON or values, or the text of it. Raises `MockError`."""
    if health not in get_args(Health):  # a user's text
        raise ServiceError(unknown("health", health, get_args(Health)))
    found = parse_latency(_value(latency, LatencyError) if not _is_name(latency) else latency)
    if speed is not None:
        found = replace(found, speed=parse_latency({"speed": speed}).speed)
    if max_concurrent is not None:
        found = replace(found, slots=parse_latency({"slots": max_concurrent}).slots)
    return replace(
        base,
        keys=tuple(parse_key(key) for key in api_keys),
        limits=_limits(limits, base.profile),
        latency=found,
        health=health,
        models=tuple(models),
        origins=() if "*" in cors_origins else tuple(cors_origins),
    )


def _limits(value: Any, profile: str) -> Limits:
    if isinstance(value, Limits):
        return value
    if value == DOCUMENTED:
        told = read_profile(profile).get("limits") or {}
        return parse_limits({name: limit for name, limit in told.items() if name != "headers"})
    if isinstance(value, str) and "=" in value and not value.lstrip().startswith("{"):
        pairs = (pair.partition("=") for pair in value.split(","))
        value = {name.strip(): _value(number.strip(), LimitsError) for name, _, number in pairs}
    return parse_limits(_value(value, LimitsError))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.replace("-", "").isalnum() and not value.isdigit()


def _value(value: Any, error: type[MockError]) -> Any:
    """The JSON of a text; what is no text is as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as problem:
        raise error(f"neither a name that is known nor JSON: {value!r}") from problem


def of_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `settings` that the environment says. Raises `MockError`."""
    found: dict[str, Any] = {}
    for name, variable in (("api_keys", API_KEY), ("models", MODEL_NAME), ("cors_origins", CORS_ORIGINS)):
        said = [part.strip() for part in variables.get(variable, "").split(",") if part.strip()]
        if said:
            found[name] = said
    text = variables.get(MAX_CONCURRENT, "").strip()
    if text:
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise ServiceError(f"{MAX_CONCURRENT} is a whole number above 0, not {text!r}")
        found["max_concurrent"] = int(text)
    limits = limits_of_environment(variables, NO_LIMITS)
    if limits:
        found["limits"] = limits
    return found
