"""Keys, limits, slots, latency, counters and health on a running server, as its users set them."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asking import CHAT, LLAMA, chat, post
from rawpeer import ended

from mockserver.errors import MockError
from mockserver.model.keys import Key
from mockserver.model.latency import PRESETS
from mockserver.model.limits import Limits
from mockserver.plan import Body, Head, Plan, Repeat
from mockserver.record.journal import Exchange, Journal
from mockserver.scripting.decide import Decision
from mockserver.scripting.view import View
from mockserver.serving.brain import Settings
from mockserver.serving.server import MockServer
from mockserver.serving.service import of_environment, settings
from mockserver.serving.tally import arrived

Answer = tuple[int, dict[str, str], Any]


@contextmanager
def peer(server: MockServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def send(connection: http.client.HTTPConnection, body: Any, path: str = CHAT, key: str | None = None) -> None:
    fields = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, data, fields)


def receive(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    data = response.read()
    fields = {name.lower(): value for name, value in response.getheaders()}
    return response.status, fields, json.loads(data) if "json" in fields["content-type"] else data.decode()


def ask(server: MockServer, body: Any = None, path: str = CHAT, key: str | None = None) -> Answer:
    with peer(server) as connection:
        send(connection, body, path, key)
        return receive(connection)


def metrics(server: MockServer, session: str = "") -> dict[str, float]:
    text = ask(server, path=f"{f'/@{session}' if session else ''}/metrics")[2]
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name.removeprefix("inferneo_"): float(value) for name, value in lines}


def until(server: MockServer, name: str, value: float) -> dict[str, float]:
    """The metrics, once this one has that value; each look is a round trip to the server."""
    for _ in range(2000):
        found = metrics(server)
        if found[name] == value:
            return found
    raise AssertionError(f"{name} is {found[name]}, not {value}")


def test_keys_on_the_wire() -> None:
    """401 without a good one, in the words of the profile, and never the key; probes need none; expired ones say so."""
    with MockServer(api_keys=["sk-good", "sk-old@2001-01-01T00:00:00Z"]) as server:
        assert ask(server, chat(), key="sk-good")[0] == 200
        for key in (None, "sk-bad", "sk-old"):
            status, fields, body = ask(server, chat(), key=key)
            assert (status, fields["www-authenticate"]) == (401, "Bearer")
            assert "sk-" not in json.dumps(body)
        assert body["error"]["code"] == "expired_api_key"
        assert ask(server, path="/health")[0] == 200
        assert ask(server, path="/v1/models")[0] == 401
        assert metrics(server)["finished_requests_total"] == 1


def test_limits_on_the_wire() -> None:
    """Headers on each reply; 429 with a Retry-After; each key and each session has buckets of its own."""
    with MockServer(api_keys=["one", "two"], limits={"requests_per_minute": 2}) as server:
        left = []
        for _ in range(2):
            status, fields, _ = ask(server, chat(), key="one")
            assert (status, fields["x-ratelimit-limit"]) == (200, "2")
            assert int(fields["x-ratelimit-reset"]) > 1_700_000_000
            left.append(fields["x-ratelimit-remaining"])
        assert left == ["1", "0"]
        status, fields, body = ask(server, chat(), key="one")
        assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 1 <= int(fields["retry-after"]) <= 30
        assert ask(server, chat(), key="two")[0] == 200
        assert ask(server, chat(), path=f"/@other{CHAT}", key="one")[0] == 200
        server.session().load({"limits": {"requests_per_minute": 1}})
        assert ask(server, chat(), key="one")[1]["x-ratelimit-limit"] == "1"
        server.session().load({"limits": {}, "api_keys": []})
        assert "x-ratelimit-limit" not in ask(server, chat())[1]


def test_slots_and_queue_on_the_wire() -> None:
    """One runs, one waits, the third is refused; who leaves frees its slot at once, and the metrics say so."""
    latency = {"slots": 1, "queue": 1, "ttft": 60}
    with MockServer(latency=latency) as server, peer(server) as second:
        with peer(server) as first:
            send(first, chat())
            until(server, "running_requests", 1)
            send(second, chat())
            found = until(server, "waiting_requests", 1)
            assert found["running_requests"] == 1
            status, fields, body = ask(server, chat())
            assert (status, body["error"]["code"]) == (503, "server_error")
            assert 50 <= int(fields["retry-after"]) <= 60
            assert server.session().state["waiting"] == 1
        until(server, "waiting_requests", 0)
        found = metrics(server)
        assert (found["running_requests"], found["finished_requests_total"]) == (1, 0)
        assert ended(server, 2)[0].ended == "client"
        server.session().load({"latency": "instant"})
        assert server.session().state["running"] == 1
    with MockServer(latency=latency) as server, peer(server) as first, peer(server) as second:
        send(first, chat())
        until(server, "running_requests", 1)
        send(second, chat())
        until(server, "waiting_requests", 1)
        second.close()
        until(server, "waiting_requests", 0)
        server.session().load({"latency": {"slots": 2}})


def test_who_waits_is_served() -> None:
    """As soon as the one before has been; its time to the first token has the wait in it."""
    with MockServer(latency={"slots": 1, "ttft": 0.05}) as server, peer(server) as first, peer(server) as second:
        send(first, chat())
        send(second, chat())
        assert [receive(first)[0], receive(second)[0]] == [200, 200]
        found = until(server, "finished_requests_total", 2)
        assert found["time_to_first_token_seconds_count"] == 2
        assert found["time_to_first_token_seconds_sum"] > 0.14
        assert found["running_requests"] == found["waiting_requests"] == 0


def test_the_counters_agree_with_what_was_served() -> None:
    """Tokens are those of the usage, streamed or not, scripted or not; errors and pages count nothing."""
    script = {"strict": False, "rules": [{"match": {"contains": "said"}, "reply": "one two"}]}
    with MockServer(script=script) as server:
        usage = [ask(server, chat(text))[2]["usage"] for text in ("Hello", "Hello again", "said")]
        ask(server, chat("Hello", stream=True))
        usage.append(usage[0])
        ask(server, {})
        ask(server, path="/v1/models")
        found = until(server, "finished_requests_total", 4)
        assert found["prompt_tokens_total"] == sum(one["prompt_tokens"] for one in usage)
        assert found["generation_tokens_total"] == sum(one["completion_tokens"] for one in usage)
        assert found["time_to_first_token_seconds_count"] == 4
        assert found["inter_token_seconds_count"] == usage[0]["completion_tokens"] - 1
        server.run(server.core("").clear_journal)
        server.session().load([])
        assert metrics(server)["generation_tokens_total"] == found["generation_tokens_total"]
        assert metrics(server, "other")["finished_requests_total"] == 0
        server.session().reset()
        assert metrics(server)["generation_tokens_total"] == 0


def test_what_broke_off_counts_as_far_as_it_went() -> None:
    """Two tokens before the cut are two tokens; the request is not one that was finished."""
    rules = [
        {"match": {"path": CHAT}, "faults": [[{"kind": "cut", "at": "content[2]", "how": "fin"}]], "reply": "a b c d"}
    ]
    with MockServer(script=rules) as server:
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(server, chat(stream=True))
        found = until(server, "generation_tokens_total", 2)
        assert found["finished_requests_total"] == 0
        assert found["time_to_first_token_seconds_count"] == 1


def test_what_the_journal_forgets_is_counted() -> None:
    """What has ended at once, what is still open as soon as it has."""
    with MockServer(latency={"ttft": 0.05}) as server, peer(server) as first:
        ask(server, chat())
        send(first, chat())
        until(server, "running_requests", 1)
        for _ in range(2):
            server.run(server.core("").clear_journal)
        assert metrics(server)["finished_requests_total"] == 1
        assert receive(first)[0] == 200
        assert until(server, "finished_requests_total", 2)["running_requests"] == 0
        journal = Journal(1, forget=server.session_brain("").forget)
        for number in (1, 2):
            exchange = Exchange(post(CHAT, chat(), number), Decision(Plan((Head(200), Body(b"{}")))), 0.0)
            journal.add(exchange)
            journal.close(exchange, "end", 1, 0.1)
        assert metrics(server)["finished_requests_total"] == 3


def test_a_repeat_is_counted_up_to_it() -> None:
    """Nobody counts an endless response."""
    steps = (Head(200), Body(b"a", "content[0]"), Repeat((Body(b"b", "content[1]"),)))
    exchange = Exchange(post(CHAT, chat()), Decision(Plan(steps)), 0.0)
    exchange.sent_bytes = 10_000
    assert arrived(exchange) == 1


def test_stats_agree_with_metrics() -> None:
    """Of the profile that has both."""
    with MockServer(profile="engine", latency={"slots": 1, "ttft": 60}) as server, peer(server) as first:
        send(first, chat(model="chain"))
        until(server, "running_requests", 1)
        stats = ask(server, path="/stats")[2]
        assert (stats["running"], stats["waiting"]) == (1, 0)


def test_a_reply_that_is_made_later_is_admitted_and_paced() -> None:
    """An asynchronous function's reply carries the headers and takes a slot."""

    async def late(view: View) -> str:
        return "a b"

    with MockServer(limits={"requests_per_minute": 5}, latency={"ttft": 0.01, "slots": 3}) as server:
        server.session().on({"path": CHAT}).reply(late)
        status, fields, body = ask(server, chat())
        assert (status, fields["x-ratelimit-remaining"]) == (200, "4")
        assert body["choices"][0]["message"]["content"] == "a b"
        assert server.session().journal[0].ticket is not None
        assert until(server, "finished_requests_total", 1)["generation_tokens_total"] == 2


