"""What both clients share besides their settings: changing these, and logging as `INFERNEO_LOG` says."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from inferneo._config import Config, change_policy, check_headers, check_key, check_query, check_seconds, common_headers
from inferneo._errors import InferneoError

CHECKED_SECONDS = ("timeout", "total_timeout", "stream_idle_timeout")
OPTIONS = (
    *CHECKED_SECONDS,
    "api_key",
    "headers",
    "default_query",
    "retry",
    "max_retries",
    "max_retry_delay",
    "retry_on",
)


def changed(config: Config, options: dict[str, Any]) -> Config:
    """The settings with `options` in place. New headers are added to the old ones."""
    changes: dict[str, Any] = {}
    for name, value in options.items():
        if name in CHECKED_SECONDS:
            changes[name] = check_seconds(name, value)
        elif name == "api_key":
            changes[name] = value if value is None or callable(value) else check_key(value)
        elif name == "headers":
            changes[name] = config.headers + check_headers(value)
        elif name == "default_query":
            changes["query"] = check_query(value, name)
        elif name not in OPTIONS:
            raise TypeError(f"with_options() got an unexpected keyword argument {name!r}; known: {', '.join(OPTIONS)}")
    if any(name in options for name in ("retry", "max_retries", "max_retry_delay", "retry_on")):
        policy = options.get("retry") or config.retry
        changes["retry"] = change_policy(
            policy, options.get("max_retries"), options.get("max_retry_delay"), options.get("retry_on")
        )
    new = replace(config, **changes)
    if "api_key" in changes or "headers" in changes:
        return replace(new, common=common_headers(new))
    return new


def log_to_stderr() -> None:
    """Show the log on stderr when `INFERNEO_LOG` names a level; once per process."""
    level = os.environ.get("INFERNEO_LOG", "").strip().upper()
    if not level:
        return
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise InferneoError(f"INFERNEO_LOG must be debug, info, warning or error, got {level.lower()!r}")
    import logging

    logger = logging.getLogger("inferneo")
    logger.setLevel(level)
    if not any(getattr(handler, "_of_inferneo", False) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler._of_inferneo = True  # type: ignore[attr-defined]  # a mark of ours, to find it again
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
