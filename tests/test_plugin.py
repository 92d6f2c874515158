"""The pytest plugin, seen as its users see it: by running their test files in a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import _inferneo_pytest


def run(pytester: pytest.Pytester, code: str, *args: str) -> pytest.RunResult:
    pytester.makepyfile(code)
    # Hypothesis imports itself at the end of each run, which takes longer than the run.
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *args)


def test_a_session_without_rules_answers_like_a_model(pytester: pytest.Pytester) -> None:
    """With no rule the fixture is a server to develop against: nothing has to be scripted."""
    result = run(
        pytester,
        """
        def test_chat(inferneo_client):
            answer = inferneo_client.chat.completions.create(
                model="meta-llama/Llama-2-7b-chat-hf", messages=[{"role": "user", "content": "Hello!"}]
            )
            assert answer.choices[0].message.content
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_scripted_fault_is_retried(pytester: pytest.Pytester) -> None:
    """The first lines a user writes: fail twice, then answer; the client makes three attempts."""
    result = run(
        pytester,
        """
        from mockserver import chat, status

        def test_survives_a_rate_limit(inferneo_mock, inferneo_client):
            inferneo_mock.on(chat(contains="report")).fail(status(429, retry_after=0), times=2).reply("Done.")
            answer = inferneo_client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "the report, please"}]
            )
            assert answer.choices[0].message.content == "Done."
            assert inferneo_mock.calls.attempts == 3
        """,
    )
    result.assert_outcomes(passed=1)


def test_an_unused_rule_fails_the_test_and_is_named(pytester: pytest.Pytester) -> None:
    """A rule that never fired is a test that tested nothing."""
    result = run(
        pytester,
        """
        from mockserver import chat

        def test_never_calls(inferneo_mock):
            inferneo_mock.on(chat(contains="report"), name="the report").reply("Done.")
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*rule 'the report'*never*"])


def test_an_unmatched_request_fails_the_test_and_shows_what_was_near(pytester: pytest.Pytester) -> None:
    """The failure message is the debugger: the request, the nearest rule, and the field that differed."""
    result = run(
        pytester,
        """
        import pytest
        from inferneo import InferneoNotFoundError
        from mockserver import chat

        def test_other_words(inferneo_mock, inferneo_client):
            inferneo_mock.on(chat(contains="report"), name="the report").reply("Done.")
            with pytest.raises(InferneoNotFoundError):
                inferneo_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "weather"}])
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*no rule matched*POST /v1/chat/completions*", "*contains*report*"])


