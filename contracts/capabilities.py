"""What a server can, found out by asking: each probe is one plain request and the answer's status.

A capability means that the server *accepts* what the law speaks of. Whether it then does it is the law's question, so
a parameter that is accepted and ignored is a broken law, not a missing capability.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from contracts.answers import read
from contracts.domains import CHAT, TEXT, ask, endpoints
from contracts.exchange import Call, Exchange, get, post
from contracts.law import Unjudged, Unsupported
from contracts.sockets import Socket
from contracts.wire import NoAnswer

if TYPE_CHECKING:
    from contracts.target import Target

GAUGE = re.compile(
    r"^([\w:]*(?:running|active|in_?flight|inprogress|requests_processing)[\w:]*)(?:\{[^}]*\})? ([0-9.eE+-]+)\s*$",
    re.MULTILINE,
)

COLD: tuple[Any, ...] = (0.001, ...)
"""What is asked for where temperature 0 is refused: the coldest that is no zero, then none."""
REFUSED = (400, 422)
CLOCK = 1.1
"""Seconds after which a text that tells the time is another."""
pause = time.sleep
EMBEDDINGS = "/v1/embeddings"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CHOOSE = {"type": "function", "function": {"name": "get_weather"}}


def probe(target: Target, capability: str) -> tuple[bool, str]:
    """Whether the target has the capability, and the evidence in a few words."""
    if capability not in PROBES:
        raise LookupError(f"unknown capability {capability!r}; known: {', '.join(sorted(PROBES))}")
    try:
        return PROBES[capability](target)
    except (NoAnswer, Unjudged, Unsupported) as error:
        return False, f"the probe failed: {error}"


def _said(exchange: Exchange) -> tuple[bool, str]:
    evidence = f"{exchange.call.method} {exchange.call.path} was answered {exchange.status}"
    return exchange.status == 200, evidence


def _ask(chat: bool, **extra: Any) -> Callable[[Target], tuple[bool, str]]:
    def asks(target: Target) -> tuple[bool, str]:
        needed = "chat" if chat else "completions"
        if extra and not target.can(needed)[0]:
            return False, f"no {needed}"
        return _said(target.send(ask(target, "Say hello", chat=chat, **extra)))

    return asks


def _answers(chat: bool) -> Callable[[Target], tuple[bool, str]]:
    """Whether a plain request is answered; where temperature 0 is refused, with what the target takes instead of it.

    One refused value must not leave a whole server unjudged. What is taken instead is noted for all further requests.
    """

    def asks(target: Target) -> tuple[bool, str]:
        first = target.send(ask(target, "Say hello", chat=chat))
        has, evidence = _said(first)
        if first.status not in REFUSED:
            return has, evidence
        for instead in COLD:
            call = ask(target, "Say hello", chat=chat, temperature=instead)
            if target.send(call).status == 200:
                target.notes["temperature"] = instead
                return True, f"{evidence} with temperature 0, and 200 {_with(instead)} (S-LIMIT-12 judges that)"
        if target.send(call.with_(max_tokens=...)).status == 200:
            return False, f"{evidence}, and 200 without max_tokens: no answer can be kept short"
        return False, evidence

    return asks


def _with(temperature: object) -> str:
    return "without one" if temperature is ... else f"with {temperature}"


def _either(**extra: Any) -> Callable[[Target], tuple[bool, str]]:
    """Accepted by every generating endpoint that there is."""

    def asks(target: Target) -> tuple[bool, str]:
        said = [_said(target.send(ask(target, "Say hello", chat=chat, **extra))) for chat in endpoints(target)]
        bad = [evidence for good, evidence in said if not good]
        return bool(said) and not bad, (bad or [evidence for _, evidence in said] or ["no generating endpoint"])[0]

    return asks


def _get(path: str) -> Callable[[Target], tuple[bool, str]]:
    return lambda target: _said(target.send(get(path)))


def _generate(target: Target) -> tuple[bool, str]:
    found = endpoints(target)
    return bool(found), "chat or text completions" if found else "neither chat nor text completions answer 200"


def _repeatable(target: Target) -> tuple[bool, str]:
    """At temperature 0 the same request gives the same text four times, for two different prompts.

    A text with digits in it is asked for once more when the second has changed: some fakes tell the time.
    """
    if target.notes.get("temperature", 0) is ...:
        return False, "no temperature can be asked for"
    for chat in endpoints(target):
        for text in ("Say hello", "Count to ten:"):
            call = ask(target, text, chat=chat, max_tokens=12)
            said = {read(target.send(call)).text for _ in range(4)}
            if len(said) == 1 and any(map(str.isdigit, *said)):
                pause(CLOCK)
                said.add(read(target.send(call)).text)
            if len(said) > 1:
                return False, f"temperature 0 gave {len(said)} different texts for {text!r}"
    return True, "temperature 0 gave the same text each time"


MEANINGLESS: tuple[dict[str, Any], ...] = ({"user": "someone"}, {"n": 1}, {"stream": False})
"""What may be added to any request without a meaning."""


def _det(target: Target) -> tuple[bool, str]:
    """Two requests that mean the same give the same text at temperature 0.

    A server whose text hangs on every byte of the request (some fakes answer with a digest of it) has one defect, not
    one for each law that asks for the same in two ways: S-SAME-07 tells it, which is judged all the same.
    """
    has, why = target.can("repeatable")
    if not has:
        return False, why
    for chat in endpoints(target):
        for text in ("Say hello", "Tell me a story"):
            call = ask(target, text, chat=chat, max_tokens=12)
            plain = read(target.send(call)).text
            others = [target.send(call.with_(**more)) for more in MEANINGLESS]
            if all(other.status == 200 and read(other).text != plain for other in others):
                return False, "the text hangs on fields that say nothing of it (S-SAME-07 judges that)"
    return True, why


def _load(target: Target) -> tuple[bool, str]:
    """At temperature 0 eight equal requests at once give the text that one gives alone.

    On many GPUs the size of a batch changes the last digits of a sum and so, now and then, a token: that is no mixing
    of requests, and laws that compare texts under load must not take it for one.
    """
    for chat in endpoints(target):
        call = ask(target, "Tell me a story", chat=chat, max_tokens=24)
        alone = read(target.send(call)).texts
        for _ in range(2):
            with ThreadPoolExecutor(8) as pool:
                said = [read(exchange).texts for exchange in pool.map(target.send, [call] * 8)]
            if any(texts != alone for texts in said) and read(target.send(call)).texts == alone:
                return False, "eight equal requests at once do not all give the text that one gives alone"
    return True, "eight equal requests at once give the text of one"


def _system(target: Target) -> tuple[bool, str]:
    history = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    history += [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Say hello"}]
    return _ask(True, messages=history)(target)


def _tools(target: Target) -> tuple[bool, str]:
    return _ask(True, tools=[TOOL], tool_choice=CHOOSE, max_tokens=128)(target)


def _json_mode(target: Target) -> tuple[bool, str]:
    words = [{"role": "user", "content": "Answer in JSON with the key answer."}]
    return _ask(True, messages=words, response_format={"type": "json_object"}, max_tokens=128)(target)


def _json_schema(target: Target) -> tuple[bool, str]:
    words = [{"role": "user", "content": "Answer in JSON with the key answer."}]
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return _ask(True, messages=words, response_format=form, max_tokens=128)(target)


def embedder(target: Target) -> str | None:
    """The first of the target's own and its first listed models that gives embeddings; None when none does.

    A chat model may be answered here with something that is no vector; it is taken only where no other gives one.
    """
    second = None
    document: Any = target.send(get("/v1/models")).document
    data = document.get("data") if isinstance(document, dict) else None
    listed = [m.get("id") for m in data if isinstance(m, dict)] if isinstance(data, list) else []
    for name in dict.fromkeys([target.model, *map(str, listed[:8])]):
        exchange = target.send(post(EMBEDDINGS, {"model": name, "input": "Say hello"}))
        if exchange.status != 200:
            continue
        found: Any = exchange.document
        items = found.get("data") if isinstance(found, dict) else None
        if (
            isinstance(items, list)
            and items
            and isinstance(items[0], dict)
            and isinstance(items[0].get("embedding"), list)
        ):
            return name
        second = second or name
    return second


def _embeddings(target: Target) -> tuple[bool, str]:
    name = embedder(target)
    return name is not None, f"{name} gives embeddings" if name else "no listed model gives embeddings"


def _base64(target: Target) -> tuple[bool, str]:
    name = embedder(target)
    if name is None:
        return False, "no listed model gives embeddings"
    return _said(target.send(post(EMBEDDINGS, {"model": name, "input": "Say hello", "encoding_format": "base64"})))


def _dimensions(target: Target) -> tuple[bool, str]:
    name = embedder(target)
    if name is None:
        return False, "no listed model gives embeddings"
    return _said(target.send(post(EMBEDDINGS, {"model": name, "input": "Say hello", "dimensions": 8})))


def _limits(target: Target) -> tuple[bool, str]:
    found = [name for name, _ in target.send(get("/v1/models")).response.fields if name.lower() == "x-ratelimit-limit"]
    return bool(found), "X-RateLimit-Limit is told" if found else "no X-RateLimit-Limit"


def _model_get(target: Target) -> tuple[bool, str]:
    return _said(target.send(get(f"/v1/models/{target.model}")))


def _auth(target: Target) -> tuple[bool, str]:
    if not target.api_key:
        return False, "no --api-key was given"
    status = target.send(Call("GET", "/v1/models", b"", (("Authorization", ""),))).status
    return True, f"a key was given; without it {status}"


def gauge(target: Target) -> float | None:
    """The number of requests in flight that the server itself tells, where it tells one."""
    stats = target.send(get("/stats"))
    if stats.status == 200 and isinstance(stats.document, dict) and isinstance(stats.document.get("running"), int):
        return float(stats.document["running"])
    metrics = target.send(get("/metrics"))
    if metrics.status != 200:
        return None
    if isinstance(metrics.document, dict):
        value = metrics.document.get("active_requests")
        return float(value) if isinstance(value, (int, float)) else None
    found = GAUGE.findall(metrics.response.body.decode("utf-8", "replace"))
    typed = [
        float(v) for name, v in found if f"# TYPE {name} gauge" in metrics.response.body.decode("utf-8", "replace")
    ]
    return sum(typed) if typed else None


CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length")
"""What servers call the number of tokens that a model's context holds, in the list of models."""


