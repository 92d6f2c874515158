"""One cause is one red law: what follows from it is silent, and what a server does not have is not blamed on it."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from stranger import Refused, Stranger, serving

from contracts.bad import Bad
from contracts.baseline import load
from contracts.cli import main
from contracts.connect import connect
from contracts.consequences import quiet
from contracts.domains import ask
from contracts.exchange import JSON, Call
from contracts.judge import Effort, judge
from contracts.law import Unjudged, Vacuous, find, laws
from contracts.options import Options
from contracts.server_laws.bad_requests import asked
from contracts.wire import NoAnswer


class Digests(Stranger):
    """The text is drawn by a digest of the whole request."""

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        digest = zlib.crc32(json.dumps(body, sort_keys=True).encode())
        return [*super().tokens(body, text), f" {digest:08x}"]


class Boundless(Digests):
    """The same, and max_tokens is taken and ignored."""

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        return super().stop({**body, "max_tokens": 100}, tokens)


class ChatOnly(Stranger):
    """A right server without text completions; a framework refuses what is not there, in its own shape."""

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """404 for the text endpoint."""
        if not self.path.startswith("/v1/completions"):
            super().do_POST()
            return
        self.close_connection = True
        self.answer(404, {"detail": "Not Found"}, {"Connection": "close", "Content-Type": "text/html"})


FAMILIES = ("S-SAME", "S-LIMIT", "S-CHOICE", "S-USAGE", "S-FIELD", "S-REFUSE-03", "S-REFUSE-05", "S-ALONE")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "wanted"), [(Digests, {"S-SAME-07"}), (Boundless, {"S-SAME-07", "S-USAGE-03"}), (ChatOnly, set())]
)
def test_one_cause_is_one_red_law(kind: type[Stranger], wanted: set[str]) -> None:
    """Of all families that the defect could show in."""
    with serving(kind) as url:
        target = connect(url, Options())
        chosen = [law for law in laws("server") if law.id.startswith(FAMILIES)]
        found = [judge(law, target, Effort(seed=1, examples=0.4, shrink_seconds=0.5)) for law in chosen]
    assert {v.law for v in found if v.word in ("failed", "broken")} == wanted, [v for v in found if v.word == "failed"]


class CountsOneMore(Stranger):
    """The token that ends a text is counted, in both modes."""

    more = 1

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        counts = super().usage(text, tokens)
        told = max(1, counts["completion_tokens"] + self.more)
        return {**counts, "completion_tokens": told, "total_tokens": counts["prompt_tokens"] + told}


class CountsOneFewer(CountsOneMore):
    """The first token is not counted."""

    more = -1


class CountsBothWays(CountsOneMore):
    """One too many of a short answer, and one too few of a longer one: two defects."""

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        self.more = 1 if len(tokens) <= 3 else -1
        return super().usage(text, tokens)


@pytest.mark.parametrize(
    ("kind", "wanted", "silent"),
    [
        (CountsOneMore, {"S-USAGE-03"}, {"S-LIMIT-03", "S-USAGE-04"}),
        (CountsOneFewer, {"S-USAGE-04"}, set()),
        (CountsBothWays, {"S-USAGE-03", "S-USAGE-04"}, {"S-LIMIT-03"}),
    ],
)
def test_a_token_too_many_is_told_once(kind: type[Stranger], wanted: set[str], silent: set[str]) -> None:
    """What follows from it names the law that tells it; what does not follow from it is told."""
    chosen = [law for law in laws("server") if law.id.startswith(("S-LIMIT-03", "S-LIMIT-15", "S-USAGE", "S-CHOICE"))]
    with serving(kind) as url:
        target = connect(url, Options())
        found = [judge(law, target, Effort(seed=1, examples=0.6, shrink_seconds=0.5)) for law in chosen]
    told = quiet({v.law: dataclasses.asdict(v) for v in found})
    assert {law for law, v in told.items() if v["word"] in ("failed", "broken")} == wanted
    assert silent <= {law for law, v in told.items() if v["word"] == "unsupported" and "judges that" in v["reason"]}


class Templates(Stranger):
    """A text with a quote in it is a 500: it is put into JSON as it is."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if '"' in text or "\n" in text:
            raise Refused(500, "SyntaxError: Expected ',' or '}' after property value in JSON")
        return body, text