@pytest.mark.slow
def test_an_unused_fault_fails_the_test(pytester: pytest.Pytester) -> None:
    """A rule that was called but whose second fault never fired is not used up."""
    result = run(
        pytester,
        """
        from mockserver import chat, status

        def test_gives_up(inferneo_mock, inferneo_client):
            inferneo_mock.on(chat(), name="flaky").fail(status(503), times=1).fail(status(429), times=1).reply("Done.")
            client = inferneo_client.with_options(max_retries=0)
            try:
                client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
            except Exception:
                pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*flaky.faults*status*never had an effect*"])


@pytest.mark.slow
def test_the_marker_relaxes_the_check(pytester: pytest.Pytester) -> None:
    """strict=False: unused rules pass, unmatched requests are answered like a model."""
    result = run(
        pytester,
        """
        import pytest
        from mockserver import chat

        @pytest.mark.inferneo(strict=False)
        def test_relaxed(inferneo_mock, inferneo_client):
            inferneo_mock.on(chat(contains="report")).reply("Done.")
            assert inferneo_client.chat.completions.create(
                model="meta-llama/Llama-2-7b-chat-hf", messages=[{"role": "user", "content": "weather"}]
            ).choices[0].message.content != "Done."
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_request_that_the_server_would_refuse_fails_its_test(pytester: pytest.Pytester) -> None:
    """A scripted reply says nothing of the request; the marker excuses one test, a rule's own word that rule."""
    run(
        pytester,
        """
        import json, urllib.request
        import pytest
        from mockserver import chat

        def post(url):
            headers = {"content-type": "application/json"}
            body = json.dumps({"model": "m", "messages": [], "max_tokens": "5"}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{url}/v1/chat/completions", body, headers)).close()

        def test_wrong(inferneo_mock):
            inferneo_mock.on(chat()).reply("x")
            post(inferneo_mock.url)

        @pytest.mark.inferneo(unsafe=True)
        def test_excused(inferneo_mock):
            inferneo_mock.on(chat()).reply("x")
            post(inferneo_mock.url)

        def test_unsafe_rule(inferneo_mock):
            inferneo_mock.on(chat()).unsafe().reply("x")
            post(inferneo_mock.url)
        """,
    ).assert_outcomes(passed=3, errors=1)


@pytest.mark.slow
def test_an_unknown_setting_of_the_marker_is_named(pytester: pytest.Pytester) -> None:
    """A misspelt setting is an error, not a silent default."""
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.inferneo(stric=False)
        def test_typo(inferneo_mock):
            assert inferneo_mock
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes the keywords*strict*got stric*"])


@pytest.mark.slow
def test_sessions_are_alone(pytester: pytest.Pytester) -> None:
    """Under pytest-xdist and in one process alike, no test sees another's rules or journal."""
    result = run(
        pytester,
        """
        import pytest
        from mockserver import chat

        @pytest.mark.parametrize("n", range(20))
        def test_own_answer(n, inferneo_mock, inferneo_client):
            inferneo_mock.on(chat()).reply(f"answer {n}")
            answer = inferneo_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
            assert answer.choices[0].message.content == f"answer {n}"
            assert len(inferneo_mock.journal) == 1
        """,
        "-n",
        "2",
    )
    result.assert_outcomes(passed=20)


@pytest.mark.slow
def test_the_async_client_works_in_any_loop(pytester: pytest.Pytester) -> None:
    """No asyncio plugin is needed, and none is in the way."""
    result = run(
        pytester,
        """
        import asyncio
        from mockserver import chat

        def test_gather(inferneo_mock, async_inferneo_client):
            inferneo_mock.on(chat()).reply("Done.")
            async def main():
                create = async_inferneo_client.chat.completions.create
                asks = (create(model="m", messages=[{"role": "user", "content": str(n)}]) for n in range(8))
                return await asyncio.gather(*asks)
            assert {a.choices[0].message.content for a in asyncio.run(main())} == {"Done."}
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_plugin_imports_nothing_heavy(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that does not use the fixtures does not load the server, the client or their libraries."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = run(
        pytester,
        """
        import sys

        def test_untouched():
            heavy = {"mockserver", "inferneo", "contracts", "starlette", "uvicorn", "httpx", "httpx2", "msgspec"}
            assert heavy.isdisjoint(sys.modules)
        """,
        "-p",
        "_inferneo_pytest",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_another_distributions_mockserver_is_named(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI's mockserver-client has a top-level `mockserver` too: a sentence says so, and only the fixture fails."""
    pytester.makepyfile(**{"shadow/mockserver/__init__": "", "shadow/placeholder": ""})
    info = pytester.mkdir("shadow/mockserver_client-9.0.dist-info")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mockserver-client\nVersion: 9.0\n")
    (info / "top_level.txt").write_text("mockserver\n")
    (info / "RECORD").write_text("mockserver/__init__.py,,\n")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path / "shadow"))
    result = run(
        pytester,
        """
        def test_uses_it(inferneo_mock):
            assert inferneo_mock

        def test_does_not():
            assert True
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*'mockserver' belongs to the distribution 'mockserver-client'*"])


@pytest.mark.slow
def test_a_failing_test_says_how_to_replay_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has the seed, the script, each exchange with the rules it met, and one command that plays it again."""
    monkeypatch.setenv("INFERNEO_BUNDLES", str(pytester.path / "bundles"))
    result = run(
        pytester,
        """
        import pytest
        from mockserver import chat, status

        @pytest.mark.inferneo(seed=7)
        def test_it(inferneo_mock, inferneo_client):
            inferneo_mock.on(chat(contains="weather"), name="weather").reply("Rain.")
            inferneo_mock.on(chat(contains="report"), name="the report").fail(status(429), times=1).reply("Done.")
            inferneo_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "report"}])
            assert False
        """,
    )
    result.assert_outcomes(failed=1, errors=0)
    result.stdout.fnmatch_lines(
        [
            "*session *, profile docs, seed 7*",
            '*script: {*"the report"*',
            "*1. POST /v1/chat/completions*429 by rule 'the report', faults status*",
            "*not weather: contains: expected 'weather', got 'report'*",
            "*replay: *inferneo-mock replay *bundles*test_it-????????.json*",
        ]
    )
    bundle = next((pytester.path / "bundles").glob("*.json"))
    replayed = pytester.run(sys.executable, "-m", "mockserver", "replay", str(bundle))
    assert replayed.ret == 0
    replayed.stdout.fnmatch_lines(["2 requests, 2 as before, 0 not"])


@pytest.mark.slow
def test_a_failing_verdict_is_told_whole(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The assertion names the findings, the report has their evidence and advice; those of other calls too."""
    monkeypatch.setenv("INFERNEO_BUNDLES", str(pytester.path / "bundles"))
    result = run(
        pytester,
        """
        import urllib.request
        import pytest
        from mockserver import chat, cut, status

        def test_it(inferneo_mock):
            inferneo_mock.on(chat()).fail(status(400)).reply("x")
            ask = urllib.request.Request(f"{inferneo_mock.url}/v1/chat/completions", b'{"messages": []}')

            def stubborn():
                for _ in range(2):
                    try:
                        urllib.request.urlopen(ask).close()
                    except urllib.error.HTTPError as error:
                        error.close()
                        last = error
                raise last

            with inferneo_mock.call("silent") as call:
                call.run(stubborn)
            with inferneo_mock.call("summary") as call:
                call.run(stubborn)
            assert call.verdict()
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert <Verdict on 'summary', 2 attempts: not ok: retried-permanent>*",
            "*- inferneo_mock -*",
            "verdict on call 'silent', 2 attempts: not ok",
            "verdict on call 'summary', 2 attempts: not ok",
            "  retried-permanent (fail): attempt 1 was refused with 400, and attempt 2 asked the same again. "
            "Raise at once on a status that the same request will get again (400, 401, 403, 404, 422)",
        ]
    )


