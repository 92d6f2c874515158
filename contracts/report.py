"""What a run found, as values. The forms it is shown in read these values (terminal, junit, markdown, page).

Nothing here knows a form; `contracts.forms` knows them all.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from contracts.baseline import Baseline, Known
from contracts.commands import again
from contracts.consequences import quiet
from contracts.law import find
from contracts.notes import notes
from contracts.options import Options
from contracts.pasted import request_of, standing

BAD = ("failed", "broken")
WORDS = ("ok", "lenient", "known", "failed", "broken", "lost", "unsupported", "unjudged")
SILENT = ("unsupported", "unjudged", "lost")
"""Words that say nothing of whether a law is kept."""
ORDER = {"live": 0, "recorded": 1, "client": 2}
PLAIN = "S-PLAIN-01"
ASKING = {"generate", "chat", "completions", "embeddings", "stream"}
"""A law that needs one of these has a model do its work."""

Column = tuple[str, str]
"""Where (live, recorded, client) and the target."""


@dataclass(slots=True)
class Report:
    """`columns` in the order of the tables; `verdicts` by law and column; `surprises` are recorded verdicts that the
    field notes do not know, or know wrongly; `deaths` are servers that died, and of what; `targets` what each
    server is; `given` the command line; `interrupted` how far a run came that did not end by itself."""

    columns: list[Column]
    verdicts: dict[tuple[str, Column], dict[str, Any]]
    surprises: list[dict[str, Any]]
    seconds: float
    names: dict[str, str] = field(default_factory=dict)
    deaths: list[dict[str, Any]] = field(default_factory=list)
    baseline: Baseline | None = None
    today: date = field(default_factory=date.today)
    targets: list[dict[str, Any]] = field(default_factory=list)
    given: argparse.Namespace = field(default_factory=argparse.Namespace)
    interrupted: str = ""

    def side(self, where: tuple[str, ...]) -> list[Column]:
        """The columns of one table."""
        return [column for column in self.columns if column[0] in where]

    def of(self, *where: str) -> list[dict[str, Any]]:
        """All verdicts of these kinds, column by column."""
        wanted = self.side(where)
        found = [(column, verdict) for (_, column), verdict in self.verdicts.items() if column in wanted]
        return [verdict for column in wanted for at, verdict in found if at == column]

    def name(self, target: str) -> str:
        """What a target is called where people read."""
        return self.names.get(target, target)

    def known(self, verdict: dict[str, Any]) -> Known | None:
        """The entry of the baseline that speaks of the verdict's law on its target, expired or not."""
        if self.baseline is None or verdict["where"] == "recorded":
            return None
        return self.baseline.find(verdict["law"], self.name(verdict["target"]))

    def word(self, verdict: dict[str, Any]) -> str:
        """The verdict's word; `known` where a failure is in the baseline or, for a recording, in the field notes."""
        word = str(verdict["word"])
        if word not in BAD:
            return word
        if verdict["where"] == "recorded":
            note = notes().get(verdict["target"])
            return "known" if note and verdict["law"] in note.breaks else word
        entry = self.known(verdict)
        return "known" if entry and not entry.is_expired(self.today) else word

    def again(self, verdict: dict[str, Any]) -> str:
        """The command that judges this law alone with the same cases."""
        return again(self.given, verdict, verdict["target"] in self.names)

    def red(self) -> list[dict[str, Any]]:
        """The verdicts that fail the run."""
        return [verdict for verdict in self.of("live", "client") if self.word(verdict) in BAD]

    def lost(self) -> list[dict[str, Any]]:
        """The verdicts on laws during which a server died, or began to hang."""
        return [verdict for verdict in self.of("live") if verdict["word"] == "lost"]

    def gone(self) -> list[Known]:
        """Entries of the baseline whose laws were judged in this run, on all that they speak of, and are kept now."""
        if self.baseline is None:
            return []
        judged = self.of("live", "client")
        found = []
        for entry in self.baseline.entries:
            words = [v["word"] for v in judged if self.known(v) == entry]
            if words and all(word in ("ok", "lenient") for word in words) and not self._is_left(entry):
                found.append(entry)
        return found

    def _is_left(self, entry: Known) -> bool:
        """Whether a server of the run that the entry speaks of was lost, or not yet asked, before the law's turn."""
        if find(entry.law).side == "client":
            return bool(self.interrupted)
        targets = {name for where, name in self.columns if where == "live"}
        targets |= {*getattr(self.given, "urls", ()), *(death["target"] for death in self.deaths)}
        covered = {target for target in targets if entry.covers(entry.law, self.name(target))}
        return bool(covered - {v["target"] for v in self.of("live") if v["law"] == entry.law})

    def unjudged(self) -> list[dict[str, Any]]:
        """The verdicts on the plain request, of servers on which no law that needs a model could be judged."""
        found = []
        for verdict in self.of("live"):
            if verdict["law"] == PLAIN and verdict["word"] == "unsupported":
                others = [v for v in self.of("live") if v["target"] == verdict["target"]]
                if not any(v["word"] not in SILENT and _asks_a_model(v["law"]) for v in others):
                    found.append(verdict)
        return found


def _asks_a_model(law: str) -> bool:
    one = find(law)
    return bool((one.needs | (one.over.needs if one.over else frozenset())) & ASKING)


