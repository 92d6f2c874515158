"""The 66 wire cases by name: `--script wire/NAME` sends the bytes of the case, in its segments, with its ending."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rawpeer import STACKS, ask, connect, read_all, read_exactly

from mockserver import MockServer, fixtures

CASES: dict[str, dict[str, Any]] = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent.parent / "client" / "wire_cases.json").read_text("utf-8"))
}
REQUEST = ask("/v1/chat/completions", "POST", "1.1", b"{}", "Content-Type: application/json")
Attempt = list[dict[str, Any]]


def test_every_case_is_a_script_of_its_name() -> None:
    """66 cases, 66 files."""
    assert len(CASES) == 66
    assert {path.stem for path in (fixtures.path() / "scripts" / "wire").iterdir()} == set(CASES)


def soon(steps: Attempt) -> Attempt:
    """What comes within half a second; a test need not sit through seven seconds of pings."""
    found: Attempt = []
    left = 0.5
    for step in steps:
        left -= step.get("wait_s", 0)
        if left < 0:
            return [*found, {"end": "leave"}]
        found.append(step)
    return found


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.get("generate")])
def test_the_peer_gets_the_bytes_of_the_case(name: str) -> None:
    """Attempt after attempt, and the last once more: it repeats. A list that ends without `keep` closes."""
    wanted: list[Attempt] = CASES[name]["attempts"]
    http, loop = STACKS[list(CASES).index(name) % len(STACKS)]
    with MockServer(script=f"wire/{name}", http=http, loop=loop) as server:  # type: ignore[arg-type]  # from STACKS
        peer = connect(server)
        for steps in map(soon, [*wanted, wanted[-1]]):
            peer.sendall(REQUEST)
            data = b"".join(step["raw"].encode("latin-1") for step in steps if "raw" in step)
            endings = [step["end"] for step in steps if "end" in step] or ["fin"]
            assert read_exactly(peer, len(data)) == data
            if endings[-1] == "keep":
                continue
            if endings[-1] == "leave":
                pass
            elif endings[-1] == "stall":
                peer.settimeout(0.05)
                assert read_all(peer) == (b"", "silence")
            else:
                assert read_all(peer) == (b"", "rst" if endings[-1] == "rst" else "fin")
            peer.close()
            peer = connect(server)
        peer.close()


def test_the_case_that_is_too_large_to_list() -> None:
    """One `data:` line with 1 MiB of content, in chunks of 64 bytes, then the finish and `[DONE]`."""
    with MockServer(script="wire/e13_huge_tiny") as server, connect(server) as peer:
        peer.sendall(REQUEST)
        got, end = read_all(peer)
    assert end == "fin"
    chunks = re.findall(rb"(?:^|\r\n)([0-9a-f]+)\r\n(?=data|x|\"|\})", got.partition(b"\r\n\r\n")[2])
    assert chunks.count(b"40") == 1 << 14
    data = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", b"\r\n" + got.partition(b"\r\n\r\n")[2])
    lines = [line for line in data.split(b"\n") if line.startswith(b"data: ")]
    content = [choice["delta"].get("content", "") for line in lines[:-1] for choice in json.loads(line[6:])["choices"]]
    assert "".join(content) == "x" * (1 << 20)
    assert max(map(len, content)) == 1 << 20
    assert lines[-1].startswith(b"data: [DONE]")


def test_by_the_command_line() -> None:
    """`inferneo-mock serve --script wire/NAME` works from anywhere."""
    name = "b10_cut_mid"
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--script", f"wire/{name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stdout is not None
        found = re.search(r":(\d+) ", process.stdout.readline())
        assert found is not None
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=5) as peer:
            peer.sendall(REQUEST)
            data = b"".join(step["raw"].encode("latin-1") for step in CASES[name]["attempts"][0] if "raw" in step)
            assert read_exactly(peer, len(data)) == data
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
