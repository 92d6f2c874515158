"""One completion out of the events of a stream, as a server that ignores `stream` would have sent it."""

from __future__ import annotations

import json
import re
from typing import Any

from .sse import compact, data_of, is_event

_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def documents(stream: bytes) -> list[dict[str, Any]]:
    """The JSON objects of the events, in order."""
    found = []
    for block in _BLANK.split(stream):
        if is_event(block):
            try:
                value = json.loads(data_of(block))
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append(value)
    return found


def assembled(stream: bytes) -> bytes:
    """The joined completion as JSON; `{}` for a stream without events."""
    events = documents(stream)
    whole: dict[str, Any] = {}
    choices: dict[Any, dict[str, Any]] = {}
    for event in events:
        whole.update({key: value for key, value in event.items() if key != "choices" and value is not None})
        told = event.get("choices")
        for one in told if isinstance(told, list) else []:
            if isinstance(one, dict):
                index = one.get("index", 0)
                _join(choices.setdefault(str(index), {"index": index}), one)
    if choices:
        whole["choices"] = list(choices.values())
    if isinstance(whole.get("object"), str):
        whole["object"] = whole["object"].removesuffix(".chunk")
    return compact(whole)


def _join(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add one piece of a choice to it."""
    for key, value in piece.items():
        if key == "delta" and isinstance(value, dict):
            message = choice.setdefault("message", {"role": "assistant", "content": ""})
            for name, part in value.items():
                joined = isinstance(part, str) and name == "content"
                if part is not None:
                    message[name] = str(message.get(name) or "") + part if joined else part
        elif key == "text" and isinstance(value, str):
            choice["text"] = str(choice.get("text") or "") + value
        elif value is not None or key not in choice:
            choice[key] = value
