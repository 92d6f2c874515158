"""A prompt beyond the context: refused is right, cut in silence or crashed is not, and no guess is called a breach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stranger import Refused, Stranger, serving

from contracts.connect import connect
from contracts.judge import Effort, judge
from contracts.law import find
from contracts.mock import MockProcess
from contracts.options import Options
from contracts.target_file import load

EFFORT = Effort(seed=1, shrink_seconds=0.2)
LIMIT = 200


class Refuses(Stranger):
    """What is longer than the context is refused."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if len(text.split()) >= LIMIT:
            raise Refused(400, f"the prompt is {len(text.split())} tokens, the context {LIMIT}")
        return body, text


class Cuts(Stranger):
    """Only the end of a longer prompt is read."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        return body, " ".join(text.split()[-LIMIT + 10 :])


class Crashes(Stranger):
    """A longer prompt is a 500."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body, text = super().read(data, chat)
        if len(text.split()) >= LIMIT:
            raise Refused(500, "index out of range")
        return body, text


class CountsNothing(Cuts):
    """Nothing can be known of a prompt that is not counted."""

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        return {**super().usage(text, tokens), "prompt_tokens": 1, "total_tokens": 1 + len(tokens)}


class CountsLess(Stranger):
    """Words that come again are counted as half: no cut, and not what was expected of so long a prompt."""

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        asked = min(len(text.split()), 100) + max(0, len(text.split()) - 100) // 2 + 1
        return {"prompt_tokens": asked, "completion_tokens": len(tokens), "total_tokens": asked + len(tokens)}


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (Refuses, "ok"),
        (Stranger, "ok"),
        (CountsLess, "ok"),
        (Cuts, "failed"),
        (Crashes, "failed"),
        (CountsNothing, "unsupported"),
    ],
)
def test_only_what_is_seen_is_a_breach(kind: type[Stranger], word: str) -> None:
    """A server whose context is larger than it says counts all of the prompt, and is right."""
    with serving(kind) as url:
        verdict = judge(find("S-LIMIT-16"), connect(url, Options(profile="openai", context=LIMIT)), EFFORT)
    assert verdict.word == word, verdict


def test_a_context_that_is_not_told_is_not_guessed() -> None:
    """It is a capability that is absent; a very long one is not filled."""
    with serving(Cuts) as url:
        assert judge(find("S-LIMIT-16"), connect(url, Options()), EFFORT).reason.startswith("no context: ")
        long = judge(find("S-LIMIT-16"), connect(url, Options(context=128_000)), EFFORT)
    assert (long.word, long.reason) == ("unsupported", "a context of 128000 tokens is not filled")


def test_a_context_is_read_where_servers_tell_it() -> None:
    """In the list of models, or as the engine does: in its statistics."""

    class Lists(Refuses):
        """As vLLM does."""

        def answer(self, status: int, document: Any, *more: Any) -> None:
            if self.path == "/v1/models":
                data = [{**one, "max_model_len": LIMIT} for one in document["data"]]
                document = {**document, "data": data}
            super().answer(status, document, *more)

    with serving(Lists) as url:
        target = connect(url, Options())
        assert target.can("context") == (True, f"{LIMIT} tokens")
        assert judge(find("S-LIMIT-16"), target, EFFORT).word == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "context"), [("engine", 0), ("docs", 8192)])
def test_the_fake_keeps_it(profile: str, context: int) -> None:
    """Told by its statistics, or declared."""
    with MockProcess(profile) as fake:
        target = connect(fake.url, Options(profile=profile, context=context))
        assert judge(find("S-LIMIT-16"), target, EFFORT).word == "ok"


def test_a_target_file_declares_it(tmp_path: Path) -> None:
    """A number of tokens, and nothing else."""
    file = tmp_path / "t.toml"
    file.write_text("context = 8192\n")
    assert load(str(file)).context == 8192
    for text in ("0", '"8k"', "true", "1.5"):
        file.write_text(f"context = {text}\n")
        with pytest.raises(ValueError, match=r"context is .*; expected a number of tokens"):
            load(str(file))
