"""Where in a user's own file a function of theirs raised: for the one whose test fails, not for the client."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

PACKAGE = str(Path(__file__).parent.parent) + os.sep

AT = "\n  raised in "
"""What stands between the sentence of a failure and its place."""


def placed(sentence: str, error: BaseException) -> str:
    """The sentence, and (where it is known) behind it the function, file and line that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((PACKAGE, "<"))]
    users = [frame for frame in own if "site-packages" not in frame.filename]
    if not users:
        return sentence
    frame = users[-1]
    return f"{sentence}{AT}{frame.name}, {shown(frame.filename)}:{frame.lineno}"


def sentence_of(failure: str) -> str:
    """The sentence without its place."""
    return failure.rpartition(AT)[0] or failure


def shown(name: str) -> str:
    """A file's name, from the working directory where it is beneath it."""
    path = Path(name)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return name
