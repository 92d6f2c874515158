"""What is heard of a server when nothing else goes on: the measure of what it says beside others, or after them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from contracts.answers import choices, documents, index, read
from contracts.exchange import Call, Exchange
from contracts.law import Unjudged
from contracts.target import Target

EQUAL = 3
"""So many equal answers in a row are no chance."""
SETTLING = 12
"""A server may be asked so often until it repeats itself: what others have left must have run out."""
PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Heard:
    """What came: the text of all choices, and how often the choice that ended most often has ended."""

    text: str
    ends: int


def joined(texts: dict[int, str]) -> str:
    """The texts of all choices."""
    return "\n".join(texts.values())


def heard(exchange: Exchange) -> Heard:
    """Reads a whole answer or a stream. Raises `Unjudged` where nothing can be read."""
    parts = documents(exchange) if exchange.is_stream else [exchange.document]
    ends: dict[int, int] = {}
    for part in parts:
        for choice in choices(part if isinstance(part, dict) else {}):
            ends[index(choice)] = ends.get(index(choice), 0) + bool(choice.get("finish_reason"))
    return Heard(joined(read(exchange).texts), max(ends.values(), default=0))


def at_rest(target: Target, call: Call) -> tuple[Heard, bool]:
    """What the call gives when nothing else goes on, and whether it gave that three times in a row; how often it ends
    is the least that was seen."""
    said, times, least, problem = None, 0, 1, None
    for _ in range(SETTLING):
        try:
            again = heard(target.send(call))
        except Unjudged as error:
            problem, times = error, 0
            continue
        times = times + 1 if again == said else 1
        least = again.ends if said is None else min(least, again.ends)
        said = again
        if times == EQUAL:
            break
        if times == 1:
            time.sleep(PAUSE)
    if said is None:
        raise problem or Unjudged("nothing can be read (S-FRAME-02 judges that)")
    return Heard(said.text, least), times >= EQUAL


def gives_again(target: Target, call: Call, text: dict[int, str]) -> bool:
    """Whether the server, left alone, comes to say these texts again, three times in a row.

    Where it does, an answer with another text was another for a reason. Asking once more is not enough: what the reason
    has left may first come out.
    """
    said, steady = at_rest(target, call)
    return steady and said.text == joined(text)
