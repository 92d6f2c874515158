"""Keeping: secrets stay secret, connections are given back, redirects carry nothing away."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from contracts.bench import Bench, header_of, rule
from contracts.client_domains import FAULTS, Faulty
from contracts.domains import Domain
from contracts.law import Vacuous, expect, law

TEXT = "one two three four five six"
KEY = "sk-secret-91c2f7"
PROMPT = "the private prompt 5f1e"
SOURCE = "laws.md 54, 55"


@law("C-KEEP-01", over=FAULTS, examples=20, source=SOURCE)
def an_error_never_shows_the_key(bench: Bench, case: Faulty) -> None:
    """No error, printed in any way, shows the key."""
    scene = bench.play(rule(TEXT, case.fault), what=case.what, stream=case.stream, api_key=KEY, timeout=1.0)
    problem = scene.outcome.problem
    if problem is not None:
        expect(KEY not in problem.shown, "an error without the key", problem.shown)


@law("C-KEEP-02", over=FAULTS, examples=12, source=SOURCE)
def a_log_never_shows_the_key(bench: Bench, case: Faulty) -> None:
    """No log at DEBUG shows the key."""
    scene = bench.play(rule(TEXT, case.fault), what=case.what, stream=case.stream, api_key=KEY, timeout=1.0)
    expect(KEY not in scene.outcome.logged, "a log without the key", scene.outcome.logged[-300:])


@law("C-KEEP-03", over=Domain("the mode", lambda bench: st.booleans()), examples=2, needs={"spec"}, source=SOURCE)
def a_log_never_shows_the_prompt(bench: Bench, stream: bool) -> None:
    """No log at DEBUG shows the prompt or the answer, unless asked."""
    scene = bench.play(rule("the private answer 77aa"), stream=stream, text=PROMPT)
    for private in (PROMPT, "the private answer 77aa"):
        expect(private not in scene.outcome.logged, "a log without prompts and answers", scene.outcome.logged[-300:])


@law(
    "C-KEEP-04",
    over=Domain("a status of redirection", lambda bench: st.sampled_from([301, 302, 303, 307, 308])),
    examples=5,
    source="laws.md 54",
)
def a_redirect_carries_no_key_away(bench: Bench, status: int) -> None:
    """A redirect to another origin gets no request with the key."""
    other = bench.door.arm({"strict": False, "rules": []})
    try:
        away = other.url.replace("127.0.0.1", "localhost") + "/v1/chat/completions"
        bench.play(rule(TEXT, {"kind": "redirect", "status": status, "location": away}), api_key=KEY)
        for exchange in other.journal():
            got = header_of(exchange["request"], "authorization")
            expect(got is None, "no Authorization at another origin", got)
    finally:
        other.close()


@law(
    "C-KEEP-05",
    over=Domain("a status of redirection", lambda bench: st.sampled_from([301, 302, 303])),
    examples=3,
    source="client-behaviour.md: redirects",
    level="should",
)
def a_post_is_not_turned_into_a_get(bench: Bench, status: int) -> None:
    """A redirected POST is an error, or a POST again: never a GET whose answer is taken for the completion."""
    scene = bench.play(rule(TEXT, {"kind": "redirect", "status": status}, []))
    methods = [request["method"] for request in scene.requests]
    expect(set(methods) == {"POST"}, "POST only", methods)


@law("C-KEEP-06", source="client-behaviour.md: redirects")
def an_endless_redirect_ends(bench: Bench) -> None:
    """A redirect to itself ends as an error of the client's own."""
    outcome = bench.play(rule(TEXT, {"kind": "redirect", "status": 307})).outcome
    expect(
        outcome.problem is not None and outcome.problem.kind != "leak", "an error of the client's own", outcome.problem
    )


@law("C-KEEP-07", over=Domain("how much to read", lambda bench: st.integers(1, 3)), examples=3, source="laws.md 50")
def a_stream_that_is_left_is_closed(bench: Bench, pieces: int) -> None:
    """Leaving a stream closes it: the server sees the caller go, and the client's next call works."""
    endless = {"kind": "inter-token", "seconds": 0.05}
    scene = bench.play(rule(TEXT, endless, []), stream=True, take=pieces, times=2, seen=2)
    first, second = scene.outcomes
    expect(first.problem is None and len(first.pieces) == pieces, f"{pieces} pieces and no error", first)
    expect(second.problem is None, "an answer to the next call", second.problem)
    ended = scene.journal[0]["ended"]
    expect(ended in ("client", "end"), "a stream that the client ended", ended)


@law("C-KEEP-08", needs={"strict"}, source="laws.md 53")
def connections_are_used_again(bench: Bench) -> None:
    """Calls one after the other share a connection."""
    scene = bench.play(rule(TEXT), times=4)
    used = {exchange["connection"] for exchange in scene.journal}
    expect(len(used) == 1, "1 connection for 4 calls", len(used))


@law("C-KEEP-09", over=FAULTS, examples=8, source="laws.md 53")
def faults_do_not_pile_up_connections(bench: Bench, case: Faulty) -> None:
    """A client that met the same fault five times opened at most one connection for each call, and one more."""
    scene = bench.play(rule(TEXT, case.fault), what=case.what, stream=case.stream, timeout=0.5, times=5)
    used = {exchange["connection"] for exchange in scene.journal}
    expect(len(used) <= 6, "at most 6 connections for 5 calls", len(used))


def _twins(bench: Bench) -> Bench:
    """A bench with the same client in its other form."""
    from contracts.adapters import subject

    other = bench.name.removesuffix("-async") if bench.name.endswith("-async") else f"{bench.name}-async"
    try:
        return Bench(subject(other), bench.door)
    except LookupError:
        raise Vacuous(f"{bench.name} has one form only") from None


@law("C-TWIN-01", over=FAULTS, examples=25, source="laws.md 52")
def both_forms_give_the_same(bench: Bench, case: Faulty) -> None:
    """The synchronous and the asynchronous client give the same text and the same kind of error for every fault."""
    task: dict[str, Any] = {"what": case.what, "stream": case.stream, "timeout": 1.0}
    one = bench.play(rule(TEXT, case.fault), **task).outcome
    other = _twins(bench).play(rule(TEXT, case.fault), **task).outcome
    expect(one.text == other.text, f"the same text {one.text!r} for {case.fault}", other.text)
    kinds = [outcome.problem.kind if outcome.problem else None for outcome in (one, other)]
    expect(kinds[0] == kinds[1], f"the same kind of error for {case.fault}", kinds)


@law(
    "C-TWIN-02",
    over=Domain("how to ask", lambda bench: st.tuples(st.sampled_from(["chat", "text"]), st.booleans())),
    examples=4,
    source="laws.md 52",
)
def both_forms_send_the_same(bench: Bench, case: tuple[str, bool]) -> None:
    """Both forms send the same request: path, body, and headers but for names that differ by nature."""
    from contracts.bench import body_of

    one = bench.play(rule(TEXT), what=case[0], stream=case[1]).requests[0]
    other = _twins(bench).play(rule(TEXT), what=case[0], stream=case[1]).requests[0]
    expect((one["path"], body_of(one)) == (other["path"], body_of(other)), "the same path and body", other)
    skip = {"host", "user-agent", "idempotency-key", "x-stainless-async", "x-stainless-runtime"}
    headers = [{k.lower(): v for k, v in r["headers"] if k.lower() not in skip} for r in (one, other)]
    expect(headers[0] == headers[1], f"the same headers {headers[0]}", headers[1])
