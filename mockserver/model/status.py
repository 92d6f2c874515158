"""What the server knows of itself when it answers: its health, its age, its counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mockserver.model.metrics import Metrics

Health: TypeAlias = Literal["ok", "loading", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Status:
    """`health` `loading` and `unhealthy` answer `/health` with the profile's status; `uptime` is seconds."""

    health: Health = "ok"
    uptime: float = 0.0
    metrics: Metrics = field(default_factory=Metrics)
