"""Every way to be wrong on purpose, as values. `inferneo-mock faults` and `docs/faults.md` list them.

A kind is loaded when it is first named (`mockserver.faults.where`). `parse_fault` and `Fault.to_json` are inverse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fault import Fault, fault_definitions, find, kinds, parse_fault, parse_faults
from .when import ALWAYS, When

if TYPE_CHECKING:
    from .bad_json import BadJson
    from .cut import Cut, SlowClose
    from .delay import Delay
    from .drop import Drop
    from .stall import Stalled
    from .status import Status

__all__ = [
    "ALWAYS",
    "BadJson",
    "Cut",
    "Delay",
    "Drop",
    "Fault",
    "SlowClose",
    "Stalled",
    "Status",
    "When",
    "fault_definitions",
    "kinds",
    "parse_fault",
    "parse_faults",
]

_CLASSES = {
    "BadJson": "bad-json",
    "Cut": "cut",
    "Delay": "delay",
    "Drop": "drop",
    "SlowClose": "slow-close",
    "Stalled": "stall",
    "Status": "status",
}


def __getattr__(name: str) -> Any:
    """The classes that are often built by hand."""
    if name in _CLASSES:
        return find(_CLASSES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
