"""A drawn case in few words: what a reader wants to know of it, beside the request, which is shown whole."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from contracts.exchange import Call, Exchange, abridged
from contracts.law import cut

MOST = 300
BODY = 80


def brief(case: Any) -> str:
    """One line of at most about 300 characters; a request as its method, its path and the beginning of its body."""
    return cut(abridged(_words(case)), MOST)


def _words(value: Any) -> str:
    if isinstance(value, Call):
        body = value.body[: BODY + 1].decode("utf-8", "replace")
        return f"{value.method} {value.path} {body[:BODY]}{'...' if len(body) > BODY else ''}".rstrip()
    if isinstance(value, Exchange):
        return f"{_words(value.call)}: {value.status}"
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(one, Exchange) for one in value):
            return "one exchange of the run" if len(value) == 1 else f"the {len(value)} exchanges of the run"
        inner = ", ".join(map(_words, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if is_dataclass(value) and not isinstance(value, type):
        told = ", ".join(f"{one.name}={_words(getattr(value, one.name))}" for one in fields(value))
        return f"{type(value).__name__}({told})"
    return repr(value)