@pytest.mark.slow
def test_what_a_user_saw_is_in_the_report(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """`call.run` notes an error; a plain assertion that fails for it is explained, asked for a verdict or not."""
    monkeypatch.setenv("INFERNEO_BUNDLES", str(pytester.path / "bundles"))
    result = run(
        pytester,
        """
        import json
        import urllib.request
        from mockserver import chat

        def ask(url):
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
            request = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request) as response:
                return json.load(response)["choices"][0]["message"]["content"]

        def summary(url):
            return ask(url).stripp()  # line 12

        def test_wrong(inferneo_mock):
            inferneo_mock.on(chat()).reply("Done.")
            with inferneo_mock.call("summary") as call:
                got = call.run(summary, inferneo_mock.url)
            assert got == "Done."

        def test_forgotten(inferneo_mock):
            inferneo_mock.on(chat()).reply("Done.")
            with inferneo_mock.call("careless") as call:
                call.run(summary, inferneo_mock.url)

        def test_let_be(inferneo_mock):
            inferneo_mock.on(chat()).reply("Done.")
            with inferneo_mock.call("careless", judge=False) as call:
                call.run(summary, inferneo_mock.url)

        def test_says_what_it_can(inferneo_mock, monkeypatch):
            inferneo_mock.on(chat()).reply("Done.")
            assert ask(inferneo_mock.url) == "Done."
            monkeypatch.setattr(type(inferneo_mock), "describe", lambda session, explained: 1 / 0)
            assert False
        """,
    )
    result.assert_outcomes(failed=2, passed=2, errors=1)
    saw = "call 'summary': the user saw: AttributeError(*stripp*), raised in summary, *.py:12"
    beside = "the replay sends the requests to the fake server again; the verdict is on your client*"
    replay = "replay: *inferneo-mock replay *.json*"
    result.stdout.fnmatch_lines([saw, "verdict on call 'summary', 1 attempt: not ok", "  raised-on-success*", beside])
    result.stdout.fnmatch_lines(["*inferneo_mock: nobody asked for the verdict on call 'careless', 1 attempt: not ok"])
    result.stdout.fnmatch_lines(["the session cannot be described: ZeroDivisionError: division by zero", replay])
    assert result.stdout.str().count("raised-on-success (fail)") == 2


def test_a_session_whose_problems_cannot_be_told_is_closed(pytester: pytest.Pytester) -> None:
    """Also a streamed response that a client gave its user makes no verdict raise."""
    result = run(
        pytester,
        """
        import httpx

        SEEN = []

        def test_unread(inferneo_mock):
            with inferneo_mock.call("a") as call, httpx.Client() as client:
                with client.stream("GET", inferneo_mock.url + "/v1/models") as response:
                    call.returned(response)
            assert call.verdict().attempts == 1

        def test_broken(inferneo_mock):
            def problems():
                raise KeyError("x")

            close = inferneo_mock.close
            inferneo_mock.problems = problems
            inferneo_mock.close = lambda: SEEN.append(close())

        def test_after():
            assert SEEN == [None]
        """,
    )
    result.assert_outcomes(passed=3, errors=1)
    assert "ResponseNotRead" not in result.stdout.str()


@pytest.mark.slow
def test_the_printed_command_works_word_for_word(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with a blank in its name, from another directory: overlap, a function of the test, a key, a limit."""
    monkeypatch.setenv("INFERNEO_BUNDLES", "my bundles")
    result = run(
        pytester,
        """
        import asyncio

        import pytest
        from inferneo import AsyncInferneoClient
        from mockserver import chat

        SCRIPT = {"api_keys": ["sk-secret"], "limits": {"requests_per_minute": 3}}

        @pytest.mark.inferneo(script=SCRIPT)
        def test_it(inferneo_mock):
            said = []

            def answer(asked):
                said.append(asked.text)
                return f"answer {len(said)}"

            inferneo_mock.on(chat(contains="held"), name="held").hold().reply("late")
            inferneo_mock.on(chat(), name="python").reply(answer)

            async def ask(client, text):
                return await client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])

            async def main():
                async with AsyncInferneoClient(inferneo_mock.url, api_key="sk-secret", max_retries=0) as client:
                    held = asyncio.ensure_future(ask(client, "held"))
                    await inferneo_mock.wait_for(1, arrived=True)
                    await asyncio.gather(*(ask(client, "x") for _ in range(3)), return_exceptions=True)
                    inferneo_mock.release()
                    await held
                raise AssertionError("seen to fail")

            asyncio.run(main())
        """,
    )
    result.assert_outcomes(failed=1)
    (command,) = [line.removeprefix("replay: ") for line in result.outlines if line.startswith("replay: ")]
    found = subprocess.run(["sh", "-c", command], cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].startswith("rule python answers by the record of what the Python function test_")
    assert sum(", while 1 went on" in line or ", while 1, " in line for line in lines) == 3
    assert sum(": 429 by no rule, ended end" in line for line in lines) == 1
    assert lines[-1] == "4 requests, 4 as before, 0 not"


@pytest.mark.slow
def test_the_environment_of_openais_sdks_points_at_the_session(pytester: pytest.Pytester) -> None:
    """Base URL and key, for this test alone."""
    result = run(
        pytester,
        """
        import os

        def test_inside(openai_env, inferneo_url):
            assert os.environ["OPENAI_BASE_URL"] == openai_env == f"{inferneo_url}/v1"
            assert os.environ["OPENAI_API_KEY"]

        def test_outside():
            assert "/@" not in os.environ.get("OPENAI_BASE_URL", "")
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_predicate_that_raises_fails_its_test_alone(pytester: pytest.Pytester) -> None:
    """A mistake in a user's function is one failed test with the sentence, not the end of the run."""
    result = run(
        pytester,
        """
        import urllib.error
        import urllib.request

        import pytest
        from mockserver.scripting.dsl import on, where

        @pytest.mark.parametrize("early", [False, True])
        def test_broken(inferneo_mock, early):
            inferneo_mock.on(where(lambda view: view.nothing)).reply("x")
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{inferneo_mock.url}/v1/models")
            with caught.value as error:
                assert error.code == 500
                assert b"the predicate of rules[0] raised AttributeError" in error.read()
            assert not early

        def test_fine():
            pass
        """,
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*the predicate of rules[[]0] raised AttributeError: *"])
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.slow
def test_a_mistake_in_a_script_is_shown_in_the_line_that_made_it(pytester: pytest.Pytester) -> None:
    """Not in the fake server's own; `--full-trace` has them."""
    code = """
        from mockserver import chat, cut

        def test_mark(inferneo_mock):
            inferneo_mock.on(chat()).fail(cut(at="contnt[2]")).reply("x")

        def test_clock(inferneo_mock):
            inferneo_mock.clock.advance(-3)

        def test_moment(inferneo_mock):
            inferneo_mock.clock.freeze(at="2026-12-31 23h")

        def test_call(inferneo_mock):
            with inferneo_mock.call() as call:
                call.run("an answer")
        """
    result = run(pytester, code)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["E *unknown mark 'contnt*did you mean 'content*", "E *by seconds from 0, not -3*"])
    result.stdout.fnmatch_lines(["E *CallError: call.run takes a function and its arguments*"])
    for inside in ("*settings.py:*", "*sessionclock.py:*", "*_base.py:*", "*callwatch.py:*", "*hidden*", "*no-req*"):
        result.stdout.no_fnmatch_line(inside)
    run(pytester, code, "--full-trace").stdout.fnmatch_lines(["*settings.py:*", "*sessionclock.py:*"])


