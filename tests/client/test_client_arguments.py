"""What goes in: settings, environment, per-call options, bodies; and that wrong ones are named."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import time
from typing import Any

import pytest
from own_cases import ANSWER, BUSY, GOOD, HELLO, plain, stream
from raw_player import Player

import inferneo
from inferneo import AsyncInferneoClient, ChatMessage, InferneoError, InferneoNotFoundError, Limits, Retry
from inferneo import InferneoClient as Client

M: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
SEED = ["base_url", "api_key", "timeout", "max_retries", "headers"]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "API_KEY", "TIMEOUT", "MAX_RETRIES", "LOG"):
        monkeypatch.delenv(f"INFERNEO_{name}", raising=False)


@pytest.mark.parametrize("kind", [Client, AsyncInferneoClient])
def test_the_seed_constructor(kind: Any) -> None:
    """Names, order and defaults of the seed; everything else by keyword only."""
    parameters = list(inspect.signature(kind).parameters.values())
    assert [parameter.name for parameter in parameters[:5]] == SEED
    assert [parameter.default for parameter in parameters[:5]] == ["http://localhost:8000", None, 30.0, 3, None]
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[5:])


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("http://h", "/v1"),
        ("http://h/", "/v1"),
        ("http://h:9/v1", "/v1"),
        ("http://h/v1/", "/v1"),
        ("https://h/@a", "/@a/v1"),
        ("http://[::1]:8000/x/v1", "/x/v1"),
        ("HTTP://h/a b", None),
        ("http://h/ü", "/%C3%BC/v1"),
        ("http://müller.de", "/v1"),
    ],
)
def test_base_url(base_url: str, path: str | None) -> None:
    """With and without /v1, with a prefix."""
    if path is None:
        with pytest.raises(InferneoError, match="white space"):
            Client(base_url)
    else:
        assert Client(base_url)._config.prefix == path


@pytest.mark.parametrize(
    ("base_url", "hint"),
    [
        ("localhost:8000", "did you mean 'http://localhost:8000'"),
        ("//localhost", "did you mean 'http://localhost'"),
        ("", "did you mean 'http://localhost:8000'"),
        ("ftp://x", "did you mean 'http://x'"),
        ("wss://x/v1", "did you mean 'https://x/v1'"),
        ("http://", "no host"),
        ("http://h:99999", "out of range"),
        ("http://h:x", "base_url"),
        ("http://h:0", "port"),
        ("http://h:", "port"),
        ("http://u:p@h", "api_key"),
        ("http://h?a=1", "default_query"),
        ("http://h#a", "default_query"),
        ("http://a_b^c", "host name"),
        ("http://" + "a" * 70, "host name"),
        ("http://[::1", "base_url"),
        ("http://h\n", None),
        (5, "text"),
        (b"http://h", "text"),
    ],
)
def test_wrong_base_url(base_url: Any, hint: str | None) -> None:
    """Refused at construction, with what would be right, and never with a secret."""
    if hint is None:
        assert Client(base_url).base_url == "http://h"
        return
    with pytest.raises(InferneoError, match=hint) as caught:
        Client(base_url)
    assert "u:p" not in caught.value.message


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"api_key": "sk-1\n"}, "line break at offset 4.*strip"),
        ({"api_key": "sk-ü"}, "'ü' at offset 3"),
        ({"api_key": " "}, "empty"),
        ({"api_key": 5}, "api_key"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"total_timeout": 0}, "total_timeout"),
        ({"stream_idle_timeout": 0}, "stream_idle_timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_retry_delay": -1}, "max_retry_delay"),
        ({"headers": {"a b": "c"}}, "a b"),
        ({"headers": {"a": "c\r\nd"}}, "'a'"),
        ({"headers": {"a": 5}}, "headers"),
        ({"headers": {"ü": "c"}}, "ü"),
        ({"default_query": {"a": object()}}, "default_query"),
        ({"limits": "many"}, "limits"),
        ({"http_client": object()}, "http_client"),
        ({"transport": object()}, "transport"),
        ({"http_client": 1, "transport": 2}, "not both"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncInferneoClient])
def test_wrong_settings(kind: Any, settings: dict[str, Any], hint: str) -> None:
    """Each is named; a key is never shown."""
    with pytest.raises(InferneoError, match=hint) as caught:
        kind("http://h", **settings)
    assert "sk-" not in caught.value.message


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument over environment over default, also when the argument equals the default; empty is unset."""
    monkeypatch.setenv("INFERNEO_BASE_URL", "http://env:1")
    monkeypatch.setenv("INFERNEO_API_KEY", "sk-environment")
    monkeypatch.setenv("INFERNEO_TIMEOUT", "7.5")
    monkeypatch.setenv("INFERNEO_MAX_RETRIES", "1")
    config = Client()._config
    assert (config.base_url, config.timeout, config.retry.max_retries) == ("http://env:1", 7.5, 1)
    assert "sk-environment" not in repr(Client())
    config = Client("http://localhost:8000"[:], "sk-argument", float("30"), int("3"))._config
    assert (config.base_url, config.timeout, config.retry.max_retries) == ("http://localhost:8000", 30.0, 3)
    for name in ("BASE_URL", "API_KEY", "TIMEOUT", "MAX_RETRIES"):
        monkeypatch.setenv(f"INFERNEO_{name}", "")
    config = Client()._config
    assert (config.base_url, config.timeout, config.retry.max_retries) == ("http://localhost:8000", 30.0, 3)
    assert config.api_key is None
    for name, wrong in (("TIMEOUT", "soon"), ("MAX_RETRIES", "-1"), ("BASE_URL", "h"), ("LOG", "loud")):
        with monkeypatch.context() as patch:
            patch.setenv(f"INFERNEO_{name}", wrong)
            with pytest.raises(InferneoError, match=name if name != "BASE_URL" else "base_url"):
                Client()


