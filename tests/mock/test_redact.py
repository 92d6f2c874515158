"""No key in what a failing test prints or writes; a replay of it lets in and refuses as before."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from mockserver import MockServer, chat, cli
from mockserver.record.redact import header_key, redacted, redacted_text, stand_in
from mockserver.scripting.script import parse_script
from mockserver.serving.doorkeeper import doorkeeper

GOOD, OLD, WRONG = "sk-live-0123456789", "sk-old-0123456789", "sk-stolen-987654321"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"my key is {GOOD}"}]}).encode()


def ask(base: str, authorization: str | None) -> int:
    headers = {"content-type": "application/json"} | ({} if authorization is None else {"authorization": authorization})
    try:
        request = urllib.request.Request(f"{base}/v1/chat/completions?token={WRONG}", BODY, headers)
        with urllib.request.urlopen(request, timeout=10) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_bundle_has_no_key_and_is_replayed_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Good, expired, wrong, none, and no scheme: each gets what it got."""
    with MockServer(api_keys=[GOOD, f"{OLD}@2020-01-01T00:00:00Z", "k"]) as server:
        session = server.new_session()
        session.on(chat(header={"authorization": f"Bearer {GOOD}"}), name="mine").reply("x")
        session.on(chat()).reply("y")
        sent = [
            f"Bearer {GOOD}",
            f"Bearer {OLD}",
            f"Bearer {WRONG}",
            "Bearer k",
            None,
            GOOD,
            "Bearer",
            f"Basic {WRONG}",
        ]
        found = [ask(session.url, one) for one in sent]
        assert found == [200, 401, 401, 200, 401, 401, 401, 401]
        assert [one.rule for one in session.journal if one.status == 200] == ["mine", "rules[1]"]
        session.on(chat(header={"x-api-key": WRONG}))
        document = json.dumps(session.bundle())
        shown = session.describe() + "\n".join(session.problems())
    for secret in (GOOD, OLD, WRONG):
        assert secret not in document
        assert secret not in shown
    assert f'"{stand_in("k")}"' in document
    assert f"{stand_in(OLD)}@2020-01-01T00:00:00+00:00" in document
    assert stand_in(GOOD) in shown
    path = tmp_path / "bundle.json"
    path.write_text(document)
    assert cli.main(["replay", str(path)]) == 0, capsys.readouterr().out


def test_words_are_left_alone() -> None:
    """A short key, or one that is a word, is replaced only where keys stand."""
    document = {
        "script": {"api_keys": ["k", "anything"], "rules": [{"reply": "k and anything"}]},
        "headers": [["Authorization", "Bearer anything"], ["x", "anything"]],
    }
    assert redacted(document) == {
        "script": {"api_keys": [stand_in("k"), stand_in("anything")], "rules": [{"reply": "k and anything"}]},
        "headers": [["Authorization", f"Bearer {stand_in('anything')}"], ["x", "anything"]],
    }
    assert redacted(redacted(document)) == redacted(document)


def test_cookies_and_queries_are_secrets() -> None:
    """Each cookie's value, and what a query calls a key; a prompt that speaks of one stays."""
    document = {
        "headers": [["Cookie", "session=s3cret; theme=dark"], ["X-Goog-Api-Key", "s3cret"]],
        "header": {"cookie": "session=s3cret"},
        "target": "/v1/models?api_key=s3cret&limit=5&KEY=s3cret",
        "query": "access_token=s3cret",
        "body": "what does ?api_key=s3cret mean",
    }
    hidden = stand_in("s3cret")
    assert redacted(document) == {
        "headers": [["Cookie", f"session={hidden}; theme={stand_in('dark')}"], ["X-Goog-Api-Key", hidden]],
        "header": {"cookie": f"session={hidden}"},
        "target": f"/v1/models?api_key={hidden}&limit=5&KEY={hidden}",
        "query": f"access_token={hidden}",
        "body": "what does ?api_key=s3cret mean",
    }
    assert redacted(redacted(document)) == redacted(document)


def test_a_longer_word_is_another_word() -> None:
    """A key is found whole, a longer one before a shorter; what is no key in form is replaced as it is."""
    text = f"{GOOD} {GOOD}-2 a{GOOD}"
    assert redacted_text(text, [GOOD]) == f"{stand_in(GOOD)} {GOOD}-2 a{GOOD}"
    assert redacted_text(text, [GOOD, f"{GOOD}-2"]) == f"{stand_in(GOOD)} {stand_in(GOOD + '-2')} a{GOOD}"
    assert redacted_text("/ws?token=abc&x=1", []) == f"/ws?token={stand_in('abc')}&x=1"
    assert redacted({"api_keys": ["a b", 1]}) == {"api_keys": [stand_in("a b"), 1]}
    assert redacted({"api_keys": "none", "header": {"Authorization": "Bearer k"}}) == {
        "api_keys": "none",
        "header": {"Authorization": f"Bearer {stand_in('k')}"},
    }
    assert [header_key(one) for one in ("", "  ", "Bearer x", "x")] == ["", "", "x", "x"]
    assert redacted([["authorization", " "]]) == [["authorization", " "]]


def test_the_door_gives_the_script_whole_and_asks_who_is_there() -> None:
    """A script that is got can be put again; beyond the loopback only the admin token gets it."""
    script = {"api_keys": [GOOD], "rules": [{"reply": "x"}]}
    with MockServer(script=script) as server:
        base = f"{server.url}/_mock"
        for path, token in itertools.product(("script", "bundle", "clock", "journal"), (None, "secret")):
            server.sessions.doorkeeper = doorkeeper("0.0.0.0", token)
            with pytest.raises(urllib.error.HTTPError, match="403") as caught:
                urllib.request.urlopen(f"{base}/{path}", timeout=5)
            caught.value.close()
        request = urllib.request.Request(f"{base}/script", headers={"authorization": "Bearer secret"})
        with urllib.request.urlopen(request, timeout=5) as response:
            assert parse_script(json.load(response)).api_keys == parse_script(script).api_keys
