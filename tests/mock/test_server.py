"""The server as an object: up when it returns, gone when it closes, nothing left; sessions and their listeners."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from rawpeer import DATE, STACKS, Playing, ask, connect, playing, read_all, read_exactly

import mockserver
from mockserver import MockServer, chat, cut, fixture, status
from mockserver.errors import MockError, ScriptError
from mockserver.plan import Body, Head, Plan, Stall, Wait
from mockserver.serving.selfcheck import WireUnavailableError, self_check
from mockserver.serving.server import loop_factory
from mockserver.serving.wire import protocol_class

CHAT = {"model": "meta-llama/Llama-2-7b-chat-hf", "messages": [{"role": "user", "content": "the report"}]}


def call(url: str, document: Any = None, method: str | None = None) -> tuple[int, Any]:
    """One request with a JSON body; status and JSON answer."""
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # one number, no paths


@pytest.mark.parametrize(("http", "loop"), STACKS)
def test_a_hundred_hanging_responses_do_not_hold_the_end(http: str, loop: str) -> None:
    """Closed within 0.1 s by plan (1 s leaves room for a busy machine); every peer sees the end; nothing is left."""
    with playing(lambda request: Plan(()), http, loop):
        pass  # what a loop opens once per process
    files, threads = open_files(), threading.active_count()
    stall = Plan((Head(200, (DATE,)), Body(b"x")), Stall(None))
    peers = []
    with playing(lambda request: stall if request.path == "/s" else Plan((Wait(1000),)), http, loop) as server:
        for number in range(100):
            peer = connect(server)
            peer.sendall(ask("/s" if number % 2 else "/w"))
            peers.append(peer)
        server.session().wait_for(100, arrived=True)
        journal = server.session().journal
        started = time.monotonic()
    assert time.monotonic() - started < 1
    for peer in peers:
        read_all(peer)
        peer.close()
    assert {exchange.ended for exchange in journal} == {"stall", "server"}
    assert threading.active_count() == threads
    gc.collect()
    assert open_files() <= files


def test_idle_and_half_sent_connections_do_not_hold_the_end() -> None:
    """Keep-alive connections, half a head, half a body, an asker at the door: all end with the server."""
    with MockServer() as server:
        peers = [connect(server) for _ in range(4)]
        peers[0].sendall(ask("/health"))
        assert peers[0].recv(12) == b"HTTP/1.1 200"
        peers[1].sendall(b"GET /hea")
        peers[2].sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
        peers[3].sendall(ask("/_mock/journal?wait_for=99&within=99"))
        server.session().wait_for(1)
        started = time.monotonic()
    assert time.monotonic() - started < 1
    for peer in peers:
        read_all(peer)
        peer.close()


def test_async_servers_have_no_thread_and_leave_no_task() -> None:
    """Under `async with` the running loop serves, hanging responses included; nothing is left behind."""

    async def main() -> None:
        threads = threading.active_count()
        before = asyncio.all_tasks()
        async with MockServer() as server:
            assert threading.active_count() == threads
            server.sessions.reset("", Playing(lambda request: Plan((Head(200),), Stall(None))))
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(ask())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            exchanges = await server.session().async_wait_for(1, arrived=True)
            assert exchanges[0].ended == "open"
            assert server.session().journal == exchanges
        assert asyncio.all_tasks() == before
        assert exchanges[0].ended == "stall"
        writer.close()

    asyncio.run(main())


def test_the_port_is_bound_before_anything_runs_and_free_afterwards() -> None:
    """A second server on the port is refused by the system; after the close the port can be had again."""
    with MockServer() as first:
        with pytest.raises(OSError, match="in use"):
            MockServer(port=first.port).start()
        port = first.port
    with MockServer(port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"
        with pytest.raises(RuntimeError, match="started already"):
            again.start()
        assert call(f"{again.url}/health")[0] == 200
    again.close()
    with pytest.raises(RuntimeError, match="not started"):
        _ = again.url


def test_urls_name_an_address_that_can_be_called() -> None:
    """A server on all addresses is called by the loopback; IPv6 stands in brackets."""
    with MockServer(host="0.0.0.0") as server:
        assert server.url.startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with MockServer(host="::1") as server:
            assert server.url.startswith("http://[::1]:")
            assert call(f"{server.url}/health")[0] == 200


def test_bad_settings_are_refused_before_the_start() -> None:
    """Each with the value, what is known, and the nearest of it."""
    with pytest.raises(ValueError, match=r"unknown event loop 'uvlop'.*did you mean 'uvloop'"):
        MockServer(loop="uvlop")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="unknown HTTP parser 'h12'"):
        MockServer(http="h12")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(MockError, match=r"unknown profile 'dosc'.*did you mean 'docs'"):
        MockServer(profile="dosc")
    with pytest.raises(ScriptError, match=r"\$.rules\[0\].macth"):
        MockServer(script={"rules": [{"macth": {}}]})


def test_a_missing_uvloop_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` falls back to asyncio, `uvloop` says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    assert loop_factory("auto") is asyncio.new_event_loop
    with pytest.raises(ValueError, match=r"'uvloop' is not installed; pip install 'inferneo\[mock\]'"):
        loop_factory("uvloop")


def test_a_failing_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """When uvicorn cannot be opened the start raises, in both modes, and port and thread are gone."""
    threads = threading.active_count()

    async def broken(protocol: Any) -> None:
        raise WireUnavailableError("no")

    monkeypatch.setattr("mockserver.serving.server.self_check", broken)
    with pytest.raises(WireUnavailableError):
        MockServer().start()

    async def main() -> None:
        async with MockServer():
            raise AssertionError("not reached")

    with pytest.raises(WireUnavailableError):
        asyncio.run(main())
    assert threading.active_count() == threads


def test_the_self_check_names_what_does_not_open() -> None:
    """A protocol that does something else is found out, and uvicorn's version is named."""
    for http in ("h11", "httptools"):
        real = protocol_class(http)

        class Forgetful(real):  # type: ignore[valid-type,misc]  # a class made at run time
            def wire_keeps(self, cycle: Any) -> bool:
                return True

        class Renamed(real):  # type: ignore[valid-type,misc]  # a class made at run time
            def wire_finish(self, cycle: Any, keep_alive: bool) -> None:
                raise AttributeError("no 'conn'")

        asyncio.run(self_check(real))
        for wrong in (Forgetful, Renamed):
            with pytest.raises(WireUnavailableError, match=r"uvicorn \d+.* cannot be opened"):
                asyncio.run(self_check(wrong))


