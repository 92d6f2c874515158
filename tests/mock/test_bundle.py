"""A session again from its bundle: overlap, leaving, functions, time, keys and TLS, and what is no bundle.

The first run is judged by its own journal, the replay by the journal of the server that replayed, and by the command as
a user calls it. Nothing sleeps: barriers and the journal say when to go on.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mockserver import MockServer, Session, chat, cli, cut, stall, status
from mockserver.record import bundling
from mockserver.record.bundle import VERSION, BundleError, check
from mockserver.record.bundling import Snapshot, written
from mockserver.record.heard import first_difference, heard, masked, sent_data
from mockserver.scripting.dsl import where
from mockserver.serving import rerun
from mockserver.serving.rerun import Outcome, Rerun


@pytest.fixture
def session() -> Iterator[Session]:
    """A session of its own."""
    with MockServer() as server:
        yield server.new_session()


def body(text: str, *, stream: bool = False) -> bytes:
    """A chat."""
    return json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}).encode()


def post(url: str, text: str = "hello", *, stream: bool = False, key: str = "", context: Any = None) -> int:
    """The status of a chat; 0: the connection broke."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(f"{url}/v1/chat/completions", body(text, stream=stream), headers)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException):
        return 0


def beside(work: Callable[[], object]) -> threading.Thread:
    """`work` in a thread of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def replayed(session: Session) -> list[Outcome]:
    """The outcomes of a replay, in the order of the requests."""
    found: list[Outcome] = []
    document = json.loads(json.dumps(session.bundle()))
    asyncio.run(Rerun(check(document), found.append).run())
    return sorted(found, key=lambda outcome: outcome.before.number)


def unlike(outcomes: list[Outcome]) -> list[tuple[str, ...]]:
    """What was not as before."""
    return [outcome.differences for outcome in outcomes if outcome.differences]


def test_what_overlapped_overlaps_again(session: Session) -> None:
    """Two wait at a barrier while a third comes and goes; then one is let go, then the other."""
    session.on(chat(contains="held"), name="held").hold("gate").reply("one").reply("two")
    session.on(chat(), name="other").reply("x")
    first = beside(lambda: post(session.url, "held a"))
    session.wait_for(1, 20, arrived=True)
    second = beside(lambda: post(session.url, "held b"))
    session.wait_for(2, 20, arrived=True)
    assert post(session.url) == 200
    session.release("gate", 1)
    first.join()
    assert post(session.url) == 200
    session.release("gate")
    second.join()
    session.wait_for(4, 20)
    bundle = session.bundle()
    arrivals = [next(iter(event.items())) for event in bundle["events"]]
    assert [pair for pair in arrivals if pair[0] != "ended" or pair[1] in (1, 2)] == [
        ("arrived", 1),
        ("arrived", 2),
        ("arrived", 3),
        ("release", {"barrier": "gate", "times": 1}),
        ("ended", 1),
        ("arrived", 4),
        ("release", {"barrier": "gate", "times": None}),
        ("ended", 2),
    ]
    outcomes = replayed(session)
    assert unlike(outcomes) == []
    assert [outcome.beside for outcome in outcomes] == [(), (1,), (1, 2), (2,)]
    assert [outcome.after["reply"] for outcome in outcomes if outcome.after] == [0, 1, 0, 0]


def test_slots_are_full_again() -> None:
    """A queue of one slot and one place: the third is refused while the first holds its slot; and so it is again."""
    with MockServer(max_concurrent=1, latency={"queue": 1}) as server:
        session = server.new_session()
        session.on(chat(contains="long")).fail(stall(after_events=1, seconds=0.2)).reply("one two three")
        session.on(chat()).reply("x")
        threads = []
        for number in (1, 2):
            threads.append(beside(lambda: post(session.url, "long", stream=True)))
            session.wait_for(number, 20, arrived=True)
        assert post(session.url) in (429, 503)
        for thread in threads:
            thread.join()
        session.wait_for(3, 20)
        outcomes = replayed(session)
    assert unlike(outcomes) == []
    assert [outcome.after["status"] for outcome in outcomes if outcome.after][2] in (429, 503)
    assert outcomes[2].beside == (1, 2)


def test_connections_are_used_again_where_they_were(session: Session) -> None:
    """Two requests on one connection, one on another, and one that counts them."""
    session.load({"rules": [{"name": "all", "reply": "x"}]})
    host, port = session.url.removeprefix("http://").split("/")[0].split(":")
    data = body("x")
    head = f"POST /@{session.name}/v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: {len(data)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as peer:
        for number in (1, 2):
            peer.sendall(head.encode() + data)
            session.wait_for(number, 20)
        assert peer.recv(12) == b"HTTP/1.1 200"
    post(session.url)
    session.wait_for(3, 20)
    outcomes = replayed(session)
    assert unlike(outcomes) == []
    pairs = [(outcome.after["connection"], outcome.after["on_connection"]) for outcome in outcomes if outcome.after]
    assert pairs[0][0] == pairs[1][0] != pairs[2][0]
    assert [place for _, place in pairs] == [1, 2, 1]


def test_a_client_that_left_leaves_after_as_much(session: Session) -> None:
    """Three tokens of a paced stream were read: the replay does not wait for the rest of it."""
    session.on(chat()).reply({"text": "one two three four five six", "pacing": {"itl": 30, "ttft": 0}})
    data = body("x", stream=True)
    request = urllib.request.Request(f"{session.url}/v1/chat/completions", data)
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.readline().startswith(b"data:")
    before = session.wait_for(1, 20)[0]
    assert before.ended == "client"
    outcomes = replayed(session)
    assert unlike(outcomes) == []
    assert outcomes[0].after is not None
    assert outcomes[0].after["ended"] == "client"
    assert outcomes[0].after["sent_bytes"] == before.sent_bytes


def test_what_was_done_to_the_session_is_done_again(session: Session) -> None:
    """An outage that is healed, a rule that came later, another script, another seed, health."""
    session.on(chat(), name="a").reply("x")
    session.faults(status(503))
    assert post(session.url) == 503
    session.heal()
    assert post(session.url) == 200
    session.on(chat(contains="late"), name="late", priority=1).fail(cut(at="content[1]", how="rst")).reply("one two")
    assert post(session.url, "late", stream=True) == 0
    session.seed(9)
    session.health("unhealthy")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{session.url}/health", timeout=20)
    caught.value.close()
    session.load([{"name": "new", "reply": {"template": "{{ random }} {{ call }}"}}])
    assert post(session.url) == 200
    session.wait_for(5, 20)
    kinds = [kind for event in session.bundle()["events"] for kind in event if kind not in ("arrived", "ended")]
    assert kinds == ["faults", "heal", "script", "script", "health", "load"]
    outcomes = replayed(session)
    assert unlike(outcomes) == []
    assert [(outcome.before.status, outcome.before.rule) for outcome in outcomes] == [
        (503, "a"),
        (200, "a"),
        (200, "late"),
        (503, None),
        (200, "new"),
    ]


def test_python_answers_by_the_record(session: Session, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A function that counts for itself, one that is awaited, one that raises, a predicate with a memory, one that
    raises: said again from the record, without the test's process.
    """
    seen: list[str] = []

    def counting(asked: Any) -> Any:
        seen.append(asked.text)
        return f"answer {len(seen)}" if len(seen) < 3 else {"error": {"status": 418, "message": "no"}}

    async def awaited(asked: Any) -> str:
        return f"later {len(seen)}"

    def failing(asked: Any) -> str:
        raise KeyError(asked.text)

    def odd(view: Any) -> bool:
        if view.text() == "broken":
            raise RuntimeError("out of order")
        return bool(view.request.number % 2)

    session.on(chat(contains="raise"), name="failing").reply(failing)
    session.on(chat(contains="await"), name="awaited").reply(awaited)
    session.on(chat() & where(odd), name="odd").reply(counting)
    session.on(chat(), name="even").reply("even")
    texts = ("a", "b", "c", "raise", "e", "await", "broken", "h")
    assert [post(session.url, text) for text in texts] == [200, 200, 200, 500, 418, 200, 500, 200]
    session.wait_for(len(texts), 20)
    outcomes = replayed(session)
    assert len(seen) == 3
    assert unlike(outcomes) == []
    path = tmp_path / "bundle.json"
    document = session.bundle()
    path.write_text(json.dumps(document))
    assert cli.main(["replay", "-v", str(path)]) == 0
    told = capsys.readouterr().out
    assert "rule odd answers by the record of what the Python function test_bundle:test_python_answers" in told
    assert "answer 2" in told
    assert "KeyError: 'raise'" in told
    assert "the predicate of odd raised RuntimeError: out of order" in told
    assert "8 requests, 8 as before, 0 not" in told
    document["exchanges"][0]["made"] = "another answer"
    path.write_text(json.dumps(document))
    assert cli.main(["replay", str(path)]) == 1
    assert "sent_bytes: was" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["replay", "--serve", str(path)])
    assert caught.value.code == 2
    assert "asks the Python function test_bundle:" in capsys.readouterr().err