@pytest.mark.slow
def test_without_a_request_there_is_nothing_to_replay(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command for nothing, but where the client should have asked; of a journal that was cleared it is said."""
    monkeypatch.setenv("INFERNEO_BUNDLES", str(pytester.path / "bundles"))
    result = run(
        pytester,
        """
        import urllib.request

        def test_silent(inferneo_mock):
            print("it is at", inferneo_mock.url, "now")
            assert False

        def test_cleared(inferneo_mock):
            for _ in range(2):
                urllib.request.urlopen(f"{inferneo_mock.url}/health").close()
            door = urllib.request.Request(f"{inferneo_mock.url}/_mock/journal", method="DELETE")
            urllib.request.urlopen(door).close()
            assert False
        """,
    )
    result.assert_outcomes(failed=2)
    said = result.stdout.str()
    (url,) = re.findall(r"it is at (\S+) now", said)
    assert f"no request reached the session at {url}, so there is nothing to replay" in said
    assert "the journal was cleared and no request came after that, so there is nothing to replay" in said
    assert "replay: " not in said
    assert not (pytester.path / "bundles").exists()


@pytest.mark.slow
def test_one_is_one_in_the_report_and_the_replay(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """`1 request`, `1 call`: what is counted agrees with its number."""
    monkeypatch.setenv("INFERNEO_BUNDLES", str(pytester.path / "bundles"))
    result = run(
        pytester,
        """
        import urllib.request
        from mockserver import chat

        def test_it(inferneo_mock):
            inferneo_mock.on(chat(contains="report"), name="r").reply("x")
            ask = urllib.request.Request(
                f"{inferneo_mock.url}/v1/chat/completions", b'{"messages": [{"role": "user", "content": "report"}]}'
            )
            with inferneo_mock.call("it") as call:
                call.run(lambda: urllib.request.urlopen(ask).close())
            print(repr(call.verdict()))
            print(inferneo_mock.preview(inferneo_mock.journal[0].request))
            assert False
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["<Verdict on 'it', 1 attempt: *", "rule r (1 call): matches <- answers"])
    bundle = next((pytester.path / "bundles").glob("*.json"))
    replayed = pytester.run(sys.executable, "-m", "mockserver", "replay", str(bundle))
    assert replayed.ret == 0
    replayed.stdout.fnmatch_lines(["1 request, 1 as before, 0 not"])