def context(target: Target) -> int | None:
    """The tokens of the model's context: as declared, as the list of models tells, or the engine's statistics."""
    if "context" not in target.notes:
        listed: Any = target.send(get("/v1/models")).document
        data = listed.get("data") if isinstance(listed, dict) else None
        found = (
            [m for m in data if isinstance(m, dict) and m.get("id") == target.model] if isinstance(data, list) else []
        )
        stats: Any = target.send(get("/stats")).document
        found += [stats["info"]] if isinstance(stats, dict) and isinstance(stats.get("info"), dict) else []
        sizes = [one[name] for one in found for name in CONTEXT if type(one.get(name)) is int and one[name] > 0]
        target.notes["context"] = sizes[0] if sizes else None
    size: int | None = target.notes["context"]
    return size


def _context(target: Target) -> tuple[bool, str]:
    size = context(target)
    return size is not None, f"{size} tokens" if size else "the list of models does not tell its size"


def _gauge(target: Target) -> tuple[bool, str]:
    value = gauge(target)
    return value is not None, f"in flight: {value}"


def socket_paths(target: Target) -> list[str]:
    """The generating paths on which the target opens a WebSocket; asked once."""
    if "sockets" not in target.notes:
        target.notes["sockets"] = [CHAT if chat else TEXT for chat in endpoints(target) if _opens(target, chat)]
    return list(target.notes["sockets"])


