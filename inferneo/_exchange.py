"""One call from start to answer, attempts and all, without I/O.

`exchange` is a generator. It yields what is to be done (`Send`, `ReadAll`, `Sleep`, `Key`, `Opened`); a shell does it
and sends back the result, or throws in the `InferneoError` that came of it. Both shells thereby share every decision.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from inferneo import _decode
from inferneo._bounds import Bounds
from inferneo._config import Config, check_key, put_headers
from inferneo._errors import InferneoAPIError, InferneoConnectionError, InferneoError, InferneoProtocolError
from inferneo._failure import excerpt, read_failure, status_error, status_said
from inferneo._headers import Http, request_id
from inferneo._http import Reply, Target, now
from inferneo._json import read_json
from inferneo._requests import Call
from inferneo._retry import retry_after

logger = logging.getLogger("inferneo")
MAX_REDIRECTS = 5
# Content types that cannot be an event stream, however lenient the reader.
NOT_A_STREAM = ("text/html", "application/json", "application/xml", "text/xml", "image/", "application/problem")


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request; the result is a `Reply`."""

    target: Target


@dataclass(frozen=True, slots=True)
class ReadAll:
    """Read the rest of the body and free the connection; the result is bytes. `lenient`: what came until it broke."""

    reply: Reply
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait before the next attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Key:
    """Ask the user's callable for the key."""

    source: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream has begun. `first` is what was read of the body already. Throw in the error when it breaks early."""

    reply: Reply
    http: Http
    known: dict[str, Any]
    first: bytes | None = None


Command = Send | ReadAll | Sleep | Key | Opened


def exchange(config: Config, call: Call) -> Generator[Command, Any, Any]:
    """The answer to `call`: an object of `call.kind`, or for a stream the last command is `Opened`."""
    started = now()
    cap = None if call.total_timeout is None else started + call.total_timeout
    path = call.path
    attempts = redirects = retries = 0
    reply: Reply | None
    while True:
        attempts += 1
        begun = now()
        bounds = Bounds(call.timeout, cap)
        headers = _headers(config, call, retries)
        if not isinstance(config.api_key, str) and callable(config.api_key):
            secret = check_key((yield Key(config.api_key)))
            headers.setdefault(b"authorization", (b"Authorization", b"Bearer " + secret.value.encode("ascii")))
        target = Target(config, call.method, path, list(headers.values()), call.body, bounds)
        known: dict[str, Any] = {"method": call.method, "url": target.url, "attempts": attempts}
        reply = None
        try:
            try:
                reply = yield Send(target)
            finally:
                if logger.isEnabledFor(logging.INFO):
                    log_attempt(call.method, path, reply, attempts, now() - begun)
            known["elapsed"] = now() - started
            known["status_code"] = reply.status
            known["headers"] = reply.headers
            known["request_id"] = request_id(reply.headers)
            http = Http(reply.status, reply.headers, known["request_id"], known["elapsed"], attempts)
            if 200 <= reply.status <= 299:
                if call.stream and reply.status != 204 and _may_stream(reply):
                    yield Opened(reply, http, known)
                    return None
                raw = yield ReadAll(reply)
                if call.stream and reply.status != 204 and raw.lstrip()[:5] in (b"data:", b"event"):
                    yield Opened(reply, http, known, raw)
                    return None
                return _read(call, reply, raw, http, known)
            raw = yield ReadAll(reply, lenient=True)
            location = _redirect(config, call, reply, path) if redirects < MAX_REDIRECTS else None
            if location is not None:
                redirects += 1
                path = location
                continue
            failure: InferneoError = _status(call, reply, raw, known)
        except InferneoError as error:
            failure = error
            for name, value in known.items():
                if getattr(failure, name) is None:
                    setattr(failure, name, value)
            failure.elapsed = now() - started
        delay = next_delay(call, failure, retries, cap)
        try:
            if delay is None:
                raise failure
        finally:
            del failure  # its traceback holds this frame: no cycle
        retries += 1
        yield Sleep(delay)


def _headers(config: Config, call: Call, retries: int) -> dict[bytes, tuple[bytes, bytes]]:
    headers = dict(config.common)
    if call.stream:
        headers.setdefault(b"accept", (b"Accept", b"text/event-stream"))
        headers[b"accept-encoding"] = (b"Accept-Encoding", b"identity")
    else:
        headers.setdefault(b"accept", (b"Accept", b"application/json"))
    if call.body is not None:
        headers.setdefault(b"content-type", (b"Content-Type", b"application/json"))
    if call.idempotency_key is not None:
        headers.setdefault(b"idempotency-key", (b"Idempotency-Key", call.idempotency_key.encode("ascii")))
    if retries:
        headers[b"x-inferneo-retry-count"] = (b"X-Inferneo-Retry-Count", b"%d" % retries)
    if call.headers:
        put_headers(headers, call.headers)
    if call.body is not None:
        headers[b"content-length"] = (b"Content-Length", b"%d" % len(call.body))
    headers.pop(b"transfer-encoding", None)
    return headers


def log_attempt(method: str, path: str, reply: Reply | None, attempt: int, seconds: float) -> None:
    """One line; never a query, a key or a body."""
    status = reply.status if reply else "failed"
    found = request_id(reply.headers) if reply else None
    logger.info(
        "%s %s %s attempt=%d %d ms request_id=%s",
        method,
        path.partition("?")[0],
        status,
        attempt,
        seconds * 1000,
        found or "-",
        extra={"http_method": method, "http_status": status, "attempt": attempt, "request_id": found},
    )


def _may_stream(reply: Reply) -> bool:
    kind = reply.headers.get("content-type", "").strip().lower()
    return not kind.startswith(NOT_A_STREAM) and "+json" not in kind


def described(reply: Reply, raw: bytes) -> str:
    """Status, content type and the first 200 bytes, for a message."""
    kind = reply.headers.get("content-type") or "no content type"
    return f"HTTP {reply.status}, {kind}, {'body ' + repr(excerpt(raw)) if raw else 'empty body'}"


def said_error(document: Any, raw: bytes, known: dict[str, Any]) -> InferneoAPIError:
    """The error that a JSON body in a 200 reply says; its status is the one it names, else the reply's."""
    said = read_failure(document)
    status = status_said(said)
    error = status_error(status or known.get("status_code") or 200, document, raw, **_but(known, "status_code"))
    words = said.message or excerpt(raw)
    error.message = f"the server reported an error in a {known.get('status_code')} reply: {words}"
    error.args = (error.message,)
    return error


