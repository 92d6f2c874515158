"""The names of places in a response, as the setting `at` takes them.

`role`, `content[i]`, `tool[i]`, `finish`, `usage`, `done` are the marks of a stream's pieces (`mockserver.plan.Body`),
i from 0; behind `1:` those of choice 1. `start` and `end` are the edges of the response.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from mockserver.errors import ScriptError
from mockserver.settings import Codec, codec_of
from mockserver.suggest import did_you_mean

INDEXED = ("content", "tool")
OF_CHOICE = ("role", "finish")
PIECES = ("role", "content[i]", "tool[i]", "finish", "usage", "done")
EDGES = ("start", "end")

_PREFIX = r"(?:[1-9][0-9]*:)?"
_INDEX = r"\[(?:0|[1-9][0-9]*)\]"
_PIECE = rf"(?:{_PREFIX}(?:role|finish|(?:content|tool){_INDEX})|usage|done)"


def _codec(names: tuple[str, ...], pattern: str) -> Codec:
    text = codec_of(str)
    grammar = re.compile(pattern)
    listed = f"{', '.join(names)}; i from 0, behind 1: of choice 1"

    def parse(value: Any, path: str) -> Any:
        value = text.parse(value, path)
        if grammar.fullmatch(value) is None:
            raise ScriptError(f"unknown mark {value!r}; known: {listed}{_near(value, names)}", path)
        return value

    return Codec(parse, text.dump, lambda: {"type": "string", "pattern": f"^{pattern}$", "description": listed})


def _near(value: str, names: tuple[str, ...]) -> str:
    """The nearest mark, with the choice and the index that were written."""
    seen = re.fullmatch(r"(\d+:)?([^\[\]:]*)(?:\[?(\d*)\]?)?", value)
    if seen is None:
        return did_you_mean(value, names)
    choice, word, index = seen.groups()
    known = []
    for name in names:
        stem = name.removesuffix("[i]")
        indexed = f"{stem}[{int(index or 0)}]" if stem in INDEXED else stem
        chosen = choice if choice and int(choice[:-1]) and stem in (*INDEXED, *OF_CHOICE) else ""
        known.append((stem, f"{chosen}{indexed}"))
    hint = did_you_mean(word, [stem for stem, _ in known])
    for stem, whole in known:
        if f"'{stem}'" in hint:
            return hint.replace(f"'{stem}'", f"'{whole}'")
    return hint


PIECE: Codec = _codec(PIECES, _PIECE)
PLACE: Codec = _codec((*PIECES, *EDGES), rf"(?:{_PIECE}|{'|'.join(EDGES)})")

Piece: TypeAlias = Annotated[str, PIECE]
"""The mark of one piece."""
Place: TypeAlias = Annotated[str, PLACE]
"""The mark of a piece that a fault strikes before, or an edge of the response."""
