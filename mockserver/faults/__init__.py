"""Every way to be wrong on purpose, as values. `inferneo-mock faults` and `docs/faults.md` list them.

Importing this package registers all kinds. `parse_fault` and `Fault.to_json` are inverse.
"""

from __future__ import annotations

from .bad_json import BadJson
from .cut import Cut, SlowClose
from .delay import Delay
from .drop import Drop
from .fault import Fault, fault_schema, kinds, parse_fault, parse_faults
from .stall import Stalled
from .status import Status
from .when import ALWAYS, When

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
    "fault_schema",
    "kinds",
    "parse_fault",
    "parse_faults",
]