def test_latency_is_played_by_absolute_deadlines() -> None:
    """The waits are in the plan: to the first token, then between tokens; `speed` divides them."""
    with MockServer(latency={"ttft": 0.02, "itl": 0.01}, speed=2) as server:
        ask(server, chat(stream=True, max_tokens=4))
        exchange = ended(server, 1)[0]
        waits = [step.seconds for step in exchange.plan.steps if hasattr(step, "seconds")]
        assert waits == pytest.approx([0.01, 0.005, 0.005, 0.005])
        assert exchange.seconds >= 0.025
        found = until(server, "finished_requests_total", 1)
        assert found["inter_token_seconds_sum"] == pytest.approx(0.015)


def test_health_may_be_set() -> None:
    """By the server, by a script, by the door; each goes before the one it stands on."""
    with MockServer(health="loading") as server:
        assert ask(server, path="/health")[0] == 503
        server.session().load({"health": "ok"})
        assert ask(server, path="/health")[2] == {"status": "ok"}
        with peer(server) as connection:
            connection.request("PUT", "/_mock/health", '"unhealthy"')
            assert receive(connection)[2] == {"health": "unhealthy"}
            connection.request("PUT", "/_mock/health", '"ill"')
            assert receive(connection)[0] == 400
        assert ask(server, path="/health")[2] == {"status": "unhealthy"}
        server.session().health(None)
        assert ask(server, path="/health")[0] == 200


