"""The server laws over the recordings of real servers; what they break must be what the field notes say."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from contracts import recorded
from contracts.judge import NO_TIME, Effort, judge
from contracts.law import laws
from contracts.notes import notes
from contracts.plugin import RUN, Run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = recorded.servers() if metafunc.config.stash[RUN].options.recorded else []
    metafunc.parametrize("server", names)


def test_recording(run: Run, server: str) -> None:
    """A recorded server breaks exactly the laws that the field notes list."""
    if run.options.until and time.monotonic() > run.options.until:
        pytest.skip(NO_TIME)
    target = recorded.load(server)
    # A recording is not borne or disturbed by anyone: all laws are held against it at once.
    options = replace(run.options, part="all")
    expected = notes()[server].breaks
    wrong = []
    for law in laws("server"):
        if not options.wants(law):
            continue
        verdict = judge(law, target, Effort())
        run.verdict("recorded", verdict)
        if verdict.word in ("failed", "broken") and law.id not in expected:
            wrong.append(f"{law.id} is broken, which contracts/field_notes.toml does not know: {verdict.reason}")
        if verdict.word not in ("failed", "broken") and law.id in expected:
            wrong.append(f"{law.id} is {verdict.word}, but contracts/field_notes.toml says it is broken")
    for one in wrong:
        run.tell("surprise", server=server, text=one)
    assert not wrong, "\n".join(wrong)
