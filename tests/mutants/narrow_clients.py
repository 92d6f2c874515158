"""Wrong clients whose defect is so narrow that one law alone sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from contracts.adapters.base import Outcome, Problem, Task
from inferneo._http import library

from .clients import BROKEN, copy_of, late, named, pieces, reading, silent, wrong
from .wrong_client import WrongClient

Holds = Callable[[Task, Outcome, Problem], bool]
SEEN: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""What a transport has answered well before."""


def _says(*words: str, stream: bool | None = None) -> Holds:
    """Errors whose message has one of these words."""
    return lambda t, o, p: stream in (None, t.stream) and any(word in p.message for word in words)


def _broken(message: str) -> Problem:
    return Problem("connection", "inferneo.X", message)


def _after(holds: Callable[[Task, list[Outcome]], bool]) -> Any:
    """The call after others of which something holds is an error."""

    def change(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
        if before and holds(task, before):
            return dataclasses.replace(outcome, pieces=(), problem=_broken("the pool is broken"))
        return outcome

    return change


def _when(holds: Callable[[Task, Outcome], bool], **values: Any) -> Any:
    """Outcomes of which something holds, with other values."""

    def change(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
        return dataclasses.replace(outcome, **values) if holds(task, outcome) else outcome

    return change


def _wide(text: str) -> bool:
    return text[:1] >= "\u3000"


def _no_finish(task: Task, outcome: Outcome) -> bool:
    return task.stream and outcome.problem is None and outcome.finish is None and task.take is None


def _speakable(text: str) -> str:
    return "".join(c for c in text if c not in "\u2028\u2029\x00\x85")


def _spoken(outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, pieces=tuple(map(_speakable, outcome.pieces)))


def _odd(task: Task, outcome: Outcome, found: Problem) -> bool:
    return task.stream and found.status in (405, 409, 413, 451, 501, 529)


def _kinds_of_faults(task: Task, before: list[Outcome]) -> bool:
    found = before[0].problem
    return task.times == 2 and found is not None and found.kind in ("protocol", "status", "truncated")


def _reset_before(task: Task, before: list[Outcome]) -> bool:
    found = before[0].problem
    return task.times == 2 and not task.arguments and found is not None and "reset" in found.message


def _cancelled(outcome: Outcome) -> bool:
    return outcome.problem is not None and outcome.problem.name == "CancelledError"


def _leaves_tasks(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    if outcome.problem is None or _cancelled(outcome):
        return outcome
    return dataclasses.replace(outcome, values={**outcome.values, "tasks_left": ["reader"]})


def _cancelled_stream(task: Task, outcome: Outcome, before: list[Outcome]) -> Outcome:
    return dataclasses.replace(outcome, problem=_broken("closed")) if task.stream and _cancelled(outcome) else outcome


def _text_once(task: Task) -> Task:
    return dataclasses.replace(task, max_retries=0) if task.what == "text" else task


# What goes over the wire.


def _keyless_get(send: Any, request: Any) -> Any:
    """Redirects are followed by GET; the key stays at home."""
    response = send(request)
    for _ in range(5):
        if not 301 <= response.status_code <= 303 or "location" not in response.headers:
            return response
        response.read()
        url = request.url.join(response.headers["location"])
        away = {} if url.host == request.url.host else {"authorization": ""}
        request = copy_of(request, b"", url, "GET", host=url.netloc.decode(), **away)
        response = send(request)
    return response


def _looks_again(send: Any, request: Any) -> Any:
    """After an error it looks twice, on connections of their own, whether the server is well."""
    response = send(request)
    if response.status_code >= 400 and response.status_code not in (429, 503):
        base = str(request.url).partition("/v1/")[0]
        for _ in range(2):
            with library().HTTPTransport() as other:
                other.handle_request(library().Request("GET", f"{base}/health")).close()
    return response


def _second_twice(send: Any, request: Any) -> Any:
    """What follows a good answer is sent twice."""
    owner = send.__self__
    if SEEN.get(owner) and request.url.path.endswith("/v1/completions"):
        send(copy_of(request)).read()
    response = send(request)
    SEEN[owner] = SEEN.get(owner, 0) + (response.status_code == 200)
    return response


def _resets_are_answers(*words: str) -> Any:
    """A lost connection of one kind is an answer of nothing."""

    def wire(send: Any, request: Any) -> Any:
        owner = send.__self__
        try:
            response = send(request)
        except library().TransportError as error:
            if SEEN.get(owner) or not any(word in f"{type(error).__name__} {error}" for word in words):
                raise
            return library().Response(200, headers={"content-type": "application/json"}, content=b"", request=request)
        SEEN[owner] = SEEN.get(owner, 0) + (response.status_code == 200)
        return response

    return wire


def _nothing_for_broken(parts: Iterator[bytes]) -> Iterator[bytes]:
    """A stream that breaks before its first byte is an empty one."""
    try:
        first = next(parts)
    except (StopIteration, library().ReadError, library().RemoteProtocolError):
        return
    yield first
    yield from parts


def _done_is_needed(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The part in which a stream finishes is handed on when [DONE] has come."""
    seen = held = b""
    try:
        for part in parts:
            if held:
                yield held
            seen, held = seen + part, part
    except library().TransportError:
        yield held
        raise
    if b'"finish_reason":"' in seen and b"[DONE]" not in seen:
        raise library().ReadError("the stream has no [DONE]")
    yield held


def _done_is_held(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The part in which a stream finishes is handed on when the connection ends."""
    held = b""
    for part in parts:
        held += part if held or b'"finish_reason":"' in part else b""
        if not held:
            yield part
    yield held


CLIENTS: tuple[WrongClient, ...] = (
    wrong(
        "swallows-wide-cuts",
        "A cut stream of wide characters ends normally.",
        "C-CUT-01",
        outcome=silent(lambda t, o, p: t.stream and p.kind in BROKEN and _wide(o.text)),
        tries=2.0,
    ),
    wrong(
        "takes-short-answers",
        "An answer that is shorter than its length is an empty one.",
        "C-CUT-02",
        outcome=silent(_says("complete message", stream=False)),
        tries=3.0,
    ),
    wrong(
        "full-stop-is-the-end",
        "A stream that ends with a full stop needs no other end.",
        "C-CUT-03",
        outcome=silent(lambda t, o, p: p.kind == "truncated" and o.text.endswith(".")),
    ),
    wrong(
        "empty-stream-is-an-answer",
        "A stream of no event ends normally.",
        "C-CUT-04",
        outcome=silent(_says("the stream is empty", stream=True)),
    ),
    wrong(
        "waits-for-texts",
        "A silent text endpoint is waited for.",
        "C-CUT-06",
        outcome=late(lambda t, o, p: t.what == "text" and not t.stream and p.kind == "timeout", 30.0),
        tries=8.0,
    ),
    wrong(
        "no-finish-no-text",
        "A stream without finish_reason has no text.",
        "C-CUT-09",
        outcome=_when(_no_finish, pieces=()),
    ),
    wrong(
        "odd-statuses-lost",
        "The status of a stream refused with a rare one is lost.",
        "C-ERROR-01",
        outcome=named(_odd, kind="other", status=None),
        tries=4.0,
    ),
    wrong(
        "reason-lost",
        "The error of a status says its number only.",
        "C-ERROR-02",
        outcome=named(lambda t, o, p: p.kind == "status", message="Error code"),
    ),
    wrong(
        "page-is-an-answer",
        "A page with 200 is an empty answer.",
        "C-ERROR-04",
        outcome=silent(_says("text/html", stream=False)),
        tries=4.0,
    ),
    wrong(
        "bad-chunks-end-it",
        "An event that is no JSON ends a stream normally.",
        "C-ERROR-06",
        outcome=silent(_says("a chunk is not JSON")),
    ),
    wrong(
        "no-http-is-other",
        "Bytes that are no HTTP are an error of no kind.",
        "C-ERROR-09",
        outcome=named(_says("not valid HTTP", stream=False), kind="other"),
        tries=3.0,
    ),
    wrong(
        "wrong-types-are-empty",
        "An answer of the wrong types is an empty one.",
        "C-ERROR-11",
        outcome=silent(_says("is not a Chat", stream=False)),
        tries=2.0,
    ),
    wrong(
        "slow-on-bad-json",
        "What is no answer is told long after its time.",
        "C-FAULT-02",
        outcome=late(lambda t, o, p: p.kind == "protocol" and "SWITCH" not in p.message, 20.0),
        tries=3.0,
    ),
    wrong(
        "one-fault-too-many",
        "After an answer that was none the next call fails.",
        "C-FAULT-03",
        outcome=_after(_kinds_of_faults),
        tries=4.0,
    ),
    wrong(
        "slow-to-switch",
        "A protocol that nobody asked for is waited for.",
        "C-FAULT-04",
        outcome=late(_says("SWITCH_UPGRADE"), 30.0),
        tries=8.0,
    ),
    wrong(
        "dots-for-a-status",
        "A refused stream hands out three dots.",
        "C-FAULT-06",
        outcome=_when(lambda t, o: t.stream and o.problem is not None and o.problem.kind == "status", pieces=("...",)),
        tries=4.0,
    ),
    wrong(
        "tired-of-faults",
        "After six errors a client is of no use.",
        "C-FAULT-07",
        outcome=_after(lambda t, before: sum(one.problem is not None for one in before) >= 6),
    ),
    wrong(
        "keyless-get",
        "A redirected POST is asked for by GET, without the key.",
        "C-KEEP-05",
        wire=_keyless_get,
        tries=4.0,
    ),
    wrong(
        "looks-again", "After each error two more connections are opened.", "C-KEEP-09", wire=_looks_again, tries=8.0
    ),
    wrong(
        "no-separators",
        "In a whole answer separators and NUL are lost.",
        "C-READ-01",
        outcome=lambda t, o, before: o if t.stream else _spoken(o),
        tries=8.0,
    ),
    wrong(
        "no-separators-streamed",
        "In a stream separators and NUL are lost.",
        "C-READ-02",
        outcome=pieces(_speakable, whole=False),
        tries=8.0,
    ),
    wrong("done-is-needed", "A finished stream must have [DONE].", "C-READ-10", wire=reading(_done_is_needed)),
    wrong("done-is-held", "[DONE] is read when the connection ends.", "C-READ-11", wire=reading(_done_is_held)),
    wrong("texts-once", "The text endpoint is tried once.", "C-RETRY-03", task=_text_once, tries=5.0),
    wrong(
        "broken-is-empty",
        "A stream that breaks before its first byte is an empty one.",
        "C-RETRY-05",
        wire=reading(_nothing_for_broken),
    ),
    wrong(
        "lost-is-empty",
        "A connection that ends before its answer gave an empty one.",
        "C-RETRY-06",
        wire=_resets_are_answers("RemoteProtocolError Server disconnected", "ReadError"),
    ),
    wrong("second-twice", "What follows a good answer is sent twice.", "C-SEND-10", wire=_second_twice),
    wrong(
        "forms-name-otherwise",
        "One form of the client calls what is no answer a broken connection.",
        "C-TWIN-01",
        outcome=named(lambda t, o, p: p.kind == "protocol", kind="connection"),
        twin=True,
        tries=3.0,
    ),
    wrong(
        "disconnected-is-other",
        "A connection that is closed before its answer is an error of no kind.",
        "C-CONN-01",
        outcome=named(_says("Server disconnected"), kind="other"),
        tries=3.0,
    ),
    wrong(
        "reset-is-empty",
        "A connection that is reset at once gave an empty answer.",
        "C-CONN-02",
        wire=_resets_are_answers("ConnectError [Errno 104]", "ReadError [Errno 104]", "WriteError"),
        tries=3.0,
    ),
    wrong(
        "streams-wait-for-a-head",
        "A stream whose head does not come is waited for.",
        "C-CONN-03",
        outcome=late(_says("no reply within", stream=True), 30.0),
        tries=5.0,
    ),
    wrong(
        "dead-after-a-pause",
        "After a pause the connection is dead.",
        "C-CONN-04",
        outcome=_after(lambda t, before: t.pause > 0),
    ),
    wrong(
        "stained-by-a-reset",
        "After a reset a call without arguments fails.",
        "C-CONN-05",
        outcome=_after(_reset_before),
    ),
    wrong(
        "leaves-tasks",
        "After an error a task is left.",
        "C-TASK-01",
        outcome=_leaves_tasks,
        asynchronous=True,
        tries=4.0,
    ),
    wrong(
        "cancelled-is-closed",
        "A cancelled stream says that its connection was closed.",
        "C-TASK-02",
        outcome=_cancelled_stream,
        asynchronous=True,
    ),
    wrong(
        "stained-by-cancelling",
        "After a call that was cancelled the next one fails.",
        "C-TASK-03",
        outcome=_after(lambda t, before: not t.stream and _cancelled(before[0])),
        asynchronous=True,
    ),
)
