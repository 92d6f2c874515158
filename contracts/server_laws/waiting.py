"""Waiting: a generation is worked on beside everything else a server does, not instead of it."""

from __future__ import annotations

import time

from contracts.domains import ask, endpoints
from contracts.exchange import get
from contracts.law import Vacuous, expect, law
from contracts.server_laws.health import ONE
from contracts.target import Target
from contracts.wire import NoAnswer

TOKENS = 200
LASTS = 1.0
"""Seconds that the answer must take alone: beside a shorter one nobody notices that he waits."""
ROUNDS = 2


@law(
    "S-HEALTH-17",
    over=ONE,
    live=True,
    examples=1,
    level="should",
    source="one caller never holds up the others: a health check that waits for a generation restarts the server",
)
def a_generation_does_not_hold_up_the_list(target: Target, _: int) -> None:
    """While an answer is generated, the list of models is told at once, not when the answer is done.

    A server that generates in its event loop answers nobody meanwhile, health checks neither. The judge times an answer
    alone, then twice asks for the list in its middle: a breach is to wait for half of its time, both times.
    """
    call = ask(target, "Tell me a long story", chat=endpoints(target)[0], max_tokens=TOKENS)
    try:
        alone = target.send(call).seconds
    except NoAnswer as error:
        raise Vacuous(f"the answer does not come while the judge waits: {error}") from error
    if alone < LASTS:
        raise Vacuous("an answer comes so fast that nobody has to wait for it")
    waited = []
    for _number in range(ROUNDS):
        with target.connect() as connection:
            connection.send(target.encode(call), call)
            time.sleep(alone / 5)
            waited.append(target.send(get("/v1/models")).seconds)
            target.keep(connection.response(call))
    least = min(waited)
    expect(
        least < alone / 2 or least < LASTS / 2,
        f"the list of models at once while an answer of {alone:.1f} s is generated",
        f"after {least:.1f} s or more, twice",
    )
