"""What is slow or limited is not wrong: silence counts only where a short answer was asked for, a 429 is obeyed."""

from __future__ import annotations

from typing import Any

import pytest
from stranger import Stranger, serving
from test_judge import Nothing, a_law, raising

from contracts.connect import connect
from contracts.exchange import Call, get, post
from contracts.judge import Effort, judge
from contracts.law import Breach, Unsupported, find
from contracts.options import Options
from contracts.patience import is_short
from contracts.profile import PROFILES
from contracts.target import Target
from contracts.wire import NoAnswer

TEXT = "/v1/completions"


@pytest.mark.parametrize(
    ("call", "short"),
    [
        (get("/v1/models"), True),
        (post(TEXT, {"max_tokens": 8}), True),
        (post(TEXT, {"prompt": "no limit"}), False),
        (post(TEXT, {"max_tokens": 2**63}), False),
        (post(TEXT, {"max_tokens": -1}), False),
        (post(TEXT, {"max_tokens": 8, "n": 2**53}), False),
        (post(TEXT, {"max_tokens": 8, "ignore_eos": True}), False),
        (Call("POST", TEXT, b'{"max_tokens":1,"max_tokens":8}'), False),
        (Call("POST", TEXT, b'{"max_tokens":'), True),
    ],
)
def test_what_is_short(call: Call, short: bool) -> None:
    """A request with small limits, or one that asks for no text at all."""
    assert is_short(call) is short


def test_endless_text_may_take_for_ever() -> None:
    """Silence after a request for 2^63 tokens breaks no law; after a short one it does."""
    endless = judge(a_law(raising(NoAnswer("timeout", post(TEXT, {"max_tokens": 2**63})))), Nothing(), Effort())
    assert endless.word == "unsupported"
    assert (
        judge(a_law(raising(NoAnswer("timeout", post(TEXT, {"max_tokens": 1})))), Nothing(), Effort()).word == "failed"
    )


class Limited(Stranger):
    """Every second request is told to come again."""

    wait = "0.01"
    asked = 0

    def do_GET(self) -> None:  # noqa: N802 - a name of http.server
        """One of two is refused."""
        type(self).asked += 1
        if type(self).asked % 2:
            self.answer(429, self.refusal(429, "slow down"), {"Retry-After": self.wait})
        else:
            super().do_GET()


class Closed(Limited):
    """Come again in an hour."""

    wait = "3600"


def test_a_rate_limit_is_obeyed() -> None:
    """A short wait is waited for; a long one makes the law unsupported, not the server wrong."""
    with serving(Limited) as url:
        assert Target(url).get("/v1/models").status == 200
    with serving(Closed) as url, pytest.raises(Unsupported, match="come again in 3600 s"):
        Target(url).get("/v1/models")


def test_a_borne_breach_is_lenient() -> None:
    """Where known right servers differ a law is red only under the profiles that promise it."""
    law = a_law(raising(Breach("a", "b")), borne=frozenset({"openai"}))
    target = Nothing()
    assert judge(law, target, Effort()).word == "failed"
    target.profile = PROFILES["openai"]
    assert judge(law, target, Effort()).word == "lenient"


class Chatty(Stranger):
    """Right, and like servers in the field: a role in every delta, reasoning, a first chunk without choices."""

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        """Extra fields, and a role in each delta."""
        documents = super().chunks(head, chat, tokens, finish)
        for document in documents:
            document["prompt_token_ids"] = None
            for choice in document["choices"]:
                choice["stop_reason"] = None
                if chat:
                    choice["delta"] = {"role": "assistant", "reasoning_content": None, **choice["delta"]}
        return [{**head, "choices": [], "prompt_filter_results": []}, *documents]


class Page(Stranger):
    """A page for people answers every unknown path outside of the API."""

    def do_GET(self) -> None:  # noqa: N802 - a name of http.server
        """HTML beside the API."""
        if not self.path.startswith(("/v1/", "/health")):
            self.answer(200, "<html>", {"Content-Type": "text/html"})
        else:
            super().do_GET()


class Old(Stranger):
    """HTTP/1.0: a connection for each request, a body up to its end."""

    protocol_version = "HTTP/1.0"


@pytest.mark.parametrize(
    ("kind", "laws"),
    [
        (Chatty, ["S-STREAM-06", "S-SHAPE-12", "S-SHAPE-13", "S-SAME-01", "S-STREAM-05"]),
        (Page, ["S-REFUSE-18", "S-SECURE-09", "S-INFO-05"]),
        (Old, ["S-FRAME-14", "S-HEALTH-02", "S-PLAIN-01", "S-REFUSE-16"]),
    ],
)
def test_right_servers_of_other_habits_are_not_blamed(kind: type[Stranger], laws: list[str]) -> None:
    """None of them is red."""
    with serving(kind) as url:
        target = connect(url, Options())
        verdicts = [judge(find(law), target, Effort(seed=3, examples=0.5, shrink_seconds=0.5)) for law in laws]
    assert [v for v in verdicts if v.word in ("failed", "broken")] == []
