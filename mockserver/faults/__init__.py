"""Every way to be wrong on purpose, as values. `inferneo-mock faults` and `docs/faults.md` list them.

Importing this package registers all kinds. `parse_fault` and `Fault.to_json` are inverse.
"""

from __future__ import annotations

# The order of these imports is the order of the catalogue.
from . import (  # isort: skip
    listener as listener,
    keepalive as keepalive,
    cut as cut,
    stall as stall,
    delay as delay,
    pace as pace,
    head as head,
    length as length,
    informational as informational,
    redirect as redirect,
    chunk as chunk,
    until_close as until_close,
    encoding as encoding,
    corrupt as corrupt,
    content as content,
    mutate as mutate,
    bad_json as bad_json,
    events as events,
    lines as lines,
    drop as drop,
    meaning as meaning,
    status as status,
    limits as limits,
    given as given,
)
from .bad_json import BadJson
from .cut import Cut, SlowClose
from .delay import Delay
from .drop import Drop
from .fault import Fault, fault_definitions, kinds, parse_fault, parse_faults
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
    "fault_definitions",
    "kinds",
    "parse_fault",
    "parse_faults",
]
