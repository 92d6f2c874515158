"""All wrong servers, in the order of the families; no two have the same name."""

from __future__ import annotations

from . import (
    abuse,
    bytes_bent,
    counting,
    framing,
    heard,
    leaking,
    limits,
    narrow,
    pages,
    promised,
    refusing,
    sameness,
    shapes,
    sockets,
    streams,
)
from .mutant import Mutant

SERVERS: tuple[Mutant, ...] = (
    *framing.MUTANTS,
    *streams.MUTANTS,
    *shapes.MUTANTS,
    *counting.MUTANTS,
    *limits.MUTANTS,
    *sameness.MUTANTS,
    *refusing.MUTANTS,
    *pages.MUTANTS,
    *abuse.MUTANTS,
    *narrow.MUTANTS,
    *promised.MUTANTS,
    *bytes_bent.MUTANTS,
    *sockets.MUTANTS,
    *heard.MUTANTS,
    *leaking.MUTANTS,
)
