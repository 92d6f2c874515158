"""The user's key is in no report, and what a report prints can be pasted where the key is set."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import pytest
from stranger import Stranger, serving

from contracts.brief import brief
from contracts.connect import connect
from contracts.exchange import MESSAGE, Call, get, post
from contracts.judge import Effort, Failure, judge
from contracts.law import find
from contracts.options import Options
from contracts.secret import mask, masked, veiled, word
from contracts.server_laws.security import wrong_keys

KEY = "sk-Right_0001"


def pasted(line: str) -> list[str]:
    """The words that curl gets when the line is pasted where the key is set."""
    script = f'curl() {{ printf "%s\\0" "$@"; }}\n{line}'
    done = subprocess.run(
        ["sh", "-c", script], check=False, env={"API_KEY": KEY, "PATH": "/usr/bin:/bin"}, capture_output=True
    )
    assert done.stderr == b"", done.stderr
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("value", wrong_keys(KEY))
def test_a_wrong_key_is_shown_by_the_right_one(value: str) -> None:
    """The line sends the wrong key and does not hold the right one, nor most of it."""
    line = get("/v1/models", ("Authorization", value)).curl("http://127.0.0.1:9", KEY)
    assert KEY[:-1] not in line
    assert KEY.swapcase() not in line
    assert pasted(line)[-1] == (f"Authorization: {value}" if value else "Authorization;")


def test_a_request_with_the_key_says_so() -> None:
    """Every line of a target with a key sends it, in double quotes; no line of one without does."""
    call = post("/v1/completions", {"model": "m", "prompt": f"it's {KEY}, $HOME and `x`"})
    line = call.curl("http://127.0.0.1:9", KEY)
    assert '-H "Authorization: Bearer $API_KEY"' in line
    words = pasted(line)
    assert f"Authorization: Bearer {KEY}" in words
    assert words[-1] == call.body.decode()
    assert KEY not in line
    assert "Authorization" not in call.curl("http://127.0.0.1:9")
    said = Call(MESSAGE, "/v1/completions", b"{}").curl("http://127.0.0.1:9", KEY)
    assert '-H="Authorization: Bearer $API_KEY"' in said


def test_what_is_no_secret_stays() -> None:
    """A key of a few letters is masked where keys stand, and nowhere else."""
    assert masked("an example", "x") == "an example"
    assert word("Authorization: Bearer abcd", "abc", 1) == '"Authorization: Bearer ${API_KEY}d"'
    assert mask({"got": ["abc"]}, "abc") == {"got": ["abc"]}


LONG = "sk-Right_0001-and-much-more/of%it"


@pytest.mark.parametrize(
    "made", [str, str.swapcase, lambda key: json.dumps(key)[1:-1], lambda key: quote(key, safe="")]
)
@pytest.mark.parametrize("key", [KEY, LONG])
def test_a_key_that_was_cut_is_masked(made: Callable[[str], str], key: str) -> None:
    """Wherever the text ends: of a key slid over the cut no eight characters are left, and all before it is."""
    form = made(key)
    for size in range(len(form) + 1):
        shown = f"got: {form}, and"[: 5 + size]
        assert form[:8] not in masked(shown, key)
        assert masked(shown, key) == shown or size >= 8
        assert masked(shown, key).startswith("got: ")
        middle = f"{shown} ...(900 characters)... the end"
        assert form[:8] not in masked(middle, key)
        assert masked(middle, key).endswith(" ...(900 characters)... the end")


def test_a_short_key_is_masked_as_it_is() -> None:
    """Whole and without its last character; of six or seven no beginning is a secret."""
    assert masked("abcdefg abcdef abcde", "abcdefg") == "$API_KEY ${API_KEY%?} abcde"
    assert masked("abcdef abcde abcd", "abcdef") == "$API_KEY ${API_KEY%?} abcd"


def test_a_law_that_cuts_what_it_shows_shows_no_key() -> None:
    """The answer holds the key where the judge cuts its beginning."""
    found = [line for size in range(280, 305) if KEY[:8] in (line := judged_at(size))]
    assert found == []


def judged_at(size: int) -> str:
    """The reason of S-SECURE-02 on a server whose refusal has the key after so many bytes."""
    said = b'{"error": {"message": "' + b"." * (size - 23) + KEY.encode()
    failure = Failure("no key", repr(said[:300]), brief(said.decode()), [], [], "", 0)
    told = veiled(failure, KEY)
    return f"{told.got} {told.case}"


@pytest.mark.parametrize("size", range(8, len(KEY)))
def test_a_part_of_the_key_can_be_pasted(size: int) -> None:
    """The line sends the beginning that it stands for, in either case."""
    for value in (f"Bearer {KEY[:size]}!", f"Bearer {KEY.swapcase()[:size]}!", f"Bearer {KEY[:size]}$x"):
        line = get("/v1/models", ("Authorization", value)).curl("http://127.0.0.1:9", KEY)
        assert KEY[:8] not in line
        assert pasted(line)[-1] == f"Authorization: {value}"


def test_bytes_are_masked_too() -> None:
    """What is no UTF-8 goes as Base64 into a file: the key is not in there either."""
    found = mask({"body_base64": "/3NrLVJpZ2h0XzAwMDEA", "n": [1, None, KEY], KEY: 5}, KEY)
    assert found == {"body_base64": "/yRBUElfS0VZAA==", "n": [1, None, "$API_KEY"], "$API_KEY": 5}


class Lax(Stranger):
    """Takes every `Authorization` that holds the key, and tells it to who has none."""

    def _refused(self) -> bool:
        if KEY in (self.headers.get("Authorization") or ""):
            return False
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        got = self.headers.get("Authorization") or ""
        self.answer(401, {"error": {"message": f"got {got.removeprefix('Bearer ')[:3]}, expected {KEY}"}})
        return True

    def do_GET(self) -> None:  # noqa: N802 - http.server names it so
        if not self._refused():
            super().do_GET()

    def do_POST(self) -> None:  # noqa: N802 - as above
        if not self._refused():
            super().do_POST()


def judged(law: str) -> dict[str, Any]:
    """The verdict on the lax server, as it goes into the report."""
    with serving(Lax) as url:
        verdict = judge(find(law), connect(url, Options(profile="openai", api_key=KEY)), Effort(seed=3))
    assert KEY not in (shown := json.dumps(asdict(verdict)))
    assert KEY[:-1] not in shown
    return asdict(verdict)


def test_every_wrong_key_is_tried() -> None:
    """Whatever the seed; the finding shows the wrong key, in the words of a shell."""
    verdict = judged("S-SECURE-01")
    assert verdict["word"] == "failed"
    assert verdict["failure"]["expected"] == "status 401 for Authorization 'Basic $API_KEY'"
    assert pasted(verdict["failure"]["curl"][-1])[-1] == f"Authorization: Basic {KEY}"


def test_the_right_key_is_told_to_nobody() -> None:
    """An answer to a wrong key that shows the right one is found, and is not shown again."""
    verdict = judged("S-SECURE-02")
    assert verdict["word"] == "failed"
    assert verdict["failure"]["expected"] == "an answer to a wrong key without the right one"
    assert "expected $API_KEY" in verdict["reason"]
