"""Which module holds which kinds of faults, in the order of the catalogue.

A module is loaded when one of its kinds is first named, so a server that is to fail in one way does not load all ways.
A new kind is entered here; a test compares the table with what the modules register.
"""

from __future__ import annotations

from collections.abc import Mapping

MODULES: Mapping[str, tuple[str, ...]] = {
    "listener": (
        "refused",
        "syn-black-hole",
        "accept-black-hole",
        "accept-reset",
        "accept-close",
        "accept-delay",
        "connection-limit",
    ),
    "keepalive": ("idle-close", "reset-nth-request", "no-read", "early-response"),
    "cut": ("cut", "slow-close"),
    "stall": ("stall",),
    "delay": ("delay",),
    "pace": (
        "first-token",
        "inter-token",
        "jitter",
        "dribble",
        "bandwidth",
        "slice",
        "slow-head",
        "heartbeat",
        "one-flush",
    ),
    "status": ("status",),
    "head": (
        "garbage-status",
        "not-http",
        "status-line-only",
        "half-head",
        "bad-header",
        "duplicate-header",
        "huge-header",
        "many-headers",
        "extra-response",
        "body-on-204",
    ),
    "length": ("content-length",),
    "informational": ("informational", "upgrade"),
    "redirect": ("redirect",),
    "chunk": ("bad-chunk-size", "chunk-mismatch", "no-last-chunk", "chunk-extension", "trailers", "split-chunks"),
    "until_close": ("until-close",),
    "encoding": ("gzip", "charset"),
    "corrupt": ("flip", "bom", "bad-text"),
    "content": ("headers", "content-type", "html-page", "empty", "bad-body", "wrong-mode"),
    "events": (
        "no-done",
        "no-finish",
        "no-end",
        "duplicate",
        "swap",
        "insert",
        "error-event",
        "html-event",
        "done",
        "hang-after-done",
    ),
    "meaning": (
        "drift",
        "choice-index",
        "role-twice",
        "finish-twice",
        "finish-reason",
        "bad-usage",
        "tool-arguments",
        "replace",
    ),
    "mutate": ("mutate",),
    "bad_json": ("bad-json",),
    "lines": (
        "newlines",
        "extra-line",
        "no-blank-line",
        "no-space",
        "multi-line-data",
        "ndjson",
        "huge-event",
        "non-object",
        "split",
    ),
    "drop": ("drop",),
    "limits": ("rate-limit", "rate-limit-headers", "loading", "key-expired", "overload"),
    "given": ("plan",),
}

HOME: Mapping[str, str] = {kind: module for module, kinds in MODULES.items() for kind in kinds}
"""The module of each kind."""
