"""Saved failures: each file of `fixtures/regressions/` is broken again by the answers it holds, and is kept by
the fake server or by our client."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from stranger import Refused, Stranger, serving
from wrong_servers import LostToken

from contracts import saved
from contracts._fixtures import fixtures
from contracts.adapters import subject
from contracts.bench import Bench
from contracts.cli import main
from contracts.connect import connect
from contracts.exchange import JSON, Call
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.mock import Door, MockProcess
from contracts.options import Options
from contracts.replay import again, as_saved

REGRESSIONS = saved.load(fixtures("regressions"))


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    """A fake server in a process of its own."""
    with MockProcess() as mock:
        yield mock.url


@pytest.mark.parametrize("case", REGRESSIONS, ids=lambda case: case.path.stem)
def test_a_regression_is_still_seen(case: saved.Saved, fake: str) -> None:
    """The answers, or the client, of the file break the law again."""
    law = find(case.law)
    target = as_saved(case, law, fake) if law.side == "server" else Bench(subject(case.target), Door(fake))
    verdict = again(case, law, target)
    assert verdict.word == "failed", verdict
    assert verdict.failure is not None
    assert verdict.failure.expected == case.expected


@pytest.mark.parametrize("case", REGRESSIONS, ids=lambda case: case.path.stem)
def test_a_regression_is_none_of_ours(case: saved.Saved, fake: str) -> None:
    """The same case is kept by the fake server, or by our client."""
    law = find(case.law)
    if law.side == "server":
        assert again(case, law, connect(fake, Options(profile=case.profile))).word == "ok"
        return
    for name in ("inferneo", "inferneo-async"):
        assert again(case, law, Bench(subject(name), Door(fake))).word == "ok"


def test_there_are_regressions_of_both_sides() -> None:
    """From a real server and from a real client."""
    assert {case.law[0] for case in REGRESSIONS} == {"S", "C"}
    assert len(REGRESSIONS) >= 5


@pytest.mark.slow
def test_a_failure_is_saved_and_replayed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On the wrong server again it is exit 1, on a right one and on the fake 0; its own answers are exit 1."""
    with serving(LostToken) as wrong, serving(Stranger) as right:
        run = ["run", wrong, "--law", "S-SAME-01", "--no-recorded", "--budget", "5s", "--profile", "openai"]
        assert main([*run, "--save", str(tmp_path)]) == 1
        (path,) = tmp_path.glob("*.json")
        assert main(["replay", str(path)]) == 1
        assert main(["replay", str(tmp_path), "--url", right]) == 0
    assert main(["replay", str(path), "--as-saved"]) == 1
    out = capfd.readouterr().out
    assert "S-SAME-01 on the saved answers: BROKEN" in out
    assert "kept (The pieces of a stream" in out
    assert main(["replay", str(path)]) == 2
    assert "refused" in capfd.readouterr().err


def test_what_cannot_be_judged_is_exit_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Never is a law that was not judged taken for kept."""
    document = json.loads((fixtures("regressions") / "S-STREAM-05-guidellm-mock.json").read_text())
    (tmp_path / "x.json").write_text(json.dumps({**document, "law": "S-SAME-09", "value": None}))
    with serving(Stranger) as url:
        assert main(["replay", str(tmp_path / "x.json"), "--url", url]) == 2
    assert "S-SAME-09 cannot be judged on http://127" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no file of a failure: Expecting"),
        ("[]", "format 'list', expected"),
        ('{"format": "other"}', "format 'other', expected"),
        ('{"format": "inferneo-contracts failure 1"}', "cannot be replayed: KeyError"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_none_is_exit_2(
    text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the file."""
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    assert main(["replay", str(path)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """There was nothing to judge, which is no success."""
    with pytest.raises(ValueError, match="has no file of a failure"):
        saved.load(tmp_path)


def test_another_model_takes_the_place() -> None:
    """The name in the body changes, the rest of its bytes stays."""
    case = next(one for one in REGRESSIONS if one.law == "S-STREAM-05")
    (call,) = case.arguments("other")
    assert call.document["model"] == "other"
    (same,) = case.arguments()
    assert same.document == {**call.document, "model": case.model}


def test_answers_come_in_their_order() -> None:
    """Equal requests share a rule, a request without a response is a reset, other bodies are other rules."""
    request: dict[str, Any] = {"method": "POST", "path": "/v1/x?y", "headers": [], "body": '{"a": 1}'}
    response = {"status": 200, "headers": [["Content-Type", "x"], ["Date", "now"]], "body": "é"}
    answered = {"request": request, "response": response, "ended": "whole"}
    cut = {**answered, "ended": "reset", "response": {"status": 200, "headers": [], "body_base64": "AAAA"}}
    nothing = {"request": {**request, "body": "not JSON"}, "response": None, "ended": "none"}
    first, second = saved.rules([nothing, answered, cut])
    assert first["match"] == {"method": "POST", "path": "/v1/x", "json": {"a": 1}}
    assert first["replies"][0] == {"raw": "é", "status": 200, "headers": {"Content-Type": "x"}, "unsafe": True}
    assert first["faults"] == [[], [{"kind": "cut", "after_bytes": 3, "how": "rst"}]]
    assert second["faults"][0][0]["wire"] is True


def test_a_body_too_deep_to_read_has_a_rule_all_the_same() -> None:
    """The judge sends such bodies on purpose; a run that found something by one writes its file."""
    request = {"method": "POST", "path": "/v1/x", "headers": [], "body": "[" * 200_000 + "]" * 200_000}
    (rule,) = saved.rules([{"request": request, "response": None, "ended": "none"}])
    assert rule["match"] == {"method": "POST", "path": "/v1/x"}


class StumblesOverOne(Stranger):
    """One request that no law draws first, out of all that a run sends, crashes it."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        if data.startswith(b'{"crash":'):
            raise Refused(500, "oops")
        return super().read(data, chat)


@pytest.mark.slow
def test_a_law_on_all_that_was_said_is_asked_again_what_it_was_asked(tmp_path: Path) -> None:
    """Its case is the log of a run: without the request of the file it would find nothing, and call it kept."""
    law = find("S-REFUSE-07")
    with serving(StumblesOverOne) as wrong, serving(Stranger) as right:
        target = connect(wrong, Options(profile="openai"))
        target.send(Call("POST", "/v1/completions", b'{"crash":"%s"}' % (b"large" * 40_000), (JSON,)))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            line = {**asdict(judge(law, target, Effort())), "target": wrong}
        assert line["word"] == "failed"
        assert [str(one.message) for one in told if "overly large" in str(one.message)] == []
        path = tmp_path / saved.file_name(line)
        path.write_text(json.dumps(saved.to_file(line, wrong)), encoding="utf-8")
        assert main(["replay", str(path)]) == 1
        assert main(["replay", str(path), "--url", right]) == 0
