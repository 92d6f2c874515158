"""Servers that tell one caller what is another's, or what another has left; and that hide behind one refused value."""

from __future__ import annotations

import time

from mockserver.plan import Plan

from .edits import Doc, chunks, event, is_stream, oops, spread, status_of, texts, when, with_bodies
from .mutant import Mutant, Turn, mutant
from .narrow import slowly, stuck

LONG = 100


def _left(turn: Turn) -> Plan:
    """What was made for the last long stream is told, from its question on, to whoever asks for a stream next."""
    plan = turn.plan
    if not is_stream(plan):
        return plan
    if turn.body.get("max_tokens", 0) >= LONG:
        turn.memory["left"] = str(turn.prompt)
        return stuck(plan)
    left = turn.memory.pop("left", "")
    return texts(lambda text, _: f"{left}{text}", "stream")(turn) if left else plan


def _left_words(turn: Turn) -> Plan:
    """A short stream after a long one begins with other words, which no mark betrays."""
    plan = turn.plan
    if not is_stream(plan):
        return plan
    if turn.body.get("max_tokens", 0) >= LONG:
        turn.memory["left"] = True
        return stuck(plan)
    return texts(lambda text, _: f"once more {text}", "stream")(turn) if turn.memory.pop("left", False) else plan


def _ends_twice(turn: Turn) -> Plan:
    """A stream beside another ends twice."""
    plan = turn.plan
    if not is_stream(plan):
        return plan
    if not turn.open or turn.body.get("max_tokens") != 24:
        return slowly(plan, 0.03)
    documents, others = spread(turn, plan)
    last = [one for one in documents if any(c.get("finish_reason") for c in one["choices"])]
    return slowly(with_bodies(plan, [*map(event, [*documents, *last]), *others]), 0.03)


def _upper(documents: list[Doc], _: Turn) -> list[Doc]:
    for document in documents:
        for choice in document["choices"]:
            holder, name = (choice["delta"], "content") if "delta" in choice else (choice, "text")
            if isinstance(holder.get(name), str):
                holder[name] = holder[name].upper()
    return documents


def _shouts(turn: Turn) -> Plan:
    """A stream of more than twelve tokens after a refusal shouts."""
    if turn.generates and status_of(turn.plan) == 400:
        turn.memory["refused"] = True
    long = turn.streams and turn.body.get("max_tokens") == 32
    return chunks(_upper)(turn) if long and turn.memory.pop("refused", False) else turn.plan


def _hundred(turn: Turn) -> bool:
    return turn.generates and 80_000 < len(turn.request.body) < 500_000


def _cold(turn: Turn) -> bool:
    return turn.generates and turn.body.get("temperature") == 0 and status_of(turn.plan) == 200


def _in_the_loop(turn: Turn) -> Plan:
    """A long answer is made where everything else is done."""
    if turn.generates and turn.body.get("max_tokens") == 200 and not turn.streams:
        time.sleep(1.2)
    return turn.plan


MUTANTS: tuple[Mutant, ...] = (
    mutant("left-is-told", "The next stream is told what was left of another's.", _left, "S-ALONE-06"),
    mutant("left-words", "The next stream begins with words that were left.", _left_words, "S-ALONE-06"),
    mutant("ends-of-neighbours", "A stream beside another ends twice.", _ends_twice, "S-ALONE-07", tries=3.0),
    mutant("shouts-after-a-refusal", "A longer stream after a refusal shouts.", _shouts, "S-STATE-01", tries=4.0),
    mutant(
        "hundred-kilobytes-crash", "A prompt of 100 kB is a 500.", when(_hundred, lambda t: oops(500)), "S-HEALTH-09"
    ),
    mutant("never-cold", "A temperature of 0 is refused.", when(_cold, lambda t: oops(400)), "S-LIMIT-12", tries=3.0),
    mutant(
        "generates-in-the-loop",
        "Nobody is answered while a long answer is made.",
        _in_the_loop,
        "S-HEALTH-17",
        judged=("S-HEALTH-17", "S-HEALTH-16", "S-MODEL"),
    ),
)
