"""The commands that speak to a server or start one: ctl, replay, serve with --set, --watch and --admin-token."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mockserver
from mockserver import MockServer, Session, chat, cli, cut, stall, status
from mockserver.errors import ScriptError
from mockserver.plan import Body, Head, Plan, Raw, Repeat, Stall, Wait
from mockserver.record.compare import differences
from mockserver.request import Request
from mockserver.scripting.assign import assign, script_from
from mockserver.scripting.script import parse_script
from mockserver.serving.watch import Watcher
from mockserver.timeline import LINES, lines, timeline


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def session(server: MockServer) -> Session:
    return server.new_session()


def post(base: str, text: str = "the report", **fields: Any) -> int:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **fields}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{base}/v1/chat/completions", body), timeout=10) as found:
            found.read()
            return int(found.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def ctl(server: MockServer, session: Session, *words: str) -> int:
    return cli.main(["ctl", "--url", server.url, "--session", session.name, *words])


def test_ctl_arms_and_asks(
    server: MockServer, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every action of the door, from the command line."""
    script = tmp_path / "s.yaml"
    script.write_text("rules:\n  - {name: r, match: {contains: report}, reply: Done.}\n")

    def told(*words: str) -> Any:
        assert ctl(server, session, *words) == 0
        text = capsys.readouterr().out
        return text if words[0] == "explain" and "--json" not in words else json.loads(text)

    assert told("script", "--put", str(script)) == {"rules": 1}
    script.write_text("rules:\n  - {name: held, match: {contains: wait}, hold: gate, reply: x}\n")
    assert told("script", "--add", str(script)) == {"rules": 2}
    assert [rule["name"] for rule in told("script")["rules"]] == ["r", "held"]
    assert post(session.url) == 200
    assert post(session.url, "weather") == 404
    assert [one["number"] for one in told("journal", "--rule", "r")["exchanges"]] == [1]
    assert [one["number"] for one in told("journal", "--status", "404", "--limit", "1")["exchanges"]] == [2]
    assert [one["number"] for one in told("journal", "--contains", "weather")["exchanges"]] == [2]
    assert told("journal", "--wait-for", "9", "--within", "0.01")["ended"] == 2
    assert told("state")["hits"] == {"r": 1, "held": 0}
    assert "rule r (1 call): matches <- answers" in told("explain", "--text", "a report")
    explained = told("explain", "--number", "2")
    assert "contains: expected 'report', got 'weather'" in explained
    assert "answered by no rule" in explained
    assert told("explain", "--json", "--stream", "--text", "report")["timeline"][-1]["what"] == "end"
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps({"method": "GET", "path": "/v1/models"}))
    assert "GET /v1/models" in told("explain", "--file", str(asked))
    assert told("faults", '{"kind": "status", "status": 503}') == {"faults": 1}
    assert post(session.url) == 503
    assert told("heal") == {"healed": True}
    assert told("seed", "9") == {"seed": 9}
    assert told("release", "gate", "--times", "1") == {"released": 0}
    assert told("bundle")["seed"] == 9
    assert told("journal", "--clear") == {"exchanges": []}
    assert told("reset") == {"reset": True}
    assert told("script")["profile"] == "docs"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["journal", "--limit", "-1"], "?limit"),
        (["faults", '{"kind": "cutt"}'], "did you mean 'cut'"),
        (["explain", "--number", "99"], "the journal has no request 99"),
        (["release", "gate", "--times", "0"], "a whole number from 1"),
        (["script", "--put", "/nothing/here"], "No such file"),
    ],
)
def test_ctl_says_what_the_server_refuses(
    server: MockServer, session: Session, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """One line on stderr, exit code 2."""
    with pytest.raises(SystemExit) as caught:
        ctl(server, session, *words)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_ctl_takes_its_options_behind_the_action_too(
    server: MockServer, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """As people write them; those behind win, those before are not forgotten."""
    session.on(chat(), name="mine").reply("x")
    words = ["--url", server.url, "--session", session.name, "--token", "t"]
    for order in (["ctl", "explain", *words], ["ctl", *words, "explain"], ["ctl", *words[:2], "explain", *words[2:]]):
        assert cli.main([*order, "--text", "Hi"]) == 0
        assert "answered by rule mine" in capsys.readouterr().out
    assert cli.main(["ctl", "--session", "other", "state", *words]) == 0
    assert json.loads(capsys.readouterr().out)["session"] == session.name


def test_ctl_says_where_nothing_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """No server, and no fake one."""
    with pytest.raises(SystemExit):
        cli.main(["ctl", "--url", "http://127.0.0.1:9", "state"])
    assert "nothing answers at http://127.0.0.1:9" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["ctl", "--url", "127.0.0.1:9", "state"])
    told = "inferneo-mock ctl: '127.0.0.1:9' is no URL of a server; expected http://HOST:PORT\n"
    assert capsys.readouterr().err == told


def test_the_door_refuses_what_means_nothing(server: MockServer, session: Session) -> None:
    """Misspelt filters, bad seeds, keys and barriers: 400, and nothing has changed."""
    cases = [
        ("GET", "journal?statsu=200", None, "did you mean 'status'"),
        ("PUT", "seed", "true", "whole number"),
        ("PUT", "keys", '"k"', "list of texts"),
        ("POST", "release", '{"gate": 1}', "barrier"),
        ("PUT", "script", '{"rules": [{"reply": {"fixture": "nothing"}}]}', "unknown fixture"),
    ]
    for method, path, body, words in cases:
        data = None if body is None else body.encode()
        request = urllib.request.Request(f"{session.url}/_mock/{path}", data, method=method)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)
        assert caught.value.code == 400
        assert words in json.load(caught.value)["error"]["message"]
        caught.value.close()
    good = urllib.request.Request(f"{session.url}/_mock/plan", b'{"body": {"messages": []}}', method="POST")
    with urllib.request.urlopen(good, timeout=5) as response:
        assert set(json.load(response)) == {
            "rule",
            "call",
            "reply",
            "faults",
            "refused",
            "queued",
            "notes",
            "plan",
            "timeline",
        }


