"""What a replay says: nothing is called kept that no file can show, and each line that it prints can be pasted."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from stranger import Stranger, serving

from contracts import saved
from contracts._fixtures import fixtures
from contracts.brief import brief
from contracts.cli import main
from contracts.connect import connect
from contracts.exchange import JSON, Call, Exchange
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.options import Options
from contracts.oracle import Response
from contracts.server_laws.state import Step


class Chunks(Stranger):
    """What is streamed goes in chunks, also to HTTP/1.0."""

    def send_header(self, name: str, value: str) -> None:
        super().send_header(name, value)
        if name.lower() == "content-type" and self.request_version == "HTTP/1.0":
            super().send_header("Transfer-Encoding", "chunked")


@pytest.mark.slow
def test_a_finding_that_no_file_can_show_is_not_called_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The framing of an answer is not saved: the saved answers cannot be judged, the others of the folder are."""
    other = fixtures("regressions") / "S-STREAM-05-guidellm-mock.json"
    (tmp_path / "x.json").write_text(other.read_text())
    with serving(Chunks) as url:
        verdict = judge(find("S-FRAME-15"), connect(url, Options(profile="docs")), Effort(shrink_seconds=0.2))
        assert verdict.word == "failed"
        path = tmp_path / "a.json"
        path.write_text(json.dumps(saved.to_file(asdict(verdict), url)))
        assert main(["replay", str(path)]) == 1
    capfd.readouterr()
    assert main(["replay", str(tmp_path), "--as-saved"]) == 2
    out, error = capfd.readouterr()
    assert "a.json: S-FRAME-15 is not broken by the saved answers: what broke it is in no file" in error
    assert error.count("\n") == 1
    assert "kept" not in out
    assert "S-STREAM-05 on the saved answers: BROKEN" in out


def test_the_requests_of_a_replay_go_to_a_server_that_can_be_started(capfd: pytest.CaptureFixture[str]) -> None:
    """The one that was asked ends with the command: the line before says how to start one that answers the same."""
    path = fixtures("regressions") / "S-REFUSE-08-guidellm-mock.json"
    assert main(["replay", str(path), "--as-saved"]) == 1
    requests = [line.split(None, 1)[1] for line in capfd.readouterr().out.splitlines() if "  request" in line]
    assert requests[0].startswith(
        "# first, in another terminal: inferneo-mock serve --profile openai --script <(python3"
    )
    assert str(path) in requests[0]
    assert re.findall(r"http://[^/ ]+", "".join(requests)) == ["http://127.0.0.1:8000"] * (len(requests) - 1)
    assert "/@" not in "".join(requests)


def test_a_request_that_a_replay_repeats_is_shown_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With how often."""

    class Forgets(Stranger):
        """The list of models has another model each time."""

        @property
        def models(self) -> tuple[str, ...]:  # type: ignore[override] # it is another one each time
            return ("org/small", f"org/{next(self.numbers)}")

    with serving(Forgets) as url:
        verdict = judge(find("S-MODEL-04"), connect(url, Options(profile="openai")), Effort(shrink_seconds=0.2))
        assert verdict.word == "failed"
        path = tmp_path / "a.json"
        path.write_text(json.dumps(saved.to_file(asdict(verdict), url)))
        assert main(["replay", str(path)]) == 1
        lines = [line for line in capfd.readouterr().out.splitlines() if "  request" in line]
        assert lines == [f"  request   curl -sS -i -N -X GET {url}/v1/models  # 2 times"]


@pytest.mark.slow
def test_the_fake_of_a_replay_is_the_one_that_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A client's task goes to a session that its own line makes."""
    assert main(["replay", str(fixtures("regressions") / "C-CUT-03-httpx.json")]) == 1
    requests = [line.split(None, 1)[1] for line in capfd.readouterr().out.splitlines() if "  request" in line]
    assert requests[0] == "# first, in another terminal: inferneo-mock serve --profile docs"
    assert "http://127.0.0.1:8000/@x/_mock/script" in requests[1]


CALL = Call("POST", "/v1/completions", b'{"prompt":"%s"}' % (b"long " * 40), (JSON,))
SEEN = Exchange(CALL, Response("1.1", 500, "", (), b"", "length", True))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (17, "17"),
        ("chat", "'chat'"),
        (Call("GET", "/health"), "GET /health"),
        (CALL, f'POST /v1/completions {{"prompt":"{("long " * 40)[:69]}...'),
        ([SEEN] * 400, "the 400 exchanges of the run"),
        ([Step("send", 3)], "[Step(verb='send', which=3)]"),
        ((Call("GET", "/health"), None), "(GET /health, None)"),
        ([SEEN], "one exchange of the run"),
    ],
)
def test_a_case_is_told_in_few_words(case: Any, words: str) -> None:
    """The whole request is shown beside it, and the whole case is in the saved file."""
    assert brief(case) == words


def test_a_long_case_is_cut() -> None:
    """Its beginning and its end stay."""
    told = brief(["different " + str(number) for number in range(400)])
    assert len(told) <= 320
    assert told.endswith("'different 399']")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("S_FRAM_03", r"did you mean S_FRAME_03 or "),
        ("C_CUTS_01", r"did you mean C_CUT_01 or "),
        ("S_frame", "a law is written like S_FRAME_03"),
    ],
)
def test_a_law_that_is_misspelt_is_told_where_it_is_imported(name: str, words: str) -> None:
    """In the words of the import, with the nearest one; any other name is none of the package, as usual."""
    with pytest.raises(ImportError, match=words):
        exec(f"from contracts import {name}")
    with pytest.raises(ImportError, match="cannot import name 'frame' from 'contracts'"):
        exec("from contracts import frame")