def test_models_and_origins() -> None:
    """Those that are named are there, the profile's own are not; only these pages may read the answers."""
    with MockServer(models=["mine"], cors_origins=["http://a"]) as server:
        assert [one["id"] for one in ask(server, path="/v1/models")[2]["data"]] == ["mine"]
        assert (ask(server, chat(model="mine"))[0], ask(server, chat(model=LLAMA))[0]) == (200, 404)
        for origin, told in (("http://a", "http://a"), ("http://b", None)):
            with peer(server) as connection:
                connection.request("GET", "/v1/models", headers={"origin": origin})
                assert receive(connection)[1].get("access-control-allow-origin") == told


def test_settings_in_words() -> None:
    """JSON, names, pairs; what is not said is as before."""
    base = Settings()
    assert settings(base) == base
    assert settings(base, limits="documented").limits == Limits(60, 150_000, 3500)
    assert settings(base, limits="requests_per_minute=5, tokens_per_minute=9").limits == Limits(5, 9)
    assert settings(base, limits=Limits(7)).limits == Limits(7)
    assert settings(base, limits='{"requests_per_day": 3}').limits == Limits(requests_per_day=3)
    assert settings(base, latency="a100").latency == PRESETS["a100"]
    assert settings(base, latency='{"itl": 1}', speed=2, max_concurrent=3).latency.slots == 3
    assert settings(base, api_keys=["k"], cors_origins=["*"]).keys == (Key("k"),)


@pytest.mark.parametrize(
    "said",
    [{"limits": "five"}, {"limits": "x=1"}, {"limits": "requests_per_minute=x"}, {"limits": 5}, {"latency": "{"},
     {"latency": "fast"}, {"latency": "5"}, {"speed": 0}, {"max_concurrent": 0}, {"health": "ill"}, {"api_keys": [""]}],
)  # fmt: skip
def test_settings_that_mean_nothing(said: dict[str, Any]) -> None:
    """One error that says what is wrong."""
    with pytest.raises(MockError):
        settings(Settings(), **said)


def test_the_environment() -> None:
    """The documented variables; an empty one says nothing, a bad one is an error that names it."""
    said = {
        "INFERNEO_API_KEY": "a, b@2030-01-01",
        "INFERNEO_MODEL_NAME": "m",
        "INFERNEO_RATE_LIMIT_TOKENS_PER_MINUTE": "7",
        "INFERNEO_MAX_CONCURRENT_REQUESTS": "2",
        "INFERNEO_CORS_ORIGINS": "",
    }
    assert of_environment(said) == {
        "api_keys": ["a", "b@2030-01-01"],
        "models": ["m"],
        "limits": Limits(tokens_per_minute=7),
        "max_concurrent": 2,
    }
    assert of_environment({}) == {}
    with pytest.raises(MockError, match="INFERNEO_MAX_CONCURRENT_REQUESTS is a whole number above 0, not 'x'"):
        of_environment({"INFERNEO_MAX_CONCURRENT_REQUESTS": "x"})


def test_the_command_line() -> None:
    """Options go before variables; a mistake is one line and exit code 2."""
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0"]
    told = ["--api-key", "sk-x", "--limits", "requests_per_minute=1", "--latency", "a100", "--speed", "50"]
    with subprocess.Popen([*command, *told, "--model", "mine"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+) ", process.stdout.readline())
        assert found is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=5)
        send(connection, chat(model="mine"), key="sk-x")
        assert receive(connection)[0] == 200
        send(connection, chat(model="mine"), key="sk-x")
        assert receive(connection)[0] == 429
        send(connection, chat(model="mine"))
        assert receive(connection)[0] == 401
        connection.close()
        process.terminate()
        assert process.wait(10) == 0
    run = subprocess.run([*command, "--latency", "fast"], capture_output=True, text=True, timeout=30, check=False)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert "unknown latency 'fast'; known: a100, instant, laptop, overloaded" in run.stderr