def _but(known: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in known.items() if key != name}


def _read(call: Call, reply: Reply, raw: bytes, http: Http, known: dict[str, Any]) -> Any:
    """The object in a whole 2xx body."""
    wrong = "a stream was asked, but the reply is" if call.stream else "the reply is not JSON:"
    if not raw.strip() or reply.status == 204:
        raise InferneoProtocolError(f"{wrong} {described(reply, raw)}", body=excerpt(raw), **known)
    if call.stream:
        try:
            document = read_json(raw)
        except ValueError:
            document = None
        if isinstance(document, dict) and _decode.is_failure(document):
            raise said_error(document, raw, known)
        raise InferneoProtocolError(f"{wrong} {described(reply, raw)}", body=excerpt(raw), **known)
    try:
        if raw.lstrip()[:1] == b"[" and call.path.partition("?")[0].endswith("/models"):
            raw = b'{"object":"list","data":' + raw + b"}"  # the seed's `List[Model]`, sent bare
        return _decode.read(call.kind, raw, http)
    except _decode.Failed as failed:
        raise said_error(failed.document, raw, known) from None
    except _decode.Mismatch as mismatch:
        text = f"the reply is not a {call.kind.__name__}: {mismatch}; {described(reply, raw)}"
        raise InferneoProtocolError(text, body=excerpt(raw), **known) from None
    except ValueError as error:
        hint = "" if call.path.startswith("/v1") else "; is the base_url right?"
        text = f"{wrong} {error}; {described(reply, raw)}{hint}"
        raise InferneoProtocolError(text, body=excerpt(raw), **known) from None


def _status(call: Call, reply: Reply, raw: bytes, known: dict[str, Any]) -> InferneoAPIError:
    try:
        body = read_json(raw)
    except ValueError:
        body = raw.decode("utf-8", "replace") if raw else None
    error = status_error(reply.status, body, raw, **_but(known, "status_code"))
    error.retry_after = retry_after(reply.headers, call.policy.clock)
    error.retryable = call.policy.wants(reply.status, reply.headers, error.code, error.type)
    return error


def _redirect(config: Config, call: Call, reply: Reply, path: str) -> str | None:
    """The path of a redirect that may be followed: on the same origin, and the method stays."""
    location = reply.headers.get("location")
    if not location or reply.status not in ((307, 308) if call.method != "GET" else (301, 302, 303, 307, 308)):
        return None
    host = f"[{config.host}]" if ":" in config.host else config.host
    try:
        goal = urlsplit(urljoin(f"{config.scheme}://{host}:{config.port}{path}", location))
        port = goal.port or (443 if goal.scheme == "https" else 80)
    except ValueError:
        return None
    if (goal.scheme, goal.hostname, port) != (config.scheme, config.host.lower(), config.port):
        return None
    found = (goal.path or "/") + (f"?{goal.query}" if goal.query else "")
    return found if found.isascii() and found.isprintable() and " " not in found else None


def next_delay(call: Call, failure: InferneoError, retries: int, cap: float | None) -> float | None:
    """Seconds until the next attempt, `None` when there shall be none."""
    policy = call.policy
    if not failure.retryable or retries >= policy.max_retries:
        return None
    if isinstance(failure, InferneoConnectionError) and not policy.connection_faults:
        return None
    delay = failure.retry_after
    if delay is not None and delay > policy.max_retry_delay:
        return None
    if delay is None:
        delay = policy.backoff(retries)
    return None if cap is not None and now() + delay >= cap else delay