def test_a_bucket_that_was_empty_is_empty_again() -> None:
    """Limits and keys live by the recorded time: also by that of a session whose clock was moved."""
    with MockServer(api_keys=["sk-one", "sk-two"], limits={"requests_per_minute": 2}) as server:
        session = server.new_session()
        session.on(chat()).reply("x")
        assert [post(session.url, key=key) for key in ("sk-one", "sk-one", "sk-one", "sk-two", "")] == [
            200,
            200,
            429,
            200,
            401,
        ]
        session.clock.advance(60)
        assert post(session.url, key="sk-one") == 200
        session.clock.set(1000)
        assert [post(session.url, key="sk-one") for _ in range(2)] == [200, 429]
        session.wait_for(8, 20)
        outcomes = replayed(session)
        assert unlike(outcomes) == []
        assert [outcome.after["status"] for outcome in outcomes if outcome.after][5:] == [200, 200, 429]
        document = session.bundle()
    document["exchanges"][2]["now"] += 60
    found: list[Outcome] = []
    asyncio.run(Rerun(check(document), found.append).run())
    assert "status: was 429, is 200" in found[2].differences


def test_chance_falls_the_same_way(session: Session) -> None:
    """Faults with a probability, in another place of the server's connections than at the beginning."""
    for _ in range(3):
        post(session.url)
    chosen = session._server.new_session(seed=5)
    chosen.load({"seed": 5, "rules": [{"reply": "x"}], "faults": CHANCE})
    found = [post(chosen.url) for _ in range(12)]
    assert set(found) == {200, 500}
    chosen.wait_for(12, 20)
    assert unlike(replayed(chosen)) == []


