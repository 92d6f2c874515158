"""A server that listens and no longer answers is lost as one that died is: the request is told, the rest not judged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from stranger import Stranger, serving

from contracts.connect import connect
from contracts.judge import Effort, judge
from contracts.law import find, laws
from contracts.options import LAST, Options, in_order
from contracts.restart import fatal, killer, lost, restart
from contracts.server_laws import health
from contracts.target import Target

EFFORT = Effort(seed=1, shrink_seconds=0.2)


class Busy(Stranger):
    """One answer at a time, and endless text is never at its end, whoever still waits for it."""

    lock = threading.Lock()
    over = threading.Event()

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        with self.lock:
            if (body.get("max_tokens") or 0) >= 1000:
                self.over.wait(60)
                return
            super().generate(body, text, chat)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A target that can be made to hang, and a judge in a hurry."""
    monkeypatch.setattr(health, "WITHIN", 0.5)
    monkeypatch.setattr(Target, "hang_after", 0.5)
    Busy.over.clear()
    with serving(Busy) as url:
        target = connect(url, Options(profile="openai"))
        target.timeout = 0.5
        yield target
        Busy.over.set()


@pytest.mark.slow
def test_a_hang_is_told_with_its_request(busy: Target) -> None:
    """Once: the endless request is not sent again, since nothing more would be answered."""
    verdict = judge(find("S-HEALTH-16"), busy, EFFORT)
    assert verdict.word == "failed"
    assert verdict.reason.startswith("the server hangs: expected an answer within")
    assert verdict.failure is not None
    assert '"max_tokens":100000' in killer(verdict)
    assert verdict.failure.seen == "the server hangs, so it was not asked again"
    assert lost(busy, verdict) == "hangs"
    assert busy.alive()


@pytest.mark.slow
def test_a_hang_is_noticed_where_the_law_itself_has_nothing_to_say(busy: Target) -> None:
    """A law that cannot be judged, because its request takes too long, may have left the server hanging."""
    busy.known.update(dict.fromkeys(("chat", "completions", "generate"), (True, "")))
    verdict = judge(find("S-LIMIT-13"), busy, EFFORT)
    assert verdict.word == "unsupported"
    assert lost(busy, verdict) == "hangs"
    told = fatal(find("S-LIMIT-13"), verdict, busy, "hangs")
    assert (told.word, told.law) == ("lost", "S-LIMIT-13")
    assert '"max_tokens":100000' in killer(told)
    assert told.reason.startswith("the server hangs: expected an answer to a plain request within")


@pytest.mark.slow
def test_a_server_that_hangs_is_not_taken_for_one_that_was_started_again(busy: Target) -> None:
    """The list of models is answered all the time; only the pulse tells."""
    judge(find("S-HEALTH-16"), busy, EFFORT)
    assert busy.alive()
    assert restart(busy, "true", 0.1) == "--restart-cmd was run, but the server did not answer within 0 s"
    Busy.over.set()
    assert restart(busy, "exit 3", 5.0) == ""


def test_a_server_that_goes_on_is_not_lost() -> None:
    """Not after a slow answer, and not after a breach."""
    with serving(Stranger) as url:
        target = connect(url, Options(profile="openai"))
        assert target.pulse is not None
        verdict = judge(find("S-HEALTH-16"), target, EFFORT)
        target.silent = target.pulse
        assert (verdict.word, verdict.reason) == ("unsupported", "a long answer comes at once")
        assert lost(target, verdict) == ""


def test_what_may_leave_a_server_hanging_comes_last() -> None:
    """So that whatever else is wrong is found before."""
    order = [law.id for law in in_order(laws("server"))]
    assert tuple(order[-len(LAST) :]) == LAST