def test_sessions_share_nothing() -> None:
    """Rules, counters and journals belong to one session; the default one has no prefix."""
    with MockServer() as server:
        one, two = server.new_session(script={"rules": [{"reply": "one"}]}), server.new_session()
        two.on(chat()).reply("two")
        answers = [call(f"{url}/v1/chat/completions", CHAT)[1] for url in (one.url, two.url, server.url)]
        texts = [answer["choices"][0]["message"]["content"] for answer in answers]
        assert texts[:2] == ["one", "two"]
        assert texts[2] not in ("one", "two")
        assert [len(session.journal) for session in (one, two, server.session())] == [1, 1, 1]
        assert one.journal[0].request.path == "/v1/chat/completions"
        assert server.session("by-name").url == f"{server.url}/@by-name"
        one.reset()
        assert one.journal == ()
        assert one.state["hits"] == {"rules[0]": 0}
        one.close()
        assert one.name not in server.sessions


def test_idle_sessions_make_room(caplog: pytest.LogCaptureFixture) -> None:
    """The number of sessions is bounded; the one idle longest goes, the log says so, the default one stays."""
    with MockServer(max_sessions=3) as server, caplog.at_level(logging.WARNING, "mockserver"):
        for name in ("a", "b", "a", "c"):
            assert call(f"{server.url}/@{name}/health")[0] == 200
        assert [name for name in ("", "a", "b", "c") if name in server.sessions] == ["", "a", "c"]
    assert "session 'b' was idle longest" in caplog.text


def test_a_session_can_have_a_port_of_its_own() -> None:
    """For clients that cannot carry a prefix; it closes with the session."""
    with MockServer() as server:
        session = server.new_session(script={"rules": [{"reply": "mine"}]})
        url = server.listener(session)
        assert server.listener(session) == url
        assert call(f"{url}/v1/chat/completions", CHAT)[1]["choices"][0]["message"]["content"] == "mine"
        assert len(session.journal) == 1
        session.close()
        with pytest.raises(OSError, match="refused"):
            call(f"{url}/health")


def test_a_test_arms_and_asks_in_a_few_words() -> None:
    """`on(...).fail(..., times=n).reply(...)`, the journal, the calls and their attempts, and what does not agree."""
    with MockServer() as server:
        session = server.new_session()
        session.on(chat(contains="report"), name="flaky").fail(status(429), times=2).reply("Done.")
        statuses = [call(f"{session.url}/v1/chat/completions", CHAT)[0] for _ in range(3)]
        assert statuses == [429, 429, 200]
        assert session.calls.attempts == 3
        assert [len(one.attempts) for one in session.calls] == [3]
        assert len(session.calls) == 1
        assert session.problems() == []
        session.on(chat(contains="never"), name="idle").fail(cut())
        other = {**CHAT, "messages": [{"role": "user", "content": "weather"}]}
        assert call(f"{session.url}/v1/chat/completions", other)[0] == 404
        problems = session.problems()
        assert problems[0].startswith("no rule matched request 4: POST /v1/chat/completions")
        assert "expected 'report'" in problems[0]
        assert problems[1:] == ["rule 'idle' was never called"]
        described = session.describe()
        assert f"session '{session.name}', profile docs, seed 0" in described
        assert "429 by rule 'flaky', faults status" in described
        assert "404 by no rule" in described
        assert session.script.rules[0].name == "flaky"