def collect(
    lines: list[dict[str, Any]],
    options: Options,
    embedded: str,
    seconds: float,
    fakes: Mapping[str, str] = MappingProxyType({}),
) -> Report:
    """The report on the results of a run. `embedded` is what to call the server that was started for it; `fakes` are
    the servers that are gone when it ends, by URL, with the command that starts one alike."""
    columns: dict[Column, None] = {}
    verdicts = {}
    for line in lines:
        if line["kind"] == "verdict":
            column = (line["where"], line["target"])
            columns[column] = None
            verdicts[line["law"], column] = standing(line, fakes)
    verdicts = quiet(verdicts)
    names = dict.fromkeys(options.urls, embedded) if embedded else {}
    surprises = [line for line in lines if line["kind"] == "surprise"]
    deaths = [line for line in lines if line["kind"] == "fatal"]
    ordered = sorted(columns, key=lambda c: (ORDER[c[0]], c[1]))
    return Report(ordered, verdicts, surprises, seconds, names, deaths, targets=_targets(lines))


def _targets(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each judged server is; what several processes found of one is put together."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["kind"] == "target":
            first = found.setdefault(line["name"], line)
            first["capabilities"] = {**line["capabilities"], **first["capabilities"]}
    return [found[name] for name in sorted(found)]


def exit_code(report: Report) -> int:
    """1 when a judged target breaks a law that is not known (a SHOULD is only lenient), or died, or could not be judged
    at all, or a recording surprises; 2 when the run was interrupted."""
    if report.interrupted:
        return 2
    return 1 if report.surprises or report.deaths or report.red() or report.unjudged() else 0


def head(report: Report, verdict: dict[str, Any], short: bool = False) -> str:
    """The law and where it was judged, as a heading; `short` without the verdict and the place."""
    law = find(verdict["law"])
    if short:
        return f"{law.id}: {law.title}"
    if verdict["word"] == "lost":
        return f"{law.id} NOT JUDGED on {report.name(verdict['target'])}: {verdict['reason'].partition(': ')[0]}"
    return f"{law.id} {verdict['word'].upper()} on {report.name(verdict['target'])}: {law.title}"


def parts(report: Report, verdict: dict[str, Any]) -> list[tuple[str, str]]:
    """One broken law at length, as labels and texts; `request` and `again` are lines to paste."""
    law = find(verdict["law"])
    entry, failure = report.known(verdict), verdict["failure"]
    found = [] if entry is None else [("known", f"but expired on {entry.expires}: {entry}")]
    if failure is None:
        return [*found, ("reason", verdict["reason"])]
    found += [("request", line) for line in request_of(verdict)]
    if verdict["word"] == "lost":
        return [*found, ("got", failure["got"]), ("again", report.again(verdict))]
    found += [("expected", failure["expected"]), ("got", failure["got"])]
    found += [("case", failure["case"])] if failure["case"] else []
    reason = " ".join(law.description.partition("\n")[2].split())
    found += [("why", reason)] if reason else []
    found += [("source", law.source), ("seen", failure["seen"]), ("again", report.again(verdict))]
    return found


def block(report: Report, verdict: dict[str, Any]) -> str:
    """One broken law at length, as a text."""
    lines = [f"  {label:<9} {text}" for label, text in parts(report, verdict)]
    return "\n".join(["", head(report, verdict), *lines])


def found_of(target: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """What a target was found to have, and what it was found to lack, with the evidence."""
    has = sorted(name for name, (yes, _) in target["capabilities"].items() if yes)
    return has, {name: why for name, (yes, why) in sorted(target["capabilities"].items()) if not yes}


def summary(report: Report) -> list[str]:
    """One line per judged target, one for the recordings, one for each thing that is to be done."""
    lines = []
    for column in report.side(("live", "client")):
        words = [report.word(verdict) for (_, c), verdict in report.verdicts.items() if c == column]
        counts = ", ".join(f"{words.count(word)} {word}" for word in WORDS if word in words)
        lines.append(f"{report.name(column[1])}: {len(words)} {'law' if len(words) == 1 else 'laws'}: {counts}")
    if recorded := report.side(("recorded",)):
        known = sum(len(notes()[name].breaks) for _, name in recorded if name in notes())
        surprise = f"{len(report.surprises)} surprises" if report.surprises else "no surprise"
        lines.append(f"{len(recorded)} recorded servers: {known} known breaches, {surprise}")
    for verdict in report.unjudged():
        lines.append(
            f"{report.name(verdict['target'])}: NOT JUDGED, no law that asks a model applied: {verdict['reason']}"
        )
    for death in report.deaths:
        what = f"; the request: {death['request']}" if death["request"] else ""
        then = f"nothing more of it was judged; {death['problem']}" if death["problem"] else "it was started again"
        how = "HANGS since" if death.get("how") == "hangs" else "DIED during"
        lines.append(f"{report.name(death['target'])} {how} {death['law']}{what}; {then}")
    for entry in report.gone():
        lines.append(f"baseline: {entry.law} is no longer broken ({entry}); --prune-baseline takes it out")
    if report.interrupted:
        left = "; the baseline is left as it was" if report.baseline else ""
        lines.append(f"INTERRUPTED {report.interrupted.removeprefix('interrupted ')}{left}")
    return [*lines, f"{report.seconds:.1f} s"]
