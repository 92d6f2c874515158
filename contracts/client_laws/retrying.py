"""Retrying: as often as promised, never after the first token, never what is final."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from contracts.bench import Bench, body_of, header_of, rule
from contracts.client_domains import ENDPOINTS, Endpoint
from contracts.domains import Domain
from contracts.law import expect, law

NEEDS = {"retries"}
TEXT = "Hello there"
SOURCE = "laws.md 47-49; client-behaviour.md, retries"
RETRIED = (408, 429, 500, 502, 503, 504)
FINAL = (400, 401, 403, 404, 422)


def status(number: int, after: Any = 0) -> dict[str, Any]:
    """A fault that answers with that status, and Retry-After where given."""
    return {"kind": "status", "status": number, **({} if after is None else {"retry_after": after})}


PERSISTENT: Domain[tuple[int, int, bool]] = Domain(
    "a status that stays, and a number of retries",
    lambda bench: st.tuples(st.sampled_from(RETRIED), st.integers(0, 2), st.booleans()),
)


@law("C-RETRY-01", over=PERSISTENT, needs=NEEDS, examples=5, source="laws.md 47")
def attempts_are_one_and_the_retries(bench: Bench, case: tuple[int, int, bool]) -> None:
    """A failure that stays is tried exactly 1 + max_retries times, and then raised with its status."""
    number, retries, stream = case
    scene = bench.play(rule(TEXT, status(number)), stream=stream, max_retries=retries)
    expect(scene.attempts == 1 + retries, f"{1 + retries} attempts for {number}", scene.attempts)
    expect(
        scene.outcome.problem is not None and scene.outcome.problem.status == number,
        f"an error with {number}",
        scene.outcome,
    )


@law(
    "C-RETRY-02",
    over=Domain("a final status", lambda bench: st.tuples(st.sampled_from(FINAL), st.booleans())),
    needs=NEEDS,
    examples=10,
    source="laws.md 47",
)
def a_mistake_is_not_repeated(bench: Bench, case: tuple[int, bool]) -> None:
    """400, 401, 403, 404 and 422 are tried once."""
    number, stream = case
    scene = bench.play(rule(TEXT, status(number, None)), stream=stream, max_retries=3)
    expect(scene.attempts == 1, f"1 attempt for {number}", scene.attempts)


PASSING: Domain[tuple[int, int, Endpoint, bool]] = Domain(
    "failures that pass",
    lambda bench: st.tuples(st.sampled_from(RETRIED), st.integers(1, 2), ENDPOINTS, st.booleans()),
)


@law("C-RETRY-03", over=PASSING, needs=NEEDS, examples=4, source="laws.md 47")
def a_failure_that_passes_is_not_seen(bench: Bench, case: tuple[int, int, Endpoint, bool]) -> None:
    """Failures that pass within the retries give the answer, with one attempt more than failures."""
    number, failures, what, stream = case
    scene = bench.play(rule(TEXT, *[status(number)] * failures, []), what=what, stream=stream, max_retries=2)
    expect(scene.outcome.problem is None and scene.outcome.text == TEXT, f"{TEXT!r}", scene.outcome)
    expect(scene.attempts == failures + 1, f"{failures + 1} attempts", scene.attempts)


TOKENS: Domain[tuple[int, str]] = Domain(
    "a place behind the first token", lambda bench: st.tuples(st.integers(2, 4), st.sampled_from(["fin", "rst"]))
)


@law("C-RETRY-04", over=TOKENS, needs=NEEDS, examples=6, source="laws.md 47")
def no_retry_after_the_first_token(bench: Bench, case: tuple[int, str]) -> None:
    """Once a piece was handed out a stream is never asked for again: the caller would get it twice."""
    events, how = case
    cut = {"kind": "cut", "after_events": events, "how": how}
    scene = bench.play(rule("one two three four", cut, []), stream=True, max_retries=3)
    expect(bool(scene.outcome.pieces), "a piece before the cut", scene.outcome)
    expect(scene.attempts == 1, "1 attempt", scene.attempts)
    expect(scene.outcome.problem is not None, "an error", scene.outcome)


@law(
    "C-RETRY-05",
    over=Domain("an end before the first event", lambda bench: st.sampled_from(["fin", "rst"])),
    needs=NEEDS,
    examples=2,
    source="laws.md 47; client-behaviour.md: retry before the first byte",
    level="should",
)
def retry_before_the_first_token(bench: Bench, how: str) -> None:
    """A stream that breaks before its first event is asked for again."""
    cut = {"kind": "cut", "after_events": 0, "how": how}
    scene = bench.play(rule(TEXT, cut, []), stream=True, max_retries=1)
    expect(scene.outcome.problem is None and scene.outcome.text == TEXT, f"{TEXT!r}", scene.outcome)
    expect(scene.attempts == 2, "2 attempts", scene.attempts)


@law(
    "C-RETRY-06",
    over=Domain("a broken connection", lambda bench: st.sampled_from(["fin", "rst"])),
    needs=NEEDS,
    examples=2,
    source="client-behaviour.md: retry exceptions",
)
def a_broken_connection_is_retried(bench: Bench, how: str) -> None:
    """A connection that ends before any byte of the response is tried again."""
    cut = {"kind": "cut", "after_bytes": 0, "wire": True, "how": how}
    scene = bench.play(rule(TEXT, cut, []), max_retries=1)
    expect(scene.outcome.problem is None and scene.outcome.text == TEXT, f"{TEXT!r}", scene.outcome)
    expect(scene.attempts == 2, "2 attempts", scene.attempts)


@law(
    "C-RETRY-07",
    over=Domain("a time to wait", lambda bench: st.tuples(st.just(0.6), st.sampled_from([429, 503]))),
    needs=NEEDS,
    examples=2,
    source="laws.md 49",
)
def retry_after_is_obeyed(bench: Bench, case: tuple[float, int]) -> None:
    """A retry comes no sooner than Retry-After says, and not much later."""
    seconds, number = case
    scene = bench.play(rule(TEXT, status(number, seconds), []), max_retries=1)
    expect(scene.attempts == 2, "2 attempts", scene.attempts)
    started = [exchange["started"] for exchange in scene.journal]
    gap = started[1] - started[0]
    expect(gap >= seconds - 0.05, f"at least {seconds} s between the attempts", f"{gap:.3f} s")
    expect(gap < seconds + 3.0, f"not much more than {seconds} s between the attempts", f"{gap:.3f} s")


@law(
    "C-RETRY-08",
    over=Domain(
        "a value that is no time",
        lambda bench: st.sampled_from(
            ["soon", "", "-5", "NaN", "inf", "1_0", "1e9999", "Thu, 01 Jan 1970 00:00:00 GMT", "²"]
        ),
    ),
    needs=NEEDS,
    examples=4,
    source="client-behaviour.md: Retry-After",
)
def a_senseless_retry_after_is_no_crash(bench: Bench, value: str) -> None:
    """A Retry-After that is no time, is negative, or is long past: the retry comes all the same, and soon."""
    fault = {"kind": "status", "status": 429, "headers": {"Retry-After": value}}
    scene = bench.play(rule(TEXT, fault, []), max_retries=1)
    expect(
        scene.outcome.problem is None and scene.outcome.text == TEXT,
        f"{TEXT!r} after Retry-After {value!r}",
        scene.outcome,
    )
    expect(scene.outcome.seconds < 5.0, "a retry within 5 s", f"{scene.outcome.seconds:.2f} s")


@law("C-RETRY-09", needs=NEEDS, source="client-behaviour.md: Retry-After above the cap")
def an_endless_retry_after_is_not_slept(bench: Bench) -> None:
    """A Retry-After of a day is not waited for: the error comes at once, or a retry within seconds."""
    scene = bench.play(rule(TEXT, status(429, 86400), []), max_retries=1)
    expect(scene.outcome.seconds < 10.0, "an end within 10 s", f"{scene.outcome.seconds:.2f} s")


@law("C-RETRY-10", needs=NEEDS, source="laws.md 48")
def a_retry_is_the_same_request(bench: Bench) -> None:
    """All attempts have the same body, path and key."""
    scene = bench.play(rule(TEXT, status(503), status(503), []), max_retries=2)
    requests = scene.requests
    expect(len(requests) == 3, "3 attempts", len(requests))
    expect(len({body_of(r) for r in requests}) == 1, "one body", [body_of(r) for r in requests])
    expect(len({r["path"] for r in requests}) == 1, "one path", [r["path"] for r in requests])
    expect(
        len({header_of(r, "authorization") for r in requests}) == 1,
        "one key",
        [header_of(r, "authorization") for r in requests],
    )


@law("C-RETRY-11", needs=NEEDS, level="should", source="laws.md 48")
def a_retry_can_be_recognised(bench: Bench) -> None:
    """All attempts carry the same Idempotency-Key."""
    scene = bench.play(rule(TEXT, status(503), []), max_retries=1)
    keys = [header_of(request, "idempotency-key") for request in scene.requests]
    expect(len(keys) == 2 and keys[0] is not None and keys[0] == keys[1], "one Idempotency-Key on both", keys)


@law("C-RETRY-12", needs=NEEDS, level="should", source="client-behaviour.md: insufficient_quota")
def no_money_is_not_retried(bench: Bench) -> None:
    """A 429 with code insufficient_quota is final: waiting does not help."""
    reply = {
        "error": {"status": 429, "message": "no quota", "type": "insufficient_quota", "code": "insufficient_quota"}
    }
    scene = bench.play({"match": {}, "reply": reply}, max_retries=1)
    expect(scene.attempts == 1, "1 attempt", scene.attempts)


@law("C-RETRY-13", needs=NEEDS, level="should", source="client-behaviour.md: x-should-retry")
def the_server_may_forbid_a_retry(bench: Bench) -> None:
    """x-should-retry: false is obeyed."""
    fault = {"kind": "status", "status": 503, "headers": {"x-should-retry": "false"}}
    scene = bench.play(rule(TEXT, fault, []), max_retries=2)
    expect(scene.attempts == 1, "1 attempt", scene.attempts)


@law("C-RETRY-14", needs=NEEDS, source="faults.md: an error event before the first token")
def time_is_bounded_with_retries(bench: Bench) -> None:
    """With a timeout of 0.2 s and one retry a silent server is an error within four seconds, after two attempts."""
    scene = bench.play(rule(TEXT, {"kind": "stall", "after_bytes": 0, "wire": True}), timeout=0.2, max_retries=1)
    expect(
        scene.outcome.problem is not None and scene.outcome.problem.kind == "timeout",
        "a timeout",
        scene.outcome.problem,
    )
    expect(scene.outcome.seconds < 4.0, "an end within 4 s", f"{scene.outcome.seconds:.2f} s")
