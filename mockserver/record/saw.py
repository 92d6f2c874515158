"""What the user of a client saw of one call, and whether a text of the wire is in it. Pure.

Laws: texts are compared without case and white space, for clients strip and fold what they hand on; they are looked for
in texts, in values of mappings and sequences, and in the fields of objects. Where nothing is a text (a length, a bool,
None) nothing can be told, and that is said, never guessed. What a property of the user's own raises is no text.
"""

from __future__ import annotations

import sysconfig
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mockserver.scripting.blame import PACKAGE, shown

DEPTH = 6
"""Levels of a value that are looked into."""

COUNT = 2000
"""Texts of a value that are looked at."""

STEPS = 100_000
"""What looking for texts may cost: an item of a sequence or a mapping costs one step, an object `OBJECT`."""

OBJECT = 20
"""Steps of looking into one object: each is asked for some attributes."""

SAMPLE = 64
"""Items of a sequence of which all are numbers where all of it is taken for numbers (an embedding)."""

LONG = 100_000
"""Characters of a text that are compared."""

SHORT = 4
"""Characters below which a text in another is chance."""

RUN = 24
"""Characters in a row that two texts never share by chance."""

CAUSES = 20
"""Errors behind an error that are looked at."""

NUMBERS = (int, float, complex)
"""What has no text in it; a bool is an int."""

OURS = (PACKAGE, str(Path(PACKAGE).parent / "inferneo") + "/", sysconfig.get_path("stdlib") + "/", "<")
"""Where files that are not the user's own are."""


@dataclass(frozen=True, slots=True)
class Saw:
    """What the user of the client got: a `value`, an `error`, or neither was told (`told` False). `pieces`: what a
    stream handed out, piece by piece, whatever came of it; `times`: when, by the monotonic clock. `watched`: it is a
    stream that was watched to its end. `left`: the error left the block, so the test has seen it. `unfinished`: what
    call.run gave that was not iterated to its end.
    """

    told: bool = False
    value: Any = None
    error: BaseException | None = None
    pieces: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    watched: bool = False
    left: bool = False
    unfinished: str = ""

    @property
    def answered(self) -> bool:
        """Whether the user took it for an answer."""
        return self.told and self.error is None

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that the user got; none: it cannot be told what the user got."""
        if self.pieces:
            return ("".join(self.pieces), *texts_of(self.value))
        return ("",) if self.watched and self.value is None else texts_of(self.value)

    def before(self, begin: float, end: float) -> str:
        """What was handed out between two moments; empty where nobody has noted the times."""
        moments = zip(self.pieces, self.times, strict=False)  # those who tell pieces in words tell no times
        return "".join(piece for piece, time in moments if begin <= time < end)


def text_of(value: Any) -> str | None:
    """The text in what a client gave its user: a text, bytes, a list of texts, a response; None where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return "".join(value)
    for path in (("choices", 0, "message", "content"), ("choices", 0, "text"), ("text",), ("content",)):
        found = value
        for step in path:
            try:
                found = found[step] if isinstance(step, int) or isinstance(found, dict) else getattr(found, step)
            except Exception:  # whatever a property of the user's own raises: a response that was not read
                found = None
                break
        if isinstance(found, str):
            return found
    return None


def piece_text(piece: Any) -> str | None:
    """The text of one piece of a stream: a text, or what the first choice of a chunk says (`.text` if it has one)."""
    if isinstance(piece, str):
        return piece
    try:
        text = getattr(piece, "text", None)
        if isinstance(text, str):
            return text
        choice = piece["choices"][0] if isinstance(piece, dict) else piece.choices[0]
        delta = (
            (choice.get("delta") or choice) if isinstance(choice, dict) else (getattr(choice, "delta", None) or choice)
        )
        for name in ("content", "text"):
            found = delta.get(name) if isinstance(delta, dict) else getattr(delta, name, None)
            if isinstance(found, str):
                return found
    except Exception:  # as in `text_of`
        return None
    return None


def texts_of(value: Any) -> tuple[str, ...]:
    """Each text in a value, the outermost first; of a sequence of texts or of chunks also what they say together. No
    object is looked into twice, and what is beyond `DEPTH`, `COUNT` and `STEPS` not at all.
    """
    return tuple(dict.fromkeys(islice(_texts(value), COUNT)))


