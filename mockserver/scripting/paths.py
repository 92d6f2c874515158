"""Which paths there are: those of the profiles that come with the server, and of the one a script names. Pure data.

Law: a path is called unknown only where no request of any of these profiles could have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from mockserver.errors import MockError
from mockserver.model.profile import names, read_profile


@lru_cache(maxsize=16)
def known_paths(profile: str | None = None) -> tuple[str, ...]:
    """The paths as profiles write them, a part that may be anything in braces."""
    found: set[str] = set()
    for name in (*names(), *([profile] if profile else [])):
        try:
            data = read_profile(name)
        except MockError:  # told where the profile is asked for
            continue
        found.update(data.get("routes") or {}, data.get("sockets") or {})
    return tuple(sorted(found))


def is_known(path: str, known: Iterable[str]) -> bool:
    """Whether a request of one of the `known` paths may match `path`, which is exact or has `*` for any characters."""
    pattern = re.compile(".*".join(map(re.escape, path.split("*"))), re.DOTALL)
    begin, star, _ = path.partition("*")
    return any(_may_match(one, pattern, begin if star else None, path) for one in known)


def _may_match(known: str, pattern: re.Pattern[str], begin: str | None, path: str) -> bool:
    """`begin`: what stands before the first `*` of the pattern; None: there is none, the path is exact."""
    head, brace, _ = known.partition("{")
    if not brace:
        return pattern.fullmatch(known) is not None
    if begin is None:
        return re.fullmatch(re.sub(r"\\\{.*?\\\}", ".+", re.escape(known)), path) is not None
    return head.startswith(begin) or begin.startswith(head)
