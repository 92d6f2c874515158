"""What laws are quantified over: a domain draws cases for a live server and finds them in a recording.

The texts are chosen to hurt (emoji families, right-to-left, combining marks, separators that naive line splitting
takes for line ends) but every drawn case is a request that a server of the API must accept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from hypothesis import strategies as st

from contracts.exchange import Call, Exchange, post

Case = TypeVar("Case")
CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
PLAIN_KEYS = {
    "model",
    "messages",
    "prompt",
    "max_tokens",
    "temperature",
    "stream",
    "stream_options",
    "seed",
    "user",
    "stop",
}
TRICKY = (
    "Say hello",
    "The café robot",
    "x",
    "😀👨‍👩‍👧",
    "日本語:",
    "مرحبا",
    "e\u0301 n\u0303",
    "line\nbreak\r\n\ttab",
    "a\u2028b\u2029c\u0085d",
    "</s><s> [DONE] data: x",
    '{"json": "in \\"quotes\\""}',
    "𝕬𝖘𝖙𝖗𝖆𝖑",
    "\ufeffmark",
)


class AnyTarget(Protocol):
    """What a domain must know of a target."""

    model: str
    log: Any
    notes: dict[str, Any]

    def can(self, capability: str) -> tuple[bool, str]: ...


@dataclass(frozen=True, slots=True)
class Domain(Generic[Case]):
    """`draw` makes a strategy for a live target; `held` finds the cases that a recording's exchanges allow (None: a
    law over this domain needs a live server); `needs` are the capabilities that drawing it presupposes."""

    name: str
    draw: Callable[[Any], st.SearchStrategy[Case]]
    held: Callable[[Any], Iterable[Case]] | None = None
    needs: frozenset[str] = frozenset()


def texts(min_size: int = 1, max_size: int = 24) -> st.SearchStrategy[str]:
    """Prompts: tricky ones and any Unicode but lone surrogates, never blank."""
    anything = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=min_size, max_size=max_size)
    return st.sampled_from(TRICKY) | anything.map(lambda t: f"Say {t}")


def ask(target: AnyTarget, text: str, *, chat: bool, **extra: Any) -> Call:
    """A plain request for `text`: temperature 0, a few tokens; `...` leaves a key out.

    Where the target refuses temperature 0 (S-LIMIT-12 tells it), its probe noted what it takes instead: a small one, or
    none at all.
    """
    coldest = target.notes.get("temperature", 0)
    body: dict[str, Any] = {"model": target.model}
    body |= {"messages": [{"role": "user", "content": text}]} if chat else {"prompt": text}
    body |= {"max_tokens": 8, "temperature": coldest, **extra}
    return post(CHAT if chat else TEXT, {k: v for k, v in body.items() if v is not ...})


def endpoints(target: AnyTarget) -> list[bool]:
    """The generating endpoints that the target has: True for chat, False for text."""
    return [chat for chat, name in ((True, "chat"), (False, "completions")) if target.can(name)[0]]


def _drawn(
    kinds: Callable[[AnyTarget], list[bool]], stream: bool | None, usage: bool | None = None
) -> Callable[[AnyTarget], st.SearchStrategy[Call]]:
    @st.composite
    def calls(draw: st.DrawFn, target: AnyTarget) -> Call:
        chat = draw(st.sampled_from(kinds(target)))
        streams = draw(st.booleans()) if stream is None else stream
        extra: dict[str, Any] = {"max_tokens": draw(st.integers(1, 12))}
        if streams:
            extra["stream"] = True
            if usage or (usage is None and target.can("stream_usage")[0] and draw(st.booleans())):
                extra["stream_options"] = {"include_usage": True}
        call = ask(target, draw(texts()), chat=chat, **extra)
        if chat and draw(st.integers(0, 3)) == 3 and target.can("system")[0]:
            history = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
            history += [{"role": "assistant", "content": "Hello."}, *call.document["messages"]]
            call = call.with_(messages=history)
        return call

    return calls


def plain(target: AnyTarget, call: Call) -> bool:
    """Whether a recorded request is a plain valid one for the recording's model."""
    body = call.document
    if call.method != "POST" or call.path not in (CHAT, TEXT) or not isinstance(body, dict):
        return False
    if {k.lower(): v for k, v in call.fields}.get("content-type") != "application/json":
        return False
    if set(body) - PLAIN_KEYS or body.get("model") != target.model or not call.body.startswith(b"{"):
        return False
    limit: Any
    temperature: Any
    limit, temperature, stream = body.get("max_tokens"), body.get("temperature"), body.get("stream", False)
    if not (limit is None or (type(limit) is int and 1 <= limit <= 2000)) or type(stream) is not bool:
        return False
    if "temperature" in body and (type(temperature) not in (int, float) or not 0 <= float(temperature) <= 2):
        return False
    if "seed" in body and type(body["seed"]) is not int:
        return False
    if "stop" in body and not (isinstance(body["stop"], str) or body["stop"] == []):
        return False
    if call.is_chat:
        messages = body.get("messages")
        return isinstance(messages, list) and all(
            isinstance(m, dict)
            and isinstance(m.get("content"), str)
            and m.get("role") in ("system", "user", "assistant")
            for m in messages
        )
    return isinstance(body.get("prompt"), str)


