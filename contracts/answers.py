"""How a law reads an answer: plain JSON values, no response classes, and `Unjudged` where there is nothing to read.

A generation is read the same way whether it came whole or as a stream, so that laws can compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.exchange import Exchange
from contracts.law import Unjudged, shorten

DONE = "[DONE]"
REASONING = ("reasoning_content", "reasoning", "thinking")
FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")


@dataclass(frozen=True, slots=True)
class Reading:
    """A generation: text and finish reason by choice index, what the head of the document said, usage if any."""

    texts: dict[int, str]
    finishes: dict[int, Any]
    id: Any
    created: Any
    model: Any
    object: Any
    usage: Any

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return self.texts[0] if 0 in self.texts else next(iter(self.texts.values()), "")

    @property
    def finish(self) -> Any:
        """The finish reason of the first choice."""
        return self.finishes[0] if 0 in self.finishes else next(iter(self.finishes.values()), None)


def ok(exchange: Exchange) -> Exchange:
    """The exchange itself when it was answered 200; else `Unjudged`."""
    if exchange.status != 200:
        detail = shorten(exchange.response.body[:200])
        raise Unjudged(
            f"a plain valid request was answered {exchange.status} {detail} (S-PLAIN-01 or S-UNI-01 judges that)"
        )
    return exchange


def answer(exchange: Exchange) -> dict[str, Any]:
    """The JSON object of a 200 that is no stream; else `Unjudged`."""
    ok(exchange)
    document = exchange.document
    if exchange.is_stream or not isinstance(document, dict):
        if exchange.call.streams and not exchange.says_stream:
            raise Unjudged("a stream was asked for, and this is none (S-FRAME-01 judges that)")
        raise Unjudged("the answer is no JSON object (S-FRAME-08 judges that)")
    return document


def choices(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Its choices that are objects; `Unjudged` when there is no list of them."""
    found = document.get("choices")
    if not isinstance(found, list):
        raise Unjudged("the document has no list of choices (the S-SHAPE laws judge that)")
    return [one for one in found if isinstance(one, dict)]


def documents(exchange: Exchange) -> list[dict[str, Any]]:
    """The JSON objects of a 200 stream, events that are none left out (S-FRAME-02 judges them)."""
    import json

    ok(exchange)
    if not exchange.is_stream:
        raise Unjudged("the answer is no event stream (S-FRAME-01 judges that)")
    found = []
    for event in exchange.events:
        if event.data.strip() == DONE:
            continue
        try:
            document = json.loads(event.data)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            found.append(document)
    if not found:
        raise Unjudged("the stream has no readable event (S-FRAME-02 judges that)")
    return found


def piece(choice: dict[str, Any]) -> str:
    """The text that a choice of a document or of a chunk adds; "" for none."""
    for holder in (choice.get("message"), choice.get("delta"), choice):
        if isinstance(holder, dict):
            value = holder.get("text") if holder is choice else holder.get("content")
            if isinstance(value, str):
                return value
    return ""


def reasons(exchange: Exchange) -> bool:
    """Whether the answer thinks aloud: then part of what was generated is not in its text."""
    parts = documents(exchange) if exchange.is_stream else [answer(exchange)]
    for part in parts:
        for choice in choices(part):
            holder = choice.get("message") or choice.get("delta")
            if isinstance(holder, dict) and any(holder.get(name) for name in REASONING):
                return True
    return False


def index(choice: dict[str, Any]) -> int:
    """The index of a choice; 0 where there is none."""
    value = choice.get("index", 0)
    return value if isinstance(value, int) else 0


def read(exchange: Exchange) -> Reading:
    """A generation, whole or streamed."""
    parts = documents(exchange) if exchange.is_stream else [answer(exchange)]
    texts: dict[int, list[str]] = {}
    finishes: dict[int, Any] = {}
    usage = None
    for part in parts:
        usage = part.get("usage") or usage
        for choice in choices(part):
            at = index(choice)
            texts.setdefault(at, []).append(piece(choice))
            finishes[at] = choice.get("finish_reason") or finishes.get(at)
    head = parts[0]
    joined = {at: "".join(pieces) for at, pieces in texts.items()}
    return Reading(joined, finishes, head.get("id"), head.get("created"), head.get("model"), head.get("object"), usage)


def tokens(usage: Any, name: str) -> int:
    """A count of a usage object; `Unjudged` when it is none (S-USAGE-02 judges that)."""
    value = usage.get(name) if isinstance(usage, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unjudged(f"no usable usage.{name} (S-USAGE-02 judges that)")
    return value


def message_of(exchange: Exchange) -> str:
    """The readable message of an error body in any of the known shapes; "" for none."""
    document = exchange.document
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    if isinstance(error, dict):
        return error["message"] if isinstance(error.get("message"), str) else ""
    if isinstance(error, str):
        return error
    detail = document.get("detail")
    if isinstance(detail, str):
        return detail
    if isinstance(detail, list):
        return "; ".join(f"{one.get('msg')} {one.get('loc')}" for one in detail if isinstance(one, dict))
    message = document.get("message")
    return message if isinstance(message, str) else ""


def is_error_body(document: Any) -> bool:
    """Whether a document is an error in one of the known shapes."""
    return (
        isinstance(document, dict) and "choices" not in document and bool(document.get("error") or "detail" in document)
    )
