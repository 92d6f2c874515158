"""A request is shown as a line to paste, however long its body is."""

from __future__ import annotations

import subprocess

import pytest

from contracts.exchange import Call, squeezed


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