def test_arming_by_script_faults_and_healing() -> None:
    """`load` replaces, `add` adds, `faults` hit everything until `heal`; a bad script changes nothing."""
    with MockServer() as server:
        session = server.new_session(seed=7)
        session.load({"rules": [{"name": "a", "match": {"contains": "nothing"}}]}).add([{"name": "b", "reply": "hi"}])
        assert set(session.state["hits"]) == {"a", "b"}
        with pytest.raises(ScriptError):
            session.load({"rules": 1})
        assert session.state["seed"] == 7
        session.faults({"kind": "status", "status": 503})
        assert call(f"{session.url}/v1/chat/completions", CHAT)[0] == 503
        session.heal()
        assert call(f"{session.url}/v1/chat/completions", CHAT)[0] == 200
        assert repr(session) == f"<Session '{session.name}' at {session.url}>"
        assert "POST /v1/chat/completions -> 503 end" in repr(session.journal[0])


def test_waiting_for_exchanges_says_how_many_there_are() -> None:
    """`wait_for` returns when there are enough, else raises with the number; in an event loop it is awaited."""
    with MockServer() as server:
        session = server.session()
        with pytest.raises(TimeoutError, match=r"0 of 1 exchanges have ended within 0\.01 s"):
            session.wait_for(1, 0.01)
        assert call(f"{server.url}/health")[0] == 200
        assert len(session.wait_for(1)) == 1

        async def awaited() -> int:
            with pytest.raises(TimeoutError, match="1 of 9"):
                await session.wait_for(9, 0.01)
            return len(await session.wait_for(1))

        assert asyncio.run(awaited()) == 1
        assert server.run(session.wait_for, 1) == ()


def test_an_error_of_the_script_is_a_500_that_fails_the_test(caplog: pytest.LogCaptureFixture) -> None:
    """When deciding raises, the client gets a 500 that says so, the journal keeps it, the server serves on."""

    def broken(request: Any) -> Plan:
        raise ZeroDivisionError("by a rule")

    with playing(broken) as server:
        code, document = call(f"{server.url}/v1/models")
        assert (code, document["error"]["code"]) == (500, "handler_error")
        exchange = server.session().journal[0]
        assert exchange.error == "ZeroDivisionError: by a rule"
        server.run(server.sessions.reset, "", Playing(lambda request: Plan((Head(200), Body(b"{}")))))
        assert call(f"{server.url}/")[0] == 200
    assert "deciding on GET /v1/models failed" in caplog.text


def test_requests_leave_no_cyclic_garbage() -> None:
    """A served request is freed by counting alone: nothing piles up for the collector."""
    with MockServer() as server, connect(server) as peer:
        session = server.session()
        body = json.dumps(CHAT).encode()

        def one() -> None:
            peer.sendall(ask("/v1/chat/completions", "POST", "1.1", body))
            data = b""
            while not data.endswith(b"}}"):
                data += peer.recv(1 << 16)

        for _ in range(20):
            one()
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                one()
            garbage = gc.collect()
        finally:
            gc.enable()
        assert garbage < 50
        assert len(session.journal) == 70


def test_exported_names() -> None:
    """The public names come from the package, and a submodule of the same name does not take their place."""
    import importlib

    importlib.import_module("mockserver.faults.status")
    for name in mockserver.__all__:
        assert callable(getattr(mockserver, name)), name
        assert name in dir(mockserver)
    with pytest.raises(AttributeError, match="no attribute 'Mokserver'"):
        _ = mockserver.Mokserver


def test_read_helpers_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The raw peer reads what is there, and a server without responses says nothing on stdout."""
    with playing(lambda request: Plan((Head(204, (DATE,)),))) as server, connect(server) as peer:
        peer.sendall(ask())
        assert read_exactly(peer, 12) == b"HTTP/1.1 204"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port": "x"}, "port: expected a whole number from 0 to 65535, got 'x'"),
        ({"port": 65536}, "port: expected a whole number from 0 to 65535, got 65536"),
        ({"max_sessions": -1}, "max_sessions: expected a whole number from 0, got -1"),
        ({"seed": "x"}, "seed: expected a whole number, got 'x'"),
        ({"seed": True}, "seed: expected a whole number, got True"),
        ({"strict": "no"}, "strict: expected True, False or None, got 'no'"),
        ({"profile": 5}, "profile: expected the name of a profile, got 5"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_told(settings: dict[str, Any], words: str) -> None:
    """When the server is made, by name, with the value and what would be right."""
    with pytest.raises(ValueError, match=f"^{words}$"):
        MockServer(**settings)


def test_a_session_refuses_what_the_server_refuses() -> None:
    """Settings of its own, its seed, and a fixture that is not there, where the test says it; nothing has changed."""
    with MockServer() as server:
        for settings in ({"seed": "x"}, {"unsafe": 1}, {"strict": 0}):
            with pytest.raises(ScriptError, match=f"^{next(iter(settings))}: expected"):
                server.new_session(**settings)
        session = server.new_session()
        with pytest.raises(ScriptError, match=r"^seed: expected a whole number, got 'x'$"):
            session.seed("x")  # type: ignore[arg-type]  # the mistake is what is tested
        with pytest.raises(ScriptError, match=r"^reply\.fixture: unknown fixture 'greetings'.*did you mean 'greeting'"):
            session.on().reply(fixture("greetings"))
        assert session.script.rules[0].replies == ()
