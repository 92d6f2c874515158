"""Which process of several judges what: all laws on a server go to one, because what one measures others would disturb.

It is a scheduler of pytest-xdist, chosen by `--dist loadgroup`. Its own grouping by mark writes the group into an
attribute of a test that pytest 9.2 no longer reads, and then deals the laws of a server out to all.
"""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # xdist brings no types

SERVER_LAW = re.compile(r"test_server_law\[[A-Z]+-[A-Z]+-\d+-(.*)\]")


def scope(nodeid: str) -> str:
    """The tests of one scope are judged by one process: those of a server by its URL, each other one by itself."""
    found = SERVER_LAW.search(nodeid)
    return found[1] if found else nodeid


class ByServer(LoadGroupScheduling):  # type: ignore[misc]  # as above
    """Deals out servers and single tests; other people's groups stay groups."""

    def _split_scope(self, nodeid: str) -> str:
        found = scope(nodeid)
        return found if found != nodeid else str(super()._split_scope(nodeid))


def scheduler(config: Any, log: Any) -> Any:
    """The scheduler of a run with `--dist loadgroup`; None: xdist's own."""
    return ByServer(config, log) if config.getoption("dist") == "loadgroup" else None
