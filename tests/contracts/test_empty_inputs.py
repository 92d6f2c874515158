"""What no reference promises is no breach: a list without inputs may get a list without embeddings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stranger import Stranger, serving

from contracts.connect import connect
from contracts.judge import Effort, judge_case
from contracts.law import find
from contracts.options import Options


class Embeds(Stranger):
    """A vector for each input of a list; what is no list is refused."""

    more = 0

    def do_POST(self) -> None:  # noqa: N802 - the name of http.server
        if self.path != "/v1/embeddings":
            super().do_POST()
            return
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        given = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            self.answer(422, self.refusal(422, "input must be texts"))
            return
        data = [{"object": "embedding", "index": at, "embedding": [0.6, 0.8]} for at in range(len(given) + self.more)]
        self.answer(200, {"object": "list", "data": data, "model": body["model"], "usage": {}})


class Invents(Embeds):
    """One vector too many."""

    more = 1


@pytest.mark.parametrize(
    ("kind", "profile", "given", "word"),
    [
        (Embeds, "openai", [], "ok"),
        (Embeds, "docs", [], "failed"),
        (Invents, "openai", [], "failed"),
        (Embeds, "openai", 5, "ok"),
    ],
)
def test_no_input_has_no_embedding(kind: type[Stranger], profile: str, given: Any, word: str) -> None:
    """The true answer is borne where the profile does not say otherwise, and no other."""
    with serving(kind) as url:
        target = connect(url, Options(profile=profile))
        assert judge_case(find("S-EMBED-08"), target, (given, "an input"), Effort()).word == word