def test_over_tls_it_is_over_tls_again() -> None:
    """The certificate is another, the session the same; reset inside it."""
    with MockServer(tls=True) as server:
        session = server.new_session()
        session.on(chat()).fail(cut(at="content[1]", how="rst")).reply("one two")
        context = ssl.create_default_context(cadata=server.ca_pem.decode())
        assert post(session.url, stream=True, context=context) == 0
        session.wait_for(1, 20)
        assert session.bundle()["tls"]
        outcomes = replayed(session)
    assert unlike(outcomes) == []
    assert outcomes[0].before.ended == "rst"


def test_a_port_of_its_own_and_its_lost_connections() -> None:
    """The first connection is reset before it asks: it counts again."""
    with MockServer() as server:
        session = server.new_session()
        session.load({"faults": [{"kind": "accept-reset", "when": {"first": 1}}], "rules": [{"reply": "x"}]})
        url = server.listener(session)
        found = [post(url), post(url)]
        session.wait_for(1, 20)
        assert found == [0, 200]
        assert session.journal[0].request.connection == 2
        assert unlike(replayed(session)) == []


def test_a_key_finds_its_session_again() -> None:
    """No prefix: the API key says whose the request is."""
    with MockServer() as server:
        session = server.new_session(api_key="sk-mine")
        session.on(chat(), name="mine").reply("x")
        assert post(server.url, key="sk-mine") == 200
        session.wait_for(1, 20)
        outcomes = replayed(session)
    assert unlike(outcomes) == []
    assert outcomes[0].before.rule == "mine"


