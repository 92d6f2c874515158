"""A request is shown as a line to paste, however long its body is."""

from __future__ import annotations

import itertools
import subprocess

import pytest
from stranger import Stranger, serving

from contracts.connect import connect
from contracts.exchange import Call, abridged, squeezed
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.options import Options


@pytest.mark.parametrize(
    "body",
    [
        '{"a":1}',
        "x" * 5000,
        '{"foo":' + "[" * 5000 + "1" + "]" * 5000 + "}",
        '{"foo":' + '{"a":' * 5000 + "1" + "}" * 5000 + ',"é":"it\'s"}',
        "".join(map(str, range(2000))),
    ],
)
def test_the_line_sends_the_body(body: str) -> None:
    """Run by a shell with `cat` for curl, it gives the bytes; what repeats itself takes a short line."""
    line = Call("POST", "/v1/completions", body.encode()).curl("http://127.0.0.1:9")
    if squeezed(body) and len(body) > 2000:
        assert len(line) < 400
        made, _, _ = line.partition(" | curl")
        assert subprocess.run(made, shell=True, capture_output=True, check=True).stdout.decode() == body
    else:
        assert f"--data-binary '{body}'" in line or f"--data-binary {body}" in line


class NoChunks(Stranger):
    """A request that comes in chunks is read as an empty one."""

    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self.send_error(500)
        else:
            super().do_POST()


def test_a_request_in_chunks_is_pasted_as_one_in_chunks() -> None:
    """Sent with a Content-Length it would show nothing of what S-SAME-12 found."""
    with serving(NoChunks) as url:
        verdict = judge(find("S-SAME-12"), connect(url, Options(profile="openai")), Effort(seed=1, shrink_seconds=0.5))
    assert verdict.failure is not None
    plain, chunked = verdict.failure.curl
    assert "chunked" not in plain
    assert "-H 'Transfer-Encoding: chunked'" in chunked
    assert plain.partition("--data-binary")[2] == chunked.partition("--data-binary")[2]


def test_a_case_that_repeats_itself_is_shown_short() -> None:
    """With how often; what does not repeat itself is as it was."""
    assert abridged('{"foo":' + "[" * 5000 + "1" + "]" * 5000 + "}") == '{"foo":[[...(5000 times)1]]...(5000 times)}'
    assert abridged("Say hello" * 99) == "Say hello" * 99


class OneId(Stranger):
    """Every answer has the same id."""

    numbers = itertools.count(7, 0)


def test_a_race_is_shown_as_a_race() -> None:
    """Twelve requests at once are pasted as twelve at once: one after the other they may show nothing."""
    with serving(OneId) as url:
        verdict = judge(find("S-ID-02"), connect(url, Options(profile="openai")), Effort(seed=1, shrink_seconds=0.2))
    assert verdict.failure is not None
    (line,) = verdict.failure.curl
    assert line.startswith("for i in $(seq 12); do curl ")
    started = subprocess.run(f"curl() {{ echo sent; }}\n{line}", shell=True, capture_output=True, check=True, text=True)
    assert started.stdout.split() == ["sent"] * 12
