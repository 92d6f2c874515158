"""All that crashes a server is told at once, each by the field that is wrong; what happens once is told as such."""

from __future__ import annotations

import itertools
from typing import Any

from stranger import Refused, Stranger, serving

from contracts.connect import connect
from contracts.judge import Effort, judge, judge_case
from contracts.law import find
from contracts.options import Options
from contracts.server_laws.state import Step
from contracts.sweep import difference, mistakes, sweep


class Fragile(Stranger):
    """Three fields are not looked at before they are used."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if body.get("stop") == [] or not isinstance(body.get("seed", 0), int) or "logit_bias" in body:
            raise KeyError("stop, seed or logit_bias")
        return body, text

    def do_POST(self) -> None:  # noqa: N802 - the name of http.server
        try:
            super().do_POST()
        except KeyError:
            self.answer(500, self.refusal(500, "internal"))


def test_each_field_that_crashes_is_named() -> None:
    """One finding, whose request is the shortest, and the others in words."""
    with serving(Fragile) as url:
        verdict = judge(find("S-REFUSE-07"), connect(url, Options(profile="openai")), Effort(shrink_seconds=0.2))
    assert verdict.word == "failed"
    assert verdict.failure is not None
    assert '"seed":' in verdict.failure.curl[-1] or '"stop":[]' in verdict.failure.curl[-1]
    for kind in ("chat stop=[]", "text stop=[]", "chat seed='a'", "chat logit_bias={'x': 1}"):
        assert kind in verdict.failure.got + difference_of(verdict.failure.curl[-1]), kind
    assert verdict.failure.seen == "2 of 2 repetitions failed again"  # the request, not what was seen of it


def difference_of(curl: str) -> str:
    """The kind of the request that is shown, which is not told again."""
    return "text stop=[]" if '"prompt":"Say hello"' in curl and '"stop":[]' in curl else ""


def test_a_right_server_is_swept_once_and_not_blamed() -> None:
    """The second sweep sends nothing."""
    with serving(Stranger) as url:
        target = connect(url, Options(profile="openai"))
        assert judge(find("S-REFUSE-07"), target, Effort(shrink_seconds=0.2)).word == "ok"
        seen = len(sweep(target))
        assert len(sweep(target)) == seen
        assert seen > len(mistakes(target))


def test_a_difference_is_what_a_plain_request_does_not_say() -> None:
    """The plain request itself differs in nothing."""
    with serving(Stranger) as url:
        target = connect(url, Options(profile="openai"))
        texts = {bad.what: difference(bad.call) for bad in mistakes(target)}
    assert texts["stop=[]"] == "text stop=[]"
    assert texts["max_tokens=0"] == "text max_tokens=0"
    assert texts["model=5"] == "text model=5"


class Stumbles(Fragile):
    """A right server that answers the tenth request by a 500: something else had its machine."""

    count = itertools.count(1)

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        if next(self.count) == 10:
            raise KeyError("a hiccup")
        return Stranger.read(self, data, chat)


class StumblesAlways(Stumbles):
    """The same, and one field crashes it whenever it comes."""

    count = itertools.count(1)

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if body.get("seed") == "a":
            raise KeyError("seed")
        return body, text


def test_a_crash_that_does_not_come_again_is_told_and_not_red() -> None:
    """The request was sent again, twice: the verdict has its request and is lenient."""
    with serving(Stumbles) as url:
        verdict = judge(find("S-REFUSE-07"), connect(url, Options(profile="openai")), Effort(shrink_seconds=0.2))
    assert verdict.word == "lenient"
    assert verdict.reason.startswith("seen once, not again in 2 repetitions: expected no 5xx for POST")
    assert verdict.failure is not None
    assert len(verdict.failure.curl) == 1
    assert verdict.failure.seen == "0 of 2 repetitions failed again"


def test_a_crash_that_comes_again_is_red_beside_one_that_does_not() -> None:
    """The one that is shown is the one that can be shown again."""
    with serving(StumblesAlways) as url:
        verdict = judge(find("S-REFUSE-07"), connect(url, Options(profile="openai")), Effort(shrink_seconds=0.2))
    assert verdict.word == "failed"
    assert verdict.failure is not None
    assert '"seed":"a"' in verdict.failure.curl[-1]


class Drops(Stranger):
    """Two fields end the connection without an answer; they come early in the sweep."""

    def do_POST(self) -> None:  # noqa: N802 - the name of http.server
        try:
            super().do_POST()
        except KeyError:
            self.close_connection = True

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if body.get("stop") == [] or body.get("seed") == "a":
            raise KeyError("stop or seed")
        return body, text


class DropsAndCrashes(Drops):
    """And what comes later in the sweep is a 500."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if body.get("user") == 5:
            raise Refused(500, "internal")
        return body, text


def test_a_sweep_goes_on_where_a_connection_is_closed() -> None:
    """The crash behind the closed connections is found, and they are told beside it."""
    with serving(DropsAndCrashes) as url:
        verdict = judge(find("S-REFUSE-07"), connect(url, Options(profile="openai")), Effort(shrink_seconds=0.2))
    assert verdict.word == "failed"
    assert verdict.failure is not None
    assert '"user":5' in verdict.failure.curl[-1]
    assert "closed on without an answer: " in verdict.failure.got
    for kind in ("chat stop=[]", "text stop=[]", "chat seed='a'", "text seed='a'"):
        assert kind in verdict.failure.got, kind


def test_a_connection_that_is_closed_each_time_is_a_finding() -> None:
    """With the request, and the others in words."""
    with serving(Drops) as url:
        verdict = judge(find("S-REFUSE-07"), connect(url, Options(profile="openai")), Effort(shrink_seconds=0.2))
    assert verdict.word == "failed"
    assert verdict.failure is not None
    assert verdict.failure.expected.startswith("an answer to POST /v1/completions")
    assert '"stop":[]' in verdict.failure.curl[-1]
    assert "closed on without an answer: " in verdict.failure.got


def test_a_sweep_ends_where_nothing_listens() -> None:
    """A refused connection is refused to all."""
    with serving(Stranger) as url:
        target = connect(url, Options(profile="openai"))
    target.can("generate")
    target.known.update(chat=(True, "it was"), completions=(True, "it was"))
    target.begin()
    sweep(target)
    assert len(target.sent) == 1


class NoList(Stranger):
    """The list of models crashes; all else is right."""

    def do_GET(self) -> None:  # noqa: N802 - the name of http.server
        if self.path == "/v1/models":
            self.answer(500, self.refusal(500, "internal"))
        else:
            super().do_GET()


def test_a_list_of_models_that_crashes_is_no_matter_of_a_history() -> None:
    """It is told by the law on the list; a history of requests in which it is asked for is right."""
    history = [Step("models", 0), Step("send", 0)]
    with serving(NoList) as url:
        target = connect(url, Options(profile="openai", model="org/small"))
        assert judge_case(find("S-STATE-01"), target, history, Effort()).word == "ok"
        assert judge(find("S-MODEL-01"), target, Effort()).word == "failed"