def _opens(target: Target, chat: bool) -> bool:
    try:
        with Socket(target, CHAT if chat else TEXT) as socket:
            return socket.open
    except NoAnswer:
        return False


def _websocket(target: Target) -> tuple[bool, str]:
    found = socket_paths(target)
    return bool(found), f"sockets on {' and '.join(found)}" if found else "no handshake was answered 101"


PROBES: dict[str, Callable[[Target], tuple[bool, str]]] = {
    "chat": _answers(True),
    "completions": _answers(False),
    "generate": _generate,
    "stream": _either(stream=True),
    "stream_usage": _either(stream=True, stream_options={"include_usage": True}),
    "repeatable": _repeatable,
    "det": _det,
    "n": _either(n=2),
    "max_completion_tokens": _ask(True, max_tokens=..., max_completion_tokens=8),
    "stop": _either(stop=["\n\n\n"]),
    "seed": _either(seed=1),
    "logprobs": _ask(False, logprobs=1),
    "chat_logprobs": _ask(True, logprobs=True, top_logprobs=1),
    "echo": _ask(False, echo=True),
    "list_prompts": _ask(False, prompt=["Say:", "Other:"]),
    "load": _load,
    "system": _system,
    "tools": _tools,
    "json_mode": _json_mode,
    "json_schema": _json_schema,
    "embeddings": _embeddings,
    "base64": _base64,
    "dimensions": _dimensions,
    "rate_limits": _limits,
    "best_of": _ask(False, best_of=2, temperature=1),
    "suffix": _ask(False, suffix=" and then"),
    "priority": _either(priority=1),
    "ignore_eos": _either(ignore_eos=True),
    "parts": _ask(True, messages=[{"role": "user", "content": [{"type": "text", "text": "Say hello"}]}]),
    "nulls": _either(stop=None, seed=None),
    "models": _get("/v1/models"),
    "model_get": _model_get,
    "info": _get("/v1/info"),
    "health": _get("/health"),
    "metrics": _get("/metrics"),
    "auth": _auth,
    "websocket": _websocket,
    "gauge": _gauge,
    "context": _context,
}