def test_a_bundle_is_replayed(session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same script, seed and requests give the same bytes; another script is told apart."""
    session.on(chat(contains="report")).fail(status(429), times=1).fail(cut(at="content[1]", how="rst")).reply(
        "one two"
    )
    for streamed in (False, True, True):
        post(session.url, stream=streamed)
    session.wait_for(3)
    path = tmp_path / "bundle.json"
    document = session.bundle()
    path.write_text(json.dumps(document))
    assert cli.main(["replay", str(path)]) == 0
    told = capsys.readouterr().out
    assert "1. POST /v1/chat/completions: 429 by rule rules[0], ended end" in told
    assert "ended rst" in told
    assert "3 requests, 3 as before, 0 not" in told
    document["script"]["rules"][0]["faults"] = []
    path.write_text(json.dumps(document))
    assert cli.main(["replay", "-v", str(path)]) == 1
    assert "status: was 429, is 200" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "[]", '{"inferneo_bundle": 1}', '{"inferneo_bundle": 2}'])
def test_what_is_no_bundle_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2."""
    path = tmp_path / "bundle.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as caught:
        cli.main(["replay", str(path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("inferneo-mock replay: ")


def test_who_left_is_not_compared() -> None:
    """When a client left is its own affair; the rest is compared."""
    one = {"rule": "r", "reply": 0, "status": 200, "faults": [], "ended": "client", "sent_bytes": 7}
    assert differences(one, {**one, "ended": "end", "sent_bytes": 9}) == []
    assert differences(one, {**one, "rule": None}) == ["rule: was 'r', is None"]


def test_parts_of_a_script_are_set(tmp_path: Path) -> None:
    """Paths as errors write them, values in YAML; what comes out is read as every script."""
    path = tmp_path / "s.yaml"
    path.write_text("rules:\n  - {name: r, reply: a}\n")
    made = script_from(
        path, ["seed=7", "rules[0].reply=b", "rules.1={name: s}", "$.faults=[{kind: delay, seconds: 1}]"]
    )
    assert made == parse_script(
        {
            "seed": 7,
            "rules": [{"name": "r", "reply": "b"}, {"name": "s"}],
            "faults": [{"kind": "delay", "seconds": 1}],
        }
    )
    assert script_from(None, ["rules[0].reply.text=x"]) == parse_script([{"reply": "x"}])
    path.write_text("- reply: a\n")
    assert script_from(path, ["rules[0].name=r"]).rules[0].name == "r"
    assert script_from(path) == parse_script([{"reply": "a"}])
    assert script_from(None) == parse_script(None)
    for wrong, words in (
        ("seed", "PATH=VALUE"),
        ("=1", "empty"),
        ("a!b=1", "no path"),
        ("rules[3].name=r", "no item 3"),
        ("rules.name=r", "is a key"),
        ("sed=1", "did you mean 'seed'"),
    ):
        with pytest.raises(ScriptError, match=words.replace("[", r"\[")):
            parse_script(assign({"rules": []}, wrong)) if "sed" in wrong else assign({"rules": []}, wrong)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Atomic; a bad file keeps the old script and says why; sessions armed otherwise are left alone."""
    path = tmp_path / "s.yaml"
    path.write_text("rules: [{name: a, reply: a}]\n")
    told: list[str] = []
    with MockServer(script=script_from(path)) as server:
        own = server.new_session().load([{"name": "own", "reply": "x"}])
        shared = server.new_session()
        watcher = server.run(lambda: Watcher(server, path, lambda: script_from(path), told.append))
        path.write_text("rules: [{name: b, reply: b}]\n")
        assert server.run(watcher.reload)
        assert [one.script.rules[0].name for one in (server.session(), shared, own)] == ["b", "b", "own"]
        path.write_text("rules: [{nam: c}]\n")
        assert not server.run(watcher.reload)
        assert server.session().script.rules[0].name == "b"
        path.write_text("profile: nothing\n")
        assert not server.run(watcher.reload)
        assert server.new_session().script.rules[0].name == "b"
    assert "read again, 1 rule" in told[0]
    assert "s.yaml:1:" in told[1]
    assert "did you mean 'name'" in told[1]
    assert told[1].endswith("the script before it stays in force")


def test_serve_watches_its_file(tmp_path: Path) -> None:
    """`--watch`: the change is noticed by itself, told on stderr, and in force; the end is as quick as ever."""
    path = tmp_path / "s.yaml"
    path.write_text("rules: [{name: a, reply: a}]\n")
    words = ["serve", "--port", "0", "--script", str(path), "--watch", "--set", "rules[1].name=extra"]
    command = [sys.executable, "-m", "mockserver", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        base = process.stdout.readline().split()[3]
        new = path.with_suffix(".new")
        new.write_text("rules: [{name: b, reply: b}]\n")
        os.replace(new, path)  # noqa: PTH105  # as editors do
        assert "read again, 2 rules" in process.stderr.readline()
        with urllib.request.urlopen(f"{base}/_mock/script", timeout=5) as response:
            assert [rule["name"] for rule in json.load(response)["rules"]] == ["b", "extra"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_watching_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Said, with exit code 2."""
    with pytest.raises(SystemExit):
        cli.main(["serve", "--watch"])
    assert "--watch needs --script FILE" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A plain install: one line with the extra, for the command and for the import; the words of scripts still work."""
    code = (
        "import sys\n"
        "for name in ('uvicorn', 'starlette', 'yaml'): sys.modules[name] = None\n"
        "from mockserver import chat, cli\n"
        "try:\n    from mockserver import MockServer\n"
        "except ImportError as error: print(error, file=sys.stderr)\n"
        "cli.main(['serve'])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.splitlines() == [
        "mockserver.MockServer needs 'uvicorn', which is not installed: pip install 'inferneo[mock]'",
        "inferneo-mock serve needs 'uvicorn', which is not installed: pip install 'inferneo[mock]'",
    ]
    with pytest.raises(ModuleNotFoundError):
        cli.missing("x", ModuleNotFoundError("no", name="mockserver.nothing"))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mockserver.nothing  # noqa: B018  # the asking is the test


def test_a_timeline_says_what_is_sent_when() -> None:
    """Every kind of step and ending; a long one is shortened in the middle."""
    plan = Plan(
        (Wait(0.5), Head(200), Body(b"a\r\n", "role"), Raw(b"\xff" * 80), Repeat((Body(b"x"),), None), Repeat((), 2)),
        Stall(None),
    )
    assert [(row["at"], row["what"]) for row in timeline(plan)] == [
        (0.5, what) for what in ("head", "body", "raw", "repeat", "repeat", "stall")
    ]
    assert lines(plan)[1] == "   0.500 s  body   role         a\\r\\n"
    assert timeline(Plan((), Stall(2)))[0]["shown"] == "2 s"
    assert timeline(cut(after_bytes=0).rewrite(Plan((Head(200),)), None))[-1]["what"] == "close"  # type: ignore[arg-type]
    many = Plan(tuple(Body(b"x") for _ in range(100)))
    assert len(lines(many)) == LINES + 1
    assert "more" in lines(many)[LINES - 5]


def test_a_client_that_left_is_replayed_as_one(session: Session, tmp_path: Path) -> None:
    """The replay leaves after as many bytes, and that counts as the same."""
    session.on(chat()).fail(stall(after_events=1)).reply("one two")
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    with urllib.request.urlopen(f"{session.url}/v1/chat/completions", body, timeout=5) as response:
        assert response.read(5) == b"data:"
    assert session.wait_for(1)[0].ended == "stall"
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(session.bundle()))
    assert cli.main(["replay", str(path)]) == 0


def test_replay_can_only_serve(session: Session, tmp_path: Path) -> None:
    """The script of the bundle, for a client of one's own."""
    session.on(chat(), name="kept").reply("x")
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(session.bundle()))
    command = [sys.executable, "-m", "mockserver", "replay", "--serve", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base = process.stdout.readline().split()[3]
        with urllib.request.urlopen(f"{base}/_mock/script", timeout=5) as response:
            assert json.load(response)["rules"][0]["name"] == "kept"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_a_preview_says_what_will_be_waited_for(session: Session) -> None:
    """Barriers, functions that are awaited, replies that cannot be made, no rule at all."""

    async def later(asked: Any) -> str:
        return "x"

    request = Request("POST", "/v1/chat/completions", body=b'{"messages": []}')
    assert "the script has no rules" in str(session.preview(request))
    session.on(chat()).hold("gate").reply(later)
    told = session.preview(request)
    assert "held at 'gate' until released" in str(told)
    assert "made by an asynchronous function" in str(told)
    assert told.to_json()["made_later"]
    session.load([{"reply": {"template": "{{ nothing }}"}}])
    assert "this fails the test: rule rules[0]: the reply could not be made" in str(session.preview(request))


def test_ctl_names_the_file_of_a_mistake(
    server: MockServer, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server sees bytes; who sent them knows the file, so an editor can jump there."""
    path = tmp_path / "bad.yaml"
    path.write_text("rules:\n  - match: {}\n    repl: x\n")
    for action in ("--put", "--add"):
        with pytest.raises(SystemExit):
            ctl(server, session, "script", action, str(path))
        assert f"{path}:3:5: $.rules[0].repl: unknown key 'repl'" in capsys.readouterr().err


def test_faults_takes_the_words_of_python(capsys: pytest.CaptureFixture[str]) -> None:
    """`bad_json` is the word of scripts in Python."""
    assert cli.main(["faults", "bad_json"]) == 0
    assert capsys.readouterr().out.startswith("bad-json (")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`inferneo-mock schema | head -1`: no traceback, exit code 0."""
    command = [sys.executable, "-m", "mockserver", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0


def test_an_unknown_model_is_told_with_those_served(server: MockServer, session: Session) -> None:
    """Also where a rule without a reply leaves the answer to the model."""
    session.on(chat(model="m"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(
            urllib.request.Request(
                f"{session.url}/v1/chat/completions",
                b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}',
                {"content-type": "application/json"},
            )
        )
    with caught.value as error:
        assert "The model 'm' does not exist; served: meta-llama/" in json.load(error)["error"]["message"]


def test_serve_tells_every_mistake_of_its_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As lint does, a line for each with line and column; one that only the server finds has its place too."""
    path = tmp_path / "bad.yaml"
    path.write_text("seed: x\nrules:\n  - {replyy: a}\n  - {name: b, reply: {textt: c}}\n")
    with pytest.raises(SystemExit) as caught:
        cli.main(["serve", "--port", "0", "--script", str(path)])
    assert caught.value.code == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told] == [f"{path}:1:1", f"{path}:3:6", f"{path}:4:23"]
    assert cli.main(["lint", str(path)]) == 1
    assert [line.removeprefix("inferneo-mock serve: ") for line in told] == capsys.readouterr().out.splitlines()
    path.write_text("rules:\n  - name: a\n    reply: {fixture: nothing}\n")
    with pytest.raises(SystemExit):
        cli.main(["serve", "--port", "0", "--script", str(path)])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"inferneo-mock serve: {path}:3:13: $.rules[0].reply.fixture: ")
    path.write_text("[]")
    with pytest.raises(SystemExit):
        cli.main(["serve", "--port", "0", "--script", str(path), "--set", "sed=1"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("inferneo-mock serve: $.sed: unknown key 'sed'")
    assert "did you mean 'seed'" in line


def test_a_watched_file_that_goes_is_said_in_words(tmp_path: Path) -> None:
    """Deleted, or a folder now: one sentence with its name, no number, and the script before it stays in force."""
    path = tmp_path / "s.yaml"
    path.write_text("rules: [{name: a, reply: a}]\n")
    told: list[str] = []
    with MockServer(script=script_from(path)) as server:
        watcher = server.run(lambda: Watcher(server, path, lambda: script_from(path), told.append))
        path.unlink()
        assert not server.run(watcher.reload)
        path.mkdir()
        assert not server.run(watcher.reload)
        assert server.session().script.rules[0].name == "a"
        path.rmdir()
        path.write_text("rules: [{name: b, reply: a}]\n")
        assert server.run(watcher.reload)
    assert told[0] == f"{path}: the file is gone; the script before it stays in force until there is one again"
    assert told[1] == f"{path}: cannot be read: Is a directory; the script before it stays in force"
    assert not any("Errno" in line for line in told)


def test_ctl_takes_a_kind_of_fault_alone(
    server: MockServer, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of that name goes before; what is neither is told with the nearest kind."""
    assert ctl(server, session, "faults", "cut") == 0
    assert session.state["faults_in_force"] == ["cut"]
    file = tmp_path / "faults.json"
    file.write_text('["stall"]')
    assert ctl(server, session, "faults", str(file)) == 0
    assert session.state["faults_in_force"] == ["stall"]
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        ctl(server, session, "faults", "cutt")
    assert ended.value.code == 2
    said = "'cutt' is no JSON, no file, and no kind of fault (inferneo-mock faults); did you mean 'cut'?"
    assert capsys.readouterr().err == f"inferneo-mock ctl: {said}\n"


def test_ctl_says_that_a_session_is_empty(server: MockServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name makes a session, for any name may be one; whoever asks it is told that it is empty."""
    used = server.new_session("used")

    def told(*words: str, name: str = "usde") -> str:
        assert cli.main(["ctl", "--url", server.url, "--session", name, *words]) == 0
        return capsys.readouterr().err

    note = "inferneo-mock ctl: nothing was ever done to the session 'usde': it has no rule, no fault and no request; "
    for words in (["state"], ["journal"], ["script"], ["explain"]):
        assert told(*words).startswith(note)
    for words in (["heal"], ["seed", "3"], ["journal", "--clear"]):
        assert told(*words) == ""
    assert told("faults", "cut") == ""
    assert told("state") == ""
    used.on(chat()).reply("x")
    assert told("state", name="used") == ""
    assert cli.main(["ctl", "--url", server.url, "state"]) == 0
    assert capsys.readouterr().err == ""
