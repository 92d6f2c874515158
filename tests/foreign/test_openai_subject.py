"""The `openai` npm package is judged by the client laws, through the example that the documentation names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.cli import main

ROOT = Path(__file__).parents[2]
KEPT = ("C-READ-02", "C-SEND-05", "C-RETRY-02", "C-KEEP-02")
BROKEN = ("C-CUT-03", "C-CUT-04")
"""A stream that a proxy cut, or that has nothing in it, ends there like a whole one."""


def test_the_npm_package_is_a_subject(scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the documentation, as it stands there: the laws find in another language what is so."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NODE_PATH", str(scripts / "node_modules"))
    command = "command:node docs/examples/openai_subject.mjs"
    assert command in (ROOT / "docs" / "clients.md").read_text("utf-8")
    laws = [word for law in (*KEPT, *BROKEN) for word in ("--law", law)]
    assert main(["clients", "--client", command, *laws, "--json", str(tmp_path / "r.json")]) == 1
    verdicts = json.loads((tmp_path / "r.json").read_text())["verdicts"]
    assert {verdict["target"] for verdict in verdicts} == {"openai-node"}
    found = {verdict["law"]: (verdict["word"], verdict["reason"]) for verdict in verdicts}
    assert {law: found[law][0] for law in KEPT} == dict.fromkeys(KEPT, "ok"), found
    assert {law: found[law][0] for law in BROKEN} == dict.fromkeys(BROKEN, "failed"), found