def test_what_cannot_be_sent_again_is_said(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that never arrives, and one over a WebSocket, are not as before; the rest goes on."""
    post(session.url)
    post(session.url)
    session.wait_for(2, 20)
    document = session.bundle()
    document["exchanges"][0]["request"]["http_version"] = "websocket"
    found: list[Outcome] = []
    asyncio.run(Rerun(check(document), found.append).run())
    assert [outcome.differences for outcome in found] == [
        ("the WebSocket was not opened: HTTP/1.1 405 Method Not Allowed",),
        (),
    ]
    document = session.bundle()
    document["exchanges"][0]["request"]["target"] = "/ with spaces\r\n\r\n"
    found.clear()
    monkeypatch.setattr(rerun, "PATIENCE", 5.0)
    asyncio.run(Rerun(check(document), found.append).run())
    assert found[0].differences == ("it did not arrive: the connection ended before",)
    assert found[1].differences == ()


FAULTS = [
    {"kind": "cut", "at": "content[2]", "how": "rst"},
    {"kind": "cut", "at": "content[1]"},
    {"kind": "status", "status": 503},
    {"kind": "dribble", "seconds": 0.05, "pieces": 5},
    {"kind": "inter-token", "seconds": 0.01},
    {"kind": "until-close"},
    {"kind": "half-head"},
    {"kind": "informational"},
    {"kind": "no-done"},
]


async def _wild(host: str, port: int, name: str, rng: Random) -> None:
    """A client that streams or not, keeps its connection or not, reads all or leaves early."""
    for _ in range(6):
        data = body(rng.choice("abc"), stream=rng.random() < 0.6)
        head = f"POST /@{name}/v1/chat/completions HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(head.encode() + data)
            await (reader.readexactly(rng.randrange(1, 900)) if rng.random() < 0.3 else reader.read(-1))
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happened_happens_again(seed: int) -> None:
    """Eight clients at once, few slots and a short queue, limits, faults by turns: every request is as before."""
    rng = Random(seed)
    rules = [
        {
            "name": name,
            "match": {"contains": name},
            "reply": {"text": "one two three four five six", "pacing": {"itl": 0.003}},
            "faults": [[rng.choice(FAULTS)] if rng.random() < 0.6 else [] for _ in range(4)],
            "after": "cycle",
        }
        for name in "abc"
    ]
    latency = {"itl": 0.002, "queue": 2, "jitter": 0.3}
    with MockServer(max_concurrent=2, latency=latency, limits={"requests_per_minute": 40}) as server:
        session = server.new_session().load({"seed": seed, "rules": rules})

        async def all_of_them() -> None:
            wild = (_wild(server.host, server.port, session.name, Random(f"{seed} {one}")) for one in range(8))
            await asyncio.gather(*wild)

        asyncio.run(all_of_them())
        session.wait_for(48, 20)
        outcomes = replayed(session)
    assert len(outcomes) == 48
    assert unlike(outcomes) == []
    assert len({outcome.before.status for outcome in outcomes}) >= 3


CHANCE = [{"kind": "status", "status": 500, "when": {"probability": 0.5}}]

GOOD: dict[str, Any] = {
    "inferneo_bundle": VERSION,
    "session": "s1",
    "profile": "docs",
    "seed": 0,
    "script": {},
    "begun": 0.0,
    "exchanges": [],
    "events": [],
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "was cut"),
        ("{", "was cut"),
        (json.dumps(GOOD)[:-3], "was cut"),
        ("no", "no JSON"),
        ("\x00", "no JSON"),
        ("[" * 100_000, "is no bundle"),
        ("[]", "got list"),
        ("{}", "got keys []"),
        (json.dumps({"rules": []}), "got keys ['rules']"),
        (json.dumps({**GOOD, "inferneo_bundle": 1}), "of version 1, this inferneo-mock reads versions 2 and 3"),
        (json.dumps({**GOOD, "inferneo_bundle": 99}), "of version 99"),
        (json.dumps({"inferneo_bundle": VERSION}), "missing required field"),
        (json.dumps({**GOOD, "seed": "x"}), "$.seed: "),
        (json.dumps({**GOOD, "exchanges": [{}]}), "$.exchanges[0]: "),
        (json.dumps({**GOOD, "profile": "nothing"}), "nothing"),
        (json.dumps({**GOOD, "script": {"ruls": []}}), "did you mean 'rules'"),
        (json.dumps({**GOOD, "events": [{"arived": 1}]}), "$.events[0]: "),
        (json.dumps({**GOOD, "events": [{"arrived": 1}]}), "request 1 cannot have arrived here"),
        (json.dumps({**GOOD, "events": [{"release": 1}]}), "$.events[0].release: Expected `object`"),
        (json.dumps({**GOOD, "events": [{"clock": {}}]}), "$.events[0].clock: "),
    ],
)
def test_what_is_no_bundle_is_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, where, and exit code 2."""
    path = tmp_path / "bundle.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as caught:
        cli.main(["replay", str(path)])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("inferneo-mock replay: ")
    assert told.count("\n") == 1
    assert words in told
    assert "Traceback" not in told


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, a folder, far too large, no text; as the command says it."""
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(3 << 30)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b'{"inferneo_bundle": "\xff\xfe"}')
    for path, words in (
        (tmp_path / "none.json", "No such file"),
        (tmp_path, "Is a directory"),
        (huge, "3072 MiB"),
        (binary, "is no bundle"),
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main(["replay", str(path)])
        assert caught.value.code == 2
        told = capsys.readouterr().err
        assert words in told
        assert told.count("\n") == 1


def test_each_request_arrives_once() -> None:
    """An order that cannot have been is refused with its place."""
    with MockServer() as server:
        session = server.new_session()
        post(session.url)
        session.wait_for(1, 20)
        document = session.bundle()
    assert check(document).session == session.name
    for events, words in (
        ([], "request 1 never arrives"),
        ([{"arrived": 1}, {"arrived": 1}], "cannot have arrived"),
        ([{"ended": 1}, {"arrived": 1}], "cannot have ended"),
    ):
        with pytest.raises(BundleError, match=words):
            check({**document, "events": events})
    first = document["exchanges"][0]
    both = [first, {**first, "number": 2}]
    crossed = [{"arrived": 1}, {"arrived": 2}, {"ended": 1}, {"ended": 2}]
    with pytest.raises(BundleError, match="request 1 is still open on connection"):
        check({**document, "exchanges": both, "events": crossed})


def test_a_replay_that_is_stopped_is_not_as_before(session: Session, tmp_path: Path) -> None:
    """Ctrl-C while a response stands at a barrier that nobody opens: said, exit code 1."""
    session.on(chat(contains="held"), name="held").hold("gate").reply("y")
    session.on(chat()).reply("x")
    assert [post(session.url), session.release("gate"), post(session.url, "held")] == [200, 0, 200]
    session.wait_for(2, 20)
    document = session.bundle()
    document["events"] = [event for event in document["events"] if "release" not in event]
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(document))
    command = [sys.executable, "-m", "mockserver", "replay", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("1. POST")
        process.send_signal(signal.SIGINT)
        told, problems = process.communicate(timeout=30)
    assert (process.returncode, told, problems) == (1, "stopped after 1 of 2 requests\n", "")


def test_what_took_minutes_takes_no_time(session: Session) -> None:
    """A thousand times slower, the record says: a paced stream still overlaps the two that came in its middle."""
    session.on(chat(contains="slow"), name="slow").reply({"text": "a b c d", "pacing": {"ttft": 0.05, "itl": 0.05}})
    session.on(chat(), name="quick").reply({"text": "x", "pacing": {"ttft": 0.01}})
    thread = beside(lambda: post(session.url, "slow", stream=True))
    session.wait_for(1, 20, arrived=True)
    assert [post(session.url), post(session.url)] == [200, 200]
    thread.join()
    session.wait_for(3, 20)
    document = session.bundle()
    for one in document["exchanges"]:
        one["started"], one["seconds"] = one["started"] * 1000, one["seconds"] * 1000
    for rule in document["script"]["rules"]:
        pacing = rule["reply"]["pacing"]
        rule["reply"]["pacing"] = {name: seconds * 1000 for name, seconds in pacing.items()}
    found: list[Outcome] = []
    asyncio.run(asyncio.wait_for(Rerun(check(document), found.append).run(), 30))
    assert unlike(found) == []
    assert [(outcome.before.number, outcome.beside) for outcome in found] == [(2, (1,)), (3, (1,)), (1, ())]


def test_the_command_plays_it_in_a_process_of_its_own(session: Session, tmp_path: Path) -> None:
    """As a user calls it: what was told, and the exit code."""
    session.on(chat(), name="r").hold().reply("x")
    threads = [beside(lambda: post(session.url)) for _ in range(2)]
    session.wait_for(2, 20, arrived=True)
    session.release()
    for thread in threads:
        thread.join()
    session.wait_for(2, 20)
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(session.bundle()))
    command = [sys.executable, "-m", "mockserver", "replay", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[-1] == "2 requests, 2 as before, 0 not"
    assert "2. POST /v1/chat/completions: 200 by rule r, ended end, while 1 went on" in lines


def test_an_answer_of_as_many_other_bytes_is_not_as_before(session: Session, tmp_path: Path, capsys: Any) -> None:
    """Plain and streamed: the count of bytes is the same, and the first that differs is told with what stands there."""
    session.on(chat(), name="r").reply("one two three")
    assert [post(session.url), post(session.url, stream=True)] == [200, 200]
    session.wait_for(2, 20)
    text = json.dumps(session.bundle())
    assert "one two three" in text
    path = tmp_path / "bundle.json"
    document = json.loads(text)
    document["script"]["rules"][0]["reply"] = "one two seven"
    path.write_text(json.dumps(document))
    assert cli.main(["replay", str(path)]) == 1
    told = capsys.readouterr().out.splitlines()
    places = [line for line in told if line.startswith("   bytes: the first difference is at byte ")]
    assert len(places) == 2
    assert "one two three" in places[0].partition(", is ")[0]
    assert "one two seven" in places[0].partition(", is ")[2]
    assert told[-1] == "2 requests, 0 as before, 2 not"
    for exchange in document["exchanges"]:
        del exchange["answer"]["text"]
    path.write_text(json.dumps(document))
    assert cli.main(["replay", str(path)]) == 1
    assert "bytes: not those of before; of an answer beyond 64 KiB only a digest is kept" in capsys.readouterr().out
    document["inferneo_bundle"] = 2
    for exchange in document["exchanges"]:
        del exchange["answer"]
    path.write_text(json.dumps(document))
    assert cli.main(["replay", str(path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "a bundle of version 2: of the answers only the number of bytes is compared"


def test_what_the_clock_alone_decides_is_no_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The date, the time of creation, uptimes, the sums in a page of metrics, what a bucket says of its reset."""
    with MockServer(profile="engine", limits={"requests_per_minute": 600}, latency={"itl": 0.001}) as server:
        session = server.new_session()
        for number in range(3):
            assert post(session.url, stream=number == 1) == 200
        for path in ("/metrics", "/stats", "/health"):
            urllib.request.urlopen(f"{session.url}{path}", timeout=20).close()
        session.wait_for(6, 20)
        document = session.bundle()
    for exchange in document["exchanges"]:
        text = exchange["answer"].get("text", "")
        assert '"created":1' not in text.replace(" ", "")
        exchange["now"] += 0.25  # as a clock that was read a moment later would have said
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(document))
    assert cli.main(["replay", str(file)]) == 0, capsys.readouterr().out
    assert (
        "GET /metrics: 200 by no rule, ended end; its bytes are not compared: it tells times" in capsys.readouterr().out
    )


