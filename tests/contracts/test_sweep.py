"""All that crashes a server is told at once, each by the field that is wrong."""

from __future__ import annotations

from typing import Any

from stranger import Stranger, serving

from contracts.connect import connect
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.options import Options
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
    assert "not asked again" in verdict.failure.seen  # what was seen is judged again, which proves nothing


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
