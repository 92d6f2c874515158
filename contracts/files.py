"""The files of the command line, checked before a run: a mistake must not cost the verdicts of an hour."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "INFERNEO_CONTRACTS_FOLDER"
"""The environment variable with the folder of the user, where relative paths are meant; the suite runs in another."""


def readable(option: str, path: str, remedy: str = "") -> None:
    """Raises `ValueError` that names the option and the path, and what makes a file that is missing, unless there is
    something to read."""
    if not Path(path).exists():
        raise ValueError(f"{option} {path!r}: no such file{remedy}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{option} {path!r}: it may not be read")


def writable(option: str, path: str) -> None:
    """Raises `ValueError` that names the option and the path unless a file can be written there."""
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"{option} {path!r} is a folder; expected a file")
    if not file.parent.is_dir():
        raise ValueError(f"{option} {path!r}: there is no folder {str(file.parent)!r}")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ValueError(f"{option} {path!r}: it may not be written")


def is_folder(option: str, path: str) -> None:
    """Raises `ValueError` unless the path is a folder or can become one."""
    place = Path(path)
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"{option} {path!r}: {str(place)!r} is a file; expected a folder")
    if not os.access(place, os.W_OK):
        raise ValueError(f"{option} {path!r}: {str(place)!r} may not be written")
