"""Where the fixture files are: in the wheel beside `mockserver`, in a checkout at its top."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def fixtures(*parts: str) -> Path:
    """The path of a fixture. Raises `FileNotFoundError` that names the places tried."""
    places = [Path(__file__).resolve().parent.parent / "fixtures"]
    spec = find_spec("mockserver")
    if spec is not None and spec.origin:
        places.insert(0, Path(spec.origin).parent / "_fixtures")
    for place in places:
        if (path := place.joinpath(*parts)).exists():
            return path
    raise FileNotFoundError(f"no fixture {'/'.join(parts)!r} in {' or in '.join(map(str, places))}")