def test_an_answer_to_a_hidden_key_is_not_compared(session: Session) -> None:
    """A model's answer to another text is another; a client that left is compared as far as both have come."""
    session.on(chat(contains="template"), name="t").reply({"template": "{{ text }}"})
    assert post(session.url, "template sk-0123456789", key="sk-0123456789") == 200
    session.wait_for(1, 20)
    document = session.bundle()
    assert "0123456789" not in json.dumps(document)
    assert document["exchanges"][0]["answer"] == {"unlike": "a key is hidden in it, or in its request"}
    assert unlike(replayed(session)) == []


def test_as_far_as_both_have_come() -> None:
    """Of two answers that were left in the middle the shorter decides; one byte that is another is told."""
    before = heard(b"HTTP/1.1 200 OK\r\n\r\nabcdef", 1000)
    assert first_difference(before, b"HTTP/1.1 200 OK\r\n\r\nabc", whole=False) == ""
    assert first_difference(before, b"HTTP/1.1 200 OK\r\n\r\nabcdefghi", whole=False) == ""
    assert first_difference(before, b"HTTP/1.1 200 OK\r\n\r\nabX", whole=False).startswith(
        "bytes: the first difference"
    )
    assert first_difference(before, b"HTTP/1.1 200 OK\r\n\r\nabc").endswith("is the end of it")
    short = heard(b"HTTP/1.1 200 OK\r\n\r\nabcdef", 3)
    assert (short.text, short.size) == (None, 25)
    assert first_difference(short, b"x", whole=False) == ""
    assert first_difference(short, b"x").startswith("bytes: not those of before")
    assert first_difference(heard(b"\xff\xfe", 1000), b"\xff\xff").startswith(
        "bytes: the first difference is at byte 1"
    )