@pytest.mark.slow
def test_a_plain_request_that_crashes_is_told_by_the_law_of_plain_requests() -> None:
    """Not by those that send plain requests for another reason."""
    with serving(Templates) as url:
        target = connect(url, Options())
        names = ("S-PLAIN", "S-UNI-01", "S-LIMIT-0", "S-LIMIT-12", "S-LIMIT-13", "S-ALONE-02", "S-ALONE-05", "S-CHOICE")
        chosen = [law for law in laws("server") if law.id.startswith(names)]
        found = [judge(law, target, Effort(seed=seed, shrink_seconds=0.2)) for law in chosen for seed in (1, 2)]
    assert {v.law: v.reason for v in found if v.word == "failed" and v.law not in ("S-PLAIN-01", "S-UNI-01")} == {}
    assert {v.law for v in found if v.word == "failed"} & {"S-PLAIN-01", "S-UNI-01"}


class DropsTheDeep(Stranger):
    """What is nested too deep ends the connection without a word, and the server goes on."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        if data.count(b"[") > 500:
            raise RecursionError
        return super().read(data, chat)

    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        try:
            super().do_POST()
        except RecursionError:
            self.close_connection = True


def test_an_answer_that_does_not_come_shows_nothing_of_the_machine() -> None:
    """It is told by the law on answers that do not come, not by the one on what they show."""
    with serving(DropsTheDeep) as url:
        target = connect(url, Options(profile="openai"))
        body = (
            b'{"model":"org/small","messages":[{"role":"user","content":"Hi"}],"foo":' + b"[" * 600 + b"]" * 600 + b"}"
        )
        deep = Bad(Call("POST", "/v1/chat/completions", body, (JSON,)), "600 levels deep")
        with pytest.raises(Vacuous, match=r"S-REFUSE-15 judges that"):
            find("S-SECURE-05").check(target, deep)
        with pytest.raises(NoAnswer):
            find("S-REFUSE-15").check(target, deep)


class Quotes(Stranger):
    """max_tokens is taken and ignored, and the text quotes it."""

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        return [f"max_tokens={body.get('max_tokens')}", *super().tokens(body, text)]

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        return super().stop({**body, "max_tokens": 100}, tokens)


def test_a_limit_that_is_quoted_and_ignored_is_told_once() -> None:
    """The texts for two limits differ, and none is the beginning of the other: S-USAGE-03 says why."""
    with serving(Quotes) as url:
        target = connect(url, Options(profile="openai"))
        assert judge(find("S-USAGE-03"), target, FAST).word == "failed"
        verdict = judge(find("S-LIMIT-01"), target, Effort(seed=2, examples=3, shrink_seconds=0.2))
    assert verdict.word != "failed", verdict.reason


class Unforeseen(Stranger):
    """What a right server refuses crashes this one."""

    def answer(self, status: int, *rest: Any) -> None:
        super().answer(500 if status in (400, 422) else status, *rest)


FAST = Effort(seed=1, shrink_seconds=0.2)
REPEATING = ("S-REFUSE-08", "S-REFUSE-09", "S-REFUSE-10", "S-REFUSE-11", "S-REFUSE-13", "S-REFUSE-15")


def test_a_crash_that_was_told_is_not_told_again() -> None:
    """S-REFUSE-07 lists the fields; alone, where nobody has told it, each law says it."""
    with serving(Unforeseen) as url:
        target = connect(url, Options(profile="openai"))
        first = judge(find("S-REFUSE-10"), target, FAST)
        assert (first.word, judge(find("S-REFUSE-07"), target, FAST).word) == ("failed", "failed")
        words = {law: judge(find(law), target, FAST) for law in REPEATING}
    assert {law: one.reason for law, one in words.items() if one.word == "failed"} == {}


def test_a_known_crash_hides_no_other() -> None:
    """Where S-REFUSE-07 is known, its verdict is not red: each law tells what it sees, for itself."""
    with serving(Unforeseen) as url:
        target = connect(url, Options(profile="openai", loud=(url,)))
        assert judge(find("S-REFUSE-07"), target, FAST).word == "failed"
        words = {law: judge(find(law), target, FAST).word for law in ("S-REFUSE-08", "S-REFUSE-10")}
    assert words == {"S-REFUSE-08": "failed", "S-REFUSE-10": "failed"}


@pytest.mark.slow
def test_a_baseline_that_knows_the_crashes_leaves_none_to_pass(tmp_path: Path) -> None:
    """The next law that sees one is new, and red; what --update-baseline takes in is known to the next run."""
    report, file = tmp_path / "r.json", tmp_path / "b.toml"
    file.write_text('[[known]]\nlaw = "S-REFUSE-07"\nreason = "ticket 5"\n')
    laws = ["--law", "S-REFUSE-07", "--law", "S-REFUSE-10", "--profile", "openai"]
    with serving(Unforeseen) as url:
        run = ["run", url, *laws, "--json", str(report), "--baseline", str(file), "--seed", "1"]
        assert main(run) == 1
        words = {one["law"]: one["word"] for one in json.loads(report.read_text())["verdicts"]}
        assert words["S-REFUSE-10"] == "failed"
        file.write_text("")
        assert main([*run, "--update-baseline"]) == 0
        assert main(run) == 0
    assert {one.law for one in load(str(file)).entries} == {"S-REFUSE-07", "S-REFUSE-10"}


class Once(Stranger):
    """A seed of a wrong type is a 500 whenever it comes, one max_tokens too; another one was a 500 once."""

    stumbled = False

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        with suppress(ValueError, RecursionError, AttributeError):
            self.stumble(json.loads(data).get)
        return super().read(data, chat)

    def stumble(self, value: Callable[..., Any]) -> None:
        """The 500."""
        most = value("max_tokens")
        once = isinstance(most, str) and not type(self).stumbled
        if once or most == "new" or isinstance(value("seed"), str):
            type(self).stumbled = type(self).stumbled or once
            raise Refused(500, "internal")


def test_a_crash_that_was_seen_once_silences_nobody() -> None:
    """Only what crashes again when it is sent again: that S-REFUSE-07 tells."""
    Once.stumbled = False
    with serving(Once) as url:
        target = connect(url, Options(profile="openai"))
        assert judge(find("S-REFUSE-07"), target, FAST).word == "failed"
        assert Once.stumbled
        calls = [ask(target, "Say hello", chat=chat) for chat in (False, True)]
        target.begin()
        for call in calls * 2:
            with pytest.raises(Unjudged, match="S-REFUSE-07 judges that"):
                asked(target, Bad(call.with_(seed="b"), "seed='b'", "seed", "b"))
            assert asked(target, Bad(call.with_(max_tokens="new"), "new", "max_tokens", "new")).status == 500
        assert len(target.sent) == 8, "what is sent to make sure is no part of the case"


class ByRule(Stranger):
    """The answer and its usage are written in a rule for each prompt that says hello, and in another for all others."""

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        return ["Hello"] if "hello" in text else ["Anything"]

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        asked = 10 if tokens == ["Hello"] else 20
        return {"prompt_tokens": asked, "completion_tokens": 1, "total_tokens": asked + 1}


def test_a_usage_that_somebody_wrote_says_nothing_of_messages() -> None:
    """Tokens that do not grow with the prompt do not grow with another message either."""
    with serving(ByRule) as url:
        verdict = judge(find("S-USAGE-14"), connect(url, Options(profile="openai")), FAST)
    assert verdict.word in ("ok", "unsupported"), verdict.reason
