"""A profile is what a server promises: the same law asks more of a server that promises more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ProfileName: TypeAlias = Literal["docs", "engine", "openai"]


@dataclass(frozen=True, slots=True)
class Profile:
    """`error_keys`: the shapes of an error body that are promised; `unknown_model`: the statuses with which an unknown
    model may be refused (empty: it need not be); `done`: a stream ends with `[DONE]`; `temperature`: the range that is
    promised; `info`: `GET /v1/info` is promised; `model_get`: `GET
    /v1/models/{id}` is; `health`: `GET /health` is; `lacks`: capabilities, and the fields that ask for them, which the
    profile is known to take and to ignore."""

    name: ProfileName
    error_keys: tuple[str, ...]
    unknown_model: tuple[int, ...]
    temperature: tuple[float, float | None] = (0.0, 2.0)
    done: bool = True
    info: bool = False
    model_get: bool = False
    health: bool = False
    lacks: frozenset[str] = frozenset()


IGNORED = frozenset({"n", "logprobs", "chat_logprobs", "echo", "stream_usage", "max_completion_tokens"})
"""The engine ignores every field that it does not know (recorded: comp_unknown_field)."""

PROFILES: dict[str, Profile] = {
    "docs": Profile("docs", ("error",), (404,), info=True, model_get=True, health=True),
    "engine": Profile("engine", ("detail",), (), (0.0, None), health=True, lacks=IGNORED),
    "openai": Profile("openai", ("error",), (400, 404, 422)),
}


def profile(name: str) -> Profile:
    """The profile of that name. Raises `LookupError` that names them all."""
    if name not in PROFILES:
        raise LookupError(f"unknown profile {name!r}; known profiles: {', '.join(PROFILES)}")
    return PROFILES[name]