def test_a_bundle_is_the_same_made_at_once_and_piece_by_piece(session: Session) -> None:
    """The door writes what `bundle()` gives, with events of all kinds, and with nothing at all."""
    empty = Snapshot.of(session.core)
    assert json.loads(b"".join(written(empty))) == bundling.document(empty)
    session.on(chat(), name="r").reply("x")
    session.faults(status(503))
    post(session.url)
    session.heal()
    post(session.url)
    session.wait_for(2, 20)
    seen = Snapshot.of(session.core)
    pieces = list(written(seen))
    assert json.loads(b"".join(pieces)) == bundling.document(seen)
    with urllib.request.urlopen(f"{session.url}/_mock/bundle", timeout=20) as found:
        made = json.load(found)
    assert {**made, "exchanges": 0, "begun": 0} == {**session.bundle(), "exchanges": 0, "begun": 0}
    post(session.url)
    session.wait_for(3, 20)
    assert json.loads(b"".join(pieces)) == json.loads(b"".join(written(seen)))


@pytest.mark.parametrize("stream", [True, False])
def test_the_bytes_of_an_answer_are_those_that_were_received(session: Session, stream: bool) -> None:
    """Whole and cut, paced or not, streamed or not: what is kept is what a socket got, but for its times."""
    session.on(chat(contains="cut")).fail(cut(at="content[2]")).reply("one two three four")
    session.on(chat(contains="slow")).reply({"text": "one two three", "pacing": {"itl": 0.001}})
    session.on(chat()).reply("one two three")
    host, port = session.url.removeprefix("http://").split("/")[0].split(":")
    for number, text in enumerate(("whole", "slow", "cut") if stream else ("whole", "slow"), 1):
        data = body(text, stream=stream)
        head = f"POST /@{session.name}/v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: {len(data)}\r\n"
        with socket.create_connection((host, int(port)), timeout=20) as peer:
            peer.sendall(f"{head}\r\n".encode() + data)
            exchange = session.wait_for(number, 20)[-1]
            got = b""
            while len(got) < exchange.sent_bytes:
                got += peer.recv(1 << 16)
        kept = sent_data(exchange.plan, exchange.request, exchange.sent_bytes)
        assert masked(kept) == masked(got)
        assert b"three" in kept or text == "cut"
        assert len(kept) == exchange.sent_bytes


def test_a_bundle_is_made_between_other_things(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop goes on after every exchange where its time is up, however many there are."""
    monkeypatch.setattr("mockserver.serving.door.SLICE", -1.0)
    for _ in range(20):
        post(session.url)
    session.wait_for(20, 20)
    turns = 0

    async def count() -> int:
        nonlocal turns
        before = turns
        while not session.brain.failures:
            turns += 1
            await asyncio.sleep(0)
        session.brain.failures.clear()
        return turns - before

    counting = asyncio.run_coroutine_threadsafe(count(), session._server._loop)  # type: ignore[arg-type]  # it runs
    pieces: list[int] = []
    real = written

    def watched(seen: Snapshot) -> Iterator[bytes]:
        for piece in real(seen):
            pieces.append(turns)
            yield piece

    monkeypatch.setattr("mockserver.serving.door.written", watched)
    with urllib.request.urlopen(f"{session.url}/_mock/bundle", timeout=20) as found:
        assert len(json.load(found)["exchanges"]) == 20
    session.brain.failures.append("enough")
    assert counting.result(20) > 0
    assert len(pieces) > 60
    assert len(set(pieces)) == len(pieces)