def test_no_limit() -> None:
    """`None` and infinity are no limit."""
    assert Client(timeout=None)._config.timeout is None
    assert Client(timeout=float("inf"))._config.timeout is None
    with Player([GOOD]) as player, Client(player.url, timeout=None) as client:
        assert client.chat.completions.create("m", M).text == "Hello"


def test_the_key_does_not_show() -> None:
    """Not in repr, not in vars."""
    client = Client("http://h", "sk-1234567890")
    for shown in (repr(client), repr(vars(client)), repr(client._config)):
        assert "sk-123456" not in shown
    assert "7890" in repr(client)
    assert "abc" not in repr(Client("http://h", "abc"))


def test_key_from_a_callable() -> None:
    """Asked for each attempt; what it raises or gives wrongly is an InferneoError; async ones are awaited."""
    keys = iter(["k1", "k2"])

    async def key() -> str:
        return "k3"

    async def main(url: str) -> None:
        async with AsyncInferneoClient(url, api_key=key) as client:
            await client.chat.completions.create("m", M)

    with Player([plain(503, BUSY, "retry-after-ms: 1"), GOOD]) as player:
        with Client(player.url, api_key=lambda: next(keys)) as client:
            client.chat.completions.create("m", M)
        asyncio.run(main(player.url))
        assert [seen.headers["authorization"] for seen in player.seen] == ["Bearer k1", "Bearer k2", "Bearer k3"]
        with Client(player.url, api_key=lambda: "a\n") as client, pytest.raises(InferneoError, match="line break"):
            client.models.list()
        with Client(player.url, api_key=lambda: 1 / 0) as client, pytest.raises(InferneoError, match="ZeroDivision"):
            client.models.list()


def test_what_is_sent() -> None:
    """The arguments, the extra ones, no `None`; headers of the client and of the call; one JSON body."""
    with (
        Player([GOOD]) as player,
        Client(player.url, "k", headers={"User-Agent": "MyApp/1.0", "X-A": "1"}, default_query={"q": "ä b"}) as client,
    ):
        client.chat.completions.create(
            "m",
            M,
            max_tokens=5,
            top_k=None,
            stop=["a"],
            n=2,
            seed=0,
            logit_bias={5: -100},
            user=None,
            extra_body={"mine": None, "n": 3},
            extra_headers={"X-B": "2", "x-a": "3"},
            extra_query={"r": [1, 2], "no": None},
            idempotency_key="idem",
        )
        (seen,) = player.seen
    assert json.loads(seen.body) == {
        "model": "m",
        "messages": M,
        "max_tokens": 5,
        "stop": ["a"],
        "n": 3,
        "seed": 0,
        "logit_bias": {"5": -100},
        "mine": None,
    }
    assert seen.path == "/v1/chat/completions?q=%C3%A4+b&r=1&r=2"
    assert seen.headers["user-agent"].startswith("MyApp/1.0 inferneo-python/")
    assert (seen.headers["x-a"], seen.headers["x-b"]) == ("3", "2")
    assert seen.headers["authorization"] == "Bearer k"
    assert seen.headers["idempotency-key"] == "idem"
    assert seen.headers["content-type"] == "application/json"
    assert len([name for name in seen.headers if name == "content-length"]) == 1


