"""What a user reads when a test with `inferneo_mock` fails: what was wrong and what to do, in a few lines."""

from __future__ import annotations

import pytest

CODE = """
import http.client
from urllib.parse import urlsplit

import pytest
from inferneo import Retry
from mockserver import chat, completion, cut, status, where


@pytest.fixture
def inferneo_client(inferneo_client):
    return inferneo_client.with_options(retry=Retry(base=0.01))


def ask(client, text="the weather", **fields):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}], **fields)


def test_unmatched(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(contains="report"), name="the report").reply("Done.")
    inferneo_mock.on(completion(), name="old").reply("x")
    ask(inferneo_client)


def test_unused_rule(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(contains="weather"), name="weather").reply("Rain.")
    inferneo_mock.on(chat(contains="report"), name="the report").reply("Done.")
    ask(inferneo_client)


def test_fault_without_place(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(), name="r").fail(cut(at="content[9]"), times=1).reply("Done.")
    "".join(part.choices[0].delta.content or "" for part in ask(inferneo_client, stream=True))


def test_fault_for_json(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(), name="r").fail(cut(at="content[9]"), times=1).reply("Done.")
    ask(inferneo_client)


def test_fault_whose_call_never_came(inferneo_mock, inferneo_client):
    inferneo_mock.load({"rules": [{"name": "r", "faults": [[], [{"kind": "status", "status": 503}]], "reply": "x"}]})
    ask(inferneo_client)


def test_fault_by_chance(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(), name="r").reply("x")
    inferneo_mock.add({"faults": [{"kind": "status", "status": 500, "when": {"after": 5}}]})
    ask(inferneo_client)


def test_wrong_times(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(), name="r").fail(status(429, retry_after=0), times=1).reply("Done.")
    ask(inferneo_client)
    inferneo_mock.assert_called(chat(contains="weather"), times=1)


def test_handler(inferneo_mock, inferneo_client):
    def handler(asked):
        return {"text": asked.document["nothing"]}

    inferneo_mock.on(chat(), name="fn").reply(handler)
    ask(inferneo_client)


def test_predicate(inferneo_mock, inferneo_client):
    inferneo_mock.on(where(lambda view: view.document["no"]), name="pred").reply("x")
    ask(inferneo_client)


def test_handler_that_was_not_noticed(inferneo_mock, inferneo_client):
    def handler(asked):
        raise LookupError("nothing there")

    inferneo_mock.on(chat(), name="fn").reply(handler)
    with pytest.raises(Exception):
        ask(inferneo_client)


def test_barrier(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(), name="slow").hold("gate").reply("x")
    ask(inferneo_client.with_options(timeout=0.2, max_retries=0))


def test_wait_for(inferneo_mock, inferneo_url):
    inferneo_mock.on(chat(), name="slow").hold("gate").reply("x")
    url = urlsplit(inferneo_url)
    connection = http.client.HTTPConnection(url.netloc)
    connection.request("POST", url.path + "/v1/chat/completions", b"{}", {"content-type": "application/json"})
    inferneo_mock.wait_for(1, 10, arrived=True)
    try:
        inferneo_mock.wait_for(1, within=0.01)
    finally:
        connection.close()


def test_not_healed(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(), name="r").reply("x")
    ask(inferneo_client)
    inferneo_mock.faults(status(503))


def test_exhausted(inferneo_mock, inferneo_client):
    inferneo_mock.load({"rules": [{"name": "t", "replies": ["a"], "after": "fail"}]})
    ask(inferneo_client)
    ask(inferneo_client)


def test_bug_of_the_client(inferneo_mock, inferneo_client, monkeypatch):
    import inferneo._run_sync as inside

    def broken(*words):
        raise TypeError("a bug")

    monkeypatch.setattr("inferneo._sync.perform", broken)
    ask(inferneo_client)
"""

WORDS = {
    "test_unmatched": (
        "HTTP 404: POST /v1/chat/completions model 'm' 'the weather': no rule matches",
        "the report (0 calls): contains: expected 'report', got 'the weather'",
    ),
    "test_unused_rule": (
        "inferneo_mock: rule 'the report' was never called",
        "not the report: contains: expected 'report', got 'the weather'",
    ),
    "test_fault_without_place": (
        "inferneo_mock: fault r.faults[0][0] (cut) never had an effect: request 1 was its turn, whose answer has no "
        "place 'content[9]', but role, content[0], ",
    ),
    "test_fault_for_json": ("whose answer is no stream, so it has no place 'content[9]'",),
    "test_fault_whose_call_never_came": (
        "fault r.faults[1][0] (status) never had an effect: it is for call 2 of the rule, and only 1 came",
    ),
    "test_fault_by_chance": ("its 'when' never held, or it changes nothing in the answers that came",),
    "test_wrong_times": (
        "expected once a request that matches",
        "1. POST /v1/chat/completions matches: 429 by rule 'r', faults status",
        "2. POST /v1/chat/completions matches: 200 by rule 'r'",
    ),
    "test_handler": (
        "rule fn: the reply could not be made: KeyError: 'nothing'",
        "raised in handler, test_what_is_read.py:",
        "as the one before",
    ),
    "test_predicate": (
        "the predicate of pred raised KeyError: 'no'",
        "raised in <lambda>, test_what_is_read.py:",
    ),
    "test_handler_that_was_not_noticed": (
        "inferneo_mock: rule fn: the reply could not be made: LookupError: nothing there",
        "raised in handler, test_what_is_read.py:",
    ),
    "test_barrier": ("it stood at the barrier 'gate', which nobody opened: inferneo_mock.release('gate')",),
    "test_wait_for": ("0 of 1 exchanges have ended within 0.01 s; there stand 1 at the barrier 'gate'",),
    "test_not_healed": ("inferneo_mock: fault 'status' of the session is still in force; heal() when",),
    "test_exhausted": ("rule t was called 2 times, its script ends after 1",),
    "test_bug_of_the_client": ("inferneo/_sync.py:", "TypeError: a bug", "no request reached the session at http://"),
}
"""By test: what its report says."""

SILENT = {"test_bug_of_the_client"}
"""Tests whose client sent no request: there is nothing to replay."""

LINES = {"test_bug_of_the_client": 80}
"""Lines of a whole report, where it may have more than 42: the user's own code and the session in 20 lines each."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report of each failing test, by its name."""
    import os
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("failing")
    (folder / "test_what_is_read.py").write_text(CODE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", str(folder)]
    environment = {**os.environ, "INFERNEO_BUNDLES": str(folder / "bundles"), "COLUMNS": "160"}
    found = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    shown: dict[str, str] = {}
    name = ""
    for line in found.stdout.splitlines():
        if line.startswith("_") and line.endswith("_") and " test_" in line:
            name = line.strip("_ ").rpartition(" ")[2]
        elif line.startswith("====="):
            name = ""
        elif name:
            shown[name] = shown.get(name, "") + line + "\n"
    return shown


@pytest.mark.parametrize("name", WORDS)
def test_the_report_says_what_was_wrong(reports: dict[str, str], name: str) -> None:
    """The cause, what to do, how to see it again, and little else."""
    report = reports[name]
    for words in WORDS[name]:
        assert words in report
    assert ("\nreplay: " in report) == (name not in SILENT)
    assert "Traceback" not in report
    assert len(report.splitlines()) <= LINES.get(name, 42), report


def test_every_test_failed_as_it_should(reports: dict[str, str]) -> None:
    """None is missing, none is there besides."""
    assert set(reports) == set(WORDS)
    assert "def exchange(" not in reports["test_unmatched"]
