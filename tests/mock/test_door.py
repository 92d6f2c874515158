"""The door: JSON over HTTP, per session; a mistake is explained and changes nothing."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver import MockServer
from mockserver.serving import door as door_module

CHAT = {"model": "meta-llama/Llama-2-7b-chat-hf", "messages": [{"role": "user", "content": "the report"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def base(server: MockServer, request: pytest.FixtureRequest) -> str:
    """The URL of a session that only this test uses."""
    name = request.node.name.removeprefix("test_").replace("[", "-").replace("]", "")
    return f"{server.url}/@{name}"


def call(url: str, document: Any = None, method: str = "GET", data: bytes | None = None) -> tuple[int, Any]:
    if document is not None:
        data = json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def chat(base: str, content: str = "the report") -> tuple[int, Any]:
    return call(f"{base}/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": content}]}, "POST")


def test_a_script_is_put_patched_and_got(base: str) -> None:
    """JSON or YAML; PATCH puts rules behind; GET gives back what is in force."""
    door = f"{base}/_mock"
    assert call(
        f"{door}/script", data=b"rules:\n  - name: a\n    match: {contains: report}\n    reply: Done.\n", method="PUT"
    ) == (
        200,
        {"rules": 1},
    )
    assert chat(base)[1]["choices"][0]["message"]["content"] == "Done."
    assert call(f"{door}/script", {"rules": [{"name": "b", "reply": "More."}]}, "PATCH") == (200, {"rules": 2})
    assert chat(base, "else")[1]["choices"][0]["message"]["content"] == "More."
    status, script = call(f"{door}/script")
    assert status == 200
    assert [rule["name"] for rule in script["rules"]] == ["a", "b"]
    assert call(f"{door}/script", script, "PUT") == (200, {"rules": 2})


def test_a_bad_script_is_explained_and_changes_nothing(base: str) -> None:
    """400 with the message and the JSON path; the script before stays in force."""
    door = f"{base}/_mock"
    call(f"{door}/script", {"rules": [{"name": "a", "reply": "Done."}]}, "PUT")
    status, answer = call(f"{door}/script", {"rules": [{"replyy": "x"}]}, "PUT")
    assert status == 400
    assert answer["error"]["path"] == "$.rules[0].replyy"
    assert "did you mean 'repl" in answer["error"]["message"]
    assert call(f"{door}/script", {"profile": "dosc"}, "PUT")[0] == 400
    assert call(f"{door}/script", data=b"{: :", method="PUT")[0] == 400
    assert call(f"{door}/script")[1]["rules"][0]["name"] == "a"


def test_the_journal_tells_what_happened(base: str) -> None:
    """Exchanges, pages of them, what no rule matched; DELETE begins anew."""
    door = f"{base}/_mock"
    call(f"{door}/script", {"rules": [{"name": "a", "match": {"contains": "report"}, "reply": "Done."}]}, "PUT")
    chat(base)
    chat(base, "weather")
    status, journal = call(f"{door}/journal")
    assert status == 200
    assert [(one["rule"], one["status"], one["ended"]) for one in journal["exchanges"]] == [
        ("a", 200, "end"),
        (None, 404, "end"),
    ]
    assert journal["exchanges"][0]["request"]["path"] == "/v1/chat/completions"
    assert [one["number"] for one in journal["unmatched"]] == [2]
    assert "expected 'report'" in journal["unmatched"][0]["explanation"]
    assert (journal["arrived"], journal["ended"], journal["dropped"]) == (2, 2, 0)
    assert [one["number"] for one in call(f"{door}/journal?after=1")[1]["exchanges"]] == [2]
    assert [one["number"] for one in call(f"{door}/journal?limit=1")[1]["exchanges"]] == [1]
    assert call(f"{door}/journal", method="DELETE") == (200, {"exchanges": []})
    assert call(f"{door}/journal")[1]["exchanges"] == []


def test_waiting_ends_with_the_exchange(base: str) -> None:
    """`wait_for` answers as soon as there are enough; too late is a 408 with what there is."""
    door = f"{base}/_mock"
    answers: list[tuple[int, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(call(f"{door}/journal?wait_for=2&within=5")))
    waiting.start()
    started = time.monotonic()
    chat(base)
    chat(base)
    waiting.join()
    assert time.monotonic() - started < 4
    assert answers[0][0] == 200
    assert len(answers[0][1]["exchanges"]) == 2
    assert call(f"{door}/journal?wait_for=2&within=0")[0] == 200
    status, journal = call(f"{door}/journal?wait_for=3&within=0.01")
    assert (status, len(journal["exchanges"])) == (408, 2)
    assert call(f"{door}/journal?wait_for=2&arrived=1")[0] == 200


@pytest.mark.parametrize(
    "query", ["limit=x", "after=-1", "wait_for=1.5", "wait_for=1&within=soon", "wait_for=1&within=inf"]
)
def test_numbers_are_numbers(base: str, query: str) -> None:
    """A bad parameter is named, with the value seen."""
    status, answer = call(f"{base}/_mock/journal?{query}")
    assert status == 400
    assert answer["error"]["path"] == "?" + query.rsplit("&", 1)[-1].split("=")[0]
    assert "from 0, not" in answer["error"]["message"]


def test_state_and_reset(base: str) -> None:
    """Counters and what was not used; DELETE of the root makes the session new."""
    door = f"{base}/_mock"
    rules = [
        {"name": "a", "match": {"contains": "report"}, "reply": "Done."},
        {"name": "b", "match": {"contains": "no"}},
    ]
    call(f"{door}/script", {"seed": 5, "rules": rules}, "PUT")
    chat(base)
    state = call(f"{door}/state")[1]
    assert (state["session"], state["seed"], state["hits"]) == ("state_and_reset", 5, {"a": 1, "b": 0})
    assert (state["unused_rules"], state["unused_faults"], state["open"], state["strict"]) == (["b"], [], 0, True)
    assert call(door, method="DELETE") == (200, {"reset": True})
    state = call(f"{door}/state")[1]
    assert (state["hits"], state["requests"], state["seed"]) == ({}, 0, 0)


def test_faults_for_everything_until_healed(base: str) -> None:
    """PUT faults hits every request, POST heal ends it; bad faults are explained."""
    door = f"{base}/_mock"
    assert call(f"{door}/faults", [{"kind": "status", "status": 503}], "PUT") == (200, {"faults": 1})
    assert chat(base)[0] == 503
    assert call(f"{door}/heal", method="POST") == (200, {"healed": True})
    assert chat(base)[0] == 200
    status, answer = call(f"{door}/faults", [{"kind": "statsu"}], "PUT")
    assert status == 400
    assert "did you mean 'status'" in answer["error"]["message"]
    status, answer = call(f"{door}/faults", data=b"[", method="PUT")
    assert status == 400
    assert "no JSON" in answer["error"]["message"]


def test_explain_shows_every_rule(base: str) -> None:
    """Which rule a request would get, and why not the others; nothing is counted."""
    door = f"{base}/_mock"
    call(f"{door}/script", {"rules": [{"name": "a", "match": {"contains": "report"}, "reply": "Done."}]}, "PUT")
    status, answer = call(f"{door}/explain", {"body": CHAT, "headers": {"X": "y"}}, "POST")
    assert (status, answer["rule"]) == (200, "a")
    status, answer = call(f"{door}/explain", {"path": "/v1/models", "method": "GET", "headers": [["a", "b"]]}, "POST")
    assert (status, answer["rule"]) == (200, None)
    assert answer["rules"][0]["rule"] == "a"
    assert call(f"{door}/explain", {"body": "{}"}, "POST")[0] == 200
    status, answer = call(f"{door}/explain", [], "POST")
    assert status == 400
    assert "an object with 'method'" in answer["error"]["message"]
    assert call(f"{door}/state")[1]["hits"] == {"a": 0}


def test_unknown_doors_and_methods_are_told(base: str) -> None:
    """404 names the doors there are, 405 the methods."""
    status, answer = call(f"{base}/_mock/scripts")
    assert status == 404
    assert "/script" in answer["error"]["message"]
    status, answer = call(f"{base}/_mock/script", method="POST")
    assert (status, answer["error"]["message"]) == (405, "POST means nothing on '/script'; it takes GET, PATCH, PUT")
    status, answer = call(f"{base}/_mock", method="POST")
    assert (status, answer["error"]["message"]) == (405, "POST means nothing on '/'; it takes DELETE, GET")


def test_the_default_session_has_the_plain_door(server: MockServer) -> None:
    """Without a prefix the door is the default session's, and what only looks like it is not a door."""
    assert call(f"{server.url}/_mock/state")[1]["session"] == ""
    assert call(f"{server.url}/_mocking")[0] == 404
    assert call(f"{server.url}/_mock/journal")[1]["exchanges"][-1]["request"]["path"] == "/_mocking"


def test_the_door_says_which_doors_there_are(server: MockServer) -> None:
    """With and without a slash, of the default session and of another; each is really there, and all are listed."""
    told = [call(f"{root}{end}") for root in (f"{server.url}/_mock", f"{server.url}/@other/_mock") for end in ("", "/")]
    assert [status for status, _ in told] == [200] * 4
    assert told[0] == told[1]
    assert told[2][1] == {**told[0][1], "session": "other"}
    doors = {(one["method"], one["path"]): one["does"] for one in told[0][1]["doors"]}
    assert all(doors.values())
    listed = {tuple(line.split()[:2]) for line in (door_module.__doc__ or "").splitlines() if line.startswith("    ")}
    words = {(method, path if path == "/" else f"/{path}") for method, path in listed if method.isupper()}
    assert set(doors) == words
    for path in {path for _, path in doors}:
        status, refused = call(f"{server.url}/_mock{path}", method="OPTIONS")
        takes = ", ".join(sorted(method for method, one in doors if one == path))
        assert (status, refused["error"]["message"].partition("it takes ")[2]) == (405, takes)
