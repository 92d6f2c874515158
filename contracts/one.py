"""One law as a function for anyone's test: `from contracts import S_FRAME_03`, then `S_FRAME_03(url)`.

It returns when the law is kept and raises `AssertionError`, with the request that broke it, when it is not. A law that
the server cannot be asked (a capability is absent) raises `Unsupported`: nothing unjudged passes for kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from contracts.connect import connect
from contracts.judge import Effort, Verdict, judge
from contracts.law import Law, Unsupported, find
from contracts.options import Options

NAME = re.compile(r"[SC]_[A-Z]+_\d+")
NEAR = re.compile(r"\b[SC](?:-[A-Z]+)+-\d+")


@dataclass(frozen=True, slots=True)
class Check:
    """A law that can be called. Server laws take a base URL, client laws a name or a `Subject`."""

    law: Law

    def __call__(
        self,
        subject: Any,
        *,
        model: str = "",
        api_key: str = "",
        profile: str = "",
        seed: int = 0,
        examples: float = 1.0,
    ) -> None:
        """Judges the server at that URL, or that client. Raises `AssertionError`, `Unsupported`, `Unreachable`."""
        __tracebackhide__ = True
        effort = Effort(seed, examples)
        if self.law.side == "server":
            target = connect(subject, Options(model=model, api_key=api_key, profile=profile))
            self._judged(judge(self.law, target, effort))
            return
        from contracts import adapters
        from contracts.bench import Bench
        from contracts.mock import Door, MockProcess

        with MockProcess() as fake:
            client = adapters.subject(subject) if isinstance(subject, str) else subject
            self._judged(judge(self.law, Bench(client, Door(fake.url)), effort))

    def _judged(self, verdict: Verdict) -> None:
        from contracts.plugin import describe

        __tracebackhide__ = True
        if verdict.word == "unsupported":
            raise Unsupported(f"{self.law.id} cannot be asked of {verdict.target}: {verdict.reason}")
        if verdict.word != "ok":
            raise AssertionError(describe(verdict))


def named(name: str) -> Check:
    """The law of a Python name. Raises `ImportError` that names the nearest."""
    problem = "a law is written like S_FRAME_03"
    if NAME.fullmatch(name):
        try:
            return Check(find(name.replace("_", "-")))
        except LookupError as error:
            problem = NEAR.sub(lambda law: law[0].replace("-", "_"), str(error.args[0]).partition("; ")[2])
    raise ImportError(f"cannot import {name!r} from 'contracts': {problem}", name="contracts") from None