def _texts(value: Any) -> Iterator[str]:
    seen: dict[int, Any] = {}  # the objects too: an id is good as long as its object lives
    waiting, steps = deque([(value, DEPTH)]), STEPS
    while waiting and steps > 0:
        one, depth = waiting.popleft()
        steps -= 1
        if one is None or isinstance(one, NUMBERS) or id(one) in seen:
            continue
        seen[id(one)] = one
        said = text_of(one)
        if said is not None:
            yield said
        if depth == 0 or isinstance(one, str | bytes | bytearray | type) or callable(one):
            continue
        inside = _inside(one, steps)
        steps -= OBJECT + len(inside)
        if said is None and isinstance(one, list | tuple | set | frozenset):
            together = [text for text in map(piece_text, inside) if text is not None]
            if together:
                yield "".join(together)
        waiting.extend((each, depth - 1) for each in inside)


def _inside(value: Any, most: int) -> list[Any]:
    """What is in a value, `most` at most; nothing of a sequence of numbers, nor of what cannot be iterated."""
    try:
        if isinstance(value, Mapping):
            return list(islice(value.values(), most))
        if isinstance(value, list | tuple):
            few = value[:: max(1, len(value) // SAMPLE)]
            return [] if all(isinstance(one, NUMBERS) for one in few) else list(value[:most])
        return list(islice(value, most)) if isinstance(value, set | frozenset) else _fields(value)[:most]
    except Exception:  # as in `text_of`
        return []


def _fields(value: Any) -> list[Any]:
    """The fields of an object, however it keeps them; properties are not asked."""
    own = _asked(value, "__dict__")
    slots = _asked(type(value), "__struct_fields__") or _asked(type(value), "__slots__")
    names = (slots,) if isinstance(slots, str) else slots if isinstance(slots, list | tuple) else ()
    found = dict(own) if isinstance(own, Mapping) else {}
    found |= {name: _asked(value, name) for name in names if isinstance(name, str) and not name.startswith("_")}
    return [one for name, one in found.items() if not str(name).startswith("_")]


def _asked(value: Any, name: str) -> Any:
    """An attribute; None where there is none, or where asking for it raises."""
    try:
        return getattr(value, name, None)
    except Exception:  # as in `text_of`
        return None


def folded(text: str) -> str:
    """A text without its case and white space."""
    return "".join(text[:LONG].split()).casefold()


def holds(text: str, part: str) -> bool:
    """Whether a text that the user got has (a part of) what the wire said in it: three fifths of the shorter one, but
    at most `RUN` characters, stand in a row in the longer; all of it where it is short, and both are the same where one
    is very short.
    """
    text, part = folded(text), folded(part)
    short = min(len(text), len(part))
    if text == part or short < SHORT:
        return text == part
    if len(text) < RUN // 2 and len(text) * 2 < len(part):
        return part.startswith(text)  # a word or two may stand in any answer
    if len(part) <= SHORT + 1 and len(part) < len(text):
        return False  # so may the first word of an answer
    run = short if short < RUN // 2 else min(RUN, (short * 3 + 4) // 5)
    runs = {part[at : at + run] for at in range(len(part) - run + 1)}
    return any(text[at : at + run] in runs for at in range(len(text) - run + 1))


def besides(text: str, part: str, whole: str) -> bool:
    """Whether a text has `part`, which was abandoned, besides `whole`, which came after it: right before it, or (where
    `whole` has no such part) anywhere.
    """
    text, part, whole = folded(text), folded(part), folded(whole)
    if not part:
        return False
    rest = text.removeprefix(part) if text.startswith(part) else ""
    if rest and whole.startswith(rest) and not whole.startswith(text):
        return True
    if len(part) < SHORT:
        return bool(whole) and text.startswith(part + whole)
    return (bool(whole) and part + whole in text) or (part in text and part not in whole)


def shown_error(error: BaseException) -> str:
    """An error in one line, with the line of the user's own code that it came through, where there is one."""
    try:
        told = " ".join(repr(error).split())
    except Exception:  # a repr of the user's own
        told = type(error).__name__
    told = told if len(told) <= 200 else f"{told[:200]}..."
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if not one.filename.startswith(OURS) and "site-packages" not in one.filename]
    return f"{told}, raised in {own[-1].name}, {shown(own[-1].filename)}:{own[-1].lineno}" if own else told


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it."""
    one: BaseException | None = error
    for _ in range(CAUSES):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def is_timeout(error: BaseException) -> bool:
    """Whether somebody waited no longer."""
    return any(isinstance(one, TimeoutError) or "timeout" in type(one).__name__.lower() for one in causes(error))


def is_lost(error: BaseException) -> bool:
    """Whether a connection could not be made or was lost."""
    return any(isinstance(one, OSError) or "connect" in type(one).__name__.lower() for one in causes(error))