def test_what_stream_sends() -> None:
    """`stream` is in the body only when it is asked for."""
    with Player([stream(HELLO)]) as player, Client(player.url) as client:
        client.completions.create("m", ["a", "b"], stream=True, stream_options={"include_usage": True}).close()
        (seen,) = player.seen
    assert json.loads(seen.body) == {
        "model": "m",
        "prompt": ["a", "b"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert seen.headers["accept"] == "text/event-stream"


def test_odd_text_is_sent() -> None:
    """Lone surrogates are escaped; other text goes as UTF-8; answered objects can be sent again."""
    with Player([GOOD]) as player, Client(player.url) as client:
        answer = client.chat.completions.create("m", [{"role": "user", "content": "\ud83e ☃"}])
        client.chat.completions.create("m", [*M, answer.choices[0].message, ChatMessage(role="user", content="☃")])
    assert b"\\ud83e" in player.seen[0].body
    assert json.loads(player.seen[0].body)["messages"][0]["content"] == "\ud83e ☃"
    assert json.loads(player.seen[1].body)["messages"][1:] == [
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "☃"},
    ]
    assert "☃".encode() in player.seen[1].body


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"a": {"b": [1, {2, 3}]}}, r"a\.b\[1\] is of type set"),
        ({"a": b"x"}, "a is of type bytes"),
        ({"a": {(1, 2): 3}}, "a has a key of type tuple"),
        ({"a": LOOP}, "a.* holds itself"),
        ({"a": object}, "a is of type type"),
    ],
)
def test_what_cannot_be_sent(fields: dict[str, Any], hint: str) -> None:
    """Named by its field, and nothing is sent."""
    with Player([GOOD]) as player, Client(player.url) as client:
        with pytest.raises(InferneoError, match=hint):
            client.chat.completions.create("m", M, **fields)
        assert player.seen == []


def test_wrong_arguments_are_type_errors() -> None:
    """As for any function."""
    client: Any = Client()
    wrong: Any
    for wrong in (
        lambda: client.chat.completions.create(messages=M),
        lambda: client.chat.completions.create("m", "Hi"),
        lambda: client.chat.completions.create("m", 5),
        lambda: client.chat.completions.create(5, M),
        lambda: client.chat.completions.create("m", M, stream="yes"),
        lambda: client.models.list(limit=5),
        lambda: client.models.get(5),
        lambda: client.info(extra_body={}),
        lambda: client.with_options(colour=5),
    ):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"total_timeout": "x"},
        {"max_retries": -1},
        {"extra_headers": {"a": "\n"}},
        {"extra_query": {"a": {}}},
        {"extra_body": 5},
        {"idempotency_key": "a\n"},
        {"transport": "carrier pigeon"},
        {"transport": "ws"},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    """Each raises an InferneoError before anything is sent."""
    with pytest.raises(InferneoError):
        Client().chat.completions.create("m", M, **options)