def _held(want: Callable[[Call], bool]) -> Callable[[Any], Iterable[Call]]:
    def held(target: Any) -> Iterable[Call]:
        return [x.call for x in target.log if plain(target, x.call) and want(x.call)]

    return held


def _has_usage(call: Call) -> bool:
    options = call.document.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _chat_only(_: AnyTarget) -> list[bool]:
    return [True]


def _text_only(_: AnyTarget) -> list[bool]:
    return [False]


NEEDS = frozenset({"generate"})
STREAM_NEEDS = frozenset({"generate", "stream"})
CALLS = Domain("any plain call, whole or streamed", _drawn(endpoints, None), _held(lambda c: True), STREAM_NEEDS)
WHOLE = Domain("a plain call answered whole", _drawn(endpoints, False), _held(lambda c: not c.streams), NEEDS)
STREAMS = Domain("a plain call, streamed", _drawn(endpoints, True), _held(lambda c: c.streams), STREAM_NEEDS)
QUIET_STREAMS = Domain(
    "a streamed call that does not ask for usage",
    _drawn(endpoints, True, usage=False),
    _held(lambda c: c.streams and not _has_usage(c)),
    STREAM_NEEDS,
)
USAGE_STREAMS = Domain(
    "a streamed call that asks for usage",
    _drawn(endpoints, True, usage=True),
    _held(lambda c: c.streams and _has_usage(c)),
    STREAM_NEEDS | {"stream_usage"},
)
CHATS = Domain(
    "a chat call", _drawn(_chat_only, False), _held(lambda c: c.is_chat and not c.streams), frozenset({"chat"})
)
PROMPTS = Domain(
    "a text call",
    _drawn(_text_only, False),
    _held(lambda c: not c.is_chat and not c.streams),
    frozenset({"completions"}),
)
CHAT_STREAMS = Domain(
    "a streamed chat call",
    _drawn(_chat_only, True),
    _held(lambda c: c.is_chat and c.streams),
    frozenset({"chat", "stream"}),
)
PROMPT_STREAMS = Domain(
    "a streamed text call",
    _drawn(_text_only, True),
    _held(lambda c: not c.is_chat and c.streams),
    frozenset({"completions", "stream"}),
)


@dataclass(frozen=True, slots=True)
class Longer:
    """Two calls that differ in `max_tokens` only; the second allows more."""

    short: Call
    long: Call


def _longer(target: AnyTarget) -> st.SearchStrategy[Longer]:
    def pair(call: Call, more: int) -> Longer:
        return Longer(call, call.with_(max_tokens=call.document["max_tokens"] + more))

    return st.builds(pair, _drawn(endpoints, False)(target), st.integers(1, 12))


def _held_longer(target: Any) -> Iterable[Longer]:
    calls = [c for c in _held(lambda c: not c.streams)(target) if isinstance(c.document.get("max_tokens"), int)]
    return [
        Longer(a, b)
        for a in calls
        for b in calls
        if a.document["max_tokens"] < b.document["max_tokens"]
        and a.with_(max_tokens=...).key() == b.with_(max_tokens=...).key()
    ]


LONGER = Domain("two calls, the second with a larger max_tokens", _longer, _held_longer, NEEDS)


def _whole_log(target: Any) -> Iterable[list[Exchange]]:
    return [list(target.log)]


LOG = Domain("all exchanges seen so far", lambda target: st.builds(lambda: list(target.log)), _whole_log)
"""Live: what other laws of this run have made the server say; a law over it should send something first."""
