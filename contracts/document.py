"""The report as plain values: what `--json` writes."""

from __future__ import annotations

from typing import Any

from contracts.headline import headline
from contracts.report import Report, exit_code


def to_json(report: Report) -> dict[str, Any]:
    """The whole report as plain values."""
    keys = ("law", "where", "target", "word", "reason", "cases", "seconds", "failure")
    return {
        "headline": headline(report),
        "exit_code": exit_code(report),
        "seconds": round(report.seconds, 2),
        "verdicts": [
            {**{key: verdict[key] for key in keys}, "known": str(report.known(verdict) or "") or None}
            for verdict in report.verdicts.values()
        ],
        "surprises": [{"server": s["server"], "text": s["text"]} for s in report.surprises],
        "targets": [{key: t[key] for key in ("name", "model", "profile", "capabilities")} for t in report.targets],
        "deaths": [
            {"how": "died"} | {key: d[key] for key in ("target", "law", "request", "problem", "how") if key in d}
            for d in report.deaths
        ],
        "baseline": {"gone": [entry.law for entry in report.gone()]} if report.baseline else None,
    }