def test_a_folder_that_somebody_else_has_made_gets_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a file, one that all may read: then the folder is one with a name that nobody could foresee."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    known = tmp_path / f"inferneo-bundles-{os.getuid()}"
    theirs = tmp_path / "theirs"

    def chosen() -> Path:
        _inferneo_pytest._own_folder.cache_clear()
        found = _inferneo_pytest._own_folder()
        assert found.stat().st_mode & 0o777 == 0o700
        assert found.parent == tmp_path
        return found

    assert chosen() == known
    assert chosen() == known
    known.chmod(0o755)
    assert chosen() != known
    known.rmdir()
    theirs.mkdir(mode=0o700)
    known.symlink_to(theirs)
    assert chosen() != known
    known.unlink()
    known.write_text("")
    first = chosen()
    assert first != known
    assert chosen() != first
    assert list(theirs.iterdir()) == []
    _inferneo_pytest._own_folder.cache_clear()


@pytest.mark.slow
def test_a_bad_setting_of_the_marker_is_one_line(pytester: pytest.Pytester) -> None:
    """What the session refuses, in the words it refuses it with; nothing of our own inside is shown."""
    result = run(
        pytester,
        """
        import pytest

        BAD = [
            {"strict": "no"}, {"seed": "x"}, {"script": "missing.yaml"}, {"profile": "nope"},
            {"script": [{"rply": "x"}]},
        ]

        @pytest.mark.parametrize("number", [
            pytest.param(number, marks=pytest.mark.inferneo(**bad)) for number, bad in enumerate(BAD)
        ])
        def test_it(number, inferneo_mock):
            assert inferneo_mock

        def test_named(inferneo_mock):
            inferneo_mock.on().named(3)
        """,
    )
    result.assert_outcomes(errors=5, failed=1)
    told = [line for line in result.outlines if line.startswith("@pytest.mark.inferneo: ")]
    assert told == [
        "@pytest.mark.inferneo: strict: expected True, False or None, got 'no'",
        "@pytest.mark.inferneo: seed: expected a whole number, got 'x'",
        f"@pytest.mark.inferneo: script: No such file or directory: 'missing.yaml', sought from {pytester.path}",
        "@pytest.mark.inferneo: unknown profile 'nope'; known: docs, docs-sample, engine, openai; a path ends in .json",
        "@pytest.mark.inferneo: $.rules[0].rply: unknown key 'rply'; known: after, faults, hold, match, name, "
        "priority, replies, reply, set, unsafe; did you mean 'reply'?",
    ]
    shown = result.stdout.str()
    assert "inferneo_mock.on().named(3)" in shown
    assert "site-packages" not in shown
    assert "dataclasses.py" not in shown


@pytest.mark.slow
def test_a_forgotten_prefix_is_told(pytester: pytest.Pytester) -> None:
    """Requests of the test's own time that came to the default session; those of a test before are not told."""
    result = run(
        pytester,
        """
        import urllib.request
        from mockserver import chat

        def get(session, times):
            for _ in range(times):
                urllib.request.urlopen(session.url.split("/@")[0] + "/health").close()

        def test_before(inferneo_mock):
            get(inferneo_mock, 3)

        def test_once(inferneo_mock):
            inferneo_mock.on(chat()).reply("x")
            get(inferneo_mock, 1)

        def test_twice(inferneo_mock):
            get(inferneo_mock, 2)
            assert not inferneo_mock
        """,
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    told = [line for line in result.outlines if "default session" in line]
    assert told == [
        "1 request came to the default session (no /@NAME in its URL): GET /health, answered 200",
        "2 requests came to the default session (no /@NAME in their URL): GET /health, answered 200",
    ]
