"""One refused value, one wrong name or one clock does not hide a server: the rest of it is judged all the same."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from stranger import Refused, Stranger, serving
from wrong_servers import NewIdEachChunk

from contracts import capabilities
from contracts.connect import connect
from contracts.consequences import quiet
from contracts.domains import ask
from contracts.judge import Effort, Verdict, judge
from contracts.law import Unjudged, find, laws
from contracts.options import Options

EFFORT = Effort(seed=1, examples=0.4, shrink_seconds=0.5)


def verdicts(kind: type[Stranger], *names: str) -> dict[str, dict[str, Any]]:
    """Of the laws whose ids begin so, what follows from others taken out."""
    with serving(kind) as url:
        target = connect(url, Options(profile="openai"))
        found: list[Verdict] = [judge(law, target, EFFORT) for law in laws("server") if law.id.startswith(names)]
    return quiet({v.law: dataclasses.asdict(v) for v in found})


def told(found: dict[str, dict[str, Any]]) -> set[str]:
    """The laws that somebody must look at."""
    return {law for law, v in found.items() if v["word"] in ("failed", "broken")}


class PlainText(Stranger):
    """Its streams are called text/plain."""

    def send_header(self, keyword: str, value: str) -> None:
        super().send_header(keyword, value.replace("text/event-stream", "text/plain"))


def test_a_stream_under_another_name_is_read_all_the_same() -> None:
    """One law tells the name; the others judge what it says."""
    found = verdicts(PlainText, "S-FRAME", "S-STREAM", "S-SAME-01", "S-ID-05", "S-LIMIT-03", "S-LIMIT-07")
    assert told(found) == {"S-FRAME-01"}
    assert {
        law for law in ("S-SAME-01", "S-FRAME-03", "S-STREAM-10", "S-LIMIT-07") if found[law]["word"] != "ok"
    } == set()


class Wordless(Stranger):
    """stream=true is answered by a word."""

    def stream(self, documents: list[dict[str, Any]]) -> None:
        self.answer(200, "hello", {"Content-Type": "text/plain"})


def test_what_is_no_stream_is_told_by_the_law_of_streams() -> None:
    """The laws that cannot read it name the one that is red, not one that is green."""
    found = verdicts(Wordless, "S-FRAME-01", "S-FRAME-08", "S-SAME-01", "S-LIMIT-03", "S-LIMIT-07", "S-USAGE-05")
    assert told(found) == {"S-FRAME-01"}
    assert "S-FRAME-01 judges that" in found["S-SAME-01"]["reason"]


class NeverCold(Stranger):
    """A temperature of 0 is refused."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if body.get("temperature") == 0:
            raise Refused(400, "temperature has to be a strictly positive float")
        return body, text


class OnlyHot(NeverCold):
    """Any temperature is refused."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if body.get("temperature") not in (None, 1):
            raise Refused(400, "only the default (1) is supported")
        return body, text


@pytest.mark.parametrize(("kind", "same"), [(NeverCold, "ok"), (OnlyHot, "unsupported")])
def test_one_refused_temperature_is_one_finding(kind: type[Stranger], same: str) -> None:
    """The law of the documented range tells it, and the others are judged without it."""
    found = verdicts(kind, "S-MODEL-07", "S-PLAIN", "S-SHAPE", "S-FRAME-03", "S-SAME-01", "S-LIMIT-12")
    assert told(found) == {"S-LIMIT-12"}
    assert (found["S-MODEL-07"]["word"], found["S-PLAIN-01"]["word"], found["S-SAME-01"]["word"]) == ("ok", "ok", same)


class NeverShort(Stranger):
    """max_tokens is refused."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if "max_tokens" in body:
            raise Refused(400, "max_tokens is not supported")
        return body, text


def test_a_server_that_takes_no_limit_is_told_with_what_it_takes() -> None:
    """Not as one that answers nothing."""
    found = verdicts(NeverShort, "S-MODEL-07")
    with serving(NeverShort) as url:
        why = connect(url, Options(profile="openai", model="org/small")).can("chat")[1]
    assert found["S-MODEL-07"]["word"] == "failed"
    assert "200 without max_tokens" in why


class Clock(Stranger):
    """The text tells the time, by a clock that goes when the judge waits."""

    seconds = 1_700_000_000

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        return [*super().tokens(body, text)[:2], f" {self.seconds}"]


def test_a_text_that_tells_the_time_is_not_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many probes fall within one second."""

    def wait(seconds: float) -> None:
        Clock.seconds += int(seconds)

    monkeypatch.setattr(capabilities, "pause", wait)
    with serving(Clock) as url:
        target = connect(url, Options(profile="openai"))
        assert not target.can("repeatable")[0]
        assert not target.can("det")[0]


def test_a_text_without_digits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is not longer for the clocks of others."""
    waited: list[float] = []
    monkeypatch.setattr(capabilities, "pause", waited.append)
    with serving(Stranger) as url:
        assert connect(url, Options(profile="openai")).can("det")[0]
    assert waited == []


class Tongueless(Stranger):
    """A line break in the prompt is a 500, with any query and without."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if "\n" in text or '"' in text:
            raise Refused(500, "SyntaxError")
        return body, text


class NoHundredKilobytes(Stranger):
    """A prompt of 100 kB is a 500, without any history."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        if 80_000 < len(data) < 500_000:
            raise Refused(500, "Internal Server Error")
        return super().read(data, chat)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "wanted", "asked"),
    [
        (NewIdEachChunk, {"S-STREAM-01"}, ("S-STREAM-01", "S-STATE-01", "S-ALONE-03")),
        (NoHundredKilobytes, {"S-HEALTH-09"}, ("S-HEALTH-09", "S-STATE-01")),
    ],
)
def test_a_defect_without_a_history_is_not_told_of_one(
    kind: type[Stranger], wanted: set[str], asked: tuple[str, ...]
) -> None:
    """The law of the single request tells it."""
    assert told(verdicts(kind, *asked)) == wanted


def test_a_defect_without_a_query_is_not_told_of_one() -> None:
    """A plain request that crashes is told by the law of plain requests."""
    with serving(Tongueless) as url:
        target = connect(url, Options(profile="openai"))
        with pytest.raises(Unjudged, match="S-PLAIN-01"):
            find("S-SAME-14").check(target, ask(target, "a\nb", chat=True))


class Slow(Stranger):
    """A long answer takes a while, beside which everything else is done."""

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        time.sleep(1.1 if body.get("max_tokens") == 200 else 0)
        super().generate(body, text, chat)


@pytest.mark.slow
def test_a_slow_answer_is_no_held_up_list() -> None:
    """A server that answers others meanwhile keeps the law, and was judged."""
    assert verdicts(Slow, "S-HEALTH-17")["S-HEALTH-17"]["word"] == "ok"
