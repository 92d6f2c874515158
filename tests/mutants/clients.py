"""Wrong clients: they swallow, leak, forget, repeat, tell secrets, or send what nobody said."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from contracts.adapters.base import Outcome, Problem, Task
from inferneo._http import library

from .wrong_client import Pieces, Wire, WrongClient

BROKEN = ("truncated", "connection", "protocol")


def wrong(name: str, defect: str, *red: str, **how: Any) -> WrongClient:
    """A wrong client; `red` are the ids of laws."""
    return WrongClient(name, defect, frozenset(red), **how)


# What its user sees.


def problem(edit: Callable[[Task, Outcome, Problem], Problem | None]) -> Any:
    """Errors, told otherwise; None: not told."""

    def change(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
        found = outcome.problem
        return outcome if found is None else dataclasses.replace(outcome, problem=edit(task, outcome, found))

    return change


def silent(holds: Callable[[Task, Outcome, Problem], bool]) -> Any:
    """Errors of which something holds are a normal end."""
    return problem(lambda task, outcome, found: None if holds(task, outcome, found) else found)


def leaked(holds: Callable[[Task, Outcome, Problem], bool]) -> Any:
    """Errors of which something holds are of another family."""
    return problem(lambda t, o, p: Problem("leak", "builtins.ValueError", p.message) if holds(t, o, p) else p)


def named(holds: Callable[[Task, Outcome, Problem], bool], **values: Any) -> Any:
    """Errors of which something holds, with other values."""
    return problem(lambda t, o, p: dataclasses.replace(p, **values) if holds(t, o, p) else p)


def pieces(edit: Callable[[str], str], whole: bool = True) -> Any:
    """Pieces of text, edited."""

    def change(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
        if not task.stream and not whole:
            return outcome
        kept = tuple(text for text in map(edit, outcome.pieces) if text)
        return dataclasses.replace(outcome, pieces=kept)

    return change


def values(**edits: Callable[[Any], Any]) -> Any:
    """Fields of the response, edited."""

    def change(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
        found = {k: edits[k](v) if k in edits else v for k, v in outcome.values.items()}
        return dataclasses.replace(outcome, values=found)

    return change


def late(holds: Callable[[Task, Outcome, Problem], bool], seconds: float) -> Any:
    """What is told comes so much later (told, not waited for: the judge reads the clock of the adapter)."""

    def change(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
        found = outcome.problem
        if found is None or not holds(task, outcome, found):
            return outcome
        return dataclasses.replace(outcome, seconds=outcome.seconds + seconds)

    return change


def _no_done_no_text(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    if task.stream and outcome.problem is None and outcome.finish is None and task.take is None:
        return dataclasses.replace(outcome, problem=Problem("leak", "builtins.KeyError", "finish_reason"))
    return outcome


def _breaks(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    if any(one.problem for one in before):
        return dataclasses.replace(outcome, pieces=(), problem=Problem("connection", "inferneo.X", "pool is broken"))
    return outcome


def _holds_on(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    if task.take is not None and before:
        return dataclasses.replace(
            outcome, pieces=(), problem=Problem("timeout", "inferneo.X", "no connection is free")
        )
    return outcome


def _invents(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    return dataclasses.replace(outcome, pieces=(*outcome.pieces, "...")) if outcome.problem and task.stream else outcome


def _joined(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    return (
        dataclasses.replace(outcome, pieces=(outcome.text,) if outcome.text else ()) if task.take is None else outcome
    )


def _key_logged(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    return dataclasses.replace(outcome, logged=f"{outcome.logged} authorization: Bearer {task.api_key}")


def _prompt_logged(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    return dataclasses.replace(outcome, logged=f"{outcome.logged} body: {task.text}")


def _no_finish(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    return dataclasses.replace(outcome, finish=None) if task.stream else outcome


def _needs_usage(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    if outcome.problem is None and not task.stream and outcome.values.get("usage", 0) is None:
        return dataclasses.replace(outcome, pieces=(), problem=Problem("leak", "builtins.AttributeError", "usage"))
    return outcome


# What goes over the wire.


def body(edit: Callable[[dict[str, Any]], None]) -> Wire:
    """Requests whose JSON body is edited in place."""

    def wire(send: Any, request: Any) -> Any:
        data = request.read()
        if not data:
            return send(request)
        document = json.loads(data)
        edit(document)
        return send(copy_of(request, json.dumps(document, ensure_ascii=False).encode()))

    return wire


def copy_of(request: Any, data: bytes | None = None, url: Any = None, method: str | None = None, **headers: str) -> Any:
    """The request with another body, place, method or header fields; an empty value removes a field."""
    content = request.read() if data is None else data
    kept = {k: v for k, v in request.headers.items() if k not in ("content-length", *headers)}
    kept |= {k: v for k, v in headers.items() if v}
    return library().Request(
        method or request.method, url or request.url, headers=kept, content=content, extensions=request.extensions
    )


def headers(edit: Callable[[dict[str, str]], dict[str, str]]) -> Wire:
    """Requests with header fields edited: a dictionary in, what changes out (empty: removed)."""
    return lambda send, request: send(copy_of(request, None, None, None, **edit(dict(request.headers))))


def stripped(*names: str) -> Wire:
    """Responses that have lost header fields."""

    def wire(send: Any, request: Any) -> Any:
        response = send(request)
        for name in names:
            response.headers.pop(name, None)
        return response

    return wire


def reading(edit: Callable[[Iterator[bytes]], Iterator[bytes]]) -> Wire:
    """Streams whose bytes are read wrong."""

    def wire(send: Any, request: Any) -> Any:
        response = send(request)
        kind = response.headers.get("content-type", "")
        return Pieces.of(response, edit) if kind.startswith("text/event-stream") else response

    return wire


def _until_done(parts: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for part in parts:
        if held:
            yield held
        held = part
    if b"[DONE]" not in held:
        raise library().ReadError("the stream has no [DONE]")
    yield held


def _all_at_once(parts: Iterator[bytes]) -> Iterator[bytes]:
    yield b"".join(parts)


def _part_by_part(parts: Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield part.decode("utf-8", "replace").encode()


def _without_cr(parts: Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield part.replace(b"\r", b"")


def _comments_are_data(parts: Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield part.replace(b"\n: ", b"\ndata: ") if not part.startswith(b":") else b"data" + part


def _follows(as_get: bool) -> Wire:
    """Redirects are followed by the transport, with all header fields."""

    def wire(send: Any, request: Any) -> Any:
        response = send(request)
        for _ in range(5):
            if not 301 <= response.status_code <= 308 or "location" not in response.headers:
                return response
            response.read()
            url = request.url.join(response.headers["location"])
            to_get = as_get and response.status_code < 304
            request = copy_of(
                request, b"" if to_get else None, url, "GET" if to_get else None, host=url.netloc.decode()
            )
            response = send(request)
        return response

    return wire


def _another_body(send: Any, request: Any) -> Any:
    if request.headers.get("x-inferneo-retry-count", "0") != "0":
        return send(copy_of(request, request.read() + b" "))
    return send(request)


def _new_keys(values: dict[str, str]) -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def _twice(send: Any, request: Any) -> Any:
    if request.method == "POST":
        send(copy_of(request)).read()
    return send(request)


def _final(send: Any, request: Any) -> Any:
    try:
        return send(request)
    except library().TransportError as error:
        return library().Response(400, json={"error": {"message": str(error)}}, request=request)


def _no_quota(send: Any, request: Any) -> Any:
    response = send(request)
    if response.status_code != 429:
        return response
    data = response.read().replace(b"insufficient_quota", b"rate_limit_exceeded")
    kept = {k: v for k, v in response.headers.items() if k != "content-length"}
    return library().Response(429, headers=kept, content=data, request=request)


def _strict_after(send: Any, request: Any) -> Any:
    response = send(request)
    value = response.headers.get("retry-after")
    if value is not None:
        float(value)
    return response


def _bearer_none(values: dict[str, str]) -> dict[str, str]:
    return {} if "authorization" in values else {"authorization": "Bearer None"}


def _as_null(task: Task) -> Task:
    given = {k: v for k, v in task.arguments.items() if v is not None}
    return dataclasses.replace(
        task, arguments={**given, "extra_body": {k: None for k in task.arguments if k not in given}}
    )


def _default(document: dict[str, Any]) -> None:
    document.setdefault("max_tokens", 16)


def _words(document: dict[str, Any]) -> None:
    if "temperature" in document:
        document["temperature"] = str(document["temperature"])


def _known(document: dict[str, Any]) -> None:
    for name in ("min_p", "repetition_penalty", "ignore_eos", "custom"):
        document.pop(name, None)


def _ascii(text: str) -> str:
    return text.encode("ascii", "ignore").decode()


def _has(*kinds: str) -> Callable[[Task, Outcome, Problem], bool]:
    return lambda task, outcome, found: found.kind in kinds


def _streaming(*kinds: str) -> Callable[[Task, Outcome, Problem], bool]:
    return lambda task, outcome, found: task.stream and found.kind in kinds


def _whole(*kinds: str) -> Callable[[Task, Outcome, Problem], bool]:
    return lambda task, outcome, found: not task.stream and found.kind in kinds


CLIENTS: tuple[WrongClient, ...] = (
    wrong("swallows-cuts", "A cut stream ends normally.", "C-CUT-01", "C-CUT-03", outcome=silent(_streaming(*BROKEN))),
    wrong("takes-half-answers", "A cut answer is an empty one.", "C-CUT-02", outcome=silent(_whole(*BROKEN))),
    wrong(
        "end-of-file-is-the-end",
        "A stream without its end ends normally.",
        "C-CUT-03",
        outcome=silent(lambda t, o, p: p.kind == "truncated" and bool(o.pieces)),
    ),
    wrong(
        "nothing-is-an-answer",
        "A stream of nothing ends normally.",
        "C-CUT-04",
        outcome=silent(lambda t, o, p: t.stream and not o.pieces and p.kind in BROKEN),
    ),
    wrong(
        "no-timeout-in-streams", "A silent stream is waited for.", "C-CUT-05", outcome=late(_streaming("timeout"), 30.0)
    ),
    wrong("no-timeout", "A silent server is waited for.", "C-CUT-06", outcome=late(_whole("timeout"), 30.0)),
    wrong(
        "timeouts-unnamed",
        "A timeout is called a broken connection.",
        "C-CUT-05",
        "C-CUT-06",
        outcome=named(_has("timeout"), kind="connection"),
    ),
    wrong(
        "no-partial",
        "The error of a cut stream has no text.",
        "C-CUT-07",
        outcome=named(_streaming(*BROKEN), partial=None),
        tries=4.0,
    ),
    wrong(
        "last-piece-only",
        "The error of a cut stream has the last piece only.",
        "C-CUT-07",
        outcome=problem(lambda t, o, p: dataclasses.replace(p, partial=o.pieces[-1]) if len(o.pieces) > 1 else p),
        tries=4.0,
    ),
    wrong(
        "cuts-called-timeouts",
        "A cut stream is called a timeout.",
        "C-CUT-08",
        outcome=named(_streaming("truncated", "connection"), kind="timeout"),
        tries=2.0,
    ),
    wrong("needs-a-finish", "A stream without finish_reason is a KeyError.", "C-CUT-09", outcome=_no_done_no_text),
    wrong(
        "status-lost-in-streams",
        "The status of a refused stream is lost.",
        "C-ERROR-01",
        outcome=named(_streaming("status"), kind="other", status=None),
    ),
    wrong(
        "message-lost",
        "An error says its number only.",
        "C-ERROR-02",
        outcome=problem(lambda t, o, p: dataclasses.replace(p, message=f"Error code: {p.status}")),
    ),
    wrong(
        "pages-are-protocol",
        "A proxy's page is told without its status.",
        "C-ERROR-03",
        outcome=named(lambda t, o, p: p.status == 502, kind="protocol", status=None),
    ),
    wrong(
        "a-page-is-an-answer",
        "A 200 that is no answer is an empty one.",
        "C-ERROR-04",
        outcome=silent(_whole("protocol")),
    ),
    wrong(
        "leaks-connect-errors",
        "Where nothing listens the library's error comes out.",
        "C-ERROR-05",
        outcome=leaked(lambda t, o, p: p.kind == "connection" and "refused" in p.message.lower()),
    ),
    wrong(
        "leaks-json-errors",
        "An event that is no JSON is a ValueError.",
        "C-ERROR-06",
        outcome=leaked(_streaming("protocol")),
    ),
    wrong(
        "skips-bad-events", "An event that is no JSON is skipped.", "C-ERROR-06", outcome=silent(_streaming("protocol"))
    ),
    wrong(
        "ignores-error-events",
        "An error inside a stream ends it normally.",
        "C-ERROR-07",
        outcome=silent(_has("stream_error")),
    ),
    wrong(
        "error-events-unread",
        "An error inside a stream is told without its words (openai #1160).",
        "C-ERROR-07",
        outcome=named(_has("stream_error"), message="An error occurred during streaming"),
    ),
    wrong(
        "other-mode-is-silence",
        "JSON for a stream is a stream of nothing.",
        "C-ERROR-08",
        outcome=silent(lambda t, o, p: t.stream and not o.pieces and "application/json" in p.message),
        tries=5.0,
    ),
    wrong(
        "leaks-http-errors",
        "Bytes that are no HTTP are the library's error.",
        "C-ERROR-09",
        outcome=leaked(_whole("connection", "protocol")),
    ),
    wrong("code-lost", "An error has no code.", "C-ERROR-10", outcome=named(_has("status"), code=None)),
    wrong(
        "attribute-errors",
        "An answer of the wrong types is an AttributeError.",
        "C-ERROR-11",
        outcome=leaked(_whole("protocol")),
    ),
    wrong(
        "leaks-all", "Everything but a status leaks.", "C-FAULT-01", outcome=leaked(lambda t, o, p: p.kind != "status")
    ),
    wrong(
        "slow-to-give-up",
        "An error comes long after its timeout.",
        "C-FAULT-02",
        outcome=late(_has(*BROKEN, "timeout", "status"), 20.0),
    ),
    wrong(
        "breaks-by-a-fault",
        "After an error the client is of no use.",
        "C-FAULT-03",
        "C-FAULT-07",
        outcome=_breaks,
        tries=3.0,
    ),
    wrong("invents", "Three dots are handed out before an error.", "C-FAULT-06", outcome=_invents),
    wrong(
        "key-in-errors",
        "Errors show the key.",
        "C-KEEP-01",
        outcome=problem(lambda t, o, p: dataclasses.replace(p, shown=f"{p.shown} Authorization: Bearer {t.api_key}")),
    ),
    wrong("key-in-logs", "The log shows the key.", "C-KEEP-02", outcome=_key_logged),
    wrong("prompt-in-logs", "The log shows the prompt.", "C-KEEP-03", outcome=_prompt_logged),
    wrong("key-to-strangers", "A redirect carries the key away.", "C-KEEP-04", wire=_follows(False), tries=4.0),
    wrong(
        "post-becomes-get",
        "A redirected POST is asked for by GET (openai).",
        "C-KEEP-05",
        wire=_follows(True),
        tries=4.0,
    ),
    wrong(
        "leaks-redirects",
        "A redirect is the library's error.",
        "C-KEEP-06",
        outcome=leaked(
            lambda t, o, p: (p.status is not None and 300 <= p.status < 400) or "redirect" in p.message.lower()
        ),
    ),
    wrong("streams-not-closed", "A stream that was left keeps its connection.", "C-KEEP-07", outcome=_holds_on),
    wrong(
        "a-connection-each",
        "Each call has a connection of its own.",
        "C-KEEP-08",
        wire=headers(lambda h: {"connection": "close"}),
    ),
    wrong("ascii-only", "Characters beyond ASCII are lost.", "C-READ-01", "C-READ-02", outcome=pieces(_ascii)),
    wrong(
        "strips-pieces",
        "White space at the edges of pieces is lost.",
        "C-READ-02",
        outcome=pieces(str.strip, whole=False),
    ),
    wrong(
        "splits-lines-by-unicode",
        "A piece ends at U+2028 (httpx.iter_lines).",
        "C-READ-02",
        outcome=pieces(lambda text: text.splitlines()[0] if text.splitlines() else text, whole=False),
        tries=3.0,
    ),
    wrong("joins-pieces", "All pieces come at once.", "C-READ-05", outcome=_joined),
    wrong(
        "drops-carriage-returns",
        "Line ends of CR alone are not known.",
        "C-READ-03",
        wire=reading(_without_cr),
        tries=8.0,
    ),
    wrong("comments-are-data", "A comment is read as data.", "C-READ-03", wire=reading(_comments_are_data), tries=6.0),
    wrong(
        "decodes-by-piece",
        "Each piece of the wire is decoded alone.",
        "C-READ-04",
        wire=reading(_part_by_part),
        tries=3.0,
    ),
    wrong("created-lost", "created is lost.", "C-READ-06", outcome=values(created=lambda v: None)),
    wrong(
        "usage-off",
        "The sum of the usage is made up.",
        "C-READ-06",
        outcome=values(usage=lambda v: {**v, "total_tokens": 0} if v else v),
    ),
    wrong("finish-lost", "A stream's finish_reason is lost.", "C-READ-07", outcome=_no_finish),
    wrong("needs-usage", "An answer without usage is an AttributeError.", "C-READ-08", outcome=_needs_usage, tries=2.0),
    wrong("one-choice", "Only the first choice is there.", "C-READ-09", outcome=values(choices=lambda v: 1)),
    wrong("needs-done", "A finished stream without [DONE] is an error.", "C-READ-10", wire=reading(_until_done)),
    wrong(
        "waits-for-the-end",
        "A stream is read to its end before the first piece.",
        "C-READ-11",
        wire=reading(_all_at_once),
    ),
    wrong("sorts-models", "The list of models is sorted.", "C-READ-12", outcome=values(ids=sorted)),
    wrong("memory-lost", "The information has no memory.", "C-READ-13", outcome=values(gpu_memory=lambda v: None)),
    wrong(
        "one-try-fewer",
        "max_retries counts the first attempt.",
        "C-RETRY-06",
        "C-RETRY-10",
        task=lambda t: dataclasses.replace(t, max_retries=max(0, t.max_retries - 1)),
    ),
    wrong(
        "one-try-more",
        "There is one attempt too many.",
        "C-RETRY-01",
        task=lambda t: dataclasses.replace(t, max_retries=t.max_retries + 1),
    ),
    wrong(
        "repeats-mistakes",
        "400 and 422 are retried.",
        "C-RETRY-02",
        settings={"retry_on": (400, 401, 403, 404, 422, 408, 429, 500, 502, 503, 504)},
    ),
    wrong(
        "begins-anew",
        "A stream that breaks is asked for again, behind its pieces.",
        "C-RETRY-04",
        again=lambda t, o: bool(o.pieces) and o.problem is not None and t.max_retries > 0,
    ),
    wrong("connections-are-final", "A broken connection is not retried.", "C-RETRY-06", wire=_final),
    wrong("retry-after-ignored", "Retry-After is not read.", "C-RETRY-07", wire=stripped("retry-after")),
    wrong("retry-after-crashes", "A Retry-After that is no number is a ValueError.", "C-RETRY-08", wire=_strict_after),
    wrong(
        "sleeps-a-day",
        "A Retry-After of a day is waited for.",
        "C-RETRY-09",
        outcome=late(lambda t, o, p: (p.retry_after or 0) > 1000, 86400.0),
    ),
    wrong("another-body", "A retry has another body.", "C-RETRY-10", wire=_another_body),
    wrong("new-keys", "Each attempt has a new Idempotency-Key.", "C-RETRY-11", wire=headers(_new_keys)),
    wrong("quota-retried", "insufficient_quota is retried (openai).", "C-RETRY-12", wire=_no_quota),
    wrong("retries-although-forbidden", "x-should-retry is not read.", "C-RETRY-13", wire=stripped("x-should-retry")),
    wrong(
        "timeouts-are-final",
        "With retries, a silent server is waited for ten times.",
        "C-RETRY-14",
        outcome=late(lambda t, o, p: p.kind == "timeout" and t.max_retries > 0, 9.0),
    ),
    wrong("none-is-null", "None is sent as null.", "C-SEND-01", task=_as_null, tries=2.0),
    wrong("sends-defaults", "A default of its own is sent.", "C-SEND-01", wire=body(_default)),
    wrong(
        "strips-prompts",
        "White space around a prompt is lost.",
        "C-SEND-02",
        task=lambda t: dataclasses.replace(t, text=t.text.strip()),
        tries=8.0,
    ),
    wrong(
        "ascii-prompts",
        "A prompt is sent in ASCII.",
        "C-SEND-02",
        task=lambda t: dataclasses.replace(t, text=_ascii(t.text)),
        tries=4.0,
    ),
    wrong(
        "drops-unknown-arguments",
        "Arguments that it does not know are not sent.",
        "C-SEND-03",
        wire=body(_known),
        tries=2.0,
    ),
    wrong(
        "text-plain",
        "A request is called text/plain.",
        "C-SEND-04",
        wire=headers(lambda h: {"content-type": "text/plain"} if "content-type" in h else {}),
    ),
    wrong(
        "x-api-key",
        "The key goes as X-API-Key.",
        "C-SEND-05",
        wire=headers(lambda h: {"authorization": "", "x-api-key": "k"} if "authorization" in h else {}),
    ),
    wrong("bearer-none", "Without a key Bearer None is sent.", "C-SEND-06", wire=headers(_bearer_none)),
    wrong(
        "own-agent",
        "The caller's User-Agent is lost.",
        "C-SEND-07",
        wire=headers(lambda h: {"user-agent": "inferneo/0"}),
    ),
    wrong(
        "slashes-quoted-twice",
        "The slashes of a model's id are quoted twice.",
        "C-SEND-08",
        task=lambda t: dataclasses.replace(t, model=t.model.replace("/", "%2F")) if t.what == "model" else t,
        tries=2.0,
    ),
    wrong("numbers-as-strings", "A temperature is sent as a string.", "C-SEND-09", wire=body(_words), tries=2.0),
    wrong("sends-twice", "Every request is sent twice.", "C-SEND-10", wire=_twice),
    wrong(
        "forms-differ",
        "One form of the client tells another kind of error.",
        "C-TWIN-01",
        outcome=named(_has("protocol"), kind="other"),
        twin=True,
    ),
    wrong(
        "forms-send-otherwise",
        "One form of the client sends a field more.",
        "C-TWIN-02",
        wire=headers(lambda h: {"x-sync": "1"}),
        twin=True,
    ),
)
