"""What an error body says, in one sentence: the documented envelope, FastAPI's list of issues, or a text. Pure."""

from __future__ import annotations

import json
from typing import Any

SHOWN = 400
"""Characters of a sentence; a model's refusal lists what is served, which is the useful part of it."""


def error_sentence(body: bytes) -> str:
    """The message of an error body; empty where it is none that we know."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    found = error.get("message") if isinstance(error, dict) else error if error is not None else document.get("detail")
    if isinstance(found, list):
        found = "; ".join(_issue(one) for one in found)
    text = " ".join(found.split()) if isinstance(found, str) else ""
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _issue(issue: Any) -> str:
    """One of FastAPI's issues: `max_tokens: Input should be a valid integer`."""
    if not isinstance(issue, dict):
        return str(issue)
    loc = issue.get("loc")
    place = ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list) else ""
    message = issue.get("msg", "")
    return f"{place}: {message}" if place else str(message)