def test_with_options() -> None:
    """Other settings, the same connections, in at most 20 us (measured in the benchmark)."""
    with Player([GOOD]) as player, Client(player.url, headers={"X-A": "1"}) as client:
        other = client.with_options(
            timeout=1, max_retries=0, headers={"X-B": "2"}, api_key="k", default_query={"a": 1}, total_timeout=None
        )
        client.chat.completions.create("m", M)
        other.chat.completions.create("m", M)
        assert player.connections == 1
        assert client._config.timeout == 30.0
        assert (other._config.timeout, other._config.retry.max_retries) == (1.0, 0)
        assert "x-b" not in player.seen[0].headers
        assert (player.seen[1].headers["x-a"], player.seen[1].headers["x-b"]) == ("1", "2")
        assert player.seen[1].headers["authorization"] == "Bearer k"
        assert player.seen[1].path.endswith("?a=1")
        assert copy.copy(client)._wire is client._wire
        assert client.with_options(retry=Retry(base=0.1), retry_on=[418])._config.retry.statuses == {418}
        assert client.with_options(api_key=None)._config.api_key is None
    with pytest.raises(InferneoError, match="copy"):
        pickle.dumps(client)


def test_with_options_is_cheap() -> None:
    """Far from what a new pool would cost."""
    client = Client()
    began = time.process_time()
    for _ in range(1000):
        client.with_options(timeout=5.0)
    assert (time.process_time() - began) / 1000 < 200e-6  # ten times the goal: this is no benchmark


def test_models() -> None:
    """A list with `.data`, bare lists too; ids with slashes; a missing model."""
    page = plain(200, {"object": "list", "data": [{"id": "a/b", "parameters": 7, "format": "gguf"}], "more": 1})
    one = plain(200, {"id": "a/b", "permission": []})
    gone = plain(404, {"error": {"message": "no model", "code": "model_not_found"}})
    with Player([page, plain(200, [{"id": "x"}]), one, one, gone]) as player, Client(player.url) as client:
        models = client.models.list()
        assert isinstance(models, list)
        assert (models[0].id, models[0].parameters, models[0].format) == ("a/b", 7, "gguf")
        assert models.data == models
        assert models.object == "list"
        assert models.extra == {"more": 1}
        assert models.http is not None
        assert [model.id for model in client.models.list()] == ["x"]
        assert client.models.get("a/b")["permission"] == []
        client.models.get("a b?ü", timeout=5)
        with pytest.raises(InferneoNotFoundError) as caught:
            client.models.get("nope")
        assert caught.value.code == "model_not_found"
        assert [seen.path for seen in player.seen[2:4]] == ["/v1/models/a/b", "/v1/models/a%20b%3F%C3%BC"]
        assert "idempotency-key" not in player.seen[0].headers
        for wrong in ("", "/", "..", "a/../b"):
            with pytest.raises(InferneoError, match="model id"):
                client.models.get(wrong)


def test_embeddings() -> None:
    """Created from a text or a list."""
    answer = plain(200, {"object": "list", "data": [{"embedding": [0.5], "index": 0}], "model": "m"})

    async def main(url: str) -> float:
        async with AsyncInferneoClient(url) as client:
            assert (await client.models.list()).data
            assert (await client.models.get("a")).id == "a"
            assert (await client.info()).version == "1"
            return float((await client.embeddings.create("m", ["a", "b"])).data[0]["embedding"][0])

    with Player([answer]) as player, Client(player.url) as client:
        assert client.embeddings.create("m", "a", encoding_format="float").data[0].embedding == [0.5]
        assert json.loads(player.seen[0].body) == {"model": "m", "input": "a", "encoding_format": "float"}
    with Player(
        [plain(200, {"data": [{"id": "a"}]}), plain(200, {"id": "a"}), plain(200, {"version": "1"}), answer]
    ) as player:
        assert asyncio.run(main(player.url)) == 0.5


def test_limits() -> None:
    """Ours, a number, or the library's."""
    from inferneo._http import check_limits, library

    assert check_limits(None) == Limits()
    assert check_limits(3) == Limits(3, 3)
    assert check_limits(library().Limits(max_connections=2)).max_connections == 2


def test_exported_names() -> None:
    """The public API is a decision."""
    assert set(inferneo.__all__) == {
        name for name in dir(inferneo) if name[0].isupper() and name not in ("TYPE_CHECKING", "Any")
    }
    for name in inferneo.__all__:
        assert getattr(inferneo, name).__name__ == name
    assert inferneo.__version__ == "0.1.0"
    with pytest.raises(AttributeError, match="Nothing"):
        _ = inferneo.Nothing  # type: ignore[attr-defined]  # that is the point
    assert ANSWER["id"] == "c1"
